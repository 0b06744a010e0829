"""What modules of the standard library remember of the real time, and would reckon virtual time from.

A UUID made of the time never goes back behind the one before it, which was made in real time; a log record counts from
the moment when `logging` was imported.  Within a span both start anew.
"""

from __future__ import annotations

import logging
import uuid
from typing import Any, Final

from pytest_sessionguard.clock.virtual import VirtualClock

_UUIDS: Final[dict[str, Any]] = {
    # The C functions behind uuid1 ask the real clock; without them it asks the `time` module.
    "_UuidCreate": None,
    "_generate_time_safe": None,
    "_uuid_generate_time": None,
    "_last_timestamp": None,
    "_last_timestamp_v6": None,
    "_last_timestamp_v7": None,
    "_last_counter_v7": 0,
}
_FOR_UUIDS: Final = [(uuid, name, value) for name, value in _UUIDS.items() if name in vars(uuid)]

# Seconds as a float, and nanoseconds from Python 3.13 on.
_LOGS_IN_NS: Final = isinstance(vars(logging).get("_startTime"), int)


def patches(clock: VirtualClock) -> list[tuple[Any, str, Any]]:
    """Return what is replaced while the clock is in force: owner, name, stand-in."""
    if "_startTime" not in vars(logging):
        return _FOR_UUIDS
    wall_us = clock.wall_us
    return [*_FOR_UUIDS, (logging, "_startTime", wall_us * 1000 if _LOGS_IN_NS else wall_us / 1_000_000)]
