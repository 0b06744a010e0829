"""What a session owns is closed exactly once, whichever way it ends; one failure harms no other."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from pytest_sessionguard.errors import InvalidSession, SessionExpired, SessionNotFound

from .conftest import Clock

Make = Callable[..., Any]


class Plain:
    """Counts how often it was closed."""

    def __init__(self, log: list[str] | None = None, name: str = "", fails: bool = False) -> None:
        self.closed = 0
        self.log = [] if log is None else log
        self.name = name
        self.fails = fails

    def close(self) -> None:
        self.closed += 1
        self.log.append(self.name)
        if self.fails:
            raise OSError(self.name)


class Async(Plain):
    async def close(self) -> None:  # type: ignore[override]  # the async sort of the same thing
        super().close()


class OnlyAclose:
    def __init__(self) -> None:
        self.closed = 0

    async def aclose(self) -> None:
        self.closed += 1


@pytest.fixture
def resource(face: str) -> Plain:
    return Plain() if face == "sync" else Async()


def by_time(manager: Any, session_id: str, clock: Clock) -> None:
    clock.advance(60)
    manager.get(session_id)
    manager.sweep()


def by_expire_and_sweep(manager: Any, session_id: str, clock: Clock) -> None:
    manager.expire(session_id)
    manager.sweep()


def by_close_of_the_expired(manager: Any, session_id: str, clock: Clock) -> None:
    clock.advance(60)
    manager.close(session_id)


def by_use(manager: Any, session_id: str, clock: Clock) -> None:
    clock.advance(60)
    manager.use(session_id)
    manager.use(session_id)
    manager.sweep()


def by_creation_with_its_id(manager: Any, session_id: str, clock: Clock) -> None:
    clock.advance(60)
    manager.create(session_id=session_id)


def by_ensure(manager: Any, session_id: str, clock: Clock) -> None:
    clock.advance(60)
    manager.ensure(session_id)


def by_eviction(manager: Any, session_id: str, clock: Clock) -> None:
    for _ in range(3):
        manager.create()


def by_close_after_rotation(manager: Any, session_id: str, clock: Clock) -> None:
    manager.close(manager.rotate(session_id))


ENDINGS: dict[str, Callable[[Any, str, Clock], Any]] = {
    "close": lambda manager, session_id, clock: manager.close(session_id),
    "expire": lambda manager, session_id, clock: manager.expire(session_id),
    "clear": lambda manager, session_id, clock: manager.clear(),
    "time": by_time,
    "expire and sweep": by_expire_and_sweep,
    "close of the expired": by_close_of_the_expired,
    "use": by_use,
    "creation with its id": by_creation_with_its_id,
    "ensure": by_ensure,
    "eviction": by_eviction,
    "close after rotation": by_close_after_rotation,
    "stop": lambda manager, session_id, clock: manager.stop(),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_whichever_way_a_session_ends_it_is_announced_and_its_resource_closed_once(
    make: Make, clock: Clock, resource: Plain, ending: str
) -> None:
    told: list[str] = []
    manager = make(
        max_concurrent=3, at_limit="evict-oldest", at_stop="ends", on_close=lambda session: told.append(session.owner)
    )
    session_id = manager.create("ada", timeout_secs=60).id
    manager.attach(session_id, resource)
    manager.attach(session_id, resource)
    manager.touch(session_id)
    ENDINGS[ending](manager, session_id, clock)
    assert resource.closed == 1
    assert told.count("ada") == 1
    manager.stop()
    assert resource.closed == 1
    assert told.count("ada") == (
        2 if ending == "use" else 1
    )  # the replacement is the same client's, and ends with stop


def test_a_stop_that_keeps_the_sessions_closes_their_resources_and_announces_nobody(
    make: Make, resource: Plain
) -> None:
    told: list[Any] = []
    manager = make(at_stop="keeps", on_close=told.append)
    manager.attach(manager.create().id, resource)
    manager.stop()
    assert (resource.closed, told) == (1, [])


def test_the_hook_is_told_how_the_session_ended(make: Make, clock: Clock) -> None:
    told: list[Any] = []
    manager = make(on_close=told.append)
    closed, expired = manager.create(None, {"a": 1}).id, manager.create(timeout_secs=1).id
    manager.close(closed)
    clock.advance(1)
    manager.sweep()
    assert [(one.id, one.status, one.data) for one in told] == [(closed, "closed", {"a": 1}), (expired, "expired", {})]


def test_resources_are_closed_the_last_first_and_before_the_hook(make: Make) -> None:
    log: list[str] = []
    manager = make(on_close=lambda session: log.append("hook"))
    session_id = manager.create().id
    for name in "abc":
        manager.attach(session_id, Plain(log, name))
    manager.close(session_id)
    assert log == ["c", "b", "a", "hook"]


def test_a_failure_in_one_harms_no_other_and_is_counted(make: Make, clock: Clock, caplog: Any) -> None:
    log: list[str] = []

    def hook(session: Any) -> None:
        log.append("hook")
        raise RuntimeError("hook")

    manager = make(on_close=hook)
    for name in "ab":
        session_id = manager.create(timeout_secs=1).id
        manager.attach(session_id, Plain(log, name + "1"))
        manager.attach(session_id, Plain(log, name + "2", fails=True))
    clock.advance(1)
    assert manager.sweep() == 2
    assert log == ["a2", "a1", "hook", "b2", "b1", "hook"]
    assert manager.metrics().close_errors == 4
    assert len(caplog.records) == 4


def test_a_function_is_a_resource_too(manager: Any) -> None:
    called: list[int] = []
    session_id = manager.create().id
    manager.attach(session_id, lambda: called.append(1))
    manager.close(session_id)
    assert called == [1]


def test_what_cannot_be_closed_is_no_resource(manager: Any) -> None:
    session_id = manager.create().id
    with pytest.raises(InvalidSession, match=r"close\(\)"):
        manager.attach(session_id, object())


def test_async_resources_are_for_the_async_face(manager: Any, face: str) -> None:
    session_id = manager.create().id
    for resource in (Async(), OnlyAclose()):
        if face == "sync":
            with pytest.raises(InvalidSession, match="AsyncSessionManager"):
                manager.attach(session_id, resource)
        else:
            manager.attach(session_id, resource)
            manager.close(session_id)
            assert resource.closed == 1
            session_id = manager.create().id


def test_a_refused_resource_stays_its_owner_s(manager: Any, clock: Clock, resource: Plain) -> None:
    session_id = manager.create().id
    clock.advance(3600)
    with pytest.raises(SessionExpired):
        manager.attach(session_id, resource)
    manager.close(session_id)
    with pytest.raises(SessionNotFound):
        manager.attach(session_id, resource)
    manager.stop()
    assert resource.closed == 0


@pytest.mark.parametrize("is_again_live", [False, True])
def test_an_end_between_the_two_halves_of_attach_closes_once_or_refuses(
    manager: Any, resource: Plain, is_again_live: bool
) -> None:
    """The session ends after its resource was put down: the end finds the resource, so the attachment was right."""
    session_id = manager.create(session_id="s").id
    engine = manager._engine
    put_down = engine.resources.add
    taken: list[object] = []

    def add_then_end(serial: int, resource: object) -> None:
        put_down(serial, resource)
        _, ended = engine.close(session_id)
        taken.extend(engine.resources.take(ended[0].serial))
        if is_again_live:
            manager_again = engine.create(engine.draft("s", None, None, None, ()))
            assert manager_again[0].id == "s"

    engine.resources.add = add_then_end
    engine.attach(session_id, resource)
    assert taken == [resource]
    assert len(engine.resources) == 0


@pytest.mark.parametrize("is_again_live", [False, True])
def test_an_end_before_the_resource_was_put_down_refuses_it(manager: Any, resource: Plain, is_again_live: bool) -> None:
    session_id = manager.create(session_id="s").id
    engine = manager._engine
    put_down = engine.resources.add

    def end_then_add(serial: int, resource: object) -> None:
        engine.close(session_id)
        if is_again_live:
            engine.create(engine.draft("s", None, None, None, ()))
        put_down(serial, resource)

    engine.resources.add = end_then_add
    with pytest.raises(SessionNotFound):
        engine.attach(session_id, resource)
    assert len(engine.resources) == 0
    assert resource.closed == 0


def test_nothing_is_held_for_a_session_that_is_gone(make: Make, clock: Clock) -> None:
    manager = make(max_concurrent=math.inf)
    for _ in range(5):
        session_id = manager.create(timeout_secs=1).id
        manager.attach(session_id, Plain())
        manager.update(session_id, {"a": 1})
    clock.advance(1)
    manager.sweep()
    assert len(manager._engine.resources) == 0
    assert len(manager._locks) == 0


def test_a_hook_may_call_the_manager(make: Make, face: str) -> None:
    seen: list[Any] = []
    holder: list[Any] = []

    def plain(session: Any) -> None:
        seen.append(holder[0].get(session.id))
        holder[0].create("from the hook")

    async def coroutine(session: Any) -> None:
        seen.append(await holder[0].get(session.id))
        other = await holder[0].create("from the hook")
        await holder[0].touch(other.id)

    manager = make(on_close=plain if face == "sync" else coroutine)
    holder.append(manager if face == "sync" else manager.manager)
    manager.close(manager.create().id)
    assert seen == [None]
    assert manager.count("from the hook") == 1
