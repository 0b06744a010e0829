"""What only the SQLite store can be asked: restarts, other processes, damage."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_sessionguard.errors import ManagerClosed, SessionLimitExceeded, StoreBusy, StoreDamaged
from pytest_sessionguard.reference import SessionManager
from pytest_sessionguard.reference.stores import EVERYONE, sqlite
from pytest_sessionguard.reference.stores.sqlite import SqliteStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sessions.db"


def on(path: Path, clock: Any, **settings: Any) -> SessionManager:
    return SessionManager(**{"store": "sqlite", "path": path, "clock": clock, "environ": {}, **settings})


@pytest.mark.parametrize("graceful", [True, False])
def test_a_restart_gives_back_every_session_that_has_not_expired(path: Path, clock: Any, graceful: bool) -> None:
    manager = on(path, clock)
    kept = manager.create("ada", {"a": [1, None]}, capabilities=["x"]).id
    short, closed = manager.create(timeout_secs=60).id, manager.create().id
    manager.update(kept, {"b": 2})
    manager.close(closed)
    rotated = manager.rotate(manager.create("bob").id)
    before = manager.get(kept)
    if graceful:
        manager.stop()
    clock.advance(60)
    again = on(path, clock)
    assert again.get(kept) == before
    assert again.list_ids() == [kept, rotated]
    assert again.ttl(kept) == 3540
    assert again.get(short).status == "expired"  # type: ignore[union-attr]
    assert again.get(closed) is None
    assert again.sweep() == 1


_WORKS_UNTIL_KILLED = """
import sys
from pytest_sessionguard.reference import SessionManager
manager = SessionManager(store="sqlite", path=sys.argv[1], max_concurrent=10**6)
while True:
    session = manager.create("ada")
    manager.update(session.id, {"acknowledged": True})
    print(session.id, flush=True)
"""


def test_a_process_that_is_killed_at_work_loses_nothing_that_it_acknowledged(path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _WORKS_UNTIL_KILLED, path], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        acknowledged = [child.stdout.readline().strip() for _ in range(20)]
        child.kill()
        acknowledged += [line.strip() for line in child.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    with SessionManager(store="sqlite", path=path, max_concurrent=10**6, environ={}) as manager:
        kept = [manager.get(session_id) for session_id in acknowledged]
        assert all(session is not None and session.data == {"acknowledged": True} for session in kept)
        assert manager.count() - len(acknowledged) in (0, 1)  # one, made and not yet told of


def test_an_expiry_that_was_seen_stays_over_a_restart_with_a_clock_set_back(path: Path, clock: Any) -> None:
    manager = on(path, clock)
    session_id = manager.create(timeout_secs=60).id
    clock.advance(60)
    assert not manager.exists(session_id)
    manager.stop()
    clock.advance(-50)
    again = on(path, clock)
    assert not again.touch(session_id)
    assert again.sweep() == 1


def test_no_process_and_no_restart_sees_time_go_backwards(path: Path) -> None:
    one, other = SqliteStore(str(path)), SqliteStore(str(path))
    one.open()
    other.open()
    assert one.transact(lambda ledger: ledger.now_us, 100) == 100
    assert other.transact(lambda ledger: ledger.now_us, 40) == 100
    assert other.instant(50) == 100
    one.close()
    other.close()
    one.open()
    again = SqliteStore(str(path))
    again.open()
    assert again.instant(7) == 100
    again.close()


def test_a_replacement_is_the_same_after_a_restart(path: Path, clock: Any) -> None:
    manager = on(path, clock)
    old = manager.create().id
    clock.advance(3600)
    new = manager.use(old).id
    manager.stop()
    assert on(path, clock).use(old).id == new


def test_a_commit_is_on_the_disk_before_it_is_acknowledged(path: Path, clock: Any) -> None:
    manager = on(path, clock)
    connection = manager._engine.store._connection  # type: ignore[attr-defined]
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


def test_two_managers_on_one_file_share_sessions_and_the_limit(path: Path, clock: Any) -> None:
    one, other = on(path, clock, max_concurrent=2), on(path, clock, max_concurrent=2)
    session_id = one.create(None, {"a": 1}).id
    other.update(session_id, {"b": 2})
    assert one.get(session_id).data == {"a": 1, "b": 2}  # type: ignore[union-attr]
    other.create()
    with pytest.raises(SessionLimitExceeded):
        one.create()


def test_a_sweep_closes_what_was_owned_by_a_session_that_another_process_ended(path: Path, clock: Any) -> None:
    one, other = on(path, clock), on(path, clock)
    closed: list[int] = []
    session_id = one.create().id
    one.attach(session_id, lambda: closed.append(1))
    one.sweep()
    assert closed == []
    other.close(session_id)
    one.sweep()
    one.sweep()
    one.stop()
    assert closed == [1]


def _make_many(path: Path, gate: Any, made: Any) -> None:
    gate.wait(20)
    manager = SessionManager(store="sqlite", path=path, max_concurrent=10, environ={})
    count = 0
    for turn in range(8):
        try:
            manager.create(None, {"turn": turn})
            count += 1
        except SessionLimitExceeded:
            pass
        manager.edit("shared", lambda data: {"n": data["n"] + 1})  # type: ignore[operator]
    made.put(count)


def test_the_limit_holds_and_no_update_is_lost_among_processes(path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    gate, made = context.Barrier(3), context.Queue()
    with SessionManager(store="sqlite", path=path, max_concurrent=10, environ={}) as manager:
        manager.create(None, {"n": 0}, session_id="shared")
        processes = [context.Process(target=_make_many, args=(path, gate, made)) for _ in range(3)]
        for process in processes:
            process.start()
        counts = [made.get(timeout=30) for _ in processes]
        for process in processes:
            process.join(20)
        assert [process.exitcode for process in processes] == [0, 0, 0]
        assert sum(counts) == 9
        assert manager.count() == 10
        assert manager.get("shared").data == {"n": 24}  # type: ignore[union-attr]


@pytest.mark.skipif(sys.platform == "win32", reason="nothing is forked there")
def test_a_forked_child_opens_its_own_connection(path: Path, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SqliteStore(str(path))
    store.open()
    parents = store._connection
    monkeypatch.setattr(os, "getpid", lambda: -1)  # what a child sees: another process than opened the file
    assert store.transact(lambda ledger: ledger.count(EVERYONE), 5) == 0
    assert store._connection is not parents
    store.close()
    monkeypatch.undo()
    assert parents is not None
    assert parents.execute("SELECT 1").fetchone() == (1,)
    store.open()
    monkeypatch.setattr(os, "getpid", lambda: -1)
    store.close()
    assert len(store._forsaken) == 2


def test_a_file_that_is_locked_for_too_long_is_busy_and_nothing_is_written(
    path: Path, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECS", 0)
    manager = on(path, clock)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreBusy, match="locked by another process"):
        manager.create()
    with pytest.raises(StoreBusy):
        on(path, clock)
    holder.execute("ROLLBACK")
    assert manager.count() == 0
    manager.create()


def test_a_file_of_another_kind_is_damaged(path: Path, clock: Any) -> None:
    path.write_bytes(b"this is no database" * 100)
    with pytest.raises(StoreDamaged, match="backup"):
        on(path, clock)


def test_a_file_of_another_layout_is_refused(path: Path, clock: Any) -> None:
    on(path, clock).stop()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.commit()
    with pytest.raises(StoreDamaged, match="layout is 99"):
        on(path, clock)


@pytest.mark.parametrize(("column", "text"), [("data", "{"), ("status", "undead"), ("capabilities", "")])
def test_a_session_that_cannot_be_read_is_named_and_harms_no_other(
    path: Path, clock: Any, column: str, text: str
) -> None:
    manager = on(path, clock)
    bad, good = manager.create().id, manager.create().id
    connection = sqlite3.connect(path)
    connection.execute(f"UPDATE session SET {column} = ? WHERE session_id = ?", (text, bad))
    connection.commit()
    for ask in (manager.get, manager.touch, manager.use):
        with pytest.raises(StoreDamaged, match=bad):
            ask(bad)
    assert manager.touch(good)


def test_a_directory_that_is_missing_is_an_error_of_the_file(tmp_path: Path, clock: Any) -> None:
    with pytest.raises(sqlite3.OperationalError):
        on(tmp_path / "missing" / "s.db", clock)


def test_what_fails_in_the_middle_is_undone(path: Path) -> None:
    store = SqliteStore(str(path))
    store.open()

    def half(ledger: Any) -> None:
        ledger._connection.execute("UPDATE latest SET now_us = 99")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.transact(half, 5)
    assert store.transact(lambda ledger: ledger.now_us, 6) == 6
    store.close()


def test_an_error_of_sqlite_in_a_question_is_explained(path: Path, clock: Any) -> None:
    manager = on(path, clock)
    connection = manager._engine.store._connection  # type: ignore[attr-defined]
    connection.execute("DROP TABLE session")
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        manager.get("s")
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        manager.touch("s")


def test_a_closed_store_answers_no_more(path: Path) -> None:
    store = SqliteStore(str(path))
    store.open()
    store.close()
    with pytest.raises(ManagerClosed):
        store.look("s")
    with pytest.raises(ManagerClosed):
        store.transact(lambda ledger: None, 5)
