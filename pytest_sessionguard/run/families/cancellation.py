"""Every operation, cancelled at each of its suspensions: in programs made for it, then in programs drawn at random."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final, cast

from pytest_sessionguard.core.plan import Plan
from pytest_sessionguard.core.result import counts
from pytest_sessionguard.core.values import FrozenMap
from pytest_sessionguard.explore import generate
from pytest_sessionguard.run import cancelling
from pytest_sessionguard.run.bench import Bench, Tried
from pytest_sessionguard.run.families import Family, endless

_OWN: Final = ("cancel.atomic", "cancel.no-leak")


def _run(bench: Bench, number: int) -> Iterator[Tried]:
    made = bench.cancelled
    plan: Plan
    numbers: tuple[int, ...] | None
    if number < len(made):
        plan, numbers = made[number]
    else:
        rng = bench.rng("cancellation", number)
        program = generate.sequential(bench.repertoire, rng, f"program {number}, cancelled")
        plan, numbers = program.plan, (rng.randrange(8),)
    cut_off = 0
    for cut, case in cancelling.cancel_each(bench.runner, plan, numbers):
        if case.status in ("error", "skipped") or (case.violations and not case.cancelled):
            return  # It fails by itself, or does not fit, which other families tell.
        cut_off += case.cancelled
        # An operation with fewer suspensions than another beside it leaves nothing unproven: it has no more of them.
        yield Tried(plan=cut, case=replace(case, unjudged=_others(case.unjudged)))
    if not cut_off and number < len(made):
        # Nothing in it can be cut off: each of its suspensions has been tried, for there is none.
        case = bench.runner.run(plan)
        yield Tried(plan=plan, case=replace(case, exercised=counts(dict.fromkeys(_OWN, 1))))


def _others(unjudged: Mapping[str, str]) -> Mapping[str, str]:
    left = {name: reason for name, reason in unjudged.items() if name not in _OWN}
    return cast("Mapping[str, str]", FrozenMap(left))


FAMILY = Family(
    name="cancellation",
    summary="every operation, cancelled at each of its suspensions",
    exercises=("cancel.",),
    rank=1,
    share=15,
    cost=4.0,
    applies=lambda bench: "" if bench.profile.callers == "tasks" else "its callers are no tasks",
    size=endless,
    run=_run,
)
