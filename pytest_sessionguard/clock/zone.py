"""The time zone of the process, and when the clocks of a zone are changed.

The zone belongs to the whole process, as the C library keeps it: whoever enters one sees to it that nobody else does.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo

from pytest_sessionguard.errors import UsageError

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ONE_US: Final = timedelta(microseconds=1)
_ONE_S: Final = 1_000_000
_DAY_US: Final = 86_400 * _ONE_S
# Every zone that changes its clocks at all does so within so many days.
_DAYS_MAX: Final = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The clocks of a zone are changed.

    Units: `at_us` microseconds since the Unix epoch, the first instant with the new offset; `by_us` is positive in
    spring, when an hour is skipped, and negative in autumn, when one comes twice.
    """

    at_us: int
    by_us: int


def zone_named(name: str) -> ZoneInfo:
    """Return the zone.

    Raises:
        UsageError: there is none of this name on this machine.
    """
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        raise UsageError(f"no time zone {name!r} is known here; expected a name such as Europe/Berlin") from None


def next_change(name: str, after_us: int) -> Change | None:
    """Return when the clocks of a zone are next changed; None if they are not within a year or so.

    Raises:
        UsageError: there is no such zone.
    """
    zone = zone_named(name)

    def offset_us(at_us: int) -> int:
        offset = (_EPOCH + timedelta(microseconds=at_us)).astimezone(zone).utcoffset()
        return 0 if offset is None else offset // _ONE_US

    before_us = after_us - after_us % _ONE_S
    for _ in range(_DAYS_MAX):
        offset_before_us, next_us = offset_us(before_us), before_us + _DAY_US
        if offset_us(next_us) != offset_before_us:
            # The last second with the old offset, the first with the new one.
            low, high = before_us // _ONE_S, next_us // _ONE_S
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if offset_us(middle * _ONE_S) == offset_before_us else (low, middle)
            return Change(at_us=high * _ONE_S, by_us=offset_us(high * _ONE_S) - offset_before_us)
        before_us = next_us
    return None


@cache
def obstacle(name: str) -> str:
    """Return why the process cannot be in this zone; empty where it can."""
    if not hasattr(time, "tzset"):
        return "this system cannot change the zone of a process"
    try:
        zone = zone_named(name)
    except UsageError as error:
        return str(error)
    with _entered(name):
        # Python may know a zone that the C library does not; that one takes it for UTC, without a word.
        for moment in (datetime(2026, 1, 15, tzinfo=UTC), datetime(2026, 7, 15, tzinfo=UTC)):
            if moment.astimezone().utcoffset() != moment.astimezone(zone).utcoffset():
                return f"the C library of this system does not know the time zone {name!r}"
    return ""


@contextmanager
def in_zone(name: str) -> Iterator[None]:
    """Have the process in a time zone, and back in its own whatever happens; an empty name changes nothing.

    Raises:
        UsageError: there is no such zone, or this system cannot change its own.
    """
    if not name:
        yield
        return
    reason = obstacle(name)
    if reason:
        raise UsageError(reason)
    with _entered(name):
        yield


@contextmanager
def _entered(name: str) -> Iterator[None]:
    before = os.environ.get("TZ")
    try:
        os.environ["TZ"] = name
        time.tzset()
        yield
    finally:
        if before is None:
            os.environ.pop("TZ", None)
        else:
            os.environ["TZ"] = before
        time.tzset()
