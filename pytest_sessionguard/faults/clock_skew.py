"""From a client's k-th operation on the wall clock is off; once the story is over it is right again."""

from __future__ import annotations

from typing import Any, Final

from pytest_sessionguard.clock.faulty import Skewed
from pytest_sessionguard.core.faults import Fault
from pytest_sessionguard.faults import Effect, FaultKind, Misread, Point


def _effect(fault: Fault, point: Point) -> Effect:
    del point
    by_us: Any = fault.subject
    return Misread(Skewed(by_us=by_us))


FAULT: Final = FaultKind(
    name="clock_skew",
    summary="the wall clock is off by so much from a client's k-th operation to the end of `steps`, then right again",
    example="{clock_skew: -5m, at: 2}",
    takes="duration",
    port="operation",
    effect=_effect,
    whens=("before",),
)
