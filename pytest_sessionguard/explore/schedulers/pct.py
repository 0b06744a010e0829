"""Random priorities, changed at a few random decisions: finds a bug of small depth with a chance that can be told.

The strand of highest priority runs.  With `changes` = d - 1, a bug of depth d among n strands and k decisions is
found by one run with a chance of at least 1 / (n * k ** (d - 1)).

Source: Burckhardt, Kothari, Musuvathi and Nagarakatte, "A randomized scheduler with probabilistic guarantees of finding
bugs" (ASPLOS 2010), section 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Final

from pytest_sessionguard.core.schedule import SchedulerKind, Settings

# How many decisions a run is taken to have before any was seen.
FIRST_GUESS: Final = 16


class Pct:
    """As many runs as are asked for; the number of decisions is learnt from the runs before."""

    def __init__(self, seed: int, changes: int) -> None:
        self._seed = seed << 32
        self._changes = changes
        self._random = Random()
        self._decisions_max = 0
        self._at = 0
        self._priority: dict[int, float] = {}
        self._change_at: dict[int, float] = {}

    def begin(self) -> None:
        self._random.seed(self._seed)
        self._seed += 1
        self._decisions_max = max(self._decisions_max, self._at)
        self._at = 0
        self._priority.clear()
        among = self._decisions_max or FIRST_GUESS
        draw = self._random.random
        # Priorities below zero, the later changes lower: who was stopped last waits longest.
        self._change_at = {int(draw() * among): -1.0 - number for number in range(self._changes)}

    def choose(self, enabled: Sequence[int], current: int) -> int:
        priority = self._priority
        for strand in enabled:
            if strand not in priority:
                priority[strand] = self._random.random()
        chosen = max(enabled, key=priority.__getitem__)
        at = self._at
        self._at = at + 1
        if at in self._change_at:
            priority[chosen] = self._change_at[at]
            chosen = max(enabled, key=priority.__getitem__)
        return chosen

    def end(self) -> bool:
        return True


def _make(settings: Settings) -> Pct:
    return Pct(settings.seed, settings.changes)


SCHEDULER = SchedulerKind(name="pct", summary="random priorities, changed at a few decisions", make=_make, ends=False)
