"""What counts as real work under way, channel by channel."""

from __future__ import annotations

import asyncio
import os
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from itertools import pairwise
from typing import ClassVar

import pytest

from pytest_sessionguard.clock import readings, underway
from pytest_sessionguard.clock.underway import UnderWay, live_threads
from pytest_sessionguard.clock.virtual import VirtualClock

NOBODY = -1


@pytest.fixture
def selector() -> Iterator[selectors.BaseSelector]:
    with selectors.DefaultSelector() as selector:
        yield selector


def holds(work: UnderWay, selector: selectors.BaseSelector) -> bool:
    return work.look_again_s(list(selector.get_map().values()), NOBODY) > 0


def test_nobody_but_the_loop_holds_nothing(selector: selectors.BaseSelector) -> None:
    work = UnderWay(10**9, live_threads())
    assert work.none_at_all(1)
    assert not holds(work, selector)


def test_a_listening_socket_holds_nothing(selector: selectors.BaseSelector) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        selector.register(listening, selectors.EVENT_READ)
        assert not holds(UnderWay(10**9, live_threads()), selector)


def test_a_pipe_holds_until_it_was_silent_for_the_patience(
    selector: selectors.BaseSelector, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(underway, "real_monotonic", lambda: now[0])
    reading, writing = os.pipe()
    key = selector.register(reading, selectors.EVENT_READ)
    work = UnderWay(500_000, live_threads())
    assert holds(work, selector)
    now[0] += 0.5
    assert not holds(work, selector)
    work.stirred([(key, selectors.EVENT_READ)])
    assert holds(work, selector)
    now[0] += 0.5
    assert not holds(work, selector)
    work.wrote()
    assert holds(work, selector)
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize("facts", [True, False])
def test_a_connection_to_elsewhere_holds_until_it_was_silent(
    selector: selectors.BaseSelector, monkeypatch: pytest.MonkeyPatch, facts: bool
) -> None:
    if not facts:
        monkeypatch.setattr(underway, "_TCP_INFO", None)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        near = socket.create_connection(listening.getsockname())
        far, _ = listening.accept()
        with near, far:
            selector.register(near, selectors.EVENT_READ)
            assert holds(UnderWay(10**9, live_threads()), selector)
            assert not holds(UnderWay(0, live_threads()), selector)


def test_a_connection_within_the_loop_holds_nothing_once_delivered(
    selector: selectors.BaseSelector, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        near = socket.create_connection(listening.getsockname())
        far, _ = listening.accept()
        with near, far:
            for each in (near, far):
                each.setblocking(False)
                selector.register(each, selectors.EVENT_READ)
            work = UnderWay(10**9, live_threads())
            assert not holds(work, selector)
            # More than the buffers take: the rest waits on this side.
            with pytest.raises(BlockingIOError):
                while True:
                    near.send(b"x" * 1_000_000)
            assert holds(work, selector)
            monkeypatch.setattr(underway, "_ioctl", None)
            assert not holds(work, selector)


def test_a_socket_pair_of_this_process_holds_nothing(selector: selectors.BaseSelector) -> None:
    near, far = socket.socketpair()
    with near, far:
        selector.register(near, selectors.EVENT_READ)
        assert not holds(UnderWay(10**9, live_threads()), selector)


def test_a_descriptor_closed_behind_the_selector_is_taken_for_a_pipe(selector: selectors.BaseSelector) -> None:
    near, far = socket.socketpair()
    selector.register(near.fileno(), selectors.EVENT_READ)
    near.close()
    far.close()
    assert not holds(UnderWay(0, live_threads()), selector)


def test_a_thread_of_the_span_holds_while_it_runs_and_then_for_the_patience(
    selector: selectors.BaseSelector, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient, hasty = UnderWay(10**9, live_threads()), UnderWay(0)
    release = threading.Event()
    thread = threading.Thread(target=release.wait, args=(30,))
    thread.start()
    try:
        assert not patient.none_at_all(1)
        assert holds(patient, selector)
        assert not holds(hasty, selector)
        # One that was there before the span is not asked.
        assert not holds(UnderWay(10**9, live_threads()), selector)
        monkeypatch.delattr("time.pthread_getcpuclockid")
        assert not holds(hasty, selector)
    finally:
        release.set()
        thread.join()
    assert not holds(patient, selector)
    assert patient.none_at_all(1)


def test_a_thread_that_was_silent_and_stirs_holds_anew(selector: selectors.BaseSelector) -> None:
    work = UnderWay(20_000, live_threads())
    go, done = threading.Event(), threading.Event()

    def stir() -> None:
        go.wait(30)
        sum(range(100_000))
        done.set()
        release.wait(30)

    release = threading.Event()
    thread = threading.Thread(target=stir)
    thread.start()
    deadline = readings.real_monotonic() + 10
    while holds(work, selector) and readings.real_monotonic() < deadline:
        pass
    assert not holds(work, selector)
    go.set()
    done.wait(30)
    assert holds(work, selector)
    release.set()
    thread.join()


def test_an_idle_worker_of_anyio_holds_nothing_until_it_is_given_work(selector: selectors.BaseSelector) -> None:
    class Worker(threading.Thread):
        """Keeps the list of idle workers as anyio's do."""

        idle_workers: ClassVar[deque[threading.Thread]] = deque()

    work = UnderWay(10**9, live_threads())
    release = threading.Event()
    worker = Worker(target=release.wait, args=(30,))
    worker.start()
    try:
        assert holds(work, selector)
        worker.idle_workers.append(worker)
        assert not holds(work, selector)
        worker.idle_workers.pop()
        assert not work.none_at_all(1)
        assert holds(work, selector)
    finally:
        release.set()
        worker.join()
    assert not holds(work, selector)


def test_work_in_threads_of_anyio_costs_no_patience_and_is_waited_for() -> None:
    to_thread = pytest.importorskip("anyio.to_thread")

    async def story() -> list[float]:
        seen = []
        for _ in range(20):
            await asyncio.sleep(3600)
            seen.append(await to_thread.run_sync(time.time))
        return seen

    began = readings.real_monotonic()
    with VirtualClock(patience_us=500_000).installed() as clock:
        seen = asyncio.run(story())
    took_s = readings.real_monotonic() - began
    assert [later - earlier for earlier, later in pairwise(seen)] == [3600] * 19
    # Nineteen patiences at least, were idle workers waited for.
    assert took_s < 10 * clock.patience_us / 1_000_000
