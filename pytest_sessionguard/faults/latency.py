"""The k-th request takes long on its way to the server, or its reply on the way back."""

from __future__ import annotations

from typing import Any, Final

from pytest_sessionguard.core.faults import Fault
from pytest_sessionguard.faults import Effect, FaultKind, Point, Wait


def _effect(fault: Fault, point: Point) -> Effect:
    del point
    span_us: Any = fault.subject
    return Wait(abs(span_us))


FAULT: Final = FaultKind(
    name="latency",
    summary="the k-th request takes so long, in virtual time, on its way to the server at [manager] endpoint, or its "
    "reply on the way back",
    example="{latency: 200ms, at: 1, lasting: true}",
    takes="duration",
    port="network",
    effect=_effect,
)
