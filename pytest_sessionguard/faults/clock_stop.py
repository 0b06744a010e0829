"""Before a client's k-th operation the wall clock stands still for a while; then it is right again."""

from __future__ import annotations

from typing import Any, Final

from pytest_sessionguard.clock.faulty import Stopped
from pytest_sessionguard.core.faults import Fault
from pytest_sessionguard.faults import Effect, FaultKind, Misread, Point


def _effect(fault: Fault, point: Point) -> Effect:
    del point
    by_us: Any = fault.subject
    return Misread(Stopped(for_us=abs(by_us)))


FAULT: Final = FaultKind(
    name="clock_stop",
    summary="the wall clock stands still for so long from a client's k-th operation on, and is then right again",
    example="{clock_stop: 10m, at: 2}",
    takes="duration",
    port="operation",
    effect=_effect,
    whens=("before",),
)
