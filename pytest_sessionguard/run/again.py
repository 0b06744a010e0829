"""A plan run again on a fresh stage: under one schedule exactly, or under a few."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_sessionguard.core import schedule as schedules
from pytest_sessionguard.core.found import Ran
from pytest_sessionguard.core.plan import Plan
from pytest_sessionguard.core.schedule import Settings
from pytest_sessionguard.explore import schedulers
from pytest_sessionguard.explore.gradual import Counted, Gradual
from pytest_sessionguard.run import disturbed
from pytest_sessionguard.run.orders import with_schedule
from pytest_sessionguard.run.runner import Runner


class Again:
    """Runs plans again with one runner."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def once(self, plan: Plan, schedule: str, fault: str) -> Ran:
        """Run the plan under exactly this schedule.

        Raises:
            UsageError: the schedule or the plan does not fit the target.
        """
        if disturbed.takes_runs(plan):
            return Ran(case=self._runner.run(plan))
        scheduler = Counted(schedulers.make("replay", Settings(schedule=schedules.parse(schedule))))
        case = with_schedule(self._runner.run(plan, scheduler), scheduler.switches)
        return Ran(case=case, schedule=str(case.schedule), preemptions=scheduler.preemptions)

    def some(
        self, plan: Plan, fault: str, *, runs_max: int, seed: int, like: str = "", drawn: bool = True
    ) -> Iterator[Ran]:
        """Run the plan under at most `runs_max` schedules: `like`, those of few preemptions, then drawn ones.

        Raises:
            UsageError: the plan does not fit the target.
        """
        if disturbed.takes_runs(plan):
            yield Ran(case=self._runner.run(plan))
            return
        scheduler = Gradual(runs_max, seed, like=schedules.parse(like), drawn=drawn)
        for _ in range(runs_max):
            case = self._runner.run(plan, scheduler)
            yield Ran(case=case, schedule=str(case.schedule), preemptions=scheduler.preemptions)
            if case.status in ("skipped", "error") or not scheduler.end():
                return
