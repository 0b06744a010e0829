"""One small program of threads under one schedule after another, under one clock.

For programs that cost nothing to set up; a whole case, with a stage of its own, is rerun by `Runner.explore`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pytest_sessionguard.clock.virtual import VirtualClock
from pytest_sessionguard.core.schedule import Schedule, Scheduler
from pytest_sessionguard.errors import HarnessError, UsageError
from pytest_sessionguard.explore import threads
from pytest_sessionguard.explore.light_strands import are_fit
from pytest_sessionguard.explore.search import Searched
from pytest_sessionguard.explore.strands import STEPS_MAX
from pytest_sessionguard.explore.weaving import SwitchPoints

Program = Callable[[], tuple[Sequence[threads.Client], Callable[[], None]]]
"""Gives the clients of a new run, and what raises when they have left something wrong behind."""


def search(
    program: Program,
    scheduler: Scheduler,
    *,
    targets: Sequence[Any],
    runs_max: int,
    points: SwitchPoints | None = None,
    light: bool | None = None,
    steps_max: int = STEPS_MAX,
) -> Searched:
    """Run the program again and again, until something fails, all is explored, or it ran `runs_max` times.

    `targets`: classes, functions or objects whose projects get switch points, by `points` if they are given, which are
    faster the second time.  `light`: as greenlets; None: where nobody can tell the difference.

    Raises:
        UsageError: the scheduler follows a schedule that does not fit.
    """
    with points or threads.switch_points() as span, VirtualClock(threads=True).installed():
        modules = span.put_into(*targets)
        if light is None:
            light = are_fit(modules)
        unmatched = span.unmatched
        try:
            for run in range(1, runs_max + 1):
                clients, check = program()
                scheduler.begin()
                trace: list[int] = []
                try:
                    threads.at_once(
                        clients, scheduler, trace=trace, light=light, unmatched=unmatched, steps_max=steps_max
                    )
                    check()
                except (UsageError, HarnessError):
                    raise
                except Exception as failure:  # noqa: BLE001 - whatever it is, it is what was looked for.
                    return Searched(runs=run, exhaustive=False, failure=failure, schedule=Schedule(tuple(trace)))
                if not scheduler.end():
                    return Searched(runs=run, exhaustive=True)
        finally:
            threads.end_strays()
    return Searched(runs=runs_max, exhaustive=False)
