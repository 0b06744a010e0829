"""One small program of tasks under one schedule after another, in one event loop.

For programs that cost nothing to set up; a whole case, with a stage of its own, is rerun by `Runner.explore`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from pytest_sessionguard.core.schedule import Schedule, Scheduler
from pytest_sessionguard.errors import HarnessError, UsageError
from pytest_sessionguard.explore import tasks

Program = Callable[[], tuple[Sequence[tasks.Client], Callable[[], None]]]
"""Gives the clients of a new run, and what raises when they have left something wrong behind."""


NOTHING: Final = Schedule()


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """What a search has come to.

    Attributes:
        failure: what a client or the check raised; it ended the search.
        schedule: the schedule under which it did.
        exhaustive: the scheduler had nothing left to explore.
    """

    runs: int
    exhaustive: bool
    failure: BaseException | None = None
    schedule: Schedule = NOTHING


async def search(
    program: Program, scheduler: Scheduler, *, runs_max: int, steps_max: int = tasks.STEPS_MAX
) -> Searched:
    """Run the program again and again, until something fails, all is explored, or it ran `runs_max` times.

    Raises:
        UsageError: the scheduler follows a schedule that does not fit.
    """
    for run in range(1, runs_max + 1):
        clients, check = program()
        scheduler.begin()
        trace: list[int] = []
        try:
            await tasks.at_once(clients, scheduler, trace=trace, steps_max=steps_max)
            check()
        except (UsageError, HarnessError):
            raise
        except Exception as failure:  # noqa: BLE001 - whatever it is, it is what was looked for.
            return Searched(runs=run, exhaustive=False, failure=failure, schedule=Schedule(tuple(trace)))
        if not scheduler.end():
            return Searched(runs=run, exhaustive=True)
    return Searched(runs=runs_max, exhaustive=False)
