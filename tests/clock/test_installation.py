"""In force and out again: what sync code sees, and that nothing stays behind."""

from __future__ import annotations

import copyreg
import datetime as datetime_module
import sys
import time
import types
import uuid
from datetime import UTC, date, datetime, timedelta
from time import monotonic, perf_counter, sleep
from time import time as captured_time
from zoneinfo import ZoneInfo

import freezegun
import pytest
from freezegun import api

from pytest_sessionguard.clock import installation, readings
from pytest_sessionguard.clock.virtual import START_US, VirtualClock
from pytest_sessionguard.errors import UsageError

START = datetime_module.datetime(2026, 1, 1)


def patched_places() -> dict[str, object]:
    """Return everything that entering replaces, as it is now."""
    here = sys.modules[__name__]
    places = {f"{owner}.{name}": owner.__dict__[name] for owner, name, _ in installation._PATCHES}
    for module in (time, datetime_module, here):
        places |= {f"{module.__name__}.{name}": value for name, value in vars(module).items()}
    places |= {"stack": list(api.freeze_factories), "pickling": dict(copyreg.dispatch_table)}
    return places


def test_every_clock_of_the_time_module_is_virtual() -> None:
    clock = VirtualClock()
    with clock.installed():
        clock.advance(1_500_001)
        wall_us, monotonic_us = START_US + 1_500_001, clock.monotonic_us
        assert time.time() == wall_us / 1e6
        assert time.time_ns() == wall_us * 1000
        assert time.monotonic() == time.perf_counter() == monotonic_us / 1e6
        assert time.monotonic_ns() == time.perf_counter_ns() == monotonic_us * 1000
        assert time.clock_gettime(time.CLOCK_REALTIME) == wall_us / 1e6
        assert time.clock_gettime_ns(time.CLOCK_REALTIME) == wall_us * 1000
        assert time.clock_gettime(time.CLOCK_MONOTONIC) == monotonic_us / 1e6
        assert time.clock_gettime_ns(time.CLOCK_BOOTTIME) == monotonic_us * 1000
        assert time.gmtime()[:6] == (2026, 1, 1, 0, 0, 1)
        assert time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime()) == "2026-01-01 00:00:01"
        assert time.get_clock_info("monotonic").implementation == "sessionguard"


def test_processor_time_and_given_instants_stay_real() -> None:
    with VirtualClock().installed():
        assert 0 < time.clock_gettime(time.CLOCK_PROCESS_CPUTIME_ID) < 1e5
        assert 0 < time.clock_gettime_ns(time.CLOCK_PROCESS_CPUTIME_ID) < 1e14
        assert time.gmtime(0)[:6] == (1970, 1, 1, 0, 0, 0)
        assert time.localtime(10)[5] == 10
        assert time.ctime(0)[-4:] in ("1970", "1969")
        assert time.asctime(time.gmtime(0)) == "Thu Jan  1 00:00:00 1970"
        assert time.get_clock_info("process_time").implementation != "sessionguard"


def test_references_captured_before_the_span_are_virtual() -> None:
    with VirtualClock().installed() as clock:
        sleep(2.5)
        assert captured_time() == START_US / 1e6 + 2.5
        assert monotonic() == perf_counter() == clock.monotonic_us / 1e6
        assert datetime.now(UTC) == datetime(2026, 1, 1, 0, 0, 2, 500_000, tzinfo=UTC)
        assert date.today() == date(2026, 1, 1)


def test_a_sleep_passes_at_once() -> None:
    began = readings.real_monotonic()
    with VirtualClock().installed() as clock:
        time.sleep(2 * 3600 + 13 * 60)
        assert clock.virtual_elapsed_us == 7_980_000_000
    assert readings.real_monotonic() - began < 10


def test_a_negative_sleep_is_refused_and_moves_nothing() -> None:
    with VirtualClock().installed() as clock:
        with pytest.raises(ValueError, match="non-negative"):
            time.sleep(-1)
        assert clock.virtual_elapsed_us == 0


def test_a_wall_clock_set_back_keeps_the_monotonic_one() -> None:
    with VirtualClock().installed() as clock:
        before = time.monotonic(), time.monotonic_ns()
        clock.set_wall(0)
        assert time.time() == 0
        assert datetime.now(UTC).year == 1970
        assert (time.monotonic(), time.monotonic_ns()) == before


def test_skew_is_seen_by_time_and_datetime() -> None:
    with VirtualClock().installed() as clock, clock.skew(-3_000_000):
        assert time.time() == START_US / 1e6 - 3
        assert datetime.now(UTC) == datetime(2025, 12, 31, 23, 59, 57, tzinfo=UTC)


def test_nothing_stays_patched_after_the_span() -> None:
    with VirtualClock().installed():
        pass
    before = patched_places()
    with VirtualClock().installed():
        assert time.sleep is not before["time.sleep"]
    assert patched_places() == before


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_nothing_stays_patched_after_an_exception(error: type[BaseException]) -> None:
    before = patched_places()
    with pytest.raises(error), VirtualClock().installed():
        raise error
    assert patched_places() == before


def test_an_interrupt_while_entering_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(clock: VirtualClock) -> None:
        raise KeyboardInterrupt

    before = patched_places()
    with monkeypatch.context() as patch:
        patch.setattr(installation.eventloop, "enter", interrupted)
        with pytest.raises(KeyboardInterrupt):
            VirtualClock().installed().__enter__()
    assert patched_places() == before
    assert readings.READINGS.clock is None


def test_an_interrupt_while_leaving_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    leave, calls = installation.eventloop.leave, []

    def interrupted_once() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise KeyboardInterrupt
        leave()

    before = patched_places()
    with monkeypatch.context() as patch:
        patch.setattr(installation.eventloop, "leave", interrupted_once)
        with pytest.raises(KeyboardInterrupt), VirtualClock().installed():
            pass
    assert patched_places() == before
    assert len(calls) == 2


def test_a_second_clock_is_refused_and_the_first_stays_in_force() -> None:
    with VirtualClock().installed() as clock:
        with pytest.raises(UsageError, match="another clock is already in force"), VirtualClock().installed():
            pass
        with pytest.raises(UsageError, match="this clock is already in force"), clock.installed():
            pass
        time.sleep(1)
        assert clock.virtual_elapsed_us == 1_000_000


def test_a_clock_keeps_its_time_between_two_spans() -> None:
    clock = VirtualClock()
    with clock.installed():
        time.sleep(5)
    with clock.installed():
        assert time.time() == START_US / 1e6 + 5


def test_a_module_imported_inside_the_span_is_real_afterwards() -> None:
    module = types.ModuleType("imported_late")
    with VirtualClock().installed():
        sys.modules["imported_late"] = module
        exec("from time import sleep, time\nfrom datetime import datetime\nnow = time()", vars(module))
        assert module.now == START_US / 1e6
    try:
        assert module.sleep is readings.real_sleep
        assert module.time is readings.real_time
        assert module.datetime is datetime
    finally:
        del sys.modules["imported_late"]


def test_a_stand_in_that_outlives_the_span_tells_real_time() -> None:
    with VirtualClock().installed():
        kept = time.time, time.monotonic, time.sleep, time.time_ns, time.perf_counter, time.strftime
    assert abs(kept[0]() - time.time()) < 60
    assert abs(kept[1]() - time.monotonic()) < 60
    assert kept[2](0) is None
    assert abs(kept[3]() - time.time_ns()) < 60e9
    assert abs(kept[4]() - time.perf_counter()) < 60
    assert kept[5]("%Y") == time.strftime("%Y")


def test_a_class_body_may_capture_a_stand_in() -> None:
    with VirtualClock().installed():

        class Session:
            now = time.time

        assert Session().now() == START_US / 1e6


def test_tools_see_real_time() -> None:
    for name in ("_pytest.timing", "hypothesis.core", "xdist.dsession", "threading", "pytest_sessionguard.run.runner"):
        tool = types.ModuleType(name)
        exec("import time\ndef now(): return time.time(), time.monotonic(), time.monotonic_ns()", vars(tool))
        with VirtualClock().installed():
            wall, steady, steady_ns = tool.now()  # type: ignore[attr-defined]
        assert abs(wall - time.time()) < 60
        assert abs(steady - time.monotonic()) < 60
        assert abs(steady_ns - time.monotonic_ns()) < 60e9


def test_pytest_itself_keeps_the_references_that_it_captured() -> None:
    timing = sys.modules["_pytest.timing"]
    with VirtualClock().installed():
        assert timing.perf_counter is readings.real_perf_counter


def test_uuid1_follows_the_clock() -> None:
    with VirtualClock().installed() as clock:
        first = uuid.uuid1()
        clock.advance(1_000_000)
        assert uuid.uuid1().time - first.time == 10_000_000


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> object:
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


def test_a_freeze_that_is_never_ended_ends_with_the_span() -> None:
    before = patched_places()
    with VirtualClock().installed():
        freezegun.freeze_time("2020-05-05").start()
    assert patched_places() == before
