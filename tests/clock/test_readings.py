"""What code is told when it asks for the time, and who is told the real one."""

from __future__ import annotations

import cProfile
import logging
import profile
import pstats
import threading
import time
import timeit
import types
from datetime import UTC, datetime
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_sessionguard.clock import readings
from pytest_sessionguard.clock.virtual import START_US, VirtualClock


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
        with VirtualClock(threads=False).installed():
            wall, steady, steady_ns = tool.now()  # type: ignore[attr-defined]
        assert abs(wall - time.time()) < 60
        assert abs(steady - time.monotonic()) < 60
        assert abs(steady_ns - time.monotonic_ns()) < 60e9


def test_without_threads_another_thread_reads_the_clock_but_sleeps_for_real() -> None:
    seen: list[float] = []

    def look() -> None:
        began = readings.real_monotonic()
        time.sleep(0.01)
        seen.extend((time.time(), readings.real_monotonic() - began))

    with VirtualClock(threads=False).installed() as clock:
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
        assert clock.virtual_elapsed_us == 0
    assert seen[0] == START_US / 1e6
    assert seen[1] >= 0.01


def test_log_records_carry_virtual_time() -> None:
    with VirtualClock().installed():
        record = logging.makeLogRecord({})
    assert record.created == START_US / 1e6


def test_a_hypothesis_deadline_does_not_count_virtual_time() -> None:
    @settings(deadline=2_000, max_examples=3, database=None, suppress_health_check=list(HealthCheck))
    @given(st.integers())
    def slow_in_virtual_time(_: int) -> None:
        time.sleep(3600)

    with VirtualClock().installed() as clock:
        slow_in_virtual_time()
        assert clock.virtual_elapsed_us >= 3_600_000_000


def test_profilers_and_stopwatches_see_real_time() -> None:
    def sleep() -> None:
        time.sleep(86_400)

    timing, profiler = timeit.Timer(sleep), cProfile.Profile()
    plain = profile.Profile(timer=timeit.default_timer)
    with VirtualClock().installed() as clock:
        assert timing.timeit(number=1) < 60
        profiler.runcall(sleep)
        plain.runcall(sleep)
        assert clock.virtual_elapsed_us == 3 * 86_400_000_000
    assert pstats.Stats(profiler).total_tt < 60  # type: ignore[attr-defined]  # not in typeshed
    assert pstats.Stats(plain).total_tt < 60  # type: ignore[attr-defined]


def test_a_mock_calls_what_it_wraps_in_virtual_time() -> None:
    with VirtualClock().installed():
        assert mock.Mock(wraps=time.time)() == START_US / 1e6
