"""Whoever has waited longest runs: the order of asyncio's own loop, and of a fair lock."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_sessionguard.core.schedule import SchedulerKind, Settings


class FirstInFirstOut:
    """One run, in the order of coming."""

    def __init__(self) -> None:
        self._line: list[int] = []

    def begin(self) -> None:
        self._line = []

    def choose(self, enabled: Sequence[int], current: int) -> int:
        # Who ran last stands at the end again, behind those that it has let go.
        waiting = [strand for strand in self._line if strand != current and strand in enabled]
        waiting += [strand for strand in enabled if strand != current and strand not in waiting]
        if current in enabled:
            waiting.append(current)
        self._line = waiting
        return waiting[0]

    def end(self) -> bool:
        return False


def _make(settings: Settings) -> FirstInFirstOut:
    return FirstInFirstOut()


SCHEDULER = SchedulerKind(
    name="first-in-first-out", summary="whoever has waited longest runs; one run", make=_make, ends=True
)
