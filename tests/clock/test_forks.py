"""A child process that is forked in virtual time runs in real time, whatever the threads were at that it has not."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime

import pytest

from pytest_sessionguard.clock.readings import READINGS, real_monotonic, real_time
from pytest_sessionguard.clock.virtual import VirtualClock

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork"),
    # Newer Pythons warn of what this is about.
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
]

# Real seconds after which a child that hangs is killed.
LONGEST_S = 20


@pytest.fixture(params=["alone", "in company"])
def clock(request: pytest.FixtureRequest) -> Iterator[VirtualClock]:
    """A clock in force; in company: beside a thread that waits for a lock, and one that sleeps."""
    with VirtualClock(threads=True).installed() as clock:
        lock, stop = threading.Lock(), threading.Event()
        request.node.lock = lock
        lock.acquire()
        threads = [threading.Thread(target=lambda: lock.acquire() and lock.release())]
        threads += [threading.Thread(target=lambda: [0 for _ in iter(lambda: stop.wait(7), True)])]
        if request.param == "in company":
            for thread in threads:
                thread.start()
            time.sleep(1)
        yield clock
        lock.release()
        stop.set()
        for thread in threads:
            if thread.ident is not None:
                thread.join()


def in_child(act: Callable[[], bool]) -> bool:
    """Say whether a forked child finds that `act` is right."""
    child = os.fork()
    if not child:
        signal.alarm(LONGEST_S)
        status = 1
        try:
            status = 0 if act() else 2
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def sleeps_really() -> bool:
    began_s = real_monotonic()
    time.sleep(0.01)
    return 0.01 <= real_monotonic() - began_s < LONGEST_S


def is_shown_the_real_time() -> bool:
    shown = [time.time(), datetime.now().timestamp()]
    return READINGS.clock is None and all(abs(each - real_time()) < LONGEST_S for each in shown)


def has_threads_of_its_own() -> bool:
    woke = threading.Event()
    threading.Timer(0.01, woke.set).start()
    return woke.wait(LONGEST_S)


def runs_a_loop() -> bool:
    return asyncio.run(asyncio.sleep(0.01, True))


ACTS = [sleeps_really, is_shown_the_real_time, has_threads_of_its_own, runs_a_loop]


@pytest.mark.parametrize("act", ACTS)
def test_a_child_runs_in_real_time_and_its_parent_goes_on_in_virtual_time(
    clock: VirtualClock, act: Callable[[], bool]
) -> None:
    before_us = clock.monotonic_us
    assert in_child(act)
    time.sleep(3600)
    assert clock.monotonic_us == before_us + 3600 * 1_000_000


def test_a_lock_is_given_to_no_thread_that_the_child_has_not(
    clock: VirtualClock, request: pytest.FixtureRequest
) -> None:
    lock = request.node.lock

    def passes_it_on() -> bool:
        lock.release()
        return bool(lock.acquire(timeout=LONGEST_S))

    assert in_child(passes_it_on)


def test_a_lock_for_which_a_thread_waits_in_real_time_is_not_given_to_it_either() -> None:
    with VirtualClock(threads=True).installed():
        lock = threading.Lock()
        lock.acquire()
    waiting = threading.Thread(target=lambda: lock.acquire() and lock.release())
    waiting.start()
    while not lock._waiters:  # type: ignore[attr-defined]  # made in virtual time, it is one of ours
        time.sleep(0.001)

    def passes_it_on() -> bool:
        lock.release()
        return lock.acquire(timeout=LONGEST_S)

    assert in_child(passes_it_on)
    lock.release()
    waiting.join()


def test_a_child_of_a_virtual_thread_runs_in_real_time_too() -> None:
    found: list[bool] = []
    with VirtualClock(threads=True).installed():
        thread = threading.Thread(target=lambda: found.append(in_child(sleeps_really)))
        thread.start()
        thread.join()
    assert found == [True]
