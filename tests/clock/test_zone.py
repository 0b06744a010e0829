"""The zone of the process: entered, left, refused; and when the clocks of a zone are changed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from pytest_sessionguard.clock import zone
from pytest_sessionguard.clock.virtual import VirtualClock, wall_us_of
from pytest_sessionguard.errors import UsageError

HOUR_US = 3_600_000_000


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    zone.obstacle.cache_clear()
    yield
    zone.obstacle.cache_clear()


def test_the_process_is_in_the_zone_and_back_in_its_own() -> None:
    before = (os.environ.get("TZ"), time.tzname, time.localtime().tm_gmtoff)
    with zone.in_zone("Asia/Kathmandu"), VirtualClock().installed():
        assert datetime.now().astimezone().utcoffset() == timedelta(hours=5, minutes=45)
        assert (datetime.now().hour, time.localtime().tm_min) == (5, 45)
    assert (os.environ.get("TZ"), time.tzname, time.localtime().tm_gmtoff) == before


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt])
@pytest.mark.parametrize("before", [None, "Europe/Berlin"])
def test_it_is_back_in_its_own_whatever_happens(
    error: type[BaseException], before: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if before is None:
        monkeypatch.delenv("TZ", raising=False)
    else:
        monkeypatch.setenv("TZ", before)
    with pytest.raises(error), zone.in_zone("America/New_York"):
        assert time.tzname == ("EST", "EDT")
        raise error
    assert os.environ.get("TZ") == before
    monkeypatch.undo()
    time.tzset()


def test_an_empty_name_changes_nothing() -> None:
    before = time.tzname
    with zone.in_zone(""):
        assert time.tzname == before


@pytest.mark.parametrize("name", ["Atlantis/Capital", "../etc/passwd", "Europe"])
def test_a_zone_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=f"no time zone '{name}' is known here"), zone.in_zone(name):
        pass
    assert zone.obstacle(name).startswith("no time zone")


def test_a_system_that_cannot_change_its_zone_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(time, "tzset")
    with pytest.raises(UsageError, match="this system cannot change the zone"), zone.in_zone("Europe/Berlin"):
        pass


def test_a_zone_that_the_c_library_takes_for_utc_is_an_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    monkeypatch.setattr(time, "tzset", lambda: None)
    assert "C library" in zone.obstacle("Europe/Berlin")
    assert zone.obstacle("UTC") == ""
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("name", "after", "at", "by_us"),
    [
        ("Europe/Berlin", "2026-01-01", "2026-03-29T01:00:00", HOUR_US),
        ("Europe/Berlin", "2026-03-29T00:59:59", "2026-03-29T01:00:00", HOUR_US),
        ("Europe/Berlin", "2026-03-29T01:00:00", "2026-10-25T01:00:00", -HOUR_US),
        ("America/New_York", "2026-07-01", "2026-11-01T06:00:00", -HOUR_US),
        ("Australia/Lord_Howe", "2026-07-01", "2026-10-03T15:30:00", HOUR_US // 2),
    ],
)
def test_the_next_change_of_the_clocks_is_found_to_the_second(name: str, after: str, at: str, by_us: int) -> None:
    found = zone.next_change(name, wall_us_of(after))
    assert found == zone.Change(at_us=wall_us_of(at), by_us=by_us)
    with zone.in_zone(name), VirtualClock(start=found.at_us - 1_000_000).installed() as clock:
        before = datetime.now()
        clock.advance(1_000_000)
        assert datetime.now() - before == timedelta(seconds=1, microseconds=by_us)


def test_a_zone_that_leaves_its_clocks_alone_has_no_change() -> None:
    assert zone.next_change("UTC", wall_us_of(datetime(2026, 1, 1, tzinfo=UTC))) is None
    assert zone.next_change("Asia/Tokyo", 0) is None
