"""Every order there is, each exactly once, those with fewest preemptions of a common beginning first.

Depth first over the decisions: a run repeats the decisions of the one before up to the last that has an alternative
left, takes that, and from there on lets whoever runs go on.

Source: Musuvathi and Qadeer, "Iterative context bounding for systematic testing of multithreaded programs" (PLDI 2007),
for the bound on preemptions.
"""

from __future__ import annotations

from collections.abc import Sequence

from pytest_sessionguard.core.schedule import NOBODY, Schedule, SchedulerKind, Settings, letter
from pytest_sessionguard.errors import ScheduleMisfit


class Exhaustive:
    """All orders with at most so many preemptions."""

    def __init__(self, preemptions_max: int | None) -> None:
        self._max = preemptions_max
        self._at = 0
        # By decision: what was chosen, what is still to be tried, who would have gone on, preemptions before it.
        self._chosen: list[int] = []
        self._left: list[list[int]] = []
        self._home: list[int] = []
        self._spent: list[int] = []

    def begin(self) -> None:
        self._at = 0

    def choose(self, enabled: Sequence[int], current: int) -> int:
        at = self._at
        self._at = at + 1
        if at < len(self._chosen):
            wanted = self._chosen[at]
            if wanted not in enabled:
                schedule = str(Schedule(tuple(self._chosen)))
                raise ScheduleMisfit(schedule, decision=at + 1, wanted=letter(wanted), able=map(letter, enabled))
            return wanted
        spent = 0
        if at and self._max is not None:
            before = self._home[-1]
            spent = self._spent[-1] + (before != NOBODY and before != self._chosen[-1])
        if current in enabled:
            chosen = home = current
            may_stop = self._max is None or spent < self._max
            left = [strand for strand in enabled if strand != current] if may_stop else []
        else:
            chosen, home, left = enabled[0], NOBODY, list(enabled[1:])
        self._chosen.append(chosen)
        self._left.append(left)
        self._home.append(home)
        self._spent.append(spent)
        return chosen

    def end(self) -> bool:
        del self._chosen[self._at :], self._left[self._at :], self._home[self._at :], self._spent[self._at :]
        while self._left:
            if self._left[-1]:
                self._chosen[-1] = self._left[-1].pop(0)
                return True
            self._chosen.pop(), self._left.pop(), self._home.pop(), self._spent.pop()
        return False


def _make(settings: Settings) -> Exhaustive:
    return Exhaustive(settings.preemptions_max)


SCHEDULER = SchedulerKind(name="exhaustive", summary="every order, each exactly once", make=_make, ends=True)
