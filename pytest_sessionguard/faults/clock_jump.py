"""The wall clock jumps before the k-th operation of a client; the monotonic clock does not notice."""

from __future__ import annotations

from typing import Any, Final

from pytest_sessionguard.core.faults import Fault
from pytest_sessionguard.faults import Effect, FaultKind, MoveClock, Point


def _effect(fault: Fault, point: Point) -> Effect:
    del point
    by_us: Any = fault.subject
    return MoveClock(by_us)


FAULT: Final = FaultKind(
    name="clock_jump",
    summary="the wall clock jumps, forwards or back, before a client's k-th operation",
    example="{clock_jump: -1h, at: 2}",
    takes="duration",
    port="operation",
    effect=_effect,
    whens=("before",),
)
