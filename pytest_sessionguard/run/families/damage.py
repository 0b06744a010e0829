"""Each operation, then programs drawn at random, and whatever they leave in files damaged, one file at a time."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Final

from pytest_sessionguard.core.plan import Plan
from pytest_sessionguard.core.scenario import Parallel
from pytest_sessionguard.explore import generate
from pytest_sessionguard.run import cancelling, damage_cases
from pytest_sessionguard.run.bench import Bench, Tried
from pytest_sessionguard.run.families import Family, endless


@lru_cache(maxsize=8)
def _programs(bench: Bench) -> tuple[Plan, ...]:
    """Return programs after which a session is left."""
    return tuple(plan for told, _ in cancelling.programs(bench.profile) if (plan := _kept(told)) is not None)


def _kept(told: Plan) -> Plan | None:
    """Return the plan up to where its sessions end; None where nothing is written by then."""
    story = told.scenario
    if any(isinstance(step, Parallel) for step in story.steps):
        return None
    steps = tuple(itertools.takewhile(lambda step: step.verb not in _ENDING, story.steps))
    if not any(step.verb in _WRITES for step in steps):
        return None
    title = story.title.replace(", cancelled", ", damaged")
    return replace(told, scenario=replace(story, title=title, steps=steps), forgiving=True)


_ENDING: Final = frozenset({"advance", "clear", "delete", "expire", "pop"})
_WRITES: Final = frozenset({"update", "save", "put", "append", "touch"})


def _applies(bench: Bench) -> str:
    return damage_cases.obstacle_of(bench.profile)


def _run(bench: Bench, number: int) -> Iterator[Tried]:
    turn, is_drawn = divmod(number, 2)
    made = _programs(bench)
    if not is_drawn and turn < len(made):
        plan = made[turn]
    else:
        plan = generate.sequential(bench.repertoire, bench.rng("damage", number), f"program {number}, damaged").plan
    case = damage_cases.damage_case(bench.runner, plan, seed=bench.seed + number)
    yield Tried(plan=plan, case=case, fault="".join(violation.fault for violation in case.violations))


FAMILY = Family(
    name="damage",
    summary="each operation, then programs drawn at random, and what they leave in files damaged, one file at a time",
    exercises=("durability.damage",),
    rank=1,
    share=15,
    cost=40.0,
    applies=_applies,
    size=endless,
    run=_run,
)
