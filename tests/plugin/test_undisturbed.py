"""Nobody else is disturbed by virtual time: who measures the run sees real time, and nothing stays behind."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable

import pytest

Run = Callable[..., pytest.RunResult]

# Longer than any of this takes, and far less than the days that the tests sleep.
LONGEST_S = 100.0

SLEEPERS = """
import datetime
import threading
import time

import pytest
from hypothesis import given, settings, strategies

pytestmark = pytest.mark.virtual_time


@pytest.fixture
def slow_fixture():
    time.sleep(86_400)
    yield
    time.sleep(86_400)


@pytest.mark.timeout(60)
def test_sleeps_for_days(slow_fixture):
    time.sleep(7 * 86_400)
    assert datetime.datetime.now().year < 2027


def test_fails_after_days():
    time.sleep(86_400)
    assert False


# A second for an example, in which an hour passes.
@settings(deadline=1_000, max_examples=3, database=None)
@given(strategies.integers())
def test_examples(number):
    time.sleep(3600)
"""

TIME_LEFT_ALONE = """
import datetime
import time

import pytest

REAL = {name: value for name, value in vars(time).items() if callable(value)}
CLASSES = {name: dict(vars(getattr(datetime, name))) for name in ("datetime", "date")}


def changed():
    import copyreg, freezegun.api
    found = [name for name, value in REAL.items() if vars(time)[name] is not value]
    for name, names in CLASSES.items():
        kind = getattr(datetime, name)
        found += [f"{name}.{key}" for key, value in names.items() if vars(kind)[key] is not value]
    found += ["frozen"] if freezegun.api.freeze_factories or datetime.datetime in copyreg.dispatch_table else []
    return found
"""


def test_durations_reports_timeouts_deadlines_and_workers_see_real_time(pytester: pytest.Pytester, run: Run) -> None:
    pytest.importorskip("pytest_timeout")
    pytester.makepyfile(SLEEPERS)
    asked = ("--durations=0", "-vv", "--junitxml=out.xml", "-n", "1", "--timeout=90", "-p", "pytest_timeout")
    result = run("-p", "sessionguard", "-p", "xdist", *asked)
    result.assert_outcomes(passed=2, failed=1)
    durations = [float(line.split("s ")[0]) for line in result.outlines if " call " in line or " setup " in line]
    assert durations
    assert max(durations) < LONGEST_S
    (suite,) = ElementTree.parse(pytester.path / "out.xml").getroot().iter("testsuite")
    times = [float(node.get("time", "nan")) for node in (suite, *suite.iter("testcase"))]
    assert len(times) == 4
    assert max(times) < LONGEST_S
    # The report is dated by the real clock, which is not at the beginning of 2026.
    assert not suite.get("timestamp", "").startswith("2026-01-0")


def test_coverage_is_measured_within_virtual_time_and_dated_in_real_time(pytester: pytest.Pytester, run: Run) -> None:
    pytest.importorskip("pytest_cov")
    pytester.makepyfile(
        """
        import time, pytest

        @pytest.mark.virtual_time
        def test_a_day():
            time.sleep(86_400)
            assert time.time() > 0
        """
    )
    result = run("-p", "sessionguard", "-p", "pytest_cov", "--cov=.", "--cov-report=xml", "--sessionguard-gate=off")
    result.assert_outcomes(passed=1)
    report = ElementTree.parse(pytester.path / "coverage.xml").getroot()
    assert float(report.get("line-rate", "0")) == 1.0
    # Milliseconds: at the beginning of 2026 it would start with 17672.
    assert not report.get("timestamp", "").startswith("17672")


def test_nothing_stays_patched_after_failures_and_errors_of_any_kind(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makeconftest(TIME_LEFT_ALONE)
    pytester.makepyfile(
        """
        import time
        import pytest
        from conftest import changed

        virtual = pytest.mark.virtual_time

        @pytest.fixture
        def broken():
            time.sleep(60)
            raise OSError("no")

        @pytest.fixture
        def broken_afterwards():
            yield
            time.sleep(60)
            raise OSError("no")

        @pytest.fixture(autouse=True)
        def leaves_nothing(request):
            assert changed() == [] or request.node.get_closest_marker("virtual_time")

        @virtual
        def test_fails():
            assert changed()
            time.sleep(60)
            raise KeyError("no")

        def test_1():
            assert changed() == []

        @virtual
        def test_error_before(broken):
            pass

        def test_2():
            assert changed() == []

        @virtual
        def test_error_after(broken_afterwards):
            pass

        def test_3():
            assert changed() == []

        @virtual
        def test_leaves():
            raise SystemExit(3)

        def test_4():
            assert changed() == []

        @virtual
        def test_begins_what_it_never_ends():
            import freezegun
            freezegun.freeze_time("2020-01-01").start()

        def test_5():
            assert changed() == []
        """
    )
    run("-p", "sessionguard", "-p", "no:randomly").assert_outcomes(passed=7, failed=2, errors=2)


@pytest.mark.parametrize("where", ["test", "fixture", "whole run"])
def test_nothing_stays_patched_after_an_interrupt(pytester: pytest.Pytester, run: Run, where: str) -> None:
    pytester.makeconftest(
        TIME_LEFT_ALONE
        + """
def pytest_unconfigure(config):
    print("changed:", changed())
"""
    )
    marked, body = ("", "") if where == "whole run" else ("@pytest.mark.virtual_time", "")
    pytester.makepyfile(
        f"""
        import time
        import pytest
        from conftest import changed

        @pytest.fixture
        def interrupted():
            if {where == "fixture"}:
                raise KeyboardInterrupt

        {marked}
        def test_interrupted(interrupted):
            time.sleep(60)
            assert changed()
            raise KeyboardInterrupt{body}
        """
    )
    asked = ("--sessionguard-time=virtual",) if where == "whole run" else ()
    result = run("-p", "sessionguard", "-s", *asked)
    result.stdout.fnmatch_lines(["*KeyboardInterrupt*", "changed: []"])
    assert result.ret == pytest.ExitCode.INTERRUPTED


def test_fixtures_and_decorators_of_freezegun_drive_the_same_clock(pytester: pytest.Pytester, run: Run) -> None:
    pytest.importorskip("pytest_freezer")
    pytester.makepyfile(
        """
        import asyncio, threading, time, unittest
        from datetime import date, datetime, timedelta, timezone

        import pytest
        from freezegun import freeze_time

        pytestmark = pytest.mark.virtual_time


        def in_a_thread(work):
            told = []
            thread = threading.Thread(target=lambda: told.append(work()))
            thread.start()
            thread.join()
            return told[0]


        def test_the_freezer_ticks_and_moves(freezer, sessionguard_clock):
            began, steady = datetime.now(timezone.utc), time.monotonic()
            freezer.tick()
            assert datetime.now(timezone.utc) - began == timedelta(seconds=1)
            freezer.tick(timedelta(minutes=1))
            assert time.monotonic() - steady == 61
            assert in_a_thread(time.monotonic) - steady == 61
            freezer.move_to("2030-05-05 12:00:00")
            assert date.today() == in_a_thread(lambda: date.today()) == date(2030, 5, 5)
            assert sessionguard_clock.now == datetime(2030, 5, 5, 12, tzinfo=timezone.utc)
            time.sleep(10)
            assert in_a_thread(lambda: datetime.now()) == datetime(2030, 5, 5, 12, 0, 10)


        @pytest.mark.freeze_time("2021-02-03")
        def test_the_mark_of_the_freezer_says_when_it_is(freezer):
            assert date.today() == date(2021, 2, 3)


        @freeze_time("2020-05-05 12:00:00")
        def test_a_decorated_test_sleeps():
            time.sleep(3600)
            assert datetime.now() == datetime(2020, 5, 5, 13)
            assert in_a_thread(lambda: datetime.now()) == datetime(2020, 5, 5, 13)


        def test_a_decorated_function_gets_its_freezer():
            @freeze_time("2020-05-05", as_kwarg="frozen")
            def ticks(frozen):
                frozen.tick(5)
                return time.time()

            assert ticks() == datetime(2020, 5, 5, 0, 0, 5, tzinfo=timezone.utc).timestamp()


        @freeze_time("2020-05-05")
        class TestDecorated(unittest.TestCase):
            def test_method(self):
                time.sleep(60)
                self.assertEqual(datetime.now(), datetime(2020, 5, 5, 0, 1))


        def test_a_block_in_a_loop():
            async def main():
                with freeze_time("2020-05-05") as frozen:
                    waiting = asyncio.ensure_future(asyncio.sleep(60, "woke"))
                    await asyncio.sleep(1)
                    frozen.tick(timedelta(seconds=59))
                    assert await waiting == "woke"
                    return datetime.now()

            assert asyncio.run(main()) == datetime(2020, 5, 5, 0, 1)
        """
    )
    run("-p", "sessionguard", "-p", "pytest_freezer").assert_outcomes(passed=6)
