"""freezegun under the clock: its classes in the right zone, its freezes driven by the clock."""

from __future__ import annotations

import copy
import copyreg
import datetime as datetime_module
import pickle
import sqlite3
import time
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from typing import Any
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
    with VirtualClock().installed(), freezegun.freeze_time("2026-01-01"):
        leaked, leaked_date, now = [datetime], [date], [datetime.now]
    with VirtualClock().installed():
        value = datetime.now()
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


# -- values of the real classes ---------------------------------------------------------------------------------------

MAKERS: dict[str, Callable[[], date]] = {
    "now": lambda: datetime.now(),
    "now in a zone": lambda: datetime.now(ZoneInfo("Europe/Berlin")),
    "today": lambda: datetime.today(),
    "fromtimestamp": lambda: datetime.fromtimestamp(0, UTC),
    "the constructor": lambda: datetime(2026, 1, 2, tzinfo=UTC),
    "fromisoformat": lambda: datetime.fromisoformat("2026-01-02T03:04:05"),
    "combine": lambda: datetime.combine(date(2026, 1, 2), datetime_module.time(3)),
    "strptime": lambda: datetime.strptime("2026", "%Y"),
    "a sum": lambda: datetime.now(UTC) + timedelta(days=1),
    "a difference": lambda: datetime.now(UTC) - timedelta(days=1),
    "another zone": lambda: datetime.now(UTC).astimezone(),
    "a replacement": lambda: datetime.now().replace(day=1),
    "the least": lambda: datetime.min,
    "a pickled one": lambda: pickle.loads(pickle.dumps(datetime.now(UTC))),
    "a copy": lambda: copy.deepcopy(datetime.now(UTC)),
    "a date": lambda: date.today(),
    "the constructor of dates": lambda: date(2026, 1, 2),
    "a sum of dates": lambda: date.today() + timedelta(days=1),
    "the date of a datetime": lambda: datetime.now().date(),
    "a pickled date": lambda: pickle.loads(pickle.dumps(date.today())),
    "the last date": lambda: date.max,
}


@pytest.mark.parametrize("name", MAKERS)
def test_code_that_asks_for_exactly_the_real_class_is_content(name: str) -> None:
    msgspec = pytest.importorskip("msgspec")
    with VirtualClock().installed():
        value = MAKERS[name]()
        fake: type = datetime if isinstance(value, datetime) else date
        assert isinstance(value, fake)
        assert isinstance(value, date)
        assert msgspec.json.decode(msgspec.json.encode(value), type=type(value)) == value
    assert type(value) in (datetime, date)


def test_a_registry_made_before_the_span_knows_its_values() -> None:
    with closing(sqlite3.connect(":memory:")) as database, VirtualClock().installed():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            ((told,),) = database.execute("SELECT ?", (datetime.now(UTC).replace(tzinfo=None),))
        assert datetime.fromisoformat(told) == datetime.now(UTC).replace(tzinfo=None)


def test_what_the_span_makes_reckons_and_compares_with_what_was_there_before() -> None:
    before, day_before = datetime(2020, 1, 1, tzinfo=UTC), date(2020, 1, 1)
    with VirtualClock().installed() as clock:
        start = datetime.now(UTC)
        assert start - before > timedelta(days=365)
        assert before + (start - before) == start
        assert max(day_before, date.today()) == date.today()
        clock.advance(1_000_000)
        assert datetime.now(UTC) - start == timedelta(seconds=1)
        assert len({start, before + (start - before)}) == 1


@pytest.mark.usefixtures("berlin")
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickled_moment_keeps_its_fold_and_its_zone(protocol: int) -> None:
    with VirtualClock(start="2026-10-25T01:30:00").installed():
        moments: list[Any] = [datetime.now(), datetime.now(ZoneInfo("Europe/Berlin")), datetime.now(UTC), date.today()]
        again = pickle.loads(pickled := pickle.dumps(moments, protocol))
        assert again == moments
        assert moments[0].fold == moments[1].fold == 1
        # The older protocols of pickle do not know it.
        assert again[0].fold == again[1].fold == int(protocol >= 4)
    assert pickle.loads(pickled) == moments


def test_a_class_of_the_users_own_stays_his_own() -> None:
    with VirtualClock().installed():

        class Mine(datetime):
            pass

        for value in (Mine.now(), Mine(2026, 1, 1), Mine.fromisoformat("2026-01-01")):
            assert type(value) is Mine
        assert Mine.now() == datetime.now()


def test_a_freeze_in_the_span_hands_out_fakes_as_ever() -> None:
    with VirtualClock().installed(), freezegun.freeze_time("2020-05-05"):
        assert type(datetime.now()) is datetime
        assert type(datetime(2020, 1, 1)) is datetime
        assert type(date.today()) is date
        assert type(datetime.now() + timedelta(1)) is datetime


def test_an_outer_freeze_pickles_in_its_own_way_again_after_the_span() -> None:
    with freezegun.freeze_time("2020-05-05"):
        before = dict(copyreg.dispatch_table)
        with VirtualClock().installed():
            assert copyreg.dispatch_table != before
        assert copyreg.dispatch_table == before
