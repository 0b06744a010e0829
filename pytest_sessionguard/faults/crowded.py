"""The server takes no more connections for a while, as one does that has all it can have; those it has go on."""

from __future__ import annotations

from typing import Any, Final

from pytest_sessionguard.core.faults import Fault
from pytest_sessionguard.faults import Away, Effect, FaultKind, Point


def _effect(fault: Fault, point: Point) -> Effect:
    del point
    for_us: Any = fault.subject
    return Away(abs(for_us), only_new=True)


FAULT: Final = FaultKind(
    name="crowded",
    summary="from the k-th request on the server at [manager] endpoint takes no new connection for so long: each is "
    "reset, and those that are there go on",
    example="{crowded: 10s, at: 2}",
    takes="duration",
    port="network",
    effect=_effect,
)
