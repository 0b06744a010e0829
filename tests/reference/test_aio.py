"""The async face where it differs: cancellation at every await, its cleaner, its locks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pytest_sessionguard.errors import InvalidSession, SessionError, VersionConflict
from pytest_sessionguard.reference import AsyncSessionManager

from .conftest import Clock

STEPS_MAX = 40  # more than any operation here has suspensions


class Slow:
    """A resource that takes three turns of the loop to close, and counts."""

    def __init__(self) -> None:
        self.begun = 0
        self.closed = 0

    async def close(self) -> None:
        self.begun += 1
        for _ in range(3):
            await asyncio.sleep(0)
        self.closed += 1


async def slow_hook(session: Any) -> None:
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def settled() -> None:
    """Let everything that was begun come to its end."""
    for _ in range(STEPS_MAX):
        await asyncio.sleep(0)


async def cancelled_after(steps: int, work: Awaitable[Any]) -> bool:
    """Run `work` for so many turns of the loop, cancel it, and tell whether that hit it before its end."""
    task = asyncio.ensure_future(work)
    for _ in range(steps):
        await asyncio.sleep(0)
    if task.done():
        task.result()
        return False
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return True


Case = Callable[[AsyncSessionManager, str, Clock], Awaitable[Any]]


async def edit(manager: AsyncSessionManager, session_id: str, clock: Clock) -> None:
    async def change(data: dict[str, Any]) -> dict[str, Any]:
        for _ in range(3):
            await asyncio.sleep(0)
        return {"edited": True}

    await manager.edit(session_id, change)


async def use_of_the_expired(manager: AsyncSessionManager, session_id: str, clock: Clock) -> None:
    clock.advance(60)
    await manager.use(session_id)


async def sweep(manager: AsyncSessionManager, session_id: str, clock: Clock) -> None:
    clock.advance(60)
    await manager.sweep()


async def ensure(manager: AsyncSessionManager, session_id: str, clock: Clock) -> None:
    clock.advance(60)
    await manager.ensure(session_id)


async def contended_update(manager: AsyncSessionManager, session_id: str, clock: Clock) -> None:
    holder = asyncio.ensure_future(edit(manager, session_id, clock))
    await asyncio.sleep(0)
    try:
        await manager.update(session_id, {"updated": True})
    finally:
        await asyncio.shield(holder)


CASES: dict[str, Case] = {
    "create with eviction": lambda manager, session_id, clock: manager.create("new"),
    "close": lambda manager, session_id, clock: manager.close(session_id),
    "expire": lambda manager, session_id, clock: manager.expire(session_id),
    "clear": lambda manager, session_id, clock: manager.clear(),
    "stop": lambda manager, session_id, clock: manager.stop(),
    "update": lambda manager, session_id, clock: manager.update(session_id, {"updated": True}),
    "sweep": sweep,
    "ensure": ensure,
    "use of the expired": use_of_the_expired,
    "edit": edit,
    "contended update": contended_update,
}


@pytest.mark.parametrize("name", CASES)
def test_a_cancellation_at_any_await_leaves_nothing_half_done(name: str, clock: Clock) -> None:
    async def story(steps: int) -> bool:
        manager = AsyncSessionManager(
            clock=clock, environ={}, max_concurrent=1, at_limit="evict-oldest", on_close=slow_hook
        )
        session_id = (await manager.create("old", timeout_secs=60)).id
        resource = Slow()
        await manager.attach(session_id, resource)
        was_hit = await cancelled_after(steps, CASES[name](manager, session_id, clock))
        await settled()
        assert not manager._settling, "a closing task is left"
        assert len(manager._locks) == 0, "a lock is left"
        assert resource.begun == resource.closed <= 1, "a resource is half closed"
        if name != "stop":
            if was_hit and name.startswith("create"):
                assert await manager.list_ids("new") == [], "a session that nobody knows is left"
            lives = await manager.exists(session_id)
            assert lives or resource.closed == 1
            await manager.clear()
            await manager.create()  # the slot is free
            assert await manager.count() == 1
        await manager.stop()  # for the second time, perhaps
        await settled()
        assert resource.closed == 1
        assert not manager._settling
        return was_hit

    hits = 0
    for steps in range(STEPS_MAX):
        if not asyncio.run(story(steps)):
            break
        hits += 1
    else:
        pytest.fail("it never came to its end")
    assert hits >= (1 if name == "update" else 2), "the cancellation never met an await"


def test_an_edit_that_is_cancelled_writes_nothing_and_lets_the_next_one_in() -> None:
    async def story() -> None:
        async with AsyncSessionManager(environ={}) as manager:
            session_id = (await manager.create(None, {"n": 0})).id
            forever = asyncio.get_running_loop().create_future()

            async def change(data: dict[str, Any]) -> dict[str, Any]:
                data["n"] = 99
                await forever
                return data

            editor = asyncio.ensure_future(manager.edit(session_id, change))
            await asyncio.sleep(0)
            waiter = asyncio.ensure_future(manager.update(session_id, {"m": 1}))
            dropped = asyncio.ensure_future(manager.update(session_id, {"x": 1}))
            await settled()
            assert not waiter.done()
            dropped.cancel()
            editor.cancel()
            await settled()
            assert await waiter == 2
            session = await manager.get(session_id)
            assert session is not None
            assert session.data == {"n": 0, "m": 1}
            assert len(manager._locks) == 0

    asyncio.run(story())


def test_no_edit_is_lost_among_tasks() -> None:
    async def story() -> None:
        async with AsyncSessionManager(environ={}) as manager:
            session_id = (await manager.create(None, {"n": 0})).id

            async def change(data: dict[str, Any]) -> dict[str, Any]:
                await asyncio.sleep(0)
                return {"n": data["n"] + 1}

            await asyncio.gather(*(manager.edit(session_id, change) for _ in range(20)))
            session = await manager.get(session_id)
            assert session is not None
            assert (session.data, session.version) == ({"n": 20}, 21)

    asyncio.run(story())


def test_an_edit_overtaken_by_another_process_is_made_anew_but_not_for_ever(monkeypatch: Any) -> None:
    async def story(overtakes: int) -> int:
        async with AsyncSessionManager(environ={}) as manager:
            session_id = (await manager.create(None, {"n": 0})).id
            calls = 0

            def change(data: dict[str, Any]) -> dict[str, Any]:
                nonlocal calls
                calls += 1
                if calls <= overtakes:  # past the lock, as another process would
                    manager._engine.update(session_id, {"theirs": calls})
                return {**data, "ours": True}

            await manager.edit(session_id, change)
            session = await manager.get(session_id)
            assert session is not None
            assert session.data == {"n": 0, "theirs": overtakes, "ours": True}
            return calls

    assert asyncio.run(story(3)) == 4
    monkeypatch.setattr("pytest_sessionguard.reference.aio.EDIT_ATTEMPTS", 5)
    with pytest.raises(VersionConflict):
        asyncio.run(story(5))


def test_an_edit_that_would_wait_for_itself_is_refused() -> None:
    async def story() -> None:
        async with AsyncSessionManager(environ={}) as manager:
            session_id = (await manager.create()).id

            async def change(data: dict[str, Any]) -> dict[str, Any]:
                await manager.update(session_id, {"a": 1})
                return data

            with pytest.raises(InvalidSession, match="its edit to end"):
                await manager.edit(session_id, change)

    asyncio.run(story())


def test_a_limit_holds_among_tasks() -> None:
    async def story() -> None:
        async with AsyncSessionManager(environ={}, max_concurrent=5) as manager:
            answers = await asyncio.gather(*(manager.create() for _ in range(20)), return_exceptions=True)
            assert sum(isinstance(answer, SessionError) for answer in answers) == 15
            assert await manager.count() == 5

    asyncio.run(story())


# -- the cleaner ----------------------------------------------------------------------------------------------------


def test_the_cleaner_sweeps_again_after_a_sweep_that_failed(clock: Clock, caplog: Any) -> None:
    async def story() -> None:
        swept = asyncio.Event()
        manager = AsyncSessionManager(
            clock=clock, environ={}, cleanup_interval_secs=0.001, on_close=lambda session: swept.set()
        )
        sweep, turns = manager.sweep, iter([ZeroDivisionError("planted"), None])

        async def failing_first() -> int:
            problem = next(turns, None)
            if problem is not None:
                raise problem
            return await sweep()

        manager.sweep = failing_first  # type: ignore[method-assign]  # plants the failure
        await manager.create(timeout_secs=1)
        clock.advance(1)
        async with manager:
            await asyncio.wait_for(swept.wait(), 20)

    asyncio.run(story())
    assert "the sweep of expired sessions failed" in caplog.text


def test_no_task_is_left_after_a_stop_and_one_cleaner_runs_before_it() -> None:
    async def story() -> None:
        manager = AsyncSessionManager(environ={})
        await manager.start()
        await manager.start()
        await asyncio.sleep(0)
        assert [task.get_name() for task in asyncio.all_tasks() if task.get_name() == "session-cleaner"] == [
            "session-cleaner"
        ]
        await manager.stop()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(story())


def test_a_hook_in_the_cleaner_may_stop_the_manager(clock: Clock) -> None:
    async def story() -> None:
        stopped = asyncio.Event()

        async def hook(session: Any) -> None:
            await manager.stop()
            stopped.set()

        manager = AsyncSessionManager(clock=clock, environ={}, cleanup_interval_secs=0.001, on_close=hook)
        await manager.create(timeout_secs=1)
        clock.advance(1)
        await manager.start()
        await asyncio.wait_for(stopped.wait(), 20)

    asyncio.run(story())


def test_a_cleaner_that_outlives_the_manager_ends_quietly(clock: Clock, caplog: Any) -> None:
    async def story() -> None:
        manager = AsyncSessionManager(clock=clock, environ={}, cleanup_interval_secs=0.001)
        await manager.start()
        manager._engine.shut()
        assert manager._cleaner is not None
        await asyncio.wait_for(manager._cleaner, 20)

    asyncio.run(story())
    assert caplog.text == ""


def test_a_resource_that_hangs_does_not_keep_the_stop(monkeypatch: Any) -> None:
    async def story() -> None:
        manager = AsyncSessionManager(environ={})
        session_id = (await manager.create()).id
        other = Slow()

        async def hang() -> None:
            await asyncio.Event().wait()

        await manager.attach(session_id, other)
        await manager.attach(session_id, hang)
        await manager.stop()
        (task,) = manager._settling
        task.cancel()  # as the end of the loop will: the hanging one is given up, the other is still closed
        await settled()
        assert other.closed == 1

    monkeypatch.setattr("pytest_sessionguard.reference.aio.STOP_WITHIN_SECS", 0.001)
    asyncio.run(story())


def test_a_stop_between_a_creation_and_its_cancellation_stays_a_cancellation(clock: Clock) -> None:
    async def story() -> None:
        manager = AsyncSessionManager(
            clock=clock, environ={}, max_concurrent=1, at_limit="evict-oldest", on_close=slow_hook
        )
        await manager.create()
        creation = asyncio.ensure_future(manager.create())
        await asyncio.sleep(0)
        manager._engine.shut()
        creation.cancel()
        with pytest.raises(asyncio.CancelledError):
            await creation
        await settled()

    asyncio.run(story())
