"""The sync face under many threads at once, and its cleaner."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pytest_sessionguard.errors import (
    InvalidSession,
    ManagerClosed,
    SessionError,
    SessionLimitExceeded,
    VersionConflict,
)
from pytest_sessionguard.reference import SessionManager

from .conftest import Clock

pytestmark = pytest.mark.usefixtures("eager_threads")

WAIT_SECS = 20  # for what happens at once; a test that waits this long has failed


@pytest.fixture(params=["memory", "sqlite"])
def build(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[Callable[..., SessionManager]]:
    made: list[SessionManager] = []
    place = {"store": "sqlite", "path": tmp_path / "s.db"} if request.param == "sqlite" else {}

    def one(**settings: Any) -> SessionManager:
        made.append(SessionManager(**{"clock": clock, "environ": {}, **place, **settings}))
        return made[-1]

    yield one
    for manager in made:
        manager.stop()


def at_once(count: int, work: Callable[[int], None]) -> None:
    """Run `work` in so many threads that start together; a failure in one is the test's."""
    barrier = threading.Barrier(count)
    problems: list[BaseException] = []

    def run(number: int) -> None:
        barrier.wait(WAIT_SECS)
        try:
            work(number)
        except BaseException as problem:
            problems.append(problem)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_SECS)
    assert not any(thread.is_alive() for thread in threads)
    if problems:
        raise problems[0]


def one_of(ways: Sequence[Callable[[], object]], number: int) -> None:
    ways[number % len(ways)]()


def test_the_limit_holds_among_threads(build: Callable[..., SessionManager]) -> None:
    manager = build(max_concurrent=10)
    made: list[str] = []

    def work(_: int) -> None:
        for _ in range(10):
            try:
                made.append(manager.create().id)
            except SessionLimitExceeded:
                assert manager.count() <= 10

    at_once(8, work)
    assert len(made) == manager.count() == manager.metrics().created == 10


def test_no_update_is_lost_among_threads(build: Callable[..., SessionManager]) -> None:
    manager = build()
    session_id = manager.create(None, {"n": 0}).id

    def work(number: int) -> None:
        for turn in range(10):
            manager.update(session_id, {f"{number}.{turn}": 1})
            manager.edit(session_id, lambda data: {**data, "n": data["n"] + 1})  # type: ignore[operator]
            while True:
                session = manager.get(session_id)
                assert session is not None
                try:
                    manager.save(session_id, {**session.data, "m": session.data.get("m", 0) + 1}, session.version)  # type: ignore[operator]
                    break
                except VersionConflict:
                    continue

    at_once(4, work)
    session = manager.get(session_id)
    assert session is not None
    assert (session.data.pop("n"), session.data.pop("m"), len(session.data)) == (40, 40, 40)
    assert session.version == 121


def test_get_or_create_makes_one_among_threads(build: Callable[..., SessionManager]) -> None:
    manager = build()
    seen: list[int] = []
    at_once(8, lambda number: seen.append(manager.ensure("mine", f"client {number}").serial))
    assert len(set(seen)) == manager.metrics().created == 1


def test_an_expired_session_has_one_replacement_among_threads(
    build: Callable[..., SessionManager], clock: Clock
) -> None:
    manager = build()
    old = manager.create().id
    clock.advance(3600)
    seen: list[str] = []
    at_once(8, lambda _: seen.append(manager.use(old).id))
    assert len(set(seen)) == 1
    assert manager.count() == 1


def test_a_resource_is_closed_once_however_many_threads_end_its_session(
    build: Callable[..., SessionManager], clock: Clock
) -> None:
    closed: list[int] = []
    told: list[str] = []
    manager = build(on_close=lambda session: told.append(session.id))
    for turn in range(5):
        session_id = manager.create(timeout_secs=1).id
        manager.attach(session_id, lambda turn=turn: closed.append(turn))
        clock.advance(1)
        ways: list[Callable[[], object]] = [
            manager.sweep,
            manager.clear,
            partial(manager.close, session_id),
            partial(manager.ensure, session_id),
        ]
        at_once(8, partial(one_of, ways))
        manager.clear()
        assert closed == list(range(turn + 1))
    metrics = manager.metrics()
    assert len(told) == metrics.closed + metrics.expired == metrics.created


def test_a_touched_session_survives_the_sweep_that_raced_with_it(
    build: Callable[..., SessionManager], clock: Clock
) -> None:
    """Whoever comes first wins: a touch that answered true has saved the session, one that answered false has not."""
    manager = build()
    for _ in range(10):
        session_id = manager.create(timeout_secs=1).id
        answers: list[bool] = []
        clock.advance(0.999_999)

        def work(number: int, session_id: str = session_id, answers: list[bool] = answers) -> None:
            if number == 0:
                answers.append(manager.touch(session_id))
            elif number == 1:
                clock.advance(us=1)
            else:
                manager.sweep()

        at_once(3, work)
        assert manager.exists(session_id) is answers[0]
        manager.clear()


def test_a_stop_amid_everything_leaves_no_session_and_no_thread(build: Callable[..., SessionManager]) -> None:
    manager = build(at_stop="ends", max_concurrent=1000)
    manager.start()
    closed: list[int] = []
    attached: list[int] = []

    def work(number: int) -> None:
        try:
            for turn in range(50):
                session_id = manager.create().id
                manager.attach(session_id, lambda turn=turn: closed.append(turn))
                attached.append(turn)
                if number == 0 and turn == 10:
                    manager.stop()
        except SessionError:
            pass

    at_once(4, work)
    manager.stop()
    assert sorted(closed) == sorted(attached)
    manager.start()
    assert manager.count() == 0


def test_who_is_let_in_just_before_a_stop_is_still_refused_by_it(clock: Clock, monkeypatch: Any) -> None:
    """The stop comes between the first look at the flag and the transaction: nothing may be made after the clearing."""
    manager = SessionManager(clock=clock, environ={})
    store = manager._engine.store
    transact = store.transact

    def stop_first(work: Any, now_us: int) -> Any:
        monkeypatch.undo()
        manager.stop()
        return transact(work, now_us)

    monkeypatch.setattr(store, "transact", stop_first)
    with pytest.raises(ManagerClosed):
        manager.create()
    manager.start()
    assert manager.count() == 0
    manager.stop()


def test_an_edit_holds_up_writers_of_its_session_alone(build: Callable[..., SessionManager]) -> None:
    manager = build()
    one, other = manager.create(None, {"n": 0}).id, manager.create().id
    inside, go_on = threading.Event(), threading.Event()

    def slow(data: dict[str, Any]) -> dict[str, Any]:
        inside.set()
        assert go_on.wait(WAIT_SECS)
        return {"n": data["n"] + 1}

    editor = threading.Thread(target=manager.edit, args=(one, slow))
    editor.start()
    assert inside.wait(WAIT_SECS)
    manager.update(other, {"a": 1})
    assert manager.touch(one)
    writer = threading.Thread(target=manager.update, args=(one, {"m": 1}))
    writer.start()
    assert manager.get(one).data == {"n": 0}  # type: ignore[union-attr]
    go_on.set()
    editor.join(WAIT_SECS)
    writer.join(WAIT_SECS)
    assert manager.get(one).data == {"n": 1, "m": 1}  # type: ignore[union-attr]
    assert len(manager._locks) == 0


def test_an_edit_that_would_wait_for_itself_is_refused(build: Callable[..., SessionManager]) -> None:
    manager = build()
    session_id = manager.create().id

    def again(data: dict[str, Any]) -> dict[str, Any]:
        manager.update(session_id, {"a": 1})
        return data

    with pytest.raises(InvalidSession, match="its edit to end"):
        manager.edit(session_id, again)
    assert len(manager._locks) == 0


def test_an_edit_overtaken_by_another_process_is_made_anew_but_not_for_ever(clock: Clock, monkeypatch: Any) -> None:
    manager = SessionManager(clock=clock, environ={})
    session_id = manager.create(None, {"n": 0}).id
    calls = 0

    def change(data: dict[str, Any]) -> dict[str, Any]:
        nonlocal calls
        calls += 1
        if calls % 5:  # past the lock, as another process would
            manager._engine.update(session_id, {"theirs": calls})
        return {**data, "ours": True}

    manager.edit(session_id, change)
    assert calls == 5
    assert manager.get(session_id).data == {"n": 0, "theirs": 4, "ours": True}  # type: ignore[union-attr]
    monkeypatch.setattr("pytest_sessionguard.reference.manager.EDIT_ATTEMPTS", 4)
    with pytest.raises(VersionConflict):
        manager.edit(session_id, change)


# -- the cleaner ----------------------------------------------------------------------------------------------------


def test_the_cleaner_sweeps_again_after_a_sweep_that_failed(clock: Clock, caplog: Any) -> None:
    swept, turns = threading.Event(), iter([ZeroDivisionError("planted"), None])
    manager = SessionManager(clock=clock, environ={}, cleanup_interval_secs=0.001, on_close=lambda session: swept.set())
    sweep = manager.sweep

    def failing_first() -> int:
        problem = next(turns, None)
        if problem is not None:
            raise problem
        return sweep()

    manager.sweep = failing_first  # type: ignore[method-assign]  # plants the failure
    manager.create(timeout_secs=1)
    clock.advance(1)
    with manager:
        assert swept.wait(WAIT_SECS)
    assert "the sweep of expired sessions failed" in caplog.text


def test_the_cleaner_goes_on_after_a_hook_that_failed(clock: Clock) -> None:
    told: list[str] = []
    both = threading.Event()

    def hook(session: Any) -> None:
        told.append(session.owner)
        if len(told) == 2:
            both.set()
        raise ZeroDivisionError

    with SessionManager(clock=clock, environ={}, cleanup_interval_secs=0.001, on_close=hook) as manager:
        for name in "ab":
            manager.create(name, timeout_secs=1)
        clock.advance(1)
        assert both.wait(WAIT_SECS)
    assert told == ["a", "b"]


def test_one_cleaner_runs_while_started_and_none_after_the_stop() -> None:
    def cleaners() -> int:
        return sum(thread.name == "session-cleaner" for thread in threading.enumerate())

    before = cleaners()
    manager = SessionManager(environ={})
    manager.start()
    manager.start()
    assert cleaners() == before + 1
    manager.stop()
    assert cleaners() == before
    with SessionManager(environ={}, cleanup_interval_secs=float("inf")):
        assert cleaners() == before


def test_a_hook_in_the_cleaner_may_stop_the_manager(clock: Clock) -> None:
    stopped = threading.Event()
    holder: list[SessionManager] = []

    def hook(session: Any) -> None:
        holder[0].stop()
        stopped.set()

    manager = SessionManager(clock=clock, environ={}, cleanup_interval_secs=0.001, on_close=hook)
    holder.append(manager)
    manager.create(timeout_secs=1)
    clock.advance(1)
    manager.start()
    assert stopped.wait(WAIT_SECS)
