"""The k-th call of a hook takes long."""

from __future__ import annotations

from typing import Any, Final

from pytest_sessionguard.core.faults import Fault
from pytest_sessionguard.faults import Effect, FaultKind, Option, Point, Wait, is_subject

_USUALLY_US: Final = 1_000_000


def _effect(fault: Fault, point: Point) -> Effect:
    del point
    span_us: Any = fault.options.get("by", _USUALLY_US)
    return Wait(span_us)


FAULT: Final = FaultKind(
    name="delay_call",
    summary="a hook that the harness supplies takes long at its k-th call, in virtual time",
    example="{delay_call: commit, at: 1, by: 30s}",
    takes="text",
    port="hook",
    effect=_effect,
    has_chance=is_subject,
    options={"by": Option(takes="duration", summary="how long it takes; 1s")},
)
