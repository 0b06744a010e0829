"""The answer to the k-th operation of a client is lost: it has happened, and the client does not know."""

from __future__ import annotations

from typing import Final

from pytest_sessionguard.core.operations import VERBS
from pytest_sessionguard.faults import FaultKind, Lose, is_subject

FAULT: Final = FaultKind(
    name="lost_reply",
    summary="the answer to a client's k-th operation of that name never arrives",
    example="{lost_reply: update, at: 1, when: after}",
    takes=("any", *VERBS),
    port="operation",
    effect=lambda fault, point: Lose(),
    has_chance=is_subject,
    whens=("after",),
)
