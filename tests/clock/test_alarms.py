"""An alarm rings in virtual time, wherever the main thread waits."""

from __future__ import annotations

import asyncio
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from pytest_sessionguard.clock.virtual import VirtualClock

pytestmark = [
    pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no such alarms"),
    pytest.mark.skipif(
        threading.current_thread() is not threading.main_thread(), reason="only the main thread has handlers"
    ),
]


class Rang(Exception):
    """What a handler raises that cuts a wait short."""


@pytest.fixture
def clock() -> Iterator[VirtualClock]:
    before = signal.getsignal(signal.SIGALRM)
    try:
        with VirtualClock(threads=True).installed() as clock:
            yield clock
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def ring(*_: object) -> None:
    raise Rang


def wait_for_a_lock() -> None:
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


def wait_in_company() -> None:
    gone = threading.Event()
    other = threading.Thread(target=gone.wait, args=(60,))
    other.start()
    try:
        time.sleep(3600)
    finally:
        gone.set()
        other.join()


def read_really() -> None:
    reading, writing = os.pipe()
    try:
        os.read(reading, 1)
    finally:
        os.close(reading)
        os.close(writing)


WAITS = [
    *(lambda: time.sleep(3600), lambda: threading.Event().wait(3600), lambda: queue.Queue[int]().get(timeout=3600)),
    *(wait_for_a_lock, wait_in_company, lambda: asyncio.run(asyncio.sleep(3600)), read_really),
]


@pytest.mark.parametrize("wait", WAITS)
def test_an_alarm_cuts_a_wait_short(clock: VirtualClock, wait: Callable[[], object]) -> None:
    signal.signal(signal.SIGALRM, ring)
    signal.alarm(5)
    with pytest.raises(Rang):
        wait()
    assert clock.virtual_elapsed_us >= 5_000_000
    assert clock.virtual_elapsed_us < 60_000_000
    time.sleep(1)


def test_a_handler_that_raises_nothing_lets_the_wait_go_on_until_its_end(clock: VirtualClock) -> None:
    rang: list[tuple[int, float]] = []
    signal.signal(signal.SIGALRM, lambda number, frame: rang.append((number, clock.virtual_elapsed_us / 1e6)))
    signal.setitimer(signal.ITIMER_REAL, 2, 3)
    time.sleep(10)
    assert rang == [(signal.SIGALRM, at_s) for at_s in (2, 5, 8)]
    assert clock.virtual_elapsed_us == 10_000_000
    assert signal.getitimer(signal.ITIMER_REAL) == (1, 3)
    assert signal.setitimer(signal.ITIMER_REAL, 0) == (1, 3)
    time.sleep(10)
    assert len(rang) == 3
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_what_ends_a_wait_while_a_handler_waits_is_not_lost(clock: VirtualClock) -> None:
    woke: list[float] = []
    event = threading.Event()
    signal.signal(signal.SIGALRM, lambda *_: time.sleep(5))
    setting = threading.Timer(3, event.set)
    setting.start()
    signal.alarm(1)
    assert event.wait(60)
    woke.append(clock.virtual_elapsed_us / 1e6)
    assert woke == [6]
    setting.join()


def test_an_alarm_tells_what_was_left_of_the_one_before(clock: VirtualClock) -> None:
    assert signal.alarm(10) == 0
    time.sleep(4)
    assert signal.alarm(0) == 6
    assert signal.alarm(0) == 0


def test_a_loop_is_told_of_its_signal(clock: VirtualClock) -> None:
    async def main() -> None:
        rang = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGALRM, rang.set)
        signal.alarm(5)
        await asyncio.wait_for(rang.wait(), 3600)
        asyncio.get_running_loop().remove_signal_handler(signal.SIGALRM)

    asyncio.run(main())
    assert clock.virtual_elapsed_us >= 5_000_000


def test_an_alarm_that_is_ignored_rings_for_nobody(clock: VirtualClock) -> None:
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    signal.alarm(1)
    time.sleep(10)
    assert clock.virtual_elapsed_us == 10_000_000


def test_an_alarm_that_the_system_refuses_is_refused(clock: VirtualClock) -> None:
    with pytest.raises(OSError, match=r"\[Errno"):
        signal.setitimer(signal.ITIMER_REAL, -1)
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0, 0)


def test_an_alarm_that_outlives_the_span_is_real_from_then_on() -> None:
    before = signal.getsignal(signal.SIGALRM)
    signal.signal(signal.SIGALRM, ring)
    try:
        with VirtualClock(threads=True).installed():
            signal.setitimer(signal.ITIMER_REAL, 3600)
            time.sleep(3599.99)
        with pytest.raises(Rang):
            threading.Event().wait(60)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
