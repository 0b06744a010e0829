"""Threads under the clock: every wait takes the virtual time that it would have taken in real time."""

from __future__ import annotations

import _thread
import asyncio
import contextlib
import os
import queue
import random
import sched
import select
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

import pytest

from pytest_sessionguard.clock import readings, threads, turns, warden
from pytest_sessionguard.clock.virtual import MICROSECONDS, VirtualClock
from pytest_sessionguard.errors import VirtualDeadlock

# Made before every span, by whichever factories were in place.
early_lock, early_event, early_queue = threading.Lock(), threading.Event(), queue.Queue[int]()
early_condition, early_semaphore = threading.Condition(), threading.Semaphore(0)


@pytest.fixture
def clock() -> Iterator[VirtualClock]:
    with VirtualClock(threads=True).installed() as clock:
        yield clock


@pytest.fixture
def quick_switches() -> Iterator[None]:
    """Have the interpreter switch between threads whenever it can: what depends on that shows."""
    before_s, traced = sys.getswitchinterval(), threading.gettrace()
    threading.settrace(None)  # type: ignore[arg-type]  # two threads that begin at once may be refused trace functions
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before_s)
    threading.settrace(traced)  # type: ignore[arg-type]


def run(*bodies: Callable[[], object], timeout: float | None = None) -> list[threading.Thread]:
    """Run each body in a thread of its own, to the end."""
    threads = [threading.Thread(target=body) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout)
    return threads


def after(seconds: float, act: Callable[[], object]) -> threading.Thread:
    """Act in another thread, so much later."""

    def body() -> None:
        time.sleep(seconds)
        act()

    thread = threading.Thread(target=body)
    thread.start()
    return thread


# -- waits -----------------------------------------------------------------------------------------------------------


def test_sleeps_of_several_threads_pass_side_by_side_in_order_of_deadlines(clock: VirtualClock) -> None:
    woke: list[tuple[int, int]] = []

    def sleeper(seconds: int) -> None:
        for _ in range(3):
            time.sleep(seconds)
            woke.append((clock.virtual_elapsed_us // MICROSECONDS, seconds))

    run(lambda: sleeper(3), lambda: sleeper(5), lambda: sleeper(7))
    assert woke == [(3, 3), (5, 5), (6, 3), (7, 7), (9, 3), (10, 5), (14, 7), (15, 5), (21, 7)]


WAITS: dict[str, Callable[[float], object]] = {
    "Event": lambda timeout: threading.Event().wait(timeout),
    "early Event": lambda timeout: early_event.wait(timeout),
    "Semaphore": lambda timeout: threading.Semaphore(0).acquire(timeout=timeout),
    "early Semaphore": lambda timeout: early_semaphore.acquire(timeout=timeout),
    "Lock": lambda timeout: taken(threading.Lock()).acquire(timeout=timeout),
    "RLock": lambda timeout: taken(threading.RLock(), elsewhere=True).acquire(timeout=timeout),
    "Condition": lambda timeout: wait_on(threading.Condition(), timeout),
    "early Condition": lambda timeout: wait_on(early_condition, timeout),
    "Condition.wait_for": lambda timeout: wait_for(threading.Condition(), timeout),
    "Queue.get": lambda timeout: empty(queue.Queue(), timeout),
    "early Queue.get": lambda timeout: empty(early_queue, timeout),
    "Queue.put": lambda timeout: full(timeout),
    "SimpleQueue.get": lambda timeout: empty(queue.SimpleQueue(), timeout),
    "Future.result": lambda timeout: unanswered(timeout),
    "futures.wait": lambda timeout: futures.wait([futures.Future()], timeout=timeout).done,
    "Barrier": lambda timeout: broken(timeout),
    "Timer": lambda timeout: timer(timeout),
    "sched": lambda timeout: scheduled(timeout),
    "select.select": lambda timeout: select.select([pipe()], [], [], timeout)[0],
    "selectors": lambda timeout: selected(timeout),
    "time.sleep": lambda timeout: time.sleep(timeout),
    "pool of sleepers": lambda timeout: pooled(timeout),
}


def taken(lock: Any, *, elsewhere: bool = False) -> Any:
    if elsewhere:
        run(lock.acquire)
    else:
        lock.acquire()
    return lock


def wait_on(condition: threading.Condition, timeout: float) -> bool:
    with condition:
        return condition.wait(timeout)


def wait_for(condition: threading.Condition, timeout: float) -> bool:
    with condition:
        return condition.wait_for(lambda: False, timeout)


def empty(waited_for: object, timeout: float) -> None:
    with pytest.raises(queue.Empty):
        waited_for.get(timeout=timeout)  # type: ignore[attr-defined]


def full(timeout: float) -> None:
    waited_for = queue.Queue[int](1)
    waited_for.put(1)
    with pytest.raises(queue.Full):
        waited_for.put(2, timeout=timeout)


def unanswered(timeout: float) -> None:
    with pytest.raises(futures.TimeoutError):
        futures.Future[int]().result(timeout)


def broken(timeout: float) -> None:
    with pytest.raises(threading.BrokenBarrierError):
        threading.Barrier(2).wait(timeout)


def timer(timeout: float) -> None:
    fired: list[int] = []
    one = threading.Timer(timeout, fired.append, [1])
    one.start()
    one.join()
    assert fired == [1]


def scheduled(timeout: float) -> None:
    plan = sched.scheduler(time.monotonic, time.sleep)
    plan.enter(timeout, 1, lambda: None)
    plan.run()


_PAIR = socket.socketpair()


def pipe() -> socket.socket:
    return _PAIR[0]


def selected(timeout: float) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(pipe(), selectors.EVENT_READ)
        assert selector.select(timeout) == []


def pooled(timeout: float) -> None:
    with futures.ThreadPoolExecutor(3) as pool:
        list(pool.map(time.sleep, [timeout, timeout / 2, timeout / 4]))


@pytest.mark.parametrize("kind", WAITS)
@pytest.mark.parametrize("company", [False, True], ids=["alone", "in company"])
def test_a_wait_takes_exactly_its_time(clock: VirtualClock, kind: str, company: bool) -> None:
    began_s = readings.real_monotonic()
    release = threading.Event()
    if company:
        other = threading.Thread(target=release.wait)
        other.start()
    assert not WAITS[kind](40.5)
    assert clock.virtual_elapsed_us == 40_500_000
    assert readings.real_monotonic() - began_s < 10
    if company:
        release.set()
        other.join()


@pytest.mark.parametrize("early", [False, True])
def test_what_comes_in_time_ends_a_wait_at_its_instant(clock: VirtualClock, early: bool) -> None:
    event = early_event if early else threading.Event()
    waited_for: queue.Queue[int] = early_queue if early else queue.Queue()
    condition = early_condition if early else threading.Condition()
    setting = after(2, event.set)
    assert event.wait(5)
    assert clock.virtual_elapsed_us == 2_000_000
    putting = after(3, lambda: waited_for.put(7))
    assert waited_for.get(timeout=3.000001) == 7

    def notify() -> None:
        with condition:
            condition.notify_all()

    notifying = after(1, notify)
    assert wait_on(condition, 10)
    assert clock.virtual_elapsed_us == 6_000_000
    for thread in (setting, putting, notifying):
        thread.join()
    event.clear()


def test_a_lock_held_across_a_sleep_is_handed_over_at_its_end(clock: VirtualClock) -> None:
    lock, got = threading.Lock(), []

    def hold(seconds: float) -> None:
        with lock:
            got.append(clock.virtual_elapsed_us)
            time.sleep(seconds)

    run(lambda: hold(3), lambda: hold(4), lambda: hold(5))
    assert got == [0, 3_000_000, 7_000_000]


def test_a_reentrant_lock_is_free_after_the_last_release(clock: VirtualClock) -> None:
    lock = threading.RLock()
    condition = threading.Condition(lock)

    def hold() -> None:
        with lock, lock:
            time.sleep(2)
            condition.wait(1)
            time.sleep(2)

    holder = threading.Thread(target=hold)
    holder.start()
    time.sleep(1)
    assert not lock.acquire(timeout=0.5)
    with lock:
        assert clock.virtual_elapsed_us == 2_000_000
    with pytest.raises(RuntimeError, match="un-acquired"):
        lock.release()
    holder.join()
    assert clock.virtual_elapsed_us == 5_000_000


def test_a_lock_refuses_what_the_real_one_refuses(clock: VirtualClock) -> None:
    lock = threading.Lock()
    with pytest.raises(ValueError, match="non-blocking"):
        lock.acquire(False, 1)
    with pytest.raises(ValueError, match=r"non-negative|positive"):
        lock.acquire(timeout=-2)
    with pytest.raises(OverflowError):
        lock.acquire(timeout=1e20)
    with pytest.raises(RuntimeError, match="unlocked"):
        lock.release()
    assert lock.acquire(timeout=0)
    assert not lock.acquire(timeout=0)
    assert not lock.acquire(blocking=False)
    assert lock.locked()
    assert "locked Lock" in repr(lock)
    lock.release()
    assert "unlocked Lock" in repr(lock)


def test_join_with_a_timeout_tells_who_lives(clock: VirtualClock) -> None:
    thread = after(10, lambda: None)
    thread.join(3)
    assert thread.is_alive()
    assert clock.virtual_elapsed_us == 3_000_000
    thread.join(30)
    assert not thread.is_alive()
    assert clock.virtual_elapsed_us == 10_000_000
    thread.join()


def test_a_thread_keeps_its_own_run_and_may_not_start_twice(clock: VirtualClock) -> None:
    class Mine(threading.Thread):
        def run(self) -> None:
            ran.append("mine")

    ran: list[str] = []
    own = threading.Thread()
    own.run = lambda: ran.append("own")  # type: ignore[method-assign]
    for thread in (Mine(), own):
        thread.start()
        assert thread.is_alive()
        thread.join()
        with pytest.raises(RuntimeError, match="only be started once"):
            thread.start()
    assert ran == ["mine", "own"]


def test_an_exception_ends_its_own_thread_alone(clock: VirtualClock) -> None:
    seen: list[object] = []
    hook, threading.excepthook = threading.excepthook, lambda facts: seen.append(facts.exc_type)
    try:
        after(1, lambda: 1 / 0).join()
    finally:
        threading.excepthook = hook
    assert seen == [ZeroDivisionError]
    assert clock.virtual_elapsed_us == 1_000_000


# -- order -----------------------------------------------------------------------------------------------------------


def test_advance_brings_exactly_the_wake_ups_of_a_cleaner(clock: VirtualClock) -> None:
    stop, woke = threading.Event(), []

    def clean() -> None:
        while not stop.wait(1):
            woke.append(clock.virtual_elapsed_us)

    cleaner = threading.Thread(target=clean)
    cleaner.start()
    clock.advance(0)
    clock.advance(3600 * MICROSECONDS)
    assert woke == [second * MICROSECONDS for second in range(1, 3601)]
    clock.advance(999_999)
    assert len(woke) == 3600
    clock.advance(1)
    assert len(woke) == 3601
    stop.set()
    cleaner.join()
    assert clock.virtual_elapsed_us == 3601 * MICROSECONDS


def test_all_that_the_wake_ups_of_the_target_instant_set_off_comes_before_advance_returns(clock: VirtualClock) -> None:
    first, second = threading.Event(), queue.Queue[str]()
    seen: list[str] = []

    def chain() -> None:
        first.wait()
        second.put("chained")

    def end() -> None:
        seen.append(second.get())

    waiting = [threading.Thread(target=chain), threading.Thread(target=end)]
    for thread in waiting:
        thread.start()
    setting = after(5, first.set)
    clock.advance(5 * MICROSECONDS)
    assert seen == ["chained"]
    for thread in (*waiting, setting):
        thread.join()


def work_really(jitter: random.Random) -> None:
    """Compute for a moment of real time that is another one in every run."""
    sum(range(jitter.choice((0, 10, 100, 1000, 3000))))


def jittered_order(program: int, jitter: random.Random, seed: int | None = None) -> list[tuple[int, str, int]]:
    """Run five threads, each with a program of its own, and note who does what when; real work falls in between."""
    order: list[tuple[int, str, int]] = []
    with VirtualClock(threads=True, seed=seed).installed() as clock:
        lock, items, event = threading.Lock(), queue.Queue[int](2), threading.Event()
        condition, semaphore, barrier = threading.Condition(), threading.Semaphore(2), threading.Barrier(5)

        def hold(span_s: float) -> None:
            with lock:
                time.sleep(span_s)

        def put(span_s: float) -> None:
            with contextlib.suppress(queue.Full):
                items.put(1, timeout=span_s)

        def take(span_s: float) -> None:
            with contextlib.suppress(queue.Empty):
                items.get(timeout=span_s)

        def wait(span_s: float) -> None:
            event.wait(span_s)
            event.clear()

        def wait_for_condition(span_s: float) -> None:
            with condition:
                condition.wait(span_s)

        def notify(span_s: float) -> None:
            with condition:
                condition.notify()

        def enter(span_s: float) -> None:
            if semaphore.acquire(timeout=span_s):
                time.sleep(span_s)
                semaphore.release()

        acts = [time.sleep, hold, put, take, wait, wait_for_condition, notify, enter, lambda span_s: event.set()]

        def work(number: int) -> None:
            chance = random.Random(f"{program} {number}")
            for _ in range(12):
                act, span_s = chance.choice(acts), chance.choice((0, 0.001, 0.001, 0.002, 0.003))
                work_really(jitter)
                act(span_s)
                work_really(jitter)
                order.append((number, act.__name__, clock.virtual_elapsed_us))
            barrier.wait()

        run(*(lambda number=number: work(number) for number in range(5)))
    return order


def test_sixty_runs_of_jittered_threads_have_one_order_for_each_program(quick_switches: None) -> None:
    jitter = random.Random()
    orders = [{tuple(jittered_order(program, jitter)) for _ in range(5)} for program in range(12)]
    assert [len(each) for each in orders] == [1] * 12
    assert len({order for each in orders for order in each}) == 12


def test_a_seed_picks_another_order_and_the_same_one_again(quick_switches: None) -> None:
    jitter = random.Random()
    orders = {seed: jittered_order(1, jitter, seed) for seed in range(6)}
    assert len({tuple(order) for order in orders.values()}) > 3
    for seed, order in orders.items():
        assert jittered_order(1, jitter, seed) == order


@pytest.mark.parametrize("alone", [True, False])
def test_a_loop_that_waits_for_what_is_left_until_a_deadline_comes_to_its_end(clock: VirtualClock, alone: bool) -> None:
    condition, stop = threading.Condition(), threading.Event()
    beating = threading.Thread(target=lambda: [0 for _ in iter(lambda: stop.wait(0.07), True)])
    if not alone:
        beating.start()
    for way in range(300):
        rounds, deadline_s = 0, time.monotonic() + way / 100
        while (left_s := deadline_s - time.monotonic()) > 0:
            rounds += 1
            assert rounds < 10
            if way % 2:
                time.sleep(min(left_s, 1))
            else:
                with condition:
                    condition.wait(left_s)
    stop.set()
    if not alone:
        beating.join()


def sleeps_alone() -> None:
    time.sleep(1)


def sleeps_in_company() -> None:
    other = after(0.5, lambda: None)
    time.sleep(1)
    other.join()


def waits_for_an_event() -> None:
    threading.Event().wait(1)


def waits_for_a_queue() -> None:
    with pytest.raises(queue.Empty):
        queue.Queue[int]().get(timeout=1)


def waits_for_a_socket() -> None:
    here, there = socket.socketpair()
    with here, there:
        here.settimeout(1)
        with pytest.raises(TimeoutError):
            here.recv(1)


def sleeps_in_a_loop() -> None:
    asyncio.run(asyncio.sleep(1))


def sleeps_in_a_loop_in_company() -> None:
    gone = threading.Event()
    other = threading.Thread(target=gone.wait)
    other.start()
    asyncio.run(asyncio.sleep(1))
    gone.set()
    other.join()


LATE_WAITS = [
    *(sleeps_alone, sleeps_in_company, waits_for_an_event, waits_for_a_queue, waits_for_a_socket),
    *(sleeps_in_a_loop, sleeps_in_a_loop_in_company),
]


@pytest.mark.parametrize("wait", LATE_WAITS)
def test_a_late_clock_ends_every_wait_a_little_late_and_none_of_nothing(wait: Callable[[], None]) -> None:
    with VirtualClock(threads=True, late_us=3).installed() as clock:
        time.sleep(0)
        queue.Queue[int](1).put(1, timeout=0)
        assert clock.virtual_elapsed_us == 0
        wait()
        assert clock.virtual_elapsed_us == 1_000_003


def test_a_room_of_the_standard_library_leaves_at_exactly_its_deadline(clock: VirtualClock) -> None:
    waiting = queue.Queue[int]()
    spans_us = [random.Random(5).randrange(1, 10**7) for _ in range(300)]
    for span_us in spans_us:
        before_us = clock.monotonic_us
        with pytest.raises(queue.Empty):
            waiting.get(timeout=span_us / 1e6)
        assert clock.monotonic_us == before_us + span_us


# -- told ------------------------------------------------------------------------------------------------------------


def test_a_deadlock_names_every_thread_its_stack_and_what_it_waits_for(clock: VirtualClock) -> None:
    one, two = threading.Lock(), threading.Lock()

    def crossed() -> None:
        with two:
            time.sleep(1)
            with one:
                pass

    other = threading.Thread(target=crossed, name="crossed")
    other.start()
    with one:
        time.sleep(1)
        with pytest.raises(VirtualDeadlock) as caught:
            two.acquire()
    other.join()
    told = str(caught.value)
    assert "MainThread waits for <locked Lock" in told
    assert "crossed waits for <locked Lock" in told
    assert f"{__file__}:" in told
    assert "in test_a_deadlock_names_every_thread_its_stack_and_what_it_waits_for.<locals>.crossed" in told


def test_a_thread_that_nobody_ends_is_a_deadlock_for_who_joins_it(clock: VirtualClock) -> None:
    ended = threading.Event()
    forever = threading.Thread(target=ended.wait, daemon=True)
    forever.start()
    with pytest.raises(VirtualDeadlock, match="the end of Thread"):
        forever.join()
    ended.set()
    forever.join()


def test_waiting_for_ever_alone_is_a_deadlock(clock: VirtualClock) -> None:
    with pytest.raises(VirtualDeadlock, match=r"MainThread waits for .* in Event.wait\n"):
        threading.Event().wait()
    with pytest.raises(VirtualDeadlock, match=r"MainThread waits for .* in Queue.get\n"):
        queue.Queue[int]().get()


def test_polling_the_time_is_named_and_comes_to_its_end(clock: VirtualClock) -> None:
    after(0.1, lambda: None)
    until = time.monotonic() + 0.2

    def poll() -> None:
        while time.monotonic() < until:
            pass

    with pytest.warns(RuntimeWarning, match="MainThread polls instead of waiting"):
        poll()


def test_polling_a_flag_is_named_and_the_other_thread_goes_on(clock: VirtualClock) -> None:
    flag = threading.Event()
    thread = after(0.05, flag.set)

    def poll() -> None:
        while not flag.is_set():
            pass

    with pytest.warns(RuntimeWarning, match="MainThread polls instead of waiting"):
        poll()
    thread.join()


def test_yielding_until_another_thread_is_done_comes_to_its_end(clock: VirtualClock) -> None:
    flag = threading.Event()
    thread = after(0.05, flag.set)
    while not flag.is_set():
        time.sleep(0)
    thread.join()
    assert clock.virtual_elapsed_us == 50_000


# -- the real world --------------------------------------------------------------------------------------------------


def test_real_work_in_a_thread_makes_no_timeout_expire(clock: VirtualClock) -> None:
    def work() -> int:
        until = readings.real_monotonic() + 0.03
        while readings.real_monotonic() < until:
            sum(range(100))
        return 1

    with futures.ThreadPoolExecutor(2) as pool:
        for _ in range(5):
            assert pool.submit(work).result(timeout=0.001) == 1
    assert clock.virtual_elapsed_us == 0


def test_an_echo_over_sockets_between_threads_makes_no_timeout_expire(clock: VirtualClock) -> None:
    with warnings.catch_warnings(), socket.create_server(("127.0.0.1", 0)) as server:
        warnings.simplefilter("error")

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                while received := connection.recv(100):
                    time.sleep(2)
                    connection.sendall(received)

        thread = threading.Thread(target=serve)
        thread.start()
        ticks: list[int] = []
        stop = threading.Event()

        def tick() -> None:
            while not stop.wait(1):
                ticks.append(1)

        ticker = threading.Thread(target=tick)
        ticker.start()
        with socket.create_connection(server.getsockname()[:2]) as client:
            for _ in range(5):
                client.sendall(b"x")
                assert client.recv(100) == b"x"
        thread.join()
        stop.set()
        ticker.join()
    assert clock.virtual_elapsed_us == 10_000_000


def test_a_thread_blocked_in_the_real_world_is_declared_external_and_hangs_nobody() -> None:
    ours, theirs = socket.socketpair()
    with VirtualClock(threads=True, patience_us=50_000).installed() as clock:
        reader = threading.Thread(target=os.read, args=(ours.fileno(), 1), name="reader")
        reader.start()
        with pytest.warns(RuntimeWarning, match="reader has been blocked in the real world for 0.05 s"):
            time.sleep(3600)
        assert clock.virtual_elapsed_us == 3600 * MICROSECONDS
        theirs.send(b"x")
        reader.join(1)
        assert not reader.is_alive()
        assert clock.virtual_elapsed_us == 3600 * MICROSECONDS


def test_a_lock_from_before_the_span_hangs_nobody_and_is_handed_over_in_order() -> None:
    # What the factories make before the span is real here.
    got: list[int] = []
    with VirtualClock(threads=True, patience_us=20_000).installed() as clock, warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)

        def hold() -> None:
            with early_lock:
                time.sleep(3)
            got.append(clock.virtual_elapsed_us)

        run(hold, hold)
    assert got == [3_000_000, 6_000_000]


def test_real_locks_held_for_ever_are_told_as_a_deadlock(monkeypatch: pytest.MonkeyPatch) -> None:
    # Made before the span, by factories that nobody had replaced.
    monkeypatch.setattr(turns, "HOPELESS_S", 0.05)
    one, two = _thread.allocate_lock(), _thread.allocate_lock()

    def crossed(first: Any, second: Any) -> None:
        with first:
            time.sleep(1)
            second.acquire()

    with warnings.catch_warnings(), VirtualClock(threads=True).installed():
        warnings.simplefilter("ignore", RuntimeWarning)
        threads = [
            threading.Thread(target=crossed, args=locks, name=name, daemon=True)
            for name, locks in (("left", (one, two)), ("right", (two, one)))
        ]
        for thread in threads:
            thread.start()
        with pytest.raises(VirtualDeadlock) as caught:
            threads[0].join()
    one.release()
    for thread in threads:
        thread.join(30)
    told = str(caught.value)
    assert "MainThread waits for the end of left" in told
    assert "left waits for something in the real world" in told
    assert "right waits for something in the real world" in told
    assert ".<locals>.crossed" in told


def test_threads_blocked_at_one_place_are_told_of_once() -> None:
    lock = _thread.allocate_lock()
    lock.acquire()
    with warnings.catch_warnings(record=True) as caught, VirtualClock(threads=True).installed():
        warnings.simplefilter("always")
        threads = [threading.Thread(target=lambda: lock.acquire(True, 30) and lock.release()) for _ in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(3600)
        lock.release()
        for thread in threads:
            thread.join()
    assert len([one for one in caught if "waits for a lock" in str(one.message)]) == 1


def test_a_thread_is_no_thread_of_pythons_alone_when_a_library_has_some_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[bool] = []
    monkeypatch.setattr(os, "listdir", lambda path: ["1"] * 1000)
    seen.append(warden._all_are_pythons())
    monkeypatch.setattr(os, "listdir", lambda path: ["1"])
    seen.append(warden._all_are_pythons())

    def missing(path: str) -> list[str]:
        raise FileNotFoundError(path)

    monkeypatch.setattr(os, "listdir", missing)
    seen.append(warden._all_are_pythons())
    assert seen == [False, True, True]


STARTED_UNDER_TRACE = """
import sys, threading, time
sys.addaudithook(lambda event, _: time.sleep(0.0003) if event == "sys.settrace" else None)
threading.settrace(lambda frame, event, arg: None)
sys.setswitchinterval(1e-6)
from pytest_sessionguard.clock.virtual import VirtualClock
seen = []
for _ in range(20):
    with VirtualClock(threads=True).installed():
        threads = [threading.Thread(target=seen.append, args=(number,)) for number in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
print(len(seen))
"""


def test_threads_that_are_traced_all_begin() -> None:
    """Of two that are given their trace functions at the same time, Python 3.11 would refuse one."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    done = subprocess.run(
        [sys.executable, "-c", STARTED_UNDER_TRACE], env=environ, capture_output=True, text=True, check=True
    )
    assert done.stdout == "100\n"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_thread_that_cannot_begin_is_not_waited_for(clock: VirtualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing:
        """`sys` as `threading` sees it, where a thread may have no trace function."""

        def __getattr__(self, name: str) -> Any:
            if name == "settrace":
                raise RuntimeError("another trace function is being installed")
            return getattr(sys, name)

    monkeypatch.setattr(threading, "_trace_hook", lambda frame, event, arg: None)
    seen: list[int] = []
    lost = threading.Thread(target=seen.append, args=(1,))
    with monkeypatch.context() as refusing:
        refusing.setattr(threading, "_sys", Refusing())
        lost.start()
        lost.join()
    monkeypatch.setattr(threading, "_trace_hook", None)
    run(lambda: time.sleep(60))
    assert seen == []
    assert clock.virtual_elapsed_us == 60 * MICROSECONDS


def test_a_child_process_is_waited_for(clock: VirtualClock) -> None:
    child = [sys.executable, "-c", "import time; time.sleep(0.05); print(7)"]
    stop, ticks = threading.Event(), []

    def tick() -> None:
        while not stop.wait(600):
            ticks.append(1)

    ticker = threading.Thread(target=tick)
    ticker.start()
    assert subprocess.run(child, capture_output=True, check=True, timeout=30).stdout.strip() == b"7"
    with subprocess.Popen(child, stdout=subprocess.DEVNULL) as process:
        assert process.wait(timeout=30) == 0
    stop.set()
    ticker.join()
    assert clock.virtual_elapsed_us == 0


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="this system does not tell what a child is at")
def test_a_child_process_that_computes_for_longer_than_the_patience_is_waited_for() -> None:
    child = [sys.executable, "-c", "import time\nwhile time.process_time() < 0.3: pass"]
    with VirtualClock(threads=True, patience_us=150_000).installed() as clock:
        stop = threading.Event()
        ticker = threading.Thread(target=lambda: [0 for _ in iter(lambda: stop.wait(600), True)])
        ticker.start()
        subprocess.run(child, check=True)
        stop.set()
        ticker.join()
        assert clock.virtual_elapsed_us == 0


def test_a_process_pool_makes_no_timeout_expire(clock: VirtualClock) -> None:
    with futures.ProcessPoolExecutor(1) as pool:
        assert pool.submit(pow, 2, 5).result(timeout=0.001 + 5) == 32
    assert clock.virtual_elapsed_us == 0


def test_a_pool_from_before_the_span_works_in_virtual_time() -> None:
    with futures.ThreadPoolExecutor(1) as pool:
        assert pool.submit(pow, 2, 3).result() == 8
        with VirtualClock(threads=True).installed() as clock:
            assert pool.submit(time.sleep, 5).result(timeout=6) is None
            assert clock.virtual_elapsed_us == 5_000_000
            with pytest.raises(futures.TimeoutError):
                pool.submit(time.sleep, 5).result(timeout=4.99)
        assert pool.submit(pow, 2, 3).result(timeout=30) == 8


# -- in and out ------------------------------------------------------------------------------------------------------


def test_what_was_made_inside_works_on_after_the_span_in_real_time() -> None:
    with VirtualClock(threads=True).installed():
        lock, rlock, event, simple = threading.Lock(), threading.RLock(), threading.Event(), queue.SimpleQueue[int]()
        waited_for, pool = queue.Queue[int](), futures.ThreadPoolExecutor(1)
        pool.submit(time.sleep, 1).result()
    with lock, rlock:
        assert not lock.acquire(timeout=0.001)
    assert not event.wait(0.001)
    with pytest.raises(queue.Empty):
        simple.get(timeout=0.001)
    with pytest.raises(queue.Empty):
        waited_for.get(timeout=0.001)
    feeders = [
        threading.Thread(target=feed)
        for feed in (lambda: simple.put(1), lambda: waited_for.put(2), lambda: event.set())
    ]
    for feeder in feeders:
        feeder.start()
    assert (simple.get(timeout=30), waited_for.get(timeout=30), event.wait(30)) == (1, 2, True)
    assert pool.submit(pow, 2, 3).result(timeout=30) == 8
    pool.shutdown()
    for feeder in feeders:
        feeder.join()


def test_threads_that_outlive_the_span_go_on_in_real_time() -> None:
    done = queue.Queue[str]()
    stop = threading.Event()

    def sleeper() -> None:
        time.sleep(0.01)
        done.put("slept")

    def waiter() -> None:
        stop.wait()
        done.put("woken")

    def late() -> None:
        done.put("started")

    with VirtualClock(threads=True).installed():
        threads = [threading.Thread(target=body) for body in (sleeper, waiter, late)]
        for thread in threads:
            thread.start()
    assert {done.get(timeout=30), done.get(timeout=30)} == {"slept", "started"}
    stop.set()
    assert done.get(timeout=30) == "woken"
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt])
def test_an_interrupted_wait_leaves_the_span_and_its_threads_in_order(error: type[BaseException]) -> None:
    lock = threading.Lock()
    stop = threading.Event()

    def interrupt() -> None:
        time.sleep(1)
        if error is KeyboardInterrupt:
            # The other thread must have come to rest in the kernel: a signal before that is seen only afterwards.
            readings.real_sleep(0.02)
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            until = readings.real_monotonic() + 30
            while not stop.is_set() and readings.real_monotonic() < until:
                pass

    thread = threading.Thread(target=interrupt)
    with pytest.raises(error), VirtualClock(threads=True).installed(), lock:
        thread.start()
        try:
            time.sleep(5)
        finally:
            stop.set()
        raise error
    assert not lock.locked()
    thread.join(30)
    assert not thread.is_alive()
    assert lock.acquire(timeout=1)


def test_a_thread_from_before_the_span_waits_in_real_time_for_what_virtual_ones_give() -> None:
    start, answers = threading.Event(), []
    box: list[queue.Queue[int]] = []

    def outside() -> None:
        start.wait()
        answers.append(box[0].get(timeout=30))

    thread = threading.Thread(target=outside)
    thread.start()
    with VirtualClock(threads=True).installed():
        box.append(queue.Queue())
        start.set()
        after(3600, lambda: box[0].put(4)).join()
    thread.join(30)
    assert answers == [4]


def test_kept_lock_factories_make_virtual_locks_before_any_span_and_are_given_back() -> None:
    before = threading.Lock, threading.RLock, queue.SimpleQueue
    threads.keep_locks()
    threads.keep_locks()
    try:
        assert threads.are_locks_kept()
        lock, rlock, simple = threading.Lock(), threading.RLock(), queue.SimpleQueue[int]()
    finally:
        threads.give_locks_back()
    assert not threads.are_locks_kept()
    assert (threading.Lock, threading.RLock, queue.SimpleQueue) == before
    got: list[tuple[str, int]] = []
    with VirtualClock(threads=True).installed() as clock:

        def hold(name: str) -> None:
            with lock, rlock:
                time.sleep(2)
                got.append((name, clock.virtual_elapsed_us))
            simple.put(1)

        run(lambda: hold("a"), lambda: hold("b"))
        assert [simple.get_nowait(), simple.get()] == [1, 1]
        with pytest.raises(queue.Empty):
            simple.get(timeout=5)
    assert got == [("a", 2_000_000), ("b", 4_000_000)]


def test_a_thread_that_cannot_start_leaves_no_turn_behind(clock: VirtualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(
            threading, "_start_new_thread" if sys.version_info < (3, 13) else "_start_joinable_thread", refuse
        )
        with pytest.raises(RuntimeError, match="can't start new thread"):
            threading.Thread(target=print).start()
    after(1, lambda: None).join()
    assert clock.virtual_elapsed_us == 1_000_000


def test_locks_are_switch_points_where_who_runs_is_mixed(clock: VirtualClock) -> None:
    def order(seed: int) -> str:
        lock, seen = threading.Lock(), list[str]()

        def often(name: str) -> None:
            for _ in range(5):
                with lock:
                    seen.append(name)

        with threads.mixed(seed):
            run(lambda: often("a"), lambda: often("b"))
        return "".join(seen)

    orders = {seed: order(seed) for seed in range(5)}
    assert len(set(orders.values())) > 2
    assert order(3) == orders[3]
    with threads.mixed(1), threads.mixed(2):
        pass


def test_a_limit_cuts_a_wait_off_and_tells_of_a_deadlock_that_was_kept_secret(clock: VirtualClock) -> None:
    with pytest.raises(VirtualDeadlock, match=r"in Event.wait"), threads.Limit(5_000_000):
        assert not threading.Event().wait(2)
        threading.Event().wait(3.000001)
    assert clock.virtual_elapsed_us == 5_000_000
    with pytest.raises(VirtualDeadlock), threads.Limit(5_000_000), contextlib.suppress(VirtualDeadlock):
        threading.Event().wait()
    assert not threading.Event().wait(3600)


def test_without_a_clock_nothing_is_limited_or_mixed() -> None:
    with threads.Limit(1), threads.mixed(1):
        time.sleep(0.0001)


def test_a_thread_of_the_module_below_is_virtual_too(clock: VirtualClock) -> None:
    done = threading.Event()

    def act(seconds: float, *, then: threading.Event) -> None:
        time.sleep(seconds)
        then.set()

    assert _thread.start_new_thread(act, (5,), {"then": done}) != threading.get_ident()
    assert not done.wait(4.999)
    assert done.wait(1)
    assert clock.virtual_elapsed_us == 5_000_000
