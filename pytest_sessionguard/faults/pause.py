"""The whole process stands still for a while, as SIGSTOP makes it, and then goes on: time passes, and nobody runs."""

from __future__ import annotations

from typing import Any, Final

from pytest_sessionguard.core.faults import Fault
from pytest_sessionguard.faults import Effect, FaultKind, MoveClock, Point


def _effect(fault: Fault, point: Point) -> Effect:
    del point
    by_us: Any = fault.subject
    return MoveClock(abs(by_us), both=True)


FAULT: Final = FaultKind(
    name="pause",
    summary="the process stands still for a while before a client's k-th operation: no timer runs until it goes on",
    example="{pause: 10m, at: 3}",
    takes="duration",
    port="operation",
    effect=_effect,
    whens=("before",),
)
