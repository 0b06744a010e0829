"""Schedules in the order in which a reader would want them: those of fewest preemptions first, the odd ones last.

Most bugs need one preemption or two, and what needs few is easy to understand.  Every order is run once: a run repeats
some decisions of an earlier one, takes an alternative, and from there on lets whoever runs go on.

Source: Musuvathi and Qadeer, "Iterative context bounding for systematic testing of multithreaded programs" (PLDI 2007).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

from pytest_sessionguard.core.schedule import NOBODY, Schedule, Scheduler, Settings
from pytest_sessionguard.core.switches import Switch
from pytest_sessionguard.explore import schedulers
from pytest_sessionguard.explore.standing import stopped

NO_SCHEDULE: Final = Schedule()

# Of all runs, the part that goes to orders one after the other; the rest is drawn by random priorities.
_IN_ORDER: Final = 0.8


class Counted:
    """A scheduler of which it is counted how often it preempts.

    Attributes:
        preemptions: how often, in this run; `switches`: where tasks were stopped by it.
    """

    def __init__(self, inner: Scheduler) -> None:
        self._inner = inner
        self.preemptions = 0
        self.switches: list[Switch] = []

    def begin(self) -> None:
        self.preemptions = 0
        self.switches.clear()
        self._inner.begin()

    def choose(self, enabled: Sequence[int], current: int) -> int:
        chosen = self._inner.choose(enabled, current)
        if preempts(chosen, enabled, current):
            self.preemptions += 1
            self.switches.append(stopped(current, chosen))
        return chosen

    def end(self) -> bool:
        return self._inner.end()


def preempts(chosen: int, enabled: Sequence[int], current: int) -> bool:
    """Say whether the choice stops somebody who could go on."""
    return chosen != current and current != NOBODY and current in enabled


class Gradual:
    """At most `runs_max` orders, the same ones for the same seed; all of them in order where nothing is drawn.

    `like` is run first, as far as it goes: the schedule of a program of which this one is a part.

    Attributes:
        preemptions: how often somebody was stopped in this run.
        complete: every order there is was run.
    """

    def __init__(self, runs_max: int, seed: int = 0, *, like: Schedule = NO_SCHEDULE, drawn: bool = True) -> None:
        self.preemptions = 0
        self.complete = False
        self._left = runs_max
        self._in_order_left = int(runs_max * _IN_ORDER) or 1 if drawn else runs_max
        self._drawn = schedulers.make("pct", Settings(seed=seed))
        self._draws = False
        # By number of preemptions: decisions to repeat.
        self._waiting: list[deque[tuple[int, ...]]] = [deque([()])]
        self._like: tuple[int, ...] | None = like.choices or None
        self._prefix: tuple[int, ...] = self._like if self._like is not None else self._waiting[0].popleft()
        self._at = 0
        # By decision: who was chosen, who could run, who ran last.
        self._met: list[tuple[int, tuple[int, ...], int]] = []

    def begin(self) -> None:
        self.preemptions = 0
        self._at = 0
        self._met.clear()
        if self._draws:
            self._drawn.begin()

    def choose(self, enabled: Sequence[int], current: int) -> int:
        if self._draws:
            chosen = self._drawn.choose(enabled, current)
        else:
            chosen = self._next(enabled, current)
            self._met.append((chosen, tuple(enabled), current))
        self.preemptions += preempts(chosen, enabled, current)
        return chosen

    def _next(self, enabled: Sequence[int], current: int) -> int:
        prefix = self._prefix
        while self._at < len(prefix):
            wanted = prefix[self._at]
            self._at += 1
            if wanted in enabled:
                return wanted
        return current if current in enabled else enabled[0]

    def end(self) -> bool:
        self._left -= 1
        if self._left <= 0:
            return False
        if self._draws:
            return self._drawn.end()
        if self._like is not None:
            self._like = None
        else:
            self._branch()
            self._in_order_left -= 1
        following = next((queue for queue in self._waiting if queue), None)
        if following is None:
            self.complete = True
            return False
        if self._in_order_left <= 0:
            self._draws = True
        else:
            self._prefix = following.popleft()
        return True

    def _branch(self) -> None:
        """Note every alternative to the decisions that this run made by itself."""
        chosen = tuple(one for one, _, _ in self._met)
        spent = 0
        for at, (one, enabled, current) in enumerate(self._met):
            if at >= len(self._prefix):
                for other in enabled:
                    if other != one:
                        cost = spent + preempts(other, enabled, current)
                        while len(self._waiting) <= cost:
                            self._waiting.append(deque())
                        self._waiting[cost].append((*chosen[:at], other))
            spent += preempts(one, enabled, current)
