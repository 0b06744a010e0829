"""The k-th operation of a client arrives twice: an answer was late, and its client has tried again."""

from __future__ import annotations

from typing import Final

from pytest_sessionguard.core.operations import VERBS
from pytest_sessionguard.faults import FaultKind, Repeat, is_subject

FAULT: Final = FaultKind(
    name="repeated_call",
    summary="a client's k-th operation of that name is asked twice, one right after the other",
    example="{repeated_call: delete, at: 1, when: after}",
    takes=("any", *VERBS),
    port="operation",
    effect=lambda fault, point: Repeat(),
    has_chance=is_subject,
    whens=("after",),
)
