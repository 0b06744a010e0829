"""Every operation, cancelled at each of its suspensions: in programs made for it, then in programs drawn at random."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_sessionguard.core.plan import Plan
from pytest_sessionguard.explore import generate
from pytest_sessionguard.run import cancelling
from pytest_sessionguard.run.bench import Bench, Tried
from pytest_sessionguard.run.families import Family, endless


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
    for cut, case in cancelling.cancel_each(bench.runner, plan, numbers):
        if case.status == "violated" and not case.violations[0].property.startswith("cancel."):
            return  # It fails by itself, which other families tell.
        yield Tried(plan=cut, case=case)


FAMILY = Family(
    name="cancellation",
    summary="every operation, cancelled at each of its suspensions",
    exercises=("cancel.",),
    rank=1,
    share=8,
    applies=lambda bench: "" if bench.profile.callers == "tasks" else "its callers are no tasks",
    size=endless,
    run=_run,
)
