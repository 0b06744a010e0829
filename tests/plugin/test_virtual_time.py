"""Tests that run in virtual time, and the clock that a test holds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from pytest_sessionguard.plugin.virtual_time import us_of

Run = Callable[..., pytest.RunResult]

pytest.importorskip("anyio")


def test_a_marked_test_sleeps_an_hour_at_once_and_leaves_no_trace(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
        import time, datetime, pytest

        REAL = time.time()

        @pytest.fixture(scope="module")
        def wide():
            return time.time()

        @pytest.fixture
        def narrow():
            return time.time()

        @pytest.mark.virtual_time
        def test_virtual(wide, narrow):
            assert abs(wide - REAL) < 600
            assert narrow == time.time() == 1767225600
            time.sleep(3600)
            assert time.time() == narrow + 3600
            assert datetime.datetime.now(datetime.timezone.utc).isoformat() == "2026-01-01T01:00:00+00:00"

        def test_real(narrow):
            assert abs(narrow - REAL) < 600

        @pytest.mark.virtual_time(start="2031-05-01T00:00:00+00:00")
        def test_start():
            assert datetime.datetime.now(datetime.timezone.utc).year == 2031

        class TestMarked:
            pytestmark = pytest.mark.virtual_time

            def test_in_class(self):
                assert time.time() == 1767225600
        """
    )
    run("-p", "sessionguard").assert_outcomes(passed=4)


def test_the_fixture_moves_sets_turns_back_and_skews(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
        import time
        from datetime import datetime, timedelta, timezone

        def test_clock(sessionguard_clock):
            clock = sessionguard_clock
            start, mono = time.time(), time.monotonic()
            clock.advance("5m"); clock.advance(1.5); clock.advance(timedelta(microseconds=1))
            assert clock.elapsed == timedelta(seconds=301, microseconds=500_001)
            assert round(time.monotonic() - mono, 6) == clock.elapsed.total_seconds()
            clock.back("1h")
            assert round(time.time() - start, 6) == round(301.500001 - 3600, 6)
            assert clock.elapsed == timedelta(seconds=301, microseconds=500_001)
            clock.forward(timedelta(hours=2))
            assert time.time() > start + 3600
            clock.set("2026-03-29T00:59:59Z")
            assert datetime.now(timezone.utc) == datetime(2026, 3, 29, 0, 59, 59, tzinfo=timezone.utc) == clock.now
            clock.set(datetime(2027, 1, 1))
            assert clock.now.year == 2027 and str(clock.now) in repr(clock).replace("T", " ")
            with clock.skew(-3):
                assert datetime.now(timezone.utc).second == 57
                clock.forward("1s")
                assert datetime.now(timezone.utc).second == 58
            assert datetime.now(timezone.utc) == datetime(2027, 1, 1, 0, 0, 1, tzinfo=timezone.utc)
        """
    )
    run("-p", "sessionguard").assert_outcomes(passed=1)


def test_the_fixture_gives_faulty_clocks(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
        import time
        from concurrent.futures import ThreadPoolExecutor

        from pytest_sessionguard.clock.faulty import Drifting, Stepping

        def test_clock(sessionguard_clock):
            clock = sessionguard_clock
            start, mono = time.time(), time.monotonic()
            with clock.jump("-1h", after="10s"):
                clock.advance(9)
                assert time.time() == start + 9
                clock.advance(1)
                assert time.time() == start + 10 - 3600
            with clock.drift(1_000, everywhere=True), ThreadPoolExecutor() as pool:
                clock.advance(90)
                assert pool.submit(lambda: time.time()).result() == time.time() == start + 100.09
            with clock.stopped(after=1):
                clock.advance("1m")
                assert time.time() == start + 101
            with clock.steps(), clock.skew("-1s"):
                clock.advance("1ms")
                assert time.time() == start + 159.001
            with clock.steps():
                assert time.time() == start + 160
            with clock.faulty(Drifting(ppm=500_000), Stepping(step_us=1_000_000)):
                clock.advance(1)
                assert time.time() == start + 161
            assert time.time() == start + 161.001
            assert round(time.monotonic() - mono, 6) == 161.001
        """
    )
    run("-p", "sessionguard").assert_outcomes(passed=1)


def test_files_show_virtual_times_where_that_is_asked_for(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
        import os, time, pytest

        @pytest.mark.virtual_time(file_times=True)
        def test_asked(tmp_path):
            (tmp_path / "file").write_text("")
            time.sleep(60)
            assert time.time() - os.path.getmtime(tmp_path / "file") == 60

        @pytest.mark.virtual_time(file_times=True, start="2031-01-01")
        def test_asked_without_a_folder():
            time.sleep(60)

        @pytest.mark.virtual_time
        def test_not_asked(tmp_path):
            (tmp_path / "file").write_text("")
            assert abs(time.time() - os.path.getmtime(tmp_path / "file")) > 86_400

        def test_by_the_fixture(tmp_path, sessionguard_clock):
            with sessionguard_clock.file_times(tmp_path):
                (tmp_path / "file").write_text("")
                sessionguard_clock.advance("1m")
                assert time.time() - os.path.getmtime(tmp_path / "file") == 60
        """
    )
    run("-p", "sessionguard").assert_outcomes(passed=4)


def test_time_does_not_run_backwards(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
        import pytest

        def test_clock(sessionguard_clock):
            with pytest.raises(ValueError, match="back\\\\(\\\\) sets the wall clock back"):
                sessionguard_clock.advance(-1)
        """
    )
    run("-p", "sessionguard").assert_outcomes(passed=1)


def test_a_wrong_argument_of_the_marker_is_the_users_mistake(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.virtual_time("2031")
        def test_clock(): pass
        """
    )
    result = run("-p", "sessionguard")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*the marker virtual_time takes start=<instant> and file_times=True*"])


ASYNC = """
    import asyncio, time, pytest

    @MARK
    @pytest.mark.virtual_time
    async def test_marked():
        start = time.time()
        await asyncio.sleep(3600)
        assert time.time() == start + 3600

    @MARK
    async def test_advance_runs_what_is_due_in_its_turn(sessionguard_clock):
        seen = []

        async def tick():
            while True:
                await asyncio.sleep(60)
                seen.append(time.monotonic())

        task = asyncio.ensure_future(tick())
        await sessionguard_clock.advance("3m")
        assert [round(at - seen[0]) for at in seen] == [0, 60, 120]
        task.cancel()

    @MARK
    async def test_real():
        assert time.time() - REAL < 600

    REAL = time.time()
"""


def test_pytest_asyncio_tests_run_in_virtual_time(pytester: pytest.Pytester, run: Run) -> None:
    pytest.importorskip("pytest_asyncio")
    pytester.makepyfile(ASYNC.replace("@MARK", "@pytest.mark.asyncio"))
    run("-p", "sessionguard", "-p", "asyncio", "-o", "asyncio_mode=strict").assert_outcomes(passed=3)


def test_anyio_tests_run_in_virtual_time(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makeconftest("import pytest\n@pytest.fixture\ndef anyio_backend(): return 'asyncio'")
    pytester.makepyfile(ASYNC.replace("@MARK", "@pytest.mark.anyio"))
    run("-p", "sessionguard", "-p", "anyio").assert_outcomes(passed=3)


def test_awaiting_an_advance_is_right_in_a_plain_loop_too(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
        import asyncio

        def test_clock(sessionguard_clock):
            passed = sessionguard_clock.advance("1s")

            async def main():
                await passed
                await sessionguard_clock.advance("1s")

            asyncio.run(main())
            assert sessionguard_clock.elapsed.total_seconds() == 2
        """
    )
    run("-p", "sessionguard").assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("span", "expected_us"),
    [("90s", 90_000_000), (1.5, 1_500_000), (-2, -2_000_000), (timedelta(days=-1, microseconds=1), 1 - 86_400_000_000)],
)
def test_a_span_is_read_as_microseconds(span: str | float | timedelta, expected_us: int) -> None:
    assert us_of(span) == expected_us


def test_a_flag_is_no_span() -> None:
    with pytest.raises(ValueError, match="not a duration"):
        us_of(True)
