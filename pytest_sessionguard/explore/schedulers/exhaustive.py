"""Every order there is, each exactly once, those with fewest preemptions of a common beginning first.

Depth first over the decisions: a run repeats the decisions of the one before up to the last that has an alternative
left, takes that, and from there on lets whoever runs go on.

Source: Musuvathi and Qadeer, "Iterative context bounding for systematic testing of multithreaded programs" (PLDI 2007),
for the bound on preemptions.
"""

from __future__ import annotations

from collections.abc import Sequence

from pytest_sessionguard.core.schedule import Schedule, SchedulerKind, Settings, letter
from pytest_sessionguard.errors import ScheduleMisfit


class Exhaustive:
    """All orders with at most so many preemptions."""

    def __init__(self, preemptions_max: int | None) -> None:
        self._max = preemptions_max
        self._at = 0
        self._chosen: list[int] = []
        # By decision: who could run, and who ran last.
        self._met: list[tuple[Sequence[int], int]] = []
        # By decision, once it was gone back to: what is still to be tried.
        self._left: dict[int, list[int]] = {}

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
        chosen = current if current in enabled else enabled[0]
        self._chosen.append(chosen)
        self._met.append((tuple(enabled), current))
        return chosen

    def end(self) -> bool:
        chosen, met, left = self._chosen, self._met, self._left
        del chosen[self._at :], met[self._at :]
        spent = self._preemptions()
        while chosen:
            at = len(chosen) - 1
            enabled, current = met[at]
            could_go_on = current in enabled
            spent -= could_go_on and chosen[at] != current
            if at not in left:
                may_stop = not could_go_on or self._max is None or spent < self._max
                left[at] = [strand for strand in enabled if strand != chosen[at]] if may_stop else []
            if left[at]:
                chosen[at] = left[at].pop(0)
                return True
            del left[at]
            chosen.pop()
            met.pop()
        return False

    def _preemptions(self) -> int:
        if self._max is None:
            return 0
        pairs = zip(self._chosen, self._met, strict=True)
        return sum(current in enabled and strand != current for strand, (enabled, current) in pairs)


def _make(settings: Settings) -> Exhaustive:
    return Exhaustive(settings.preemptions_max)


SCHEDULER = SchedulerKind(name="exhaustive", summary="every order, each exactly once", make=_make, ends=True)
