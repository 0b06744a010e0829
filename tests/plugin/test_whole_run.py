"""A whole run in virtual time: suites that know nothing of it, with the outcomes that they have in real time."""

from __future__ import annotations

import re

import pytest

from pytest_sessionguard.plugin import whole_run
from tests.plugin.conftest import Run

VIRTUAL = ("-p", "pytest_sessionguard.plugin", "--sessionguard-time=virtual")

SUITE = """
import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

import pytest

LOCK = Lock()


@pytest.fixture(scope="module")
def beats():
    stop, beats = threading.Event(), []

    def beat():
        while not stop.wait(60):
            beats.append(1)

    thread = threading.Thread(target=beat)
    thread.start()
    yield beats
    stop.set()
    thread.join()


def test_a_sleep():
    before = time.time()
    time.sleep(3600)
    assert 3600 <= time.time() - before < 3601


def test_a_lock_of_the_module_held_across_a_sleep():
    got = []

    def hold():
        with LOCK:
            got.append(time.monotonic())
            time.sleep(2)

    threads = [threading.Thread(target=hold) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [round(at - got[0], 3) for at in got] == [0, 2, 4]


def test_a_thread_of_a_wider_fixture(beats):
    time.sleep(601)
    assert len(beats) == 10


def test_that_lives_on_in_the_next_test(beats):
    time.sleep(601)
    assert len(beats) == 20


def test_asyncio():
    asyncio.run(asyncio.sleep(300))


def test_that_a_deadline_is_past_after_it_has_been_slept_for():
    deadline = time.monotonic() + 5
    time.sleep(5)
    assert deadline - time.monotonic() < 0


def test_a_pool():
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(lambda span: time.sleep(span) or span, [3, 1, 2])) == [3, 1, 2]


@pytest.mark.xfail(raises=AssertionError, strict=True)
def test_that_fails():
    time.sleep(1)
    assert False
"""


def test_a_suite_runs_unmodified_with_the_same_outcomes_and_tells_the_time(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(test_suite=SUITE)
    result = run(*VIRTUAL)
    result.assert_outcomes(passed=7, xfailed=1)
    told = re.search(r"virtual 1 h 25 min in (\d+\.\d) s \(8 tests\)", result.stdout.str())
    assert told is not None
    assert float(told[1]) < 30


def test_the_time_report_lists_the_tests_that_saved_most_first(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        "import time\ndef test_short(): time.sleep(5)\ndef test_long(): time.sleep(7200)\ndef test_none(): pass"
    )
    result = run(*VIRTUAL, "--sessionguard-time-report")
    result.stdout.re_match_lines([r" +2 h 0 min in .*::test_long", r" +5 s in .*::test_short"], consecutive=True)
    result.stdout.no_re_match_line(r".* in .*::test_none")


def test_marked_and_listed_tests_and_those_with_a_clock_of_their_own_are_left_alone(
    pytester: pytest.Pytester, run: Run
) -> None:
    pytester.makeini("[pytest]\nsessionguard_time = virtual\nsessionguard_time_real = test_listed.py::test_listed\n")
    pytester.makepyfile(
        test_listed="""
        import threading, time, pytest
        REAL = time.monotonic

        def virtual():
            before = time.perf_counter()
            time.sleep(1000)
            return time.perf_counter() - before >= 1000

        def test_before(): assert virtual()

        @pytest.mark.real_time
        def test_marked(): assert time.sleep.__module__ == "time"

        def test_listed(): assert time.sleep.__module__ == "time"

        def test_own(sessionguard_clock):
            sessionguard_clock.advance("5m")
            assert sessionguard_clock.elapsed.total_seconds() == 300

        @pytest.mark.virtual_time(start="2026-03-01")
        def test_marked_virtual(): assert time.strftime("%Y-%m-%d") == "2026-03-01"

        def test_after(): assert virtual()
        """
    )
    result = run("-p", "pytest_sessionguard.plugin")
    result.assert_outcomes(passed=6)
    result.stdout.fnmatch_lines(["virtual 33 min 20 s in * s (2 tests)"])


def test_durations_and_timeouts_stay_real(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile("import time\ndef test_one(): time.sleep(5000)")
    result = run(*VIRTUAL, "-p", "pytest_timeout", "--timeout=60", "--timeout-method=thread", "--durations=0", "-vv")
    result.assert_outcomes(passed=1)
    took = re.search(r"(\d+\.\d+)s call", result.stdout.str())
    assert took is not None
    assert float(took[1]) < 60


def test_a_deadlock_fails_its_test_and_the_run_goes_on(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        "import threading, time\ndef test_stuck(): threading.Event().wait()\ndef test_next(): time.sleep(9)"
    )
    result = run(*VIRTUAL)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*VirtualDeadlock: nothing can run any more and no timer is set*"])


def test_a_lone_thread_that_polls_the_time_is_named_and_comes_to_its_end(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
        import time

        def test_poll():
            until = time.time() + 0.3
            while time.time() < until:
                pass
        """
    )
    result = run("-p", "sessionguard", "--sessionguard-time=virtual")
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(["*BusyWait: MainThread polls instead of waiting*"])


def test_threads_that_a_deadlock_left_behind_do_not_keep_the_process(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
        import threading

        def test_deadlock():
            one, other = threading.Lock(), threading.Lock()
            one.acquire()
            threading.Thread(target=lambda: (other.acquire(), one.acquire())).start()
            threading.Event().wait()
        """
    )
    run("-p", "sessionguard", "--sessionguard-time=virtual").assert_outcomes(failed=1)


def test_workers_of_xdist_carry_their_times_to_the_main_process(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile("import time, pytest\n@pytest.mark.parametrize('n', range(4))\ndef test_one(n): time.sleep(60)")
    result = run(*VIRTUAL, "-p", "xdist", "-n", "2")
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(["virtual 4 min 0 s in * s (4 tests)"])


def test_another_time_is_refused(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile("def test_one(): pass")
    result = run("-p", "pytest_sessionguard.plugin", "--sessionguard-time=fast")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--sessionguard-time is one of real, virtual, not 'fast'*"])


def test_without_the_option_nothing_of_it_is_loaded(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        "import sys\ndef test_one(): assert not {'freezegun', 'pytest_sessionguard.clock.threads'} & set(sys.modules)"
    )
    run("-p", "pytest_sessionguard.plugin").assert_outcomes(passed=1)


def test_the_account_is_short_unless_each_test_is_asked_for() -> None:
    told = {"a": (3_600_000_000, 0.5), "b": (0, 0.25)}
    assert whole_run.lines(told, each=False) == ["virtual 1 h 0 min in 0.8 s (2 tests)"]
    assert len(whole_run.lines(told, each=True)) == 2


def test_an_interrupted_run_leaves_nothing_replaced(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makeconftest(
        """
        import asyncio, datetime, queue, select, selectors, socket, sys, threading, time
        from concurrent import futures

        PLACES = [
            (owner, name, owner.__dict__[name])
            for owner in (
                time, threading, threading.Thread, threading.Condition, queue, select, socket.socket,
                selectors.EpollSelector, asyncio.base_events.BaseEventLoop, futures.ThreadPoolExecutor, datetime,
            )
            for name in dir(owner)
            if name in owner.__dict__ and callable(owner.__dict__[name])
        ]

        def pytest_unconfigure(config):
            config.add_cleanup(look)

        def look():
            # The first were replaced when these places were noted; the last is replaced by pytest.
            kept = ("Lock", "RLock", "_allocate_lock", "SimpleQueue", "excepthook")
            left = [name for owner, name, was in PLACES if owner.__dict__.get(name) is not was and name not in kept]
            made = "recv" in socket.socket.__dict__ or "sessionguard" in threading.Lock.__module__
            print(f"left {left} {made} {[type(finder).__name__ for finder in sys.meta_path].count('Late')}")
        """
    )
    pytester.makepyfile(
        """
        import threading, time

        def test_cut_short():
            threading.Thread(target=threading.Event().wait, daemon=True).start()
            time.sleep(5)
            raise KeyboardInterrupt
        """
    )
    result = run(*VIRTUAL)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*left [[][]] False 0*"])
