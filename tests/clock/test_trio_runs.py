"""trio under the clock, with its threads, its sockets and a clock of its own; and anyio on both of its backends."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator

import pytest

from pytest_sessionguard.clock import readings
from pytest_sessionguard.clock.virtual import VirtualClock
from pytest_sessionguard.errors import VirtualDeadlock

trio = pytest.importorskip("trio")
anyio = pytest.importorskip("anyio")


@pytest.fixture
def clock() -> Iterator[VirtualClock]:
    # So patient that whoever guesses is found out.
    with VirtualClock(threads=True, patience_us=30_000_000).installed() as clock:
        yield clock


def test_sleeps_and_timeouts_take_exactly_their_virtual_time(clock: VirtualClock) -> None:
    async def main() -> float:
        began = trio.current_time()
        await trio.sleep(1000)
        with trio.move_on_after(50) as scope:
            await trio.sleep_forever()
        assert scope.cancelled_caught
        return float(trio.current_time() - began)

    assert trio.run(main) == pytest.approx(1050)
    assert clock.virtual_elapsed_us == 1_050_000_000


def test_a_periodic_task_wakes_as_often_as_in_real_time_beside_a_thread(clock: VirtualClock) -> None:
    woke: list[str] = []

    async def main() -> None:
        async with trio.open_nursery() as nursery:

            async def beat() -> None:
                while True:
                    await trio.sleep(2)
                    woke.append("task")

            nursery.start_soon(beat)
            await trio.sleep(9)
            nursery.cancel_scope.cancel()

    def tick() -> None:
        for _ in range(3):
            time.sleep(3)
            woke.append("thread")

    thread = threading.Thread(target=tick)
    thread.start()
    trio.run(main)
    thread.join()
    assert woke == ["task", "thread", "task", *woke[3:5], "task", "thread"]
    assert sorted(woke[3:5]) == ["task", "thread"]


def test_a_worker_thread_is_virtual_and_no_time_jumps_while_it_works(clock: VirtualClock) -> None:
    def work() -> None:
        until = readings.real_monotonic() + 0.03
        while readings.real_monotonic() < until:
            sum(range(100))

    async def main() -> None:
        for _ in range(3):
            with trio.fail_after(0.001):
                await trio.to_thread.run_sync(work)
        assert clock.virtual_elapsed_us == 0
        await trio.to_thread.run_sync(time.sleep, 30)
        with trio.move_on_after(10) as scope:
            await trio.to_thread.run_sync(time.sleep, 20, abandon_on_cancel=True)
        assert scope.cancelled_caught

    trio.run(main)
    assert clock.virtual_elapsed_us == 40_000_000


def test_a_task_that_waits_for_all_others_comes_before_any_time_passes(clock: VirtualClock) -> None:
    import trio.testing

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep, 100)
            await trio.testing.wait_all_tasks_blocked()
            assert clock.virtual_elapsed_us == 0
            nursery.cancel_scope.cancel()

    trio.run(main)


def test_a_run_with_a_clock_of_its_own_keeps_it(clock: VirtualClock) -> None:
    import trio.testing

    trio.run(trio.sleep, 100, clock=trio.testing.MockClock(autojump_threshold=0))
    assert clock.virtual_elapsed_us == 0


def test_waiting_for_ever_is_a_deadlock_of_the_main_task(clock: VirtualClock) -> None:
    with pytest.raises(VirtualDeadlock, match="MainThread waits for the events of trio"):
        trio.run(trio.sleep_forever)


def test_a_run_outside_any_span_and_one_that_outlives_it_take_real_time() -> None:
    seen: list[float] = []

    async def main() -> None:
        with VirtualClock(threads=True).installed():
            pass
        began = trio.current_time()
        await trio.sleep(0.01)
        seen.append(trio.current_time() - began)

    async def outlive() -> None:
        span.__exit__(None, None, None)
        began = trio.current_time()
        await trio.sleep(0.01)
        seen.append(trio.current_time() - began)

    trio.run(main)
    span = VirtualClock(threads=True).installed()
    with_clock = span.__enter__()
    assert with_clock.threads
    trio.run(outlive)
    assert all(0.01 <= passed_s < 5 for passed_s in seen)
    assert len(seen) == 2


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_anyio_is_virtual_on_both_backends(clock: VirtualClock, backend: str) -> None:
    async def main() -> None:
        async def echo(stream: anyio.abc.SocketStream) -> None:
            async with stream:
                async for received in stream:
                    await anyio.sleep(2)
                    await stream.send(received)

        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        async with anyio.create_task_group() as group:
            group.start_soon(listener.serve, echo)
            async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                for _ in range(3):
                    with anyio.fail_after(3):
                        await stream.send(b"x")
                        assert await stream.receive() == b"x"
            group.cancel_scope.cancel()
        await anyio.to_thread.run_sync(time.sleep, 5)

    began_s = readings.real_monotonic()
    anyio.run(main, backend=backend)
    assert clock.virtual_elapsed_us == 11_000_000
    assert readings.real_monotonic() - began_s < 20


@pytest.mark.parametrize(
    ("library", "body"),
    [
        ("trio", "trio.run(trio.sleep, 3600); assert clock.virtual_elapsed_us == 3600_000_000"),
        ("uvloop", "refused(lambda: uvloop.run(asyncio.sleep(1)))"),
    ],
)
def test_what_is_imported_in_the_middle_of_a_span_is_seen_to(library: str, body: str) -> None:
    pytest.importorskip(library)
    program = f"""
    import asyncio, sys, warnings
    from pytest_sessionguard.clock.virtual import VirtualClock
    from pytest_sessionguard.errors import UsageError

    def refused(act):
        warnings.simplefilter("ignore")
        try:
            act()
        except UsageError as error:
            assert "uvloop.Loop keeps its timers out of reach" in str(error)
        else:
            raise SystemExit("not refused")

    with VirtualClock(threads=True).installed() as clock:
        assert {library!r} not in sys.modules
        import {library}
        {body}
    assert not [finder for finder in sys.meta_path if type(finder).__module__.startswith("pytest_sessionguard")]
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
