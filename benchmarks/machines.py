"""The zoo under Hypothesis: which bugs `SessionMachine` finds in the examples that Hypothesis runs of itself.

    python benchmarks/machines.py [--only PART]... [--kind KIND]... [--sample K] [--seeds N] [--examples N]
                                  [--steps N] [--timeout S] [--show]

Each (manager, seed) is one state machine in a process of its own, with Hypothesis' settings as they are (100 examples
of 50 steps) unless others are asked for.  Prints a line of each: whether the bug was found, under a name that it may
rightly be given, after how many seconds of processor time, in how many steps of Hypothesis' own program; or whether a
correct manager was accused.  Then the counts, `found`, `of` and `accused`.  `--show` prints what was found.

Exits with 1 where a correct manager is accused.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from zoo import catalogue  # noqa: E402  # it stands beside the tests
from zoo.catalogue import Entry  # noqa: E402

Row = dict[str, Any]


def look(entry: Entry, options: argparse.Namespace, seed: int) -> Row:
    """Run one machine with one seed in this process and return what came of it."""
    from hypothesis import HealthCheck, settings
    from hypothesis import seed as seeded
    from hypothesis.stateful import run_state_machine_as_test

    from pytest_sessionguard import SessionMachine
    from pytest_sessionguard.errors import NotDeterministic, Violation

    row: Row = {"name": entry.name, "kind": entry.kind, "seed": seed}
    began_s = time.process_time()
    with tempfile.TemporaryDirectory(prefix="machines-") as name:
        folder = Path(name)
        machine: Any = SessionMachine.for_target(str(entry.profile(folder / "made")), found=folder / "found")
        try:
            run_state_machine_as_test(
                seeded(seed)(machine),
                settings=settings(
                    max_examples=options.examples,
                    stateful_step_count=options.steps,
                    database=None,
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                    report_multiple_bugs=False,
                    print_blob=False,
                ),
            )
        except Violation as error:
            right = entry.kind != "correct" and error.property_name in entry.properties
            status = "accused" if entry.kind == "correct" else "found" if right else "misnamed"
            files = list((folder / "found").glob("*.yaml"))
            row |= {"status": status, "property": error.property_name, "file": bool(files)}
            told = "\n".join([str(error), *getattr(error, "__notes__", [])])
            row["steps"] = told.count("state.") - 1
            row["told"] = told
        except NotDeterministic as error:
            row |= {"status": "accused" if entry.kind == "correct" else "uncertain", "told": str(error)}
        except Exception as error:  # noqa: BLE001 - told, whatever it is.
            row |= {"status": "error", "told": "\n".join([repr(error), *getattr(error, "__notes__", [])])[:4000]}
        else:
            row["status"] = "held" if entry.kind == "correct" else "missed"
    return row | {"seconds": round(time.process_time() - began_s, 1)}


def apart(entry: Entry, options: argparse.Namespace, seed: int) -> Row:
    """Run one machine in a process of its own."""
    asked = [sys.executable, __file__, "--one", entry.name, "--seed", str(seed)]
    asked += ["--examples", str(options.examples), "--steps", str(options.steps)]
    row: Row = {"name": entry.name, "kind": entry.kind, "seed": seed}
    try:
        done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=options.timeout)
        return dict(json.loads(done.stdout.splitlines()[-1]))
    except subprocess.TimeoutExpired:
        return row | {"status": "late", "seconds": options.timeout}
    except (IndexError, ValueError):
        return row | {"status": "error", "seconds": 0.0, "told": done.stderr[-2000:]}


def chosen(options: argparse.Namespace) -> list[Entry]:
    """Return the managers that are asked for."""
    entries = catalogue.matching(options.only, options.kind)
    if options.sample:
        random.Random(0).shuffle(entries)
    return entries[: options.sample or None]


def main(arguments: list[str] | None = None) -> int:
    """Run what is asked for and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--kind", action="append", default=[], choices=["correct", "story", "planted", "mutant"])
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--examples", type=int, default=100)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--timeout", type=float, default=300.0)
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--one", default="", help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one:
        sys.stdout.write("\n" + json.dumps(look(catalogue.everything()[options.one], options, options.seed)) + "\n")
        return 0
    counts: Counter[str] = Counter()
    for entry in chosen(options):
        for seed in range(options.seeds):
            row = apart(entry, options, seed)
            counts[row["status"]] += 1
            told = f"{row.get('property', '')} {row.get('steps', '')}".strip()
            print(f"{row['status']:9} {row['seconds']:6.1f} s  {entry.name} [{seed}]  {told}", flush=True)
            if row.get("told") and (options.show or row["status"] in ("accused", "error", "uncertain")):
                print("    " + str(row["told"]).replace("\n", "\n    "), flush=True)
    print(json.dumps({"found": counts["found"], "of": sum(counts.values()), **counts}))
    return 1 if counts["accused"] else 0


if __name__ == "__main__":
    sys.exit(main())
