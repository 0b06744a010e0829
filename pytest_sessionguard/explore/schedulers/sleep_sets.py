"""Every order but those that repeat another: strands sleep while their next step could make no difference."""

from __future__ import annotations

from pytest_sessionguard.core.schedule import SchedulerKind, Settings
from pytest_sessionguard.explore.partial_order import PartialOrder


def _make(settings: Settings) -> PartialOrder:
    return PartialOrder(races_only=False)


SCHEDULER = SchedulerKind(
    name="sleep-sets",
    summary="every order that could make a difference, where the target tells what it touches",
    make=_make,
    ends=True,
)
