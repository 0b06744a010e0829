"""The shipped stories that fit the target: good programs, thought out one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import cast

from pytest_sessionguard.core.values import FrozenMap
from pytest_sessionguard.run.bench import Bench, Tried
from pytest_sessionguard.run.families import Family

EVERYTHING = (
    "lifecycle.",
    "expiry.",
    "sweep.",
    "limit.",
    "data.",
    "resources.",
    "security.",
    "metrics.",
    "durability.restart",
    "recovery.complete",
    "recovery.no-false-alarm",
    "concurrency.",
)


def _run(bench: Bench, number: int) -> Iterator[Tried]:
    plan = bench.stories[number]
    case = bench.runner.run(plan)
    # What cannot be looked at after every step may be put to the test by programs in other ways.
    left = {name: why for name, why in case.unjudged.items() if name not in plan.scenario.invariants}
    yield Tried(plan=plan, case=replace(case, unjudged=cast("Mapping[str, str]", FrozenMap(left))))


FAMILY = Family(
    name="stories",
    summary="the shipped stories that fit the target",
    exercises=EVERYTHING,
    rank=0,
    share=20,
    cost=2.0,
    applies=lambda bench: "" if bench.stories else "no shipped story fits the target",
    size=lambda bench: len(bench.stories),
    run=_run,
)
