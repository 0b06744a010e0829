"""The connection is reset when the k-th request is made, or when its reply comes: before it arrives, or amidst it."""

from __future__ import annotations

from typing import Final

from pytest_sessionguard.core.faults import Fault
from pytest_sessionguard.faults import Effect, FaultKind, Point, Reset

ARRIVES: Final = ("nothing", "half")


def _effect(fault: Fault, point: Point) -> Effect:
    del point
    return Reset(half=fault.subject == "half")


FAULT: Final = FaultKind(
    name="reset",
    summary="the connection to the server at [manager] endpoint is reset at the k-th request, or at its reply; "
    '"nothing" of the message arrives, or its first "half"',
    example="{reset: half, at: 2, when: after}",
    takes=ARRIVES,
    port="network",
    effect=_effect,
)
