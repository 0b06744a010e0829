"""The process is killed, or the machine loses power, at every moment where that may make a difference."""

from __future__ import annotations

from typing import Final

from pytest_sessionguard.core.faults import Fault
from pytest_sessionguard.core.operations import VERBS
from pytest_sessionguard.faults import Die, Effect, FaultKind, Option, Point

HOWS: Final = ("kill", "power-loss")
EXPLORE: Final = ("exhaustive", "bounded")


def _effect(fault: Fault, point: Point) -> Effect:
    del point
    return Die(power=fault.subject == "power-loss")


FAULT: Final = FaultKind(
    name="crash",
    summary="the process is killed, or the machine loses power, at every moment of the story: what was acknowledged is "
    "kept, what was under way is whole or absent",
    example="{crash: power-loss, during: update, explore: exhaustive}",
    takes=HOWS,
    port="process",
    effect=_effect,
    whens=("before",),
    options={
        "during": Option(takes=tuple(VERBS), summary="only while an operation of this name is under way; any moment"),
        "explore": Option(
            takes=EXPLORE, summary="whether every state must be tried, or as many as the budget allows; bounded"
        ),
        "budget": Option(takes="integer", summary="so many distinct states at most, and as many in recovery; 2000"),
    },
    everywhere=True,
)
