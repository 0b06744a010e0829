"""The orders in which a scenario's branches run: which schedules each `parallel` step asks for, one after the other.

What follows a `parallel` step must hold in every one of its orders, so a case with several such steps is run under
every combination.  One schedule that was written down and no longer fits, since the target has changed, is followed as
far as it goes, and a number of other orders are run besides: a lock in the right place must not hide that all is well,
nor another line that it is not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final, cast

from pytest_sessionguard.core import schedule as schedules
from pytest_sessionguard.core import switches
from pytest_sessionguard.core.result import CaseResult, counts
from pytest_sessionguard.core.scenario import AnyStep, Parallel
from pytest_sessionguard.core.schedule import Schedule, Scheduler, Settings
from pytest_sessionguard.core.switches import Switch
from pytest_sessionguard.core.values import FrozenMap
from pytest_sessionguard.explore import schedulers
from pytest_sessionguard.explore.gradual import Gradual, preempts
from pytest_sessionguard.explore.standing import stopped

EXHAUSTIVE: Final = "exhaustive"

# All orders of a case, at most; where there are more, the case is unproven.
RUNS_MAX: Final = 20_000

# Where one schedule no longer fits, so many others are run.
INSTEAD: Final = 100


class Followed:
    """One schedule as far as it goes; where it does not fit, others after it."""

    def __init__(self, schedule: Schedule) -> None:
        self.fits = True
        self._choices = schedule.choices
        self._at = 0
        self._instead: Gradual | None = None

    def begin(self) -> None:
        self._at = 0
        if self._instead is not None:
            self._instead.begin()

    def choose(self, enabled: Sequence[int], current: int) -> int:
        if self._instead is not None:
            return self._instead.choose(enabled, current)
        while self._at < len(self._choices):
            wanted = self._choices[self._at]
            self._at += 1
            if wanted in enabled:
                return wanted
            self.fits = False
        return current if current in enabled else enabled[0]

    def end(self) -> bool:
        if self._instead is not None:
            return self._instead.end()
        self.fits = self.fits and self._at == len(self._choices)
        if not self.fits:
            self._instead = Gradual(INSTEAD)
        return not self.fits


class Orders:
    """The schedulers of one case's `parallel` steps, as its file asks for them.

    Attributes:
        switches: where a task was stopped that could have gone on, in this run.
    """

    def __init__(self) -> None:
        self.switches: list[Switch] = []
        self._inner: list[Scheduler] = []
        self._entered = 0

    @property
    def misfit(self) -> bool:
        """Whether a schedule that was written down no longer fits."""
        return any(isinstance(one, Followed) and not one.fits for one in self._inner)

    def enter(self, step: Parallel) -> None:
        """Let the step that begins now have the scheduler that it asks for."""
        if self._entered == len(self._inner):
            self._inner.append(_made(step.schedules))
        self._inner[self._entered].begin()
        self._entered += 1

    def begin(self) -> None:
        self._entered = 0
        self.switches.clear()

    def choose(self, enabled: Sequence[int], current: int) -> int:
        chosen = self._inner[self._entered - 1].choose(enabled, current)
        if preempts(chosen, enabled, current):
            self.switches.append(stopped(current, chosen))
        return chosen

    def end(self) -> bool:
        """Go on to the next order of the last step; once it has none left, to the next one of the step before."""
        del self._inner[self._entered :]
        for at in reversed(range(len(self._inner))):
            if self._inner[at].end():
                del self._inner[at + 1 :]
                return True
        return False


def asked(steps: Iterable[AnyStep]) -> bool:
    """Say whether any of the steps asks for orders."""
    return any(isinstance(step, Parallel) and step.schedules for step in steps)


def _made(asked_for: str | int) -> Scheduler:
    if isinstance(asked_for, int):
        return Gradual(asked_for)
    if asked_for == EXHAUSTIVE:
        return schedulers.make("exhaustive")
    if asked_for:
        return Followed(schedules.parse(asked_for))
    return schedulers.make("replay", Settings())


def together(cases: Sequence[CaseResult], orders: Orders, *, complete: bool) -> CaseResult:
    """Return what the runs of one case under several orders come to: what one of them violated, or all of them."""
    last = cases[-1]
    if last.status == "violated":
        return with_schedule(last, orders.switches)
    if last.status in ("skipped", "error"):
        return last
    exercised: Counter[str] = Counter()
    behaviour: Counter[str] = Counter()
    unjudged: dict[str, str] = {}
    for case in cases:
        exercised.update(case.exercised)
        behaviour.update(case.behaviour)
        unjudged.update(case.unjudged)
    reasons = [case.reason for case in cases if case.status == "unproven"]
    if not complete:
        reasons.append(f"there are more than {len(cases)} orders, and no more were run")
    told = f"the schedule no longer fits: {len(cases) - 1} other orders were run" if orders.misfit else ""
    return replace(
        last,
        status="unproven" if reasons else "held",
        reason=reasons[-1] if reasons else told,
        exercised=counts(exercised),
        behaviour=counts(behaviour),
        unjudged=cast("dict[str, str]", FrozenMap(unjudged)),
        runs=len(cases),
        steps=sum(case.steps for case in cases),
        operations=sum(case.operations for case in cases),
        virtual_us=sum(case.virtual_us for case in cases),
        real_s=sum(case.real_s for case in cases),
    )


def with_schedule(case: CaseResult, tasks_stopped: Sequence[Switch]) -> CaseResult:
    """Return the case with its violations saying who ran when."""
    schedule, where = str(case.schedule), switches.told(case.switches or tuple(tasks_stopped))
    found = tuple(replace(one, schedule=schedule, switch=where) for one in case.violations)
    return replace(case, violations=found, switches=case.switches or tuple(tasks_stopped))
