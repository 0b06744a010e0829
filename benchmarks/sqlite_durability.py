"""What SQLite keeps of acknowledged commits when the power fails, by journal mode and synchronous level.

    python benchmarks/sqlite_durability.py [--json] [--states N]

Needs Linux and strace.  One small program commits three times under each setting and is traced; every state that a
loss of power may leave is rebuilt, opened with SQLite and compared with what was acknowledged.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path

from pytest_sessionguard.crash import MODELS, explore_log
from pytest_sessionguard.crash.folders import new_folder
from pytest_sessionguard.crash.traced import trace, unavailable

SETTINGS = (
    ("delete", "off"),
    ("delete", "normal"),
    ("delete", "full"),
    ("delete", "extra"),
    ("wal", "normal"),
    ("wal", "full"),
)
COMMITS = 3

# Ends without closing: a close would flush what a crash does not.
PROGRAM = """
import os, sqlite3, sys
folder, journal, synchronous, commits = sys.argv[1:]
marks = os.open(os.environ["SESSIONGUARD_MARKS"], os.O_WRONLY | os.O_APPEND)
base = sqlite3.connect(os.path.join(folder, "s.db"), isolation_level=None)
base.execute("pragma page_size=1024")
base.execute(f"pragma journal_mode={journal}")
base.execute(f"pragma synchronous={synchronous}")
base.execute("create table s (k text primary key, v text)")
os.write(marks, b"ready\\n")
for number in range(int(commits)):
    os.write(marks, b"begin\\n")
    base.execute("begin immediate")
    base.execute("insert or replace into s values (?, ?)", (f"s{number % 2}", f"{number}:" + chr(97 + number) * 1500))
    base.execute("commit")
    os.write(marks, b"done\\n")
os._exit(0)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one setting kept under one model."""

    journal: str
    synchronous: str
    model: str
    states: int
    lost: int
    damaged: int
    exhaustive: bool
    seconds: float


def after(commits: int) -> dict[str, str]:
    """Return what the table holds after so many commits: key -> number of the commit."""
    return {f"s{number % 2}": str(number) for number in range(commits)}


def judged(folder: Path, marks: tuple[Hashable, ...]) -> str:
    """Return "damaged", "lost", or nothing where all that was acknowledged is there."""
    if "ready" not in marks:
        return ""
    counts = Counter(marks)
    base = sqlite3.connect(folder / "s.db")
    try:
        if base.execute("pragma integrity_check").fetchone()[0] != "ok":
            return "damaged"
        found = {key: value.partition(":")[0] for key, value in base.execute("select k, v from s")}
    except sqlite3.OperationalError as error:
        return "lost" if "no such table" in str(error) else "damaged"
    except sqlite3.DatabaseError:
        return "damaged"
    finally:
        base.close()
    if found in (after(counts["done"]), after(counts["begin"])):
        return ""
    return "lost" if found in [after(commits) for commits in range(counts["done"])] else "damaged"


def outcomes(journal: str, synchronous: str, *, states_max: int, models: tuple[str, ...]) -> list[Outcome]:
    """Trace the program under one setting and judge what may be left."""
    folder = new_folder()
    found = []
    try:
        command = [sys.executable, "-I", "-c", PROGRAM, str(folder), journal, synchronous, str(COMMITS)]
        log = trace(command, folder, volatile=("*-shm",))
        if log.incomplete:
            raise SystemExit(f"the trace is incomplete: {log.incomplete}")
        for model in models:
            wrong: Counter[str] = Counter()

            def judge(place: Path, marks: tuple[Hashable, ...], wrong: Counter[str] = wrong) -> str:
                problem = judged(place, marks)
                wrong[problem] += 1
                return problem

            began = time.perf_counter()
            report = explore_log(
                log, judge, folder, model=MODELS[model], budget=states_max, volatile=("*-shm",), nested=False, reopens=1
            )
            found.append(
                Outcome(
                    journal=journal,
                    synchronous=synchronous,
                    model=model,
                    states=report.states,
                    lost=wrong["lost"],
                    damaged=wrong["damaged"],
                    exhaustive=report.exhaustive,
                    seconds=time.perf_counter() - began,
                )
            )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return found


def main() -> None:
    """Measure, print, and with `--json` end with one flat object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--states", type=int, default=1_000, help="distinct states at most, for each row")
    options = parser.parse_args()
    reason = unavailable()
    if reason:
        raise SystemExit(f"benchmarks/sqlite_durability.py cannot run here: {reason}")
    began = time.perf_counter()
    print(f"SQLite {sqlite3.sqlite_version}, {COMMITS} commits each")
    print(f"{'journal':8} {'synchronous':12} {'model':8} {'states':>7} {'lost':>6} {'damaged':>8}")
    figures: dict[str, float] = {}
    for journal, synchronous in SETTINGS:
        for one in outcomes(journal, synchronous, states_max=options.states, models=("strict", "ordered")):
            how = "all" if one.exhaustive else "sample"
            print(
                f"{journal:8} {synchronous:12} {one.model:8} {one.states:7,} {one.lost:6,} {one.damaged:8,}"
                f"  {how}, {one.seconds:.1f} s"
            )
            name = f"sqlite_{journal}_{synchronous}_{one.model}"
            figures |= {f"{name}_states": one.states, f"{name}_lost": one.lost, f"{name}_damaged": one.damaged}
    figures["sqlite_durability_s"] = round(time.perf_counter() - began, 2)
    print(f"in {figures['sqlite_durability_s']} s")
    if options.json:
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
