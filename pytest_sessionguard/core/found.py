"""A violation as a search met it, with all that brings it about again, and what became of it when it was made small.

Pure values.  A schedule and a fault are kept as text, as a scenario file has them, so that a find can be written down,
read back and compared without the machinery that made it.  `explore.shrink.shrink(found, rerun, runs_max=, seed=)`
makes one small.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from pytest_sessionguard.core.plan import Plan
from pytest_sessionguard.core.result import CaseResult
from pytest_sessionguard.core.violation import ViolationFound, shape_of

RUNS_MAX = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One case that shows a violation.

    Attributes:
        plan: what was done.
        schedule: who ran at each decision, as letters ("ABBA"); empty where nothing ran at once.
        fault: what was done to the target besides, as text; empty where nothing was.
        case: what came of it; its first violation is the one that is meant.
        preemptions: how often somebody who could have gone on was stopped.
        is_costly: a run of it takes so long that it is told as it was found.
    """

    plan: Plan
    case: CaseResult
    schedule: str = ""
    fault: str = ""
    preemptions: int = 0
    is_costly: bool = False

    @property
    def violation(self) -> ViolationFound:
        """The violation that is meant.

        Raises:
            IndexError: the case shows none.
        """
        return self.case.violations[0]

    @property
    def shape(self) -> tuple[str, ...]:
        """What two finds of one bug have in common: the property, the operation at fault, the answer without ids."""
        return shape_of(self.violation)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """One run of a plan.

    Attributes:
        schedule: who ran at each decision, as letters.
        preemptions: how often somebody who could have gone on was stopped.
    """

    case: CaseResult
    schedule: str = ""
    preemptions: int = 0


class Rerun(Protocol):
    """Runs a plan again, from nothing, and says what came of it."""

    def once(self, plan: Plan, schedule: str, fault: str) -> Ran:
        """Run the plan under exactly this schedule; past its end, and with an empty one, nobody is preempted.

        Raises:
            UsageError: the schedule or the plan does not fit the target.
        """

    def some(
        self, plan: Plan, fault: str, *, runs_max: int, seed: int, like: str = "", drawn: bool = True
    ) -> Iterator[Ran]:
        """Run the plan under at most `runs_max` schedules, the same for the same seed: `like` first, as far as it goes.

        Then those of few preemptions, and some drawn at random; without `drawn` one after the other, none left out.

        Raises:
            UsageError: the plan does not fit the target.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Shrunk:
    """What became of a find.

    Attributes:
        found: the smallest case of the same shape; nothing of it can be left out where `minimal`.
        confirmed: it was replayed twice, to the same violation each time.
        minimal: a last pass has tried to leave out each operation, preemption and fault, in vain.
        runs: how many runs it took.
        traces: where it was not confirmed, what the replays showed instead, as text.
    """

    found: Found
    confirmed: bool
    minimal: bool
    runs: int
    traces: tuple[str, ...] = ()
