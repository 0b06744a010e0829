"""After the k-th operation the newest file of a name below {dir} is damaged, as a failing disk damages it."""

from __future__ import annotations

from typing import Final

from pytest_sessionguard.core.faults import Fault
from pytest_sessionguard.core.operations import VERBS
from pytest_sessionguard.faults import Damage, Effect, FaultKind, Option, Point


def _effect(fault: Fault, point: Point) -> Effect:
    del point
    return Damage(str(fault.subject))


def _has_chance(fault: Fault, point: Point) -> bool:
    return fault.options.get("of", "any") in ("any", point.name)


FAULT: Final = FaultKind(
    name="damaged_file",
    summary="after a client's k-th operation the newest file below {dir} whose path matches is damaged in its middle",
    example='{damaged_file: "kept/checkpoints/*", of: checkpoint, at: 2}',
    takes="text",
    port="operation",
    effect=_effect,
    has_chance=_has_chance,
    whens=("after",),
    options={"of": Option(takes=("any", *VERBS), summary="which operations count; any")},
)
