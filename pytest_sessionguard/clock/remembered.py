"""What modules of the standard library remember of the real time, and would reckon virtual time from.

A UUID made of the time never goes back behind the one before it, which was made in real time; a log record counts from
the moment when `logging` was imported.  Within a span both start anew.
"""

from __future__ import annotations

import logging
import uuid
from typing import Final

from pytest_sessionguard.clock.patches import Patch
from pytest_sessionguard.clock.virtual import VirtualClock

# The C functions behind uuid1 ask the real clock; without them it asks the `time` module.
_ASK_THE_REAL_CLOCK: Final = ("_UuidCreate", "_generate_time_safe", "_uuid_generate_time")
_LAST: Final = {"_last_timestamp": None, "_last_timestamp_v6": None, "_last_timestamp_v7": None, "_last_counter_v7": 0}

_RECORDS: Final = "_startTime"
_OF_LOGGING: Final = vars(logging)
_LOGS: Final = _RECORDS in _OF_LOGGING
# Seconds as a float, and nanoseconds from Python 3.13 on.
_LOGS_IN_NS: Final = isinstance(_OF_LOGGING.get(_RECORDS), int)

# What is replaced while a clock is in force: owner, name, stand-in; the start of the log once the clock is known.
PATCHES: Final[list[Patch]] = [
    *((uuid, name, None) for name in _ASK_THE_REAL_CLOCK if vars(uuid).get(name) is not None),
    *((uuid, name, value) for name, value in _LAST.items() if name in vars(uuid)),
    *((logging, _RECORDS, 0) for _ in range(_LOGS)),
]


def enter(clock: VirtualClock) -> None:
    """Have the log begin now, by the clock."""
    if _LOGS:
        wall_us = clock.wall_us
        _OF_LOGGING[_RECORDS] = wall_us * 1000 if _LOGS_IN_NS else wall_us / 1_000_000
