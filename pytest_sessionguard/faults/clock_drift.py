"""From a client's k-th operation on the wall clock goes too fast or too slow; then it is right again."""

from __future__ import annotations

from typing import Any, Final

from pytest_sessionguard.clock.faulty import Drifting
from pytest_sessionguard.core.faults import Fault
from pytest_sessionguard.faults import Effect, FaultKind, Misread, Point


def _effect(fault: Fault, point: Point) -> Effect:
    del point
    by_us: Any = fault.subject
    return Misread(Drifting(ppm=max(-1_000_000, by_us // 3_600)))


FAULT: Final = FaultKind(
    name="clock_drift",
    summary="the wall clock gains so much an hour, or loses it, from a client's k-th operation to the end of `steps`",
    example="{clock_drift: 30s, at: 2}",
    takes="duration",
    port="operation",
    effect=_effect,
    whens=("before",),
)
