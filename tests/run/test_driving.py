"""Coroutines by hand, in loops, in threads."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from pytest_sessionguard.clock.virtual import VirtualClock
from pytest_sessionguard.errors import VirtualDeadlock
from pytest_sessionguard.run import driving


@pytest.mark.parametrize("in_loop", [False, True])
def test_work_is_driven_under_the_clock_to_its_result(in_loop: bool) -> None:
    clock = VirtualClock(start=5_000_000)

    async def work() -> tuple[float, bool]:
        return time.time(), asyncio._get_running_loop() is not None

    assert driving.drive(clock, work, in_loop=in_loop) == (5.0, in_loop)


def branches(log: list[str], *, in_loop: bool) -> list[Callable[[], Coroutine[Any, Any, None]]]:
    def branch(name: str) -> Callable[[], Coroutine[Any, Any, None]]:
        async def run() -> None:
            log.append(f"{name} begins in {threading.current_thread().name}")
            if in_loop:
                await asyncio.sleep(0)
            log.append(f"{name} ends")

        return run

    return [branch("A"), branch("B")]


def test_branches_are_tasks_of_a_loop_started_in_their_order() -> None:
    log: list[str] = []
    asyncio.run(driving.at_once(branches(log, in_loop=True), in_loop=True))
    assert [entry.split(" in ")[0] for entry in log] == ["A begins", "B begins", "A ends", "B ends"]


def test_branches_are_threads_without_a_loop() -> None:
    log: list[str] = []
    driving.by_hand(driving.at_once(branches(log, in_loop=False), in_loop=False))
    assert {"A begins in client 1", "B begins in client 2"} <= set(log)
    assert not any(thread.name.startswith("client ") for thread in threading.enumerate())


@pytest.mark.parametrize("in_loop", [False, True])
def test_the_first_branch_that_fails_is_told_when_all_are_over(in_loop: bool) -> None:
    log: list[str] = []

    def failing(number: int) -> Callable[[], Coroutine[Any, Any, None]]:
        async def run() -> None:
            raise ValueError(str(number))

        return run

    work = [failing(1), *branches(log, in_loop=in_loop), failing(2)]

    async def main() -> None:
        await driving.at_once(work, in_loop=in_loop)

    with pytest.raises(ValueError, match="1"):
        driving.drive(VirtualClock(), main, in_loop=in_loop)
    assert len(log) == 4


def test_a_run_that_is_cut_off_takes_its_branches_along() -> None:
    cut: list[str] = []

    async def patient() -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            cut.append("cut")
            raise

    async def main() -> None:
        task = asyncio.ensure_future(driving.at_once([patient, patient], in_loop=True))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())
    assert cut == ["cut", "cut"]


def test_threads_that_do_not_end_are_a_deadlock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driving, "THREADS_PATIENCE_S", 0.05)
    free = threading.Event()

    async def stuck() -> None:
        free.wait(10)

    async def quick() -> None:
        pass

    with pytest.raises(VirtualDeadlock, match=r"client 1 \(a thread\)"):
        driving.by_hand(driving.at_once([stuck, quick], in_loop=False))
    free.set()
