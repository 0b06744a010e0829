"""Any strand that can run, each as likely as the others, at every decision."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from pytest_sessionguard.core.schedule import SchedulerKind, Settings


class Randomly:
    """As many runs as are asked for; run n of a seed is always the same."""

    def __init__(self, seed: int) -> None:
        self._seed = seed << 32
        self._random = Random()
        self._draw = self._random.random

    def begin(self) -> None:
        self._random.seed(self._seed)
        self._seed += 1

    def choose(self, enabled: Sequence[int], current: int) -> int:
        return enabled[int(self._draw() * len(enabled))]

    def end(self) -> bool:
        return True


def _make(settings: Settings) -> Randomly:
    return Randomly(settings.seed)


SCHEDULER = SchedulerKind(name="random", summary="anybody that can run, each as likely", make=_make, ends=False)
