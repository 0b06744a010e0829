"""freezegun under the clock: its classes in the right zone, its freezes driven by the clock."""

from __future__ import annotations

import datetime as datetime_module
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import freezegun
import pytest

from pytest_sessionguard.clock import readings
from pytest_sessionguard.clock.virtual import START_US, VirtualClock


def test_uuid1_follows_the_clock() -> None:
    with VirtualClock().installed() as clock:
        first = uuid.uuid1()
        clock.advance(1_000_000)
        assert uuid.uuid1().time - first.time == 10_000_000


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("berlin")
@pytest.mark.parametrize(("start", "hour", "offset"), [("2026-01-15T12:00:00", 13, 1), ("2026-07-15T12:00:00", 14, 2)])
def test_local_time_follows_the_zone_in_winter_and_in_summer(start: str, hour: int, offset: int) -> None:
    with VirtualClock(start=start).installed():
        assert time.localtime().tm_hour == datetime.now().hour == datetime.today().hour == hour
        assert time.strftime("%H") == str(hour)
        assert f" {hour}:00:00 " in time.ctime()
        assert time.ctime() == time.asctime()
        assert datetime.now().timestamp() == time.time()
        assert datetime.fromtimestamp(time.time()) == datetime.now()
        assert datetime.now().astimezone().utcoffset() == timedelta(hours=offset)
        assert datetime.now(ZoneInfo("America/New_York")).hour == hour - 6
        assert datetime.now().astimezone(UTC).hour == 12


@pytest.mark.usefixtures("berlin")
def test_the_repeated_hour_of_autumn_is_told_apart() -> None:
    with VirtualClock(start="2026-10-25T00:30:00").installed() as clock:
        first = datetime.now()
        clock.advance(3_600_000_000)
        second = datetime.now()
        assert (first.hour, second.hour) == (2, 2)
        assert (first.fold, second.fold) == (0, 1)
        assert second.timestamp() - first.timestamp() == 3600
        assert time.localtime().tm_isdst == 0


@pytest.mark.usefixtures("berlin")
def test_today_is_the_local_day() -> None:
    with VirtualClock(start="2026-06-30T23:00:00").installed():
        assert date.today() == date(2026, 7, 1)
        assert datetime.now(UTC).day == 30


def test_a_freeze_inside_the_span_is_driven_by_the_clock() -> None:
    with VirtualClock().installed() as clock:
        time.sleep(10)
        with freezegun.freeze_time("2020-05-05 12:00:00") as freezer:
            assert datetime.now() == datetime(2020, 5, 5, 12)
            assert time.time() == clock.wall_us / 1e6 == 1_588_680_000
            freezer.tick(30)
            freezer.tick(timedelta(seconds=1))
            assert datetime.now() == datetime(2020, 5, 5, 12, 0, 31)
            steady = time.monotonic()
            freezer.move_to("2020-05-05 13:00:00")
            assert time.monotonic() - steady == 3600 - 31
            freezer.move_to("2019-01-01")
            assert date.today() == date(2019, 1, 1)
            assert time.monotonic() - steady == 3600 - 31
            assert freezer.time_to_freeze == datetime(2019, 1, 1)
        assert time.time() == START_US / 1e6 + 10 + 3600
        assert clock.virtual_elapsed_us == 3_610_000_000


def test_a_freeze_that_ticks_by_itself_keeps_its_own_wall_time() -> None:
    with VirtualClock().installed():
        with freezegun.freeze_time("2020-05-05", auto_tick_seconds=15):
            assert time.time() == 1_588_636_800
            assert time.time() == 1_588_636_815
        assert time.time() == START_US / 1e6


def test_a_freeze_with_an_offset_keeps_its_own_local_time() -> None:
    with VirtualClock().installed(), freezegun.freeze_time("2020-05-05 12:00:00", tz_offset=-4):
        assert datetime.now() == datetime(2020, 5, 5, 8)
        assert datetime.fromtimestamp(time.time()) == datetime(2020, 5, 5, 8)
        assert datetime.now().timestamp() == time.time()
        assert datetime(2020, 5, 5, 12, tzinfo=UTC).astimezone(UTC).hour == 12


def test_an_outer_freeze_is_untouched_by_a_span() -> None:
    with freezegun.freeze_time("2020-05-05") as freezer:
        with VirtualClock().installed() as clock:
            steady = time.monotonic()
            clock.advance(1_000_000)
            assert time.monotonic() - steady == 1
            assert time.monotonic_ns() == clock.monotonic_us * 1000
            assert time.time() == START_US / 1e6 + 1
        assert datetime.now() == datetime(2020, 5, 5)
        freezer.tick(5)
        assert time.time() == 1_588_636_805
    assert datetime is datetime_module.datetime
    assert time.time is readings.real_time


# -- fakes that outlive the span --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("berlin")
def test_fake_classes_that_leak_out_of_the_span_tell_real_time() -> None:
    with VirtualClock().installed():
        leaked, leaked_date, value, now = [datetime], [date], datetime.now(), [datetime.now]
    kind = leaked[0]
    assert kind is not datetime
    real_now = datetime.now()
    for moment in (kind.now(), kind.today(), now[0](), kind.now(UTC).astimezone().replace(tzinfo=None)):
        assert abs(moment - real_now) < timedelta(minutes=1)
    assert abs(kind.utcnow() - datetime.now(UTC).replace(tzinfo=None)) < timedelta(minutes=1)
    assert kind.utcnow().tzinfo is None
    assert leaked_date[0].today() in (real_now.date(), date.today())
    assert kind.fromtimestamp(START_US / 1e6) == value == datetime.fromtimestamp(START_US / 1e6)
    assert value.timestamp() == START_US / 1e6
    assert value.astimezone().utcoffset() == timedelta(hours=1)


@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")
def test_a_plain_freeze_outside_any_span_answers_as_ever() -> None:
    with freezegun.freeze_time("2020-05-05 12:00", tz_offset=-4):
        assert datetime.now() == datetime(2020, 5, 5, 8)
        assert datetime.utcnow() == datetime(2020, 5, 5, 12)
        assert date.today() == date(2020, 5, 5)
        assert datetime(2020, 5, 5, 8).timestamp() == datetime(2020, 5, 5, 12, tzinfo=UTC).timestamp()
