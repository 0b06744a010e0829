"""Every order that a race could tell from another: a decision is gone back to only where a race depends on it."""

from __future__ import annotations

from pytest_sessionguard.core.schedule import SchedulerKind, Settings
from pytest_sessionguard.explore.partial_order import PartialOrder


def _make(settings: Settings) -> PartialOrder:
    return PartialOrder(races_only=True)


SCHEDULER = SchedulerKind(
    name="dpor",
    summary="every order that a race tells from another, where the target tells what it touches",
    make=_make,
    ends=True,
)
