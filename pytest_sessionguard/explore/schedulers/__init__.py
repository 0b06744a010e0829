"""Ways to schedule: one file each, found by being there, that exports `SCHEDULER`.

A scheduler stands in the hot loop of every run: it looks at nothing but the strands that can run.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from pytest_sessionguard import catalog
from pytest_sessionguard.core.schedule import Scheduler, SchedulerKind, Settings
from pytest_sessionguard.errors import UsageError, did_you_mean


@cache
def kinds() -> Mapping[str, SchedulerKind]:
    """Return every way to schedule, by name."""
    found = (catalog.load(__name__, name).SCHEDULER for name in catalog.names(__name__))
    return MappingProxyType({kind.name: kind for kind in found})


def make(name: str, settings: Settings | None = None) -> Scheduler:
    """Return a new scheduler of this name.

    Raises:
        UsageError: there is none of this name.
    """
    kind = kinds().get(name)
    if kind is None:
        raise UsageError(f"there is no scheduler {name!r}{did_you_mean(name, kinds())}")
    return kind.make(settings if settings is not None else Settings())
