"""Tasks run in the order that a scheduler chooses, and in no other."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any

import pytest

from pytest_sessionguard.clock import eventloop
from pytest_sessionguard.clock.virtual import VirtualClock
from pytest_sessionguard.core.schedule import Schedule, Scheduler, Settings, parse
from pytest_sessionguard.errors import ScheduleMisfit, VirtualDeadlock, VirtualLivelock
from pytest_sessionguard.explore import schedulers, tasks
from pytest_sessionguard.explore.search import Program, Searched, search


def searched(program: Program, name: str = "exhaustive", *, runs_max: int = 5000, **settings: Any) -> Searched:
    scheduler = schedulers.make(name, Settings(**settings))
    return eventloop.run(VirtualClock(), lambda: search(program, scheduler, runs_max=runs_max))


def seen_in(program: Callable[[list[Any]], Sequence[tasks.Client]], name: str = "exhaustive", **more: Any) -> list[Any]:
    """Return what each run of a program noted."""
    notes: list[list[Any]] = []

    def one() -> tuple[Sequence[tasks.Client], Callable[[], None]]:
        notes.append([])
        return program(notes[-1]), lambda: None

    result = searched(one, name, **more)
    assert result.failure is None, result
    return [tuple(note) for note in notes]


def walker(note: list[Any], name: str, steps: int) -> tasks.Client:
    async def walk() -> None:
        for number in range(steps):
            if number:
                await asyncio.sleep(0)
            note.append(name)

    return walk


def test_every_await_that_waits_is_a_switch_point() -> None:
    seen = seen_in(lambda note: [walker(note, "a", 3), walker(note, "b", 3)])
    assert len(seen) == len(set(seen)) == 20


def test_first_in_first_out_is_the_order_of_asyncio_itself() -> None:
    def program(note: list[Any]) -> list[tasks.Client]:
        queue: asyncio.Queue[int] = asyncio.Queue(1)

        async def put() -> None:
            for number in range(4):
                await queue.put(number)
                note.append(f"put {number}")

        async def get() -> None:
            while len([one for one in note if str(one).startswith("got")]) < 4:
                note.append(f"got {await queue.get()}")

        return [put, get, walker(note, "w", 5), walker(note, "v", 3)]

    async def stock() -> list[Any]:
        note: list[Any] = []
        await asyncio.gather(*(client() for client in program(note)))
        return note

    assert [tuple(asyncio.run(stock()))] == seen_in(program, "first-in-first-out")


def test_strands_are_numbered_clients_first_then_as_they_come() -> None:
    async def parent() -> None:
        children = [asyncio.create_task(asyncio.sleep(0)) for _ in range(2)]
        await asyncio.gather(*children)

    async def other() -> None:
        await asyncio.sleep(0)

    trace: list[int] = []

    async def main() -> None:
        scheduler = schedulers.make("replay", Settings(schedule=parse("ADDCBB")))
        scheduler.begin()
        await tasks.at_once([parent, other], scheduler, trace=trace)

    eventloop.run(VirtualClock(), main)
    assert str(Schedule(tuple(trace))) == "ADDCBB"[: len(trace)]


async def _gather(mark: Callable[[str], None]) -> None:
    async def one(name: str) -> None:
        await asyncio.sleep(0)
        mark(name)

    await asyncio.gather(one("x"), one("y"))


async def _group(mark: Callable[[str], None]) -> None:
    async def one(name: str) -> None:
        await asyncio.sleep(0)
        mark(name)

    async with asyncio.TaskGroup() as group:
        group.create_task(one("x"))
        group.create_task(one("y"))


async def _timeout(mark: Callable[[str], None]) -> None:
    try:
        async with asyncio.timeout(5):
            await asyncio.sleep(60)
    except TimeoutError:
        mark("x")
    await asyncio.wait_for(asyncio.sleep(1), 5)
    mark("y")


async def _lock(mark: Callable[[str], None]) -> None:
    lock, event, room = asyncio.Lock(), asyncio.Event(), asyncio.Semaphore(1)

    async def other() -> None:
        async with lock, room:
            await asyncio.sleep(0)
            mark("x")
            event.set()

    task = asyncio.create_task(other())
    async with lock:
        await asyncio.sleep(0)
    await event.wait()
    async with room:
        mark("y")
    await task


async def _condition(mark: Callable[[str], None]) -> None:
    condition, open_ = asyncio.Condition(), []

    async def other() -> None:
        async with condition:
            await condition.wait_for(lambda: open_)
            mark("x")

    task = asyncio.create_task(other())
    async with condition:
        open_.append(True)
        condition.notify_all()
    await task
    mark("y")


async def _generator(mark: Callable[[str], None]) -> None:
    async def letters() -> AsyncIterator[str]:
        try:
            for one in "xy":
                await asyncio.sleep(0)
                yield one
        finally:
            await asyncio.sleep(0)

    async for one in letters():
        mark(one)


async def _callbacks(mark: Callable[[str], None]) -> None:
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    loop.call_soon(mark, "x")
    loop.call_later(3, lambda: done.set_result("y"))
    loop.call_later(2, mark, "never").cancel()
    mark(await done)


@pytest.mark.parametrize("client", [_gather, _group, _lock, _condition, _generator, _callbacks])
def test_what_a_target_uses_of_asyncio_works_in_every_order(
    client: Callable[[Callable[[str], None]], Coroutine[Any, Any, None]],
) -> None:
    seen = seen_in(lambda note: [lambda: client(note.append), walker(note, "w", 2)], preemptions_max=2)
    assert {tuple(sorted(note)) for note in seen} == {("w", "w", "x", "y")}
    assert len(set(seen)) > 1


def test_timeouts_come_true_when_nobody_else_can_run() -> None:
    seen = seen_in(lambda note: [lambda: _timeout(note.append), walker(note, "w", 2)])
    assert set(seen) == {("w", "w", "x", "y")}


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
def test_eager_tasks_run_and_a_client_starts_when_it_is_chosen() -> None:
    def program(note: list[Any]) -> list[tasks.Client]:
        async def parent() -> None:
            asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined]
            await asyncio.gather(walker(note, "x", 1)(), walker(note, "y", 2)())

        return [parent, walker(note, "w", 2)]

    assert {note.count("w") for note in seen_in(program)} == {2}
    assert {note[0] for note in seen_in(program)} == {"x", "w"}


def test_time_stands_still_while_somebody_can_run() -> None:
    def program(note: list[Any]) -> list[tasks.Client]:
        async def sleeper() -> None:
            await asyncio.sleep(10)
            note.append("slept")

        return [sleeper, walker(note, "w", 4)]

    assert set(seen_in(program)) == {("w", "w", "w", "w", "slept")}


def test_sleepers_of_one_instant_wake_in_every_order() -> None:
    def program(note: list[Any]) -> list[tasks.Client]:
        async def sleeper(name: str) -> None:
            await asyncio.sleep(10)
            note.append(name)

        return [lambda: sleeper("a"), lambda: sleeper("b")]

    assert set(seen_in(program)) == {("a", "b"), ("b", "a")}


def test_real_work_in_threads_is_waited_for_and_is_no_deadlock() -> None:
    def program(note: list[Any]) -> list[tasks.Client]:
        async def worker() -> None:
            note.append(await asyncio.to_thread(threading.get_ident) != threading.get_ident())

        return [worker, walker(note, "w", 2)]

    assert {note.count(True) for note in seen_in(program, "random", runs_max=5)} == {1}


def test_two_locks_in_two_orders_are_a_deadlock_told_with_who_waits_where() -> None:
    def program() -> tuple[Sequence[tasks.Client], Callable[[], None]]:
        one, two = asyncio.Lock(), asyncio.Lock()

        async def both(first: asyncio.Lock, second: asyncio.Lock) -> None:
            async with first:
                await asyncio.sleep(0)
                async with second:
                    pass

        return [lambda: both(one, two), lambda: both(two, one)], lambda: None

    result = searched(program)
    assert isinstance(result.failure, VirtualDeadlock)
    assert [line.split(" at ")[0] for line in result.failure.waiting[1:]] == ["client A waits", "client B waits"]
    assert "in test_two_locks" in result.failure.waiting[1]
    assert "Lock.acquire" in result.failure.waiting[1]


def test_who_spins_for_what_never_comes_is_told_as_that() -> None:
    def program() -> tuple[Sequence[tasks.Client], Callable[[], None]]:
        async def spin() -> None:
            while True:
                await asyncio.sleep(0)

        return [spin, spin], lambda: None

    scheduler = schedulers.make("exhaustive")
    result = eventloop.run(VirtualClock(), lambda: search(program, scheduler, runs_max=1, steps_max=2000))
    assert isinstance(result.failure, VirtualLivelock)
    assert "after 2000 steps" in str(result.failure)


@pytest.mark.parametrize("name", ["exhaustive", "pct", "random"])
def test_who_spins_until_others_have_worked_gets_on_under_an_unfair_order_too(name: str) -> None:
    def program() -> tuple[Sequence[tasks.Client], Callable[[], None]]:
        done: list[int] = []

        async def spin() -> None:
            while len(done) < 2:
                await asyncio.sleep(0)

        async def work() -> None:
            await asyncio.sleep(0)
            done.append(1)

        return [spin, work, work], lambda: None

    assert searched(program, name, runs_max=3).failure is None


def test_the_same_seed_gives_the_same_runs_and_each_can_be_replayed() -> None:
    def program(note: list[Any]) -> list[tasks.Client]:
        return [lambda: _lock(note.append), walker(note, "w", 3), lambda: _group(note.append)]

    once, again = (seen_in(program, "random", seed=5, runs_max=20) for _ in range(2))
    assert once == again


def race() -> tuple[Sequence[tasks.Client], Callable[[], None]]:
    count = [0]

    async def add() -> None:
        read = count[0]
        await asyncio.sleep(0)
        count[0] = read + 1

    def check() -> None:
        assert count == [2]

    return [add, add], check


def test_a_failing_run_is_replayed_by_its_schedule() -> None:
    found = searched(race)
    assert isinstance(found.failure, AssertionError)
    assert str(found.schedule) == "ABB"
    again = searched(race, "replay", schedule=found.schedule)
    assert (str(again.failure), again.schedule, again.runs) == (str(found.failure), found.schedule, 1)


def test_a_schedule_of_another_program_is_told() -> None:
    with pytest.raises(ScheduleMisfit, match="schedule AC no longer fits: its decision 2 lets C run"):
        searched(race, "replay", schedule=parse("AC"))


def test_what_a_client_raises_comes_out_when_all_are_done() -> None:
    done: list[str] = []

    async def bad() -> None:
        raise ValueError("mine")

    async def main(scheduler: Scheduler) -> None:
        scheduler.begin()
        with pytest.raises(ValueError, match="mine"):
            await tasks.at_once([bad, walker(done, "w", 3)], scheduler, trace=[])
        await asyncio.sleep(0)
        assert "_run_once" not in vars(asyncio.get_running_loop())

    eventloop.run(VirtualClock(), lambda: main(schedulers.make("exhaustive")))
    assert done == ["w"] * 3


def test_a_run_that_is_cut_off_ends_its_clients_and_gives_the_loop_back() -> None:
    ended: list[str] = []

    async def long() -> None:
        try:
            await asyncio.sleep(100)
        finally:
            ended.append("yes")

    async def main() -> None:
        scheduler = schedulers.make("random")
        scheduler.begin()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(tasks.at_once([long, long], scheduler, trace=[]), 3)
        await asyncio.sleep(1)

    eventloop.run(VirtualClock(), main)
    assert ended == ["yes", "yes"]
