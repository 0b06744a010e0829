"""The server is away for a while: its connections break, and new ones too."""

from __future__ import annotations

from typing import Any, Final

from pytest_sessionguard.core.faults import Fault
from pytest_sessionguard.faults import Away, Effect, FaultKind, Point


def _effect(fault: Fault, point: Point) -> Effect:
    del point
    for_us: Any = fault.subject
    return Away(abs(for_us))


FAULT: Final = FaultKind(
    name="outage",
    summary="from the k-th request on, or from its reply on, the server at [manager] endpoint is away for so long: "
    "every connection is reset",
    example="{outage: 3s, at: 2}",
    takes="duration",
    port="network",
    effect=_effect,
)
