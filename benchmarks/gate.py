"""What the coverage gate costs: beside `coverage json` alone, on a generated project of 400 files.

    python benchmarks/gate.py [--files 400] [--pairs 5] [--json]

The gate reads the same data file, counts lines and branches of every file, and judges forty components and the total.
Both are run in turn, each in a process of its own, by processor time; told is the ratio of the least of each, which
noise can only raise.  Exits with 1 where it is more than the aim.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

AIM = 1.2
FOLDERS = 40

# Twelve of these make a module: branches of every kind, half of which no call takes.
FUNCTION = '''

def share_{number}(many, most):
    """Share many among most."""
    total = 0
    for one in range(many):
        if one % 2:
            total += one
        elif one > most:
            total -= 1
        else:
            continue
    try:
        return total // most
    except ZeroDivisionError:
        return None
'''

CLASS = '''

class Cart:
    """A cart."""

    def __init__(self):
        self.items = []

    def add(self, item):
        """Add an item, once."""
        if item in self.items:
            return False
        self.items.append(item)
        return True

    def price(self):
        """Return what all of it costs."""
        return sum(len(item) if item else 0 for item in self.items)
'''


def build(folder: Path, files: int) -> None:
    """Write the project, its gates and a program that runs a part of it."""
    for number in range(files):
        package = folder / "src" / f"part{number % FOLDERS}"
        package.mkdir(parents=True, exist_ok=True)
        (package / "__init__.py").touch()
        text = f'"""Module {number}."""\n' + "".join(FUNCTION.format(number=one) for one in range(12)) + CLASS
        (package / f"module{number}.py").write_text(text, encoding="utf-8")
    names = [f"part{number % FOLDERS}.module{number}" for number in range(files)]
    program = (
        "import importlib, sys\nsys.path.insert(0, 'src')\n"
        f"for name in {names!r}:\n"
        "    module = importlib.import_module(name)\n"
        "    for number in range(0, 12, 2):\n        getattr(module, f'share_{number}')(4, number % 4)\n"
        "    module.Cart().add('x')\n"
    )
    (folder / "program.py").write_text(program, encoding="utf-8")
    parts = "".join(f'part{number} = {{ paths = ["src/part{number}/**"] }}\n' for number in range(FOLDERS))
    settings = f"[tool.sessionguard.coverage]\nmin = 10\n[tool.sessionguard.coverage.components]\n{parts}"
    (folder / "pyproject.toml").write_text(settings, encoding="utf-8")


def cost_s(folder: Path, *words: str) -> float:
    """Return the processor seconds of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("COVERAGE", "GITHUB"))}
    subprocess.run([sys.executable, *words], cwd=folder, env=clean, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)


def measure(files: int, pairs: int) -> dict[str, float]:
    """Return the figures."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        build(folder, files)
        cost_s(folder, "-m", "coverage", "run", "--branch", "--source=src", "program.py")
        rival, ours = [], []
        for _ in range(pairs):
            rival.append(cost_s(folder, "-m", "coverage", "json", "-q"))
            ours.append(cost_s(folder, "-m", "pytest_sessionguard", "coverage", "check"))
    return {
        "files": files,
        "coverage_json_s": round(min(rival), 3),
        "gate_s": round(min(ours), 3),
        "gate_ratio": round(min(ours) / min(rival), 3),
    }


def main() -> int:
    """Measure, tell, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=400)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    asked = parser.parse_args()
    told = measure(asked.files, asked.pairs)
    if asked.json:
        print(json.dumps(told))
    else:
        print(f"coverage json     {told['coverage_json_s']} s on {asked.files} files")
        print(f"coverage gate     {told['gate_s']} s, {told['gate_ratio']} x (aim: at most {AIM})")
    return int(told["gate_ratio"] > AIM)


if __name__ == "__main__":
    sys.exit(main())
