"""Programs drawn at random in which a few clients do a few things at once, each program under several schedules."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from pytest_sessionguard.core.result import CaseResult
from pytest_sessionguard.core.schedule import Scheduler, Settings
from pytest_sessionguard.errors import ScheduleMisfit
from pytest_sessionguard.explore import generate, schedulers
from pytest_sessionguard.run.bench import Bench, Tried
from pytest_sessionguard.run.families import Family, endless

# Programs are cheap and races are found by many of them rather than by one looked at for long.
RUNS_MAX: Final = 12

# Kinds of schedulers -> how often each is drawn.
_KINDS: Final = {"random": 5, "pct": 4, "exhaustive": 2}


def _scheduler(rng: random.Random) -> Scheduler:
    (kind,) = rng.choices(list(_KINDS), list(_KINDS.values()))
    return schedulers.make(
        kind, Settings(seed=rng.randrange(1 << 30), preemptions_max=2, changes=rng.choice((1, 2, 3)))
    )


def _run(bench: Bench, number: int) -> Iterator[Tried]:
    rng = bench.rng("concurrent", number)
    program = generate.concurrent(bench.repertoire, rng, f"concurrent program {number}")
    plan = replace(program.plan, overlapping=rng.random() < 0.5)
    cases: list[CaseResult] = []
    # A target that something outside decides, too, does not come by the same way twice: what was run so far counts.
    with contextlib.suppress(ScheduleMisfit):
        bench.runner.explore(plan, _scheduler(rng), runs_max=RUNS_MAX, on_case=cases.append)
    for case in cases:
        yield Tried(plan=plan, case=case, schedule=str(case.schedule))


def _applies(bench: Bench) -> str:
    return "" if bench.profile.callers != "one" else "nobody may call at once (the profile says callers = one)"


FAMILY = Family(
    name="concurrent",
    summary="programs drawn at random, several clients at once, each under several schedules",
    exercises=("concurrency.", "data.isolation", "security.cross-session"),
    rank=2,
    share=40,
    cost=12.0,
    applies=_applies,
    size=endless,
    run=_run,
)
