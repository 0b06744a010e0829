"""From the k-th request on nothing gets through to the server, or nothing comes back; neither side is told."""

from __future__ import annotations

from typing import Any, Final

from pytest_sessionguard.core.faults import Fault
from pytest_sessionguard.faults import Effect, FaultKind, Option, Part, Point

DIRECTIONS: Final = ("both", "to-server", "from-server")
HEAL: Final = "heal"


def parted(word: str) -> frozenset[str]:
    """Return the directions in which nothing gets through."""
    return frozenset(DIRECTIONS[1:] if word == "both" else {word})


def _effect(fault: Fault, point: Point) -> Effect:
    del point
    for_us: Any = fault.options.get("for")
    return Part(parted(str(fault.subject)), for_us)


FAULT: Final = FaultKind(
    name="partition",
    summary="from the k-th request on nothing gets through to the server at [manager] endpoint, or nothing comes back",
    example="{partition: from-server, at: 2, for: 10s}",
    takes=DIRECTIONS,
    port="network",
    effect=_effect,
    options={"for": Option(takes="duration", summary="for how long; to the end of `steps`")},
)
