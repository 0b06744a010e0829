"""What a case of a search costs, as a ratio to Hypothesis driving the bare manager.

    python benchmarks/check.py [--cases 100] [--rounds 3] [--profile NAME]...

Prints one JSON object: for each profile `sequential_cases_per_s`, `concurrent_cases_per_s` and `cancel_cases_per_s`, by
processor time of this process, the best of the rounds for every case; null where a family does not apply.  The rival of
the same run is a `RuleBasedStateMachine` that makes, reads, changes and ends sessions of the sync reference manager in
memory, in real time and without judging anything but that nothing raises; `sequential_ratio` says how many times as
long one operation of a sequential case takes as one of its rules.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, rule, run_state_machine_as_test

from pytest_sessionguard.reference import SessionManager
from pytest_sessionguard.run.bench import Bench
from pytest_sessionguard.run.families import families
from pytest_sessionguard.target import loading

PROFILES = ("reference-sync-memory", "reference-async-memory", "reference-sync-sqlite", "reference-async-sqlite")
KEYS = {
    "sequential": "sequential_cases_per_s",
    "concurrent": "concurrent_cases_per_s",
    "cancellation": "cancel_cases_per_s",
}
STEPS = 20


class Bare(RuleBasedStateMachine):
    """The rival: the same kinds of operations on the bare manager."""

    ids = Bundle("ids")
    done = 0

    def __init__(self) -> None:
        super().__init__()
        self.manager = SessionManager()

    @rule(target=ids, data=st.dictionaries(st.sampled_from("abc"), st.integers(0, 9)))
    def create(self, data: dict[str, int]) -> str:
        Bare.done += 1
        return str(self.manager.create(data=data).id)

    @rule(one=ids)
    def get(self, one: str) -> None:
        Bare.done += 1
        self.manager.get(one)

    @rule(one=ids, value=st.integers(0, 9))
    def update(self, one: str, value: int) -> None:
        Bare.done += 1
        self.manager.update(one, {"a": value})

    @rule(one=consumes(ids))
    def close(self, one: str) -> None:
        Bare.done += 1
        self.manager.close(one)

    def teardown(self) -> None:
        self.manager.stop()


def rival_us(examples: int) -> float:
    """Return what one rule of the rival takes, in microseconds of processor time."""
    wanted = settings(
        max_examples=examples,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    Bare.done = 0
    began_s = time.process_time()
    run_state_machine_as_test(seed(1)(Bare), settings=wanted)
    return (time.process_time() - began_s) / Bare.done * 1e6


def cost(bench: Bench, family: str, cases: int, rounds: int) -> tuple[float, float] | None:
    """Return what one case of a family and one operation of it take, in seconds of processor time."""
    kind = families()[family]
    if kind.applies(bench):
        return None
    list(kind.run(bench, cases))  # The first case learns what the target is.
    best: list[float] = [float("inf")] * cases
    ran = operations = 0
    for number in range(cases):
        for _ in range(rounds):
            began_s = time.process_time()
            tried = list(kind.run(bench, number))
            best[number] = min(best[number], time.process_time() - began_s)
        ran += len(tried)
        operations += sum(one.case.operations for one in tried)
    return sum(best) / max(ran, 1), sum(best) / max(operations, 1)


def figures(name: str, cases: int, rounds: int, rule_us: float) -> dict[str, Any]:
    """Return the figures of one profile."""
    bench = Bench(loading.load(name), seed=1)
    found: dict[str, Any] = {}
    for family, key in KEYS.items():
        costs = cost(bench, family, cases if family == "sequential" else max(1, cases // 10), rounds)
        found[key] = None if costs is None else round(1 / costs[0], 1)
        if family == "sequential" and costs is not None:
            found["sequential_ratio"] = round(costs[1] * 1e6 / rule_us, 2)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", action="append")
    options = parser.parse_args()
    rival_us(5)  # Hypothesis gets ready.
    rule_us = rival_us(options.cases)
    told = {name: figures(name, options.cases, options.rounds, rule_us) for name in options.profile or PROFILES}
    print(json.dumps({"rival_rule_us": round(rule_us, 1), **told}, indent=2))


if __name__ == "__main__":
    main()
