"""The zoo under `sessionguard check`: which bugs are found, under which name, and whether a correct manager is accused.

    python benchmarks/zoo.py [--budget 30] [--seeds 3] [--only NAME]... [--kind KIND]... [--sample K]
                             [--results FILE] [--table FILE] [--list] [--tell-stories]

Each (manager, seed) is one search in a process of its own, which stops at its first find where a bug is looked for, and
starts with nothing that an earlier search has found.  Each gives one line of JSON in the results; what stands there
already, with the same budget, is not run again, so that the command may be stopped and given again at any time.  The
table says of every bug whether it was found, under a name that it may rightly be given, and after how many seconds; of
every correct manager, whether it was accused, and what stayed unproven.

`--tell-stories` tells the shipped stories instead of searching: what is found without a search.
Exits with 1 where less than 95 % of the bugs are found rightly or a correct manager is accused.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from zoo import catalogue  # noqa: E402  # it stands beside the tests
from zoo.catalogue import Entry  # noqa: E402
from zoo.mutants import EQUIVALENT  # noqa: E402

AIM = 0.95
BEGIN, END = "<!-- table -->\n", "<!-- end of the table -->\n"

# What a search may take beyond its budget: to start, to shrink what it has found, to write it down.
GRACE_S = 90.0

Row = dict[str, Any]


# -- one search -------------------------------------------------------------------------------------------------------


def command(entry: Entry, profile: Path, folder: Path, options: argparse.Namespace, seed: int) -> list[str]:
    """Return the command that looks at one manager."""
    sessionguard = [sys.executable, "-m", "pytest_sessionguard"]
    report = ["--json", str(folder / "result.json"), "--quiet"]
    if options.tell_stories:
        return [*sessionguard, "run", str(ROOT / "scenarios"), "--manager", str(profile), *report]
    searched = ["--seed", str(seed), "--budget", f"{options.budget}s", "--found", str(folder / "found")]
    first = [] if entry.kind == "correct" else ["--stop-at-first"]
    return [*sessionguard, "check", str(profile), *searched, *first, *report]


def look(entry: Entry, options: argparse.Namespace, seed: int) -> Row:
    """Look at one manager with one seed and return what came of it."""
    row: Row = {"name": entry.name, "kind": entry.kind, "seed": seed, "budget_s": options.budget}
    with tempfile.TemporaryDirectory(prefix="zoo-") as name:
        folder = Path(name)
        asked = command(entry, entry.profile(folder / "made"), folder, options, seed)
        began_s = time.monotonic()
        try:
            done = subprocess.run(
                asked, capture_output=True, text=True, check=False, cwd=folder, timeout=options.budget + GRACE_S
            )
        except subprocess.TimeoutExpired:
            return row | {"status": "error", "why": f"no end after {options.budget + GRACE_S:g} s"}
        row["seconds"] = round(time.monotonic() - began_s, 2)
        try:
            result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return row | {"status": "error", "why": (done.stderr or done.stdout).strip()[-400:]}
    return row | judged(entry, result)


def judged(entry: Entry, result: dict[str, Any]) -> Row:
    """Return what a result says of a manager whose properties are known."""
    names = [found["property"] for found in result["violations"]]
    unproven = {one["name"]: one["reason"] for one in result["properties"] if one["status"] == "unproven"}
    told: Row = {"properties": names, "cases": result["cases"]}
    if result["verdict"] == "error":
        return told | {"status": "error", "why": "an error of the harness's own"}
    if entry.kind == "correct":
        told["unproven"] = unproven
        if names:
            return told | {"status": "accused", "why": str(result["violations"][0]["message"])[:2000]}
        return told | {"status": "unproven" if unproven else "held"}
    if not names:
        return told | {"status": "missed", "unproven": unproven}
    right = any(name in entry.properties for name in names)
    return told | {"status": "found" if right else "misnamed", "why": str(result["violations"][0]["message"])[:2000]}


# -- the results ------------------------------------------------------------------------------------------------------


def key(row: Row) -> tuple[str, int, float]:
    """Return what makes a search another one."""
    return row["name"], row["seed"], row["budget_s"]


def read(path: Path) -> dict[tuple[str, int, float], Row]:
    """Return the rows that are there, the last of each search."""
    if not path.exists():
        return {}
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return {key(row): row for row in rows}


def chosen(options: argparse.Namespace) -> list[Entry]:
    """Return the managers that are asked for; a sample has as many of each kind as its share."""
    entries = catalogue.matching(options.only, options.kind)
    if options.sample is None or options.sample >= len(entries):
        return entries
    drawn = sorted(random.Random(options.sample).sample(range(len(entries)), options.sample))
    return [entries[number] for number in drawn]


# -- the table --------------------------------------------------------------------------------------------------------


def table(entries: Iterable[Entry], rows: Iterable[Row]) -> Iterator[str]:
    """Give the lines of the table."""
    by_name: dict[str, list[Row]] = {}
    for row in rows:
        by_name.setdefault(row["name"], []).append(row)
    looked_at = [entry for entry in entries if entry.name in by_name]
    bugs = [entry for entry in looked_at if entry.kind != "correct"]
    yield from _summary(bugs, by_name)
    correct = [entry for entry in looked_at if entry.kind == "correct"]
    yield from ("", "| correct manager | style | accused | unproven |", "|---|---|---|---|")
    for entry in correct:
        accused = sorted({name for row in by_name[entry.name] for name in row.get("properties", ())})
        accused += ["error" for row in by_name[entry.name] if row["status"] == "error"]
        unproven = sorted({name for row in by_name[entry.name] for name in row.get("unproven", ())})
        yield f"| `{entry.name}` | {entry.about} | {_names(accused)} | {_names(unproven)} |"
    yield from ("", "| bug | made by | difficulty | found | called | seconds |", "|---|---|---|---|---|---|")
    for entry in bugs:
        mine = by_name[entry.name]
        found = sum(row["status"] == "found" for row in mine)
        called = sorted({name for row in mine for name in row.get("properties", ())})
        seconds = [row["seconds"] for row in mine if row["status"] == "found"]
        took = f"{min(seconds):.1f} to {max(seconds):.1f}" if seconds else ""
        how = f"{entry.kind} | {entry.difficulty} | {found}/{len(mine)}"
        yield f"| `{entry.name}` | {how} | {_names(called)} | {took} |"
    yield from ("", "Mutants that are equal to their originals:", "", "| mutant | what is changed | why it is equal |")
    yield "|---|---|---|"
    for name, (done, why) in EQUIVALENT.items():
        yield f"| `{name}` | {done.replace('|', chr(92) + '|')} | {why} |"


def _summary(bugs: list[Entry], by_name: dict[str, list[Row]]) -> Iterator[str]:
    yield from (
        "| bugs | searches | found, rightly called | wrongly called | missed | errors |",
        "|---|---|---|---|---|---|",
    )
    for kind in ("story", "planted", "mutant", "all"):
        of_kind = [entry for entry in bugs if kind in (entry.kind, "all")]
        statuses = [row["status"] for entry in of_kind for row in by_name[entry.name]]
        if statuses:
            found, wrong, missed, errors = map(statuses.count, ("found", "misnamed", "missed", "error"))
            rightly = f"{found} ({100 * found / len(statuses):.1f} %)"
            yield f"| {kind}: {len(of_kind)} | {len(statuses)} | {rightly} | {wrong} | {missed} | {errors} |"


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def write_table(path: Path, lines: Iterable[str]) -> None:
    """Write the table into its place on a page, or as a page."""
    text = "\n".join(lines) + "\n"
    page = path.read_text(encoding="utf-8") if path.exists() else f"{BEGIN}{END}"
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    path.write_text(f"{before}{BEGIN}{text}{END}{after}", encoding="utf-8")


# -- the command ------------------------------------------------------------------------------------------------------


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description="the zoo under `sessionguard check`")
    parser.add_argument("--budget", type=float, default=30.0, help="seconds for each search")
    parser.add_argument("--seeds", type=int, default=3, help="searches for each manager, with seeds from 1")
    parser.add_argument("--only", action="append", default=[], help="only managers with this in their names")
    parser.add_argument("--kind", action="append", default=[], choices=["correct", "story", "planted", "mutant"])
    parser.add_argument("--sample", type=int, help="so many of them, always the same ones")
    parser.add_argument("--results", type=Path, help="where each search is noted  [.sessionguard/zoo.jsonl]")
    parser.add_argument("--table", type=Path, help="write the table into this page")
    parser.add_argument("--list", action="store_true", help="say what there is, and run nothing")
    parser.add_argument("--tell-stories", action="store_true", help="tell the shipped stories instead of searching")
    options = parser.parse_args(arguments)
    usual = "zoo-stories.jsonl" if options.tell_stories else "zoo.jsonl"
    options.results = options.results or ROOT / ".sessionguard" / usual
    return options


def main(arguments: list[str] | None = None) -> int:
    """Run what is asked for and was not run yet; print the table's summary."""
    options = parsed(arguments)
    entries = chosen(options)
    if options.list:
        for entry in entries:
            print(
                f"{entry.kind:8} {entry.difficulty:9} {entry.name}: {' '.join(sorted(entry.properties)) or entry.about}"
            )
        print(f"{len(entries)} managers")
        return 0
    known = read(options.results)
    options.results.parent.mkdir(parents=True, exist_ok=True)
    wanted = [(entry, seed) for seed in range(1, options.seeds + 1) for entry in entries]
    for number, (entry, seed) in enumerate(wanted, 1):
        if (entry.name, seed, options.budget) in known:
            continue
        row = look(entry, options, seed)
        known[key(row)] = row
        with options.results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, sort_keys=True) + "\n")
        called = " ".join(row.get("properties", ())[:3])
        took = f"{row.get('seconds', 0):6.1f} s"
        print(f"{number}/{len(wanted)} {row['status']:8} {took} {entry.name} seed {seed} {called}", flush=True)
    rows = [known[entry.name, seed, options.budget] for entry, seed in wanted]
    lines = list(table(entries, rows))
    print("\n".join(lines[: lines.index("")]))
    if options.table is not None:
        write_table(options.table, lines)
    return 0 if is_good(rows) else 1


def is_good(rows: list[Row]) -> bool:
    """Say whether enough bugs were found under a right name, and nobody was accused who is correct."""
    bugs = [row for row in rows if row["kind"] != "correct"]
    found = sum(row["status"] == "found" for row in bugs)
    accused = any(row["status"] in ("accused", "error") for row in rows if row["kind"] == "correct")
    return found >= AIM * len(bugs) and not accused


if __name__ == "__main__":
    sys.exit(main())
