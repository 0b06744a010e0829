"""The durable stores of the zoo under `check`: which planted bugs are found, under which property; a table.

    python benchmarks/durable_zoo.py [--budget SECONDS | --cases N] [--kinds NAMES] [--only NAME] [--json]

Each store is searched for durability, recovery and fault properties alone, until the first violation.  A bug counts as
found where the property is one that it may rightly be blamed on; a sound store is searched to the end of its budget.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from zoo.durable.catalogue import BUGS, SOUND, Durable

from pytest_sessionguard.run.checker import Settings, check

PREFIXES = ("durability", "recovery", "fault", "expiry.idle", "lifecycle.ids-unique")


def main() -> None:
    """Search, print the table, and with `--json` end with one flat object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--budget", type=float, default=30.0, help="seconds for each store")
    parser.add_argument("--cases", type=int, help="cases for each store, in place of a time")
    parser.add_argument("--only", default="", help="a part of a store's name")
    parser.add_argument("--kinds", default="", help="families of cases, separated by commas; all where none is named")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    options = parser.parse_args()
    found, missed, alarms = 0, [], []
    print("| store | found as | seconds |\n|---|---|---|", flush=True)
    for store in (*BUGS, *SOUND):
        if options.only not in store.name:
            continue
        told, spent_s = _searched(store, options)
        right = bool(told) and set(told) <= store.properties
        found += right
        if store.properties and not right:
            missed.append(store.name)
        if not store.properties and told:
            alarms.append(store.name)
        words = ", ".join(f"`{name}`" for name in told) or (
            "none, which is right" if not store.properties else "missed"
        )
        print(f"| {store.name} | {words} | {spent_s:.1f} |", flush=True)
    print(f"\n{found} of {found + len(missed)} found; missed {missed}; accused by mistake {alarms}")
    if options.json:
        print(json.dumps({"durable_bugs_found": found, "durable_bugs_missed": len(missed), "alarms": len(alarms)}))


def _searched(store: Durable, options: argparse.Namespace) -> tuple[tuple[str, ...], float]:
    settings = Settings(
        seed=options.seed,
        budget_s=None if options.cases else options.budget,
        cases=options.cases,
        only=PREFIXES,
        first=True,
        kinds=tuple(filter(None, options.kinds.split(","))),
    )
    began_s = time.perf_counter()
    result = check(store.profile(), settings)
    return tuple(violation.property for violation in result.violations), time.perf_counter() - began_s


if __name__ == "__main__":
    main()
