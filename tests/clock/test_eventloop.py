"""Event loops under the clock: time jumps when nothing is left to do, and only then."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import sys
import threading
import time
import types
import warnings
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import datetime
from functools import partial

import pytest

from pytest_sessionguard.clock import eventloop, readings
from pytest_sessionguard.clock.eventloop import advance
from pytest_sessionguard.clock.virtual import VirtualClock
from pytest_sessionguard.errors import UsageError, VirtualDeadlock

SECOND = 1_000_000


@pytest.fixture(params=[False, True], ids=["real threads", "virtual threads"])
def clock(request: pytest.FixtureRequest) -> Iterator[VirtualClock]:
    clock = VirtualClock(threads=request.param)
    with clock.installed():
        yield clock


@pytest.fixture
def real_threads() -> Iterator[VirtualClock]:
    """A clock under which other threads wait in real time."""
    with VirtualClock(threads=False).installed() as clock:
        yield clock


def busy(real_s: float) -> None:
    """Keep the processor busy for real."""
    end_s = readings.real_monotonic() + real_s
    while readings.real_monotonic() < end_s:
        sum(range(200))


def busy_and_then(real_s: float, answer: int) -> int:
    busy(real_s)
    return answer


# -- timers -----------------------------------------------------------------------------------------------------------


def test_a_sleep_passes_at_once_and_moves_every_clock(clock: VirtualClock) -> None:
    async def main() -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        before = loop.time(), time.monotonic(), datetime.now()
        assert before[0] == before[1]
        await asyncio.sleep(86_400 * 3)
        assert (datetime.now() - before[2]).days == 3
        return loop.time() - before[0], time.monotonic() - before[1]

    began_s = readings.real_monotonic()
    assert asyncio.run(main()) == (259_200, 259_200)
    assert clock.virtual_elapsed_us == 259_200 * SECOND
    assert readings.real_monotonic() - began_s < 10


def test_timers_fire_in_order_of_deadlines_at_their_instants(clock: VirtualClock) -> None:
    fired: list[tuple[str, int]] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        began_us = clock.monotonic_us
        note = lambda name: fired.append((name, clock.monotonic_us - began_us))  # noqa: E731
        loop.call_later(3.000_001, note, "late")
        loop.call_later(0.5, note, "early")
        loop.call_at(loop.time() + 3, note, "at")
        loop.call_later(1, note, "cancelled").cancel()
        await asyncio.sleep(10)

    asyncio.run(main())
    assert fired == [("early", 500_000), ("at", 3_000_000), ("late", 3_000_001)]


@pytest.mark.parametrize("hours", [0, 14, 1000])
def test_of_timers_that_are_due_together_what_was_set_first_comes_first(clock: VirtualClock, hours: int) -> None:
    fired: list[int] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(hours * 3600)
        # Others are in the heap, some of them in the way.
        others = [loop.call_later(number % 7, fired.append, -1) for number in range(14)]
        for number in range(40):
            loop.call_later(3, fired.append, number)
        for other in others:
            other.cancel()
        began_us = clock.monotonic_us
        await asyncio.sleep(3)
        assert clock.monotonic_us - began_us == 3 * SECOND
        await asyncio.sleep(0)

    asyncio.run(main())
    assert fired == [*range(40)]


@pytest.mark.parametrize("kind", ["wait_for", "timeout", "timeout_at", "wait"])
def test_a_timeout_fires_at_exactly_its_instant(clock: VirtualClock, kind: str) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        match kind:
            case "wait_for":
                await asyncio.wait_for(asyncio.Event().wait(), 0.3)
            case "timeout":
                async with asyncio.timeout(0.3):
                    await asyncio.Event().wait()
            case "timeout_at":
                async with asyncio.timeout_at(loop.time() + 0.3):
                    await asyncio.Event().wait()
            case _:
                done, pending = await asyncio.wait([asyncio.create_task(asyncio.sleep(60))], timeout=0.3)
                assert not done
                assert len(pending) == 1
                raise TimeoutError

    with pytest.raises(TimeoutError):
        asyncio.run(main())
    assert clock.virtual_elapsed_us == 300_000


def test_what_is_done_one_microsecond_before_the_timeout_is_in_time(clock: VirtualClock) -> None:
    async def main() -> str:
        return await asyncio.wait_for(asyncio.sleep(0.999_999, "done"), 1)

    assert asyncio.run(main()) == "done"


def test_deadlines_stay_exact_after_ten_years(clock: VirtualClock) -> None:
    async def main() -> None:
        await asyncio.sleep(10 * 365 * 86_400)
        for step_us in (1, 3, 10, 100_001):
            before_us = clock.monotonic_us
            await asyncio.sleep(step_us / 1e6)
            assert clock.monotonic_us - before_us == step_us

    asyncio.run(main())


def test_a_sync_sleep_in_a_coroutine_makes_other_timers_late(clock: VirtualClock) -> None:
    async def main() -> int:
        task = asyncio.create_task(asyncio.sleep(1))
        await asyncio.sleep(0)
        time.sleep(5)
        await task
        return clock.virtual_elapsed_us

    assert asyncio.run(main()) == 5 * SECOND


def test_a_wall_clock_set_back_moves_no_timer(clock: VirtualClock) -> None:
    async def main() -> None:
        clock.set_wall(0)
        await asyncio.sleep(7)
        assert time.time() == 7

    asyncio.run(main())
    assert clock.virtual_elapsed_us == 7 * SECOND


def test_skew_belongs_to_the_task_that_asked_for_it(clock: VirtualClock) -> None:
    async def skewed(seen: list[float]) -> None:
        with clock.skew(60 * SECOND):
            await asyncio.sleep(1)
            seen.append(time.time())

    async def main() -> float:
        seen: list[float] = []
        await asyncio.gather(skewed(seen), asyncio.sleep(1))
        return seen[0] - time.time()

    assert asyncio.run(main()) == 60


def test_a_task_that_yields_until_a_deadline_gets_there_in_real_time(clock: VirtualClock) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        flag = asyncio.Event()
        loop.call_later(0.02, flag.set)
        while not flag.is_set():
            await asyncio.sleep(0)

    began_s = readings.real_monotonic()
    asyncio.run(main())
    assert readings.real_monotonic() - began_s >= 0.02
    assert clock.virtual_elapsed_us == 20_000


def test_debug_mode_sees_no_slow_callback_where_only_work_is_done(clock: VirtualClock) -> None:
    asyncio.run(asyncio.sleep(5), debug=True)
    assert clock.virtual_elapsed_us == 5 * SECOND


# -- loops that were there before, and outlive the span ---------------------------------------------------------------


def test_run_installs_the_clock_or_uses_the_installed_one() -> None:
    clock = VirtualClock()
    assert eventloop.run(clock, lambda: asyncio.sleep(3, "a")) == "a"
    with clock.installed():
        assert eventloop.run(clock, lambda: asyncio.sleep(4, "b")) == "b"
    assert clock.virtual_elapsed_us == 7 * SECOND


def test_run_refuses_a_clock_beside_the_one_in_force(clock: VirtualClock) -> None:
    with pytest.raises(UsageError, match="another clock is already in force"):
        eventloop.run(VirtualClock(), lambda: asyncio.sleep(1))


def test_a_loop_from_before_the_span_follows_and_its_timers_keep_their_distance() -> None:
    clock = VirtualClock()
    loop = asyncio.new_event_loop()
    fired: list[int] = []
    loop.call_later(100, lambda: fired.append(clock.virtual_elapsed_us))
    with clock.installed():
        loop.run_until_complete(asyncio.sleep(200))
    loop.close()
    assert clock.virtual_elapsed_us == 200 * SECOND
    # Between the call above and the span a little real time has passed.
    assert 90 * SECOND < fired[0] <= 100 * SECOND


def test_a_timer_that_outlives_the_span_keeps_its_distance_in_real_time() -> None:
    clock = VirtualClock()
    loop = asyncio.new_event_loop()
    resolution = loop._clock_resolution  # type: ignore[attr-defined]
    with clock.installed():
        loop.run_until_complete(asyncio.sleep(10_000))
        handle = loop.call_later(100, print)
        loop.run_until_complete(asyncio.sleep(1))
    assert 90 < handle.when() - loop.time() <= 99
    assert loop._clock_resolution == resolution  # type: ignore[attr-defined]
    loop.close()


def test_the_running_loop_may_enter_and_leave_a_span() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        background = asyncio.create_task(asyncio.sleep(1000))
        await asyncio.sleep(0)
        real_before = loop.time()
        clock = VirtualClock()
        with clock.installed():
            await asyncio.sleep(3600)
            assert background.done()
            assert clock.virtual_elapsed_us == 3600 * SECOND
        assert 0 <= loop.time() - real_before < 60
        await asyncio.wait_for(asyncio.sleep(0.001), 30)

    asyncio.run(main())


def test_a_loop_made_inside_the_span_works_on_after_it() -> None:
    with VirtualClock().installed():
        loop = asyncio.new_event_loop()
        loop.run_until_complete(asyncio.sleep(1000))
        unused = asyncio.new_event_loop()
    loop.run_until_complete(asyncio.wait_for(asyncio.sleep(0.001), 30))
    clock = VirtualClock()
    with clock.installed():
        loop.run_until_complete(asyncio.sleep(5))
        unused.run_until_complete(asyncio.sleep(5))
    assert clock.virtual_elapsed_us == 10 * SECOND
    loop.close()
    unused.close()


def test_one_loop_after_another_follows_the_same_clock(clock: VirtualClock) -> None:
    for _ in range(3):
        asyncio.run(asyncio.sleep(10))
    assert clock.virtual_elapsed_us == 30 * SECOND


def test_without_threads_a_loop_in_another_thread_keeps_real_time(real_threads: VirtualClock) -> None:
    clock = real_threads

    async def main() -> int:
        # A loop within a loop has to have its own thread.
        return await asyncio.to_thread(asyncio.run, inner())

    async def inner() -> int:
        before_s = readings.real_monotonic(), asyncio.get_running_loop().time()
        await asyncio.sleep(0.02)
        assert readings.real_monotonic() - before_s[0] >= 0.02
        assert asyncio.get_running_loop().time() - before_s[1] >= 0.02
        return clock.virtual_elapsed_us

    assert asyncio.run(main()) == 0


@pytest.mark.parametrize("name", ["run_forever", "run_until_complete"])
def test_uvloop_is_refused_with_what_to_do(name: str) -> None:
    uvloop = pytest.importorskip("uvloop")
    loop = uvloop.new_event_loop()
    with VirtualClock().installed(), pytest.raises(UsageError, match=r"uvloop\.Loop keeps its timers out of reach"):
        getattr(loop, name)()
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()


def test_entering_within_a_foreign_loop_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asyncio, "_get_running_loop", types.SimpleNamespace)
    with pytest.raises(UsageError, match=r"types\.SimpleNamespace keeps its timers out of reach"):
        VirtualClock().installed().__enter__()


# -- deadlock ---------------------------------------------------------------------------------------------------------


def test_a_deadlock_names_the_tasks_and_where_they_wait(clock: VirtualClock) -> None:
    async def left(lock: asyncio.Lock, other: asyncio.Lock) -> None:
        async with lock:
            await asyncio.sleep(1)
            async with other:
                pass

    async def main() -> None:
        first, second = asyncio.Lock(), asyncio.Lock()
        tasks = asyncio.create_task(left(first, second), name="A"), asyncio.create_task(left(second, first), name="B")
        await asyncio.gather(*tasks)

    with pytest.raises(VirtualDeadlock) as caught:
        asyncio.run(main())
    a, b, outer = caught.value.waiting
    assert caught.value.property_name == "concurrency.deadlock-free"
    assert a.startswith(f"A waits at {__file__}:")
    assert a.endswith("left, in Lock.acquire")
    assert b.startswith("B waits at")
    assert "main" in outer
    assert a in str(caught.value)


def test_a_loop_without_tasks_is_a_deadlock_too(clock: VirtualClock) -> None:
    loop = asyncio.new_event_loop()
    with pytest.raises(VirtualDeadlock, match="no task"):
        loop.run_forever()
    loop.close()


def test_a_loop_that_waits_for_a_signal_is_no_deadlock(clock: VirtualClock) -> None:
    async def main() -> None:
        got = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, got.set)
        threading.Thread(target=lambda: (busy(0.02), os.kill(os.getpid(), signal.SIGUSR1))).start()
        await got.wait()
        asyncio.get_running_loop().remove_signal_handler(signal.SIGUSR1)

    asyncio.run(main())
    assert clock.virtual_elapsed_us == 0


# -- advance ----------------------------------------------------------------------------------------------------------


def test_a_periodic_task_wakes_exactly_3600_times_in_an_hour(clock: VirtualClock) -> None:
    async def main() -> int:
        woken = 0

        async def periodic() -> None:
            nonlocal woken
            while True:
                await asyncio.sleep(1)
                woken += 1

        task = asyncio.create_task(periodic())
        await advance(clock, 0)
        before_us = clock.monotonic_us
        await advance(clock, 3600 * SECOND)
        assert clock.monotonic_us - before_us == 3600 * SECOND
        task.cancel()
        return woken

    assert asyncio.run(main()) == 3600


def test_timers_due_at_the_instant_run_before_the_client_with_all_they_set_off(clock: VirtualClock) -> None:
    done: list[str] = []

    async def chain() -> None:
        await asyncio.sleep(5)
        done.append("woken")
        for _ in range(50):
            await asyncio.sleep(0)
        asyncio.get_running_loop().call_later(0, done.append, "due at once")
        done.append(await asyncio.create_task(asyncio.sleep(0, "child")))
        done.append(await asyncio.to_thread(lambda: "worker"))
        await asyncio.sleep(0.000_001)
        done.append("too early")

    async def main() -> None:
        client = asyncio.create_task(advance(clock, 5 * SECOND))
        task = asyncio.create_task(chain())
        await client
        assert done == ["woken", "due at once", "child", "worker"]
        await advance(clock, 1)
        assert done[-1] == "too early"
        await task

    asyncio.run(main())


def test_clients_arrive_in_order_each_at_its_instant(clock: VirtualClock) -> None:
    seen: list[tuple[str, int]] = []

    async def client(name: str, span_us: int) -> None:
        await advance(clock, span_us)
        seen.append((name, clock.virtual_elapsed_us))

    async def main() -> None:
        await asyncio.gather(client("c", 30), client("a", 10), client("a2", 10), client("b", 20), asyncio.sleep(1))

    asyncio.run(main())
    assert seen == [("a", 10), ("a2", 10), ("b", 20), ("c", 30)]


def test_a_cancelled_client_does_not_move_time(clock: VirtualClock) -> None:
    async def main() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(advance(clock, 100 * SECOND), 1)
        await advance(clock, SECOND)

    asyncio.run(main())
    assert clock.virtual_elapsed_us == 2 * SECOND


def test_a_client_arrives_although_another_task_only_yields(clock: VirtualClock) -> None:
    async def main() -> None:
        async def spin() -> None:
            while True:
                await asyncio.sleep(0)

        task = asyncio.create_task(spin())
        await advance(clock, 10_000)
        task.cancel()

    asyncio.run(main())
    assert clock.virtual_elapsed_us == 10_000


def test_advance_wants_an_installed_clock_and_no_negative_span(clock: VirtualClock) -> None:
    with pytest.raises(UsageError, match=r"enter `with clock.installed\(\)` first"):
        asyncio.run(advance(VirtualClock(), 1))
    with pytest.raises(ValueError, match="cannot advance by -1 us"):
        asyncio.run(advance(clock, -1))


def test_a_client_that_still_waits_when_the_span_ends_is_cancelled() -> None:
    async def main() -> None:
        clock = VirtualClock()
        with clock.installed():
            task = asyncio.create_task(advance(clock, SECOND))
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


# -- real work --------------------------------------------------------------------------------------------------------


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data.upper())
        await writer.drain()
    writer.close()


async def in_time(work: Awaitable[object], virtual_s: float = 600) -> object:
    """Await real work under a virtual timeout that must not fire: far longer than it really takes on any machine."""
    return await asyncio.wait_for(work, virtual_s)


@pytest.mark.parametrize("unix", [False, True])
def test_an_echo_within_the_loop_never_loses_against_a_timer(clock: VirtualClock, unix: bool, tmp_path: object) -> None:
    async def main() -> None:
        if unix:
            server = await asyncio.start_unix_server(echo, f"{tmp_path}/echo")
            reader, writer = await asyncio.open_unix_connection(f"{tmp_path}/echo")
        else:
            server = await asyncio.start_server(echo, "127.0.0.1", 0)
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
        for turn in range(300):
            writer.write(b"line %d\n" % turn)
            assert await in_time(reader.readline(), 0.000_001) == b"LINE %d\n" % turn
        writer.write(b"x" * 3_000_000)
        assert await in_time(reader.readexactly(3_000_000), 0.000_001) == b"X" * 3_000_000
        writer.close()
        server.close()

    asyncio.run(main())
    assert clock.virtual_elapsed_us == 0


def test_idle_sockets_do_not_hold_time(clock: VirtualClock) -> None:
    async def main() -> None:
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
        for _ in range(1000):
            await asyncio.sleep(3600)
        writer.close()
        server.close()

    began_s = readings.real_monotonic()
    asyncio.run(main())
    assert clock.virtual_elapsed_us == 3_600_000 * SECOND
    assert readings.real_monotonic() - began_s < 5


def test_a_virtual_timeout_fires_when_a_peer_in_the_loop_answers_too_late(clock: VirtualClock) -> None:
    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = await reader.readline()
        await asyncio.sleep(30)
        writer.write(line)
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(late, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
        writer.write(b"hello\n")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.readline(), 20)
        assert await asyncio.wait_for(reader.readline(), 20) == b"hello\n"
        assert clock.virtual_elapsed_us == 30 * SECOND
        writer.close()
        server.close()

    asyncio.run(main())


def test_a_server_in_another_thread_that_takes_its_time_is_waited_for(clock: VirtualClock) -> None:
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            while asked := connection.recv(100):
                busy(0.01)
                connection.sendall(asked)

    thread = threading.Thread(target=serve)
    thread.start()

    async def main() -> None:
        reader, writer = await asyncio.open_connection(*listening.getsockname())
        for _ in range(10):
            writer.write(b"ask\n")
            assert await in_time(reader.readline()) == b"ask\n"
        writer.close()

    asyncio.run(main())
    thread.join(10)
    listening.close()
    assert clock.virtual_elapsed_us == 0


def test_a_silent_peer_holds_time_for_the_patience_and_no_longer() -> None:
    clock = VirtualClock(patience_us=30_000)
    listening = socket.create_server(("127.0.0.1", 0))

    async def main() -> None:
        _, writer = await asyncio.open_connection(*listening.getsockname())
        await asyncio.sleep(3600)
        began_s = readings.real_monotonic()
        for _ in range(50):
            await asyncio.sleep(3600)
        assert readings.real_monotonic() - began_s < 1
        writer.close()

    began_s = readings.real_monotonic()
    eventloop.run(clock, main)
    listening.close()
    assert readings.real_monotonic() - began_s >= 0.02
    assert clock.virtual_elapsed_us == 51 * 3600 * SECOND


def test_a_busy_worker_makes_no_timer_fire(clock: VirtualClock) -> None:
    async def main() -> None:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(1)
                ticks += 1

        task = asyncio.create_task(tick())
        for _ in range(4):
            await in_time(asyncio.to_thread(busy, 0.05))
        assert ticks == 0
        task.cancel()

    asyncio.run(main())
    assert clock.virtual_elapsed_us == 0


async def _by_thread(work: Callable[[], int], pool: Executor, timeout_s: float) -> int:
    return await asyncio.wait_for(asyncio.to_thread(work), timeout_s)


async def _by_pool(work: Callable[[], int], pool: Executor, timeout_s: float) -> int:
    async with asyncio.timeout(timeout_s):
        return await asyncio.get_running_loop().run_in_executor(pool, work)


async def _by_wait(work: Callable[[], int], pool: Executor, timeout_s: float) -> int:
    done, late = await asyncio.wait([asyncio.wrap_future(pool.submit(work))], timeout=timeout_s)
    assert not late
    return done.pop().result()


async def _by_calling_back(work: Callable[[], int], pool: Executor, timeout_s: float) -> int:
    loop, answer = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()
    thread = threading.Thread(target=lambda: loop.call_soon_threadsafe(answer.set_result, work()))
    thread.start()
    try:
        return int(await asyncio.wait_for(answer, timeout_s))
    finally:
        thread.join()


async def _by_there_and_back(work: Callable[[], int], pool: Executor, timeout_s: float) -> int:
    loop = asyncio.get_running_loop()

    async def child() -> int:
        return await loop.run_in_executor(pool, work)

    def there() -> int:
        return asyncio.run_coroutine_threadsafe(child(), loop).result(timeout_s)

    return await asyncio.wait_for(asyncio.to_thread(there), timeout_s)


WAYS = (_by_thread, _by_pool, _by_wait, _by_calling_back, _by_there_and_back)


@pytest.mark.parametrize("threads", [True, False])
def test_two_hundred_programs_with_busy_executors_see_no_timer_fire_too_soon(threads: bool) -> None:
    chance, ticks = random.Random(3), []

    async def tick(span_s: float) -> None:
        while True:
            await asyncio.sleep(span_s)
            ticks.append(span_s)

    async def program(clock: VirtualClock) -> None:
        with ThreadPoolExecutor(2) as pool:
            # A timeout that is far shorter than what virtual time would jump by, and longer than the work.
            ticking = asyncio.create_task(tick(60 + chance.random()))
            works = [
                way(partial(busy_and_then, chance.random() * 0.001, number), pool, 30 + number)
                for number, way in enumerate(chance.choices(WAYS, k=chance.choice((1, 1, 2, 3))))
            ]
            assert await asyncio.gather(*works) == [*range(len(works))]
            ticking.cancel()

    for _ in range(100):
        with VirtualClock(threads=threads).installed() as clock:
            asyncio.run(program(clock))
            assert clock.virtual_elapsed_us == 0
    assert ticks == []


def test_without_threads_a_worker_that_waits_for_a_timer_gets_it_in_real_time(real_threads: VirtualClock) -> None:
    clock = real_threads

    async def main() -> bool:
        flag = threading.Event()
        asyncio.get_running_loop().call_later(0.03, flag.set)
        return await asyncio.to_thread(flag.wait, 30)

    began_s = readings.real_monotonic()
    assert asyncio.run(main())
    assert readings.real_monotonic() - began_s >= 0.03
    assert clock.virtual_elapsed_us == 30_000


def test_a_worker_that_was_given_up_is_still_waited_for(clock: VirtualClock) -> None:
    async def main() -> None:
        done: list[int] = []
        work = asyncio.ensure_future(asyncio.to_thread(lambda: (busy(0.03), done.append(1))))
        await asyncio.sleep(0)
        work.cancel()
        await asyncio.sleep(1)
        assert done == [1]

    asyncio.run(main())


@pytest.mark.parametrize("turn", range(5))
def test_a_thread_that_calls_in_is_waited_for(clock: VirtualClock, turn: int) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[int] = loop.create_future()
        threading.Thread(target=lambda: (busy(0.02), loop.call_soon_threadsafe(answer.set_result, 7))).start()
        assert await in_time(answer) == 7

    asyncio.run(main())
    assert clock.virtual_elapsed_us == 0


def test_a_child_process_and_its_pipes_are_waited_for(clock: VirtualClock) -> None:
    async def main() -> None:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            "import sys\nfor line in sys.stdin: print(line.upper(), end='', flush=True)",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert child.stdin is not None
        assert child.stdout is not None
        for turn in range(5):
            child.stdin.write(b"line %d\n" % turn)
            assert await in_time(child.stdout.readline(), 10) == b"LINE %d\n" % turn
        child.stdin.close()
        assert await in_time(child.wait(), 10) == 0

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        asyncio.run(main())
    assert clock.virtual_elapsed_us == 0


def test_datagrams_are_waited_for(clock: VirtualClock) -> None:
    class Echo(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, address: object) -> None:
            self.transport.sendto(data.upper(), address)  # type: ignore[attr-defined]

    class Ask(asyncio.DatagramProtocol):
        def __init__(self) -> None:
            self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        def datagram_received(self, data: bytes, address: object) -> None:
            self.answer.set_result(data)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        server, _ = await loop.create_datagram_endpoint(Echo, local_addr=("127.0.0.1", 0))
        client, ask = await loop.create_datagram_endpoint(Ask, remote_addr=server.get_extra_info("sockname"))
        client.sendto(b"hello")
        assert await in_time(ask.answer) == b"HELLO"
        client.close()
        server.close()

    asyncio.run(main())
    assert clock.virtual_elapsed_us == 0


def test_a_child_that_was_silent_for_long_is_waited_for_again_once_it_is_written_to(clock: VirtualClock) -> None:
    async def main() -> None:
        child = await asyncio.create_subprocess_exec(
            "cat", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        assert child.stdin is not None
        assert child.stdout is not None
        await asyncio.sleep(3600)
        child.stdin.write(b"hello\n")
        assert await in_time(child.stdout.readline()) == b"hello\n"
        child.stdin.close()
        await child.wait()

    asyncio.run(main())
    assert clock.virtual_elapsed_us == 3600 * SECOND


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="this system does not tell what a child is at")
def test_a_child_that_computes_for_longer_than_the_patience_is_waited_for(clock: VirtualClock) -> None:
    clock.patience_us = 150_000
    program = "import time\nwhile time.process_time() < 0.3: pass\nprint(7)"

    async def main() -> object:
        child = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE)
        assert child.stdout is not None
        told = await in_time(child.stdout.readline())
        await child.wait()
        return told

    assert asyncio.run(main()) == b"7\n"
    assert clock.virtual_elapsed_us == 0


def test_the_default_executor_is_shut_down_without_a_jump() -> None:
    clock = VirtualClock(patience_us=0, threads=False)

    async def main() -> None:
        pool = ThreadPoolExecutor(1)
        asyncio.get_running_loop().set_default_executor(pool)
        # Given to the pool directly, so that the loop does not know of it.
        pool.submit(threading.Event().wait, 0.03)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        eventloop.run(clock, main)
    assert clock.virtual_elapsed_us == 0
