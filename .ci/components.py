"""Gate the coverage of every room of the package, lines and branches apart.

    python .ci/components.py coverage.json 85

A room that matches no measured file fails, and so does a measured file that stands in no room.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

PACKAGE = Path("pytest_sessionguard")
FRONT = "(front)"


def room_of(path: Path) -> str:
    """Return the room that a file stands in: the folder below the package, or the package's own front."""
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else FRONT


def rooms() -> list[str]:
    """Return every room that holds code."""
    return sorted({room_of(path) for path in PACKAGE.rglob("*.py") if path.read_text(encoding="utf-8").strip()})


def measure(files: dict[str, Any]) -> dict[str, list[int]]:
    """Return room -> [lines covered, lines, branches covered, branches]."""
    found: dict[str, list[int]] = {}
    for name, entry in files.items():
        told = entry["summary"]
        one = [told["covered_lines"], told["num_statements"], told["covered_branches"], told["num_branches"]]
        sums = found.setdefault(room_of(Path(name)), [0, 0, 0, 0])
        sums[:] = [left + right for left, right in zip(sums, one, strict=True)]
    return found


def shown(covered: int, total: int) -> str:
    """Return a share with one decimal, cut off and not rounded: what is shown as 85.0 is 85."""
    tenths = covered * 1000 // total if total else 1000
    return f"{tenths // 10}.{tenths % 10} %"


def main(report: str, least: int) -> int:
    """Print a line a room; return 1 if any room falls short."""
    found = measure(json.loads(Path(report).read_text(encoding="utf-8"))["files"])
    failed = False
    for room in sorted({*rooms(), *found}):
        lines, lines_all, branches, branches_all = found.get(room, [0, 0, 0, 0])
        measured = room in found
        enough = measured and lines * 100 >= least * lines_all and branches * 100 >= least * branches_all
        failed |= not enough
        told = (
            f"lines {shown(lines, lines_all)}, branches {shown(branches, branches_all)}"
            if measured
            else "no file measured"
        )
        print(f"{'ok    ' if enough else 'FAILED'} {room:<10} {told}")
    print(f"{'short of' if failed else 'every room reaches'} {least} % of lines and of branches")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
