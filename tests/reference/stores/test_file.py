"""What only the file store can be asked: restarts, other processes, damage, and every crash."""

from __future__ import annotations

import gc
import hashlib
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable, Hashable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pytest_sessionguard import crash
from pytest_sessionguard.errors import (
    InvalidSetting,
    ManagerClosed,
    SessionLimitExceeded,
    SessionNotFound,
    StoreBusy,
    StoreDamaged,
)
from pytest_sessionguard.reference import SessionManager, sealed
from pytest_sessionguard.reference.stores import EVERYONE, file
from pytest_sessionguard.reference.stores.file import FileStore, name_of


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sessions"


def on(path: Path, clock: Any, **settings: Any) -> SessionManager:
    return SessionManager(**{"store": "file", "path": path, "clock": clock, "environ": {}, **settings})


def document(path: Path, session_id: str, ending: str = ".json") -> Path:
    return path / (name_of(session_id) + ending)


def damage(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


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


# -- crashes ---------------------------------------------------------------------------------------------------------

Snapshot = tuple[tuple[str, str, str], ...]


def stored(manager: SessionManager) -> Snapshot:
    """Return what a manager shows of its sessions."""
    shown = [manager.get(session_id) for session_id in sorted(manager.list_ids())]
    return tuple((one.id, str(one.client_id), repr(one.data)) for one in shown if one is not None)


def a_day_at_work(folder: Path, mark: Callable[[Hashable], None], clock: Any, snapshots: list[Snapshot]) -> None:
    """Use every kind of transaction: new, changed, renamed, removed, and two documents at once."""
    manager = on(folder / "sessions", clock, max_concurrent=3, at_limit="evict-oldest")
    steps: list[Callable[[], Any]] = [
        lambda: manager.create("ada", {"n": 1}, session_id="a"),
        lambda: manager.update("a", {"n": 2}),
        lambda: manager.create("bob", {"n": 3}, session_id="b"),
        lambda: manager.touch("b"),
        lambda: manager.rotate("a"),
        lambda: manager.create("eve", {"n": 4}, session_id="c"),
        lambda: manager.create("joe", {"n": 5}, session_id="d"),
        lambda: manager.close("b"),
    ]
    snapshots.append(stored(manager))
    mark("opened")
    for number, step in enumerate(steps):
        mark(("begun", number))
        step()
        snapshots.append(stored(manager))
        mark(("done", number))


def wrong(folder: Path, marks: crash.explorer.Marks, clock: Any, snapshots: list[Snapshot]) -> str | None:
    """Say what is wrong: what was acknowledged is there, what was under way is there whole or not at all."""
    done = sum(isinstance(mark, tuple) and mark[0] == "done" for mark in marks)
    begun = sum(isinstance(mark, tuple) and mark[0] == "begun" for mark in marks)
    shown = stored(on(folder / "sessions", clock, max_concurrent=3))
    return None if shown in snapshots[done : begun + 1] else f"after {done} steps of {begun}: {shown}"


@pytest.mark.parametrize("model", [crash.STRICT, crash.ORDERED, crash.KILL], ids=lambda model: model.name)
def test_no_crash_loses_what_was_acknowledged(clock: Any, model: crash.Persistence) -> None:
    snapshots: list[Snapshot] = []
    report = crash.explore(
        partial(a_day_at_work, clock=clock, snapshots=snapshots),
        partial(wrong, clock=clock, snapshots=snapshots),
        model=model,
        budget=120,
    )
    assert report.failed == 0, str(report)
    assert report.states > 50
    assert not report.incomplete


def test_a_store_that_nobody_closed_leaves_no_file_open(path: Path) -> None:
    store = FileStore(str(path))
    store.open()
    lock_file = store._lock_file
    os.fstat(lock_file)
    del store
    gc.collect()
    with pytest.raises(OSError, match="descriptor"):
        os.fstat(lock_file)


def test_the_same_exploration_finds_a_folder_that_is_not_synced(clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed, "sync_folder", lambda path: None)
    snapshots: list[Snapshot] = []
    report = crash.explore(
        partial(a_day_at_work, clock=clock, snapshots=snapshots),
        partial(wrong, clock=clock, snapshots=snapshots),
        budget=120,
        stop_after=1,
    )
    assert report.failed


_WORKS_UNTIL_KILLED = """
import sys
from pytest_sessionguard.reference import SessionManager, sealed
manager = SessionManager(store="file", path=sys.argv[1], max_concurrent=10**6)
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
    with SessionManager(store="file", path=path, max_concurrent=10**6, environ={}) as manager:
        kept = [manager.get(session_id) for session_id in acknowledged]
        assert all(session is not None and session.data == {"acknowledged": True} for session in kept)
        assert manager.count() - len(acknowledged) in (0, 1)  # one, made and not yet told of


# -- others at the same folder ---------------------------------------------------------------------------------------


def test_two_managers_on_one_folder_share_sessions_time_and_the_limit(path: Path, clock: Any) -> None:
    one, other = on(path, clock, max_concurrent=2), on(path, clock, max_concurrent=2)
    session_id = one.create(None, {"a": 1}).id
    other.update(session_id, {"b": 2})
    assert one.get(session_id).data == {"a": 1, "b": 2}  # type: ignore[union-attr]
    other.create()
    with pytest.raises(SessionLimitExceeded):
        one.create()


def test_no_process_and_no_restart_sees_time_go_backwards_or_a_serial_again(path: Path) -> None:
    one, other = FileStore(str(path)), FileStore(str(path))
    one.open()
    other.open()
    one.open()
    serials = [one.transact(lambda ledger: ledger.next_serial(), 100)]
    serials.append(other.transact(lambda ledger: ledger.next_serial(), 40))
    assert other.transact(lambda ledger: ledger.now_us, 40) == 100
    assert other.instant(50) == 100
    one.close()
    one.close()
    one.open()
    serials.append(one.transact(lambda ledger: ledger.next_serial(), 40))
    assert len(set(serials)) == 3


def _make_many(path: Path, gate: Any, made: Any) -> None:
    gate.wait(20)
    manager = SessionManager(store="file", path=path, max_concurrent=10, environ={})
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
    with SessionManager(store="file", path=path, max_concurrent=10, environ={}) as manager:
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


def test_a_forked_child_takes_a_lock_of_its_own(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FileStore(str(path))
    store.open()
    parents = os.dup(store._lock_file)
    monkeypatch.setattr(os, "getpid", lambda: -1)  # what a child sees: another process than opened the folder
    assert store.transact(lambda ledger: ledger.count(EVERYONE), 5) == 0
    assert store._process == -1
    os.close(parents)
    store.close()


def test_a_folder_that_is_locked_for_too_long_is_busy_and_nothing_is_written(
    path: Path, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager, holder = on(path, clock), FileStore(str(path))
    holder.open()
    holder._acquire()
    monkeypatch.setattr(file, "BUSY_SECS", 0)
    with pytest.raises(StoreBusy, match="locked by another process"):
        manager.create()
    with pytest.raises(StoreBusy):
        on(path, clock)
    holder._release()
    assert manager.count() == 0
    manager.create()


# -- damage ----------------------------------------------------------------------------------------------------------


def test_a_damaged_document_gives_way_to_its_backup(path: Path, clock: Any) -> None:
    manager = on(path, clock)
    manager.create(None, {"n": 1}, session_id="s")
    manager.update("s", {"n": 2})
    damage(document(path, "s"))
    for again in (manager, on(path, clock)):
        assert again.get("s").data == {"n": 1}  # type: ignore[union-attr]


def test_a_session_without_a_sound_copy_is_named_and_harms_no_other(path: Path, clock: Any) -> None:
    manager = on(path, clock)
    bad, good = manager.create().id, manager.create().id
    damage(document(path, bad))
    again = on(path, clock)
    for ask in (again.get, again.touch, again.use):
        with pytest.raises(StoreDamaged, match=name_of(bad)):
            ask(bad)
    assert again.touch(good)
    assert again.list_ids() == [good]


@pytest.mark.parametrize("text", ["[]", "{", '{"status": "active"}'])
def test_a_document_that_holds_no_session_is_damaged(path: Path, clock: Any, text: str) -> None:
    manager = on(path, clock)
    bad = manager.create().id
    body = text.encode()
    document(path, bad).write_bytes(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
    with pytest.raises(StoreDamaged):
        manager.get(bad)


def test_a_journal_that_is_damaged_is_told_and_changes_nothing(path: Path, clock: Any) -> None:
    kept = on(path, clock).create().id
    (path / "journal").write_bytes(b"half a line")
    with pytest.raises(StoreDamaged, match="journal"):
        on(path, clock)
    (path / "journal").unlink()
    assert on(path, clock).list_ids() == [kept]


def test_what_fails_in_the_middle_is_undone(path: Path, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    manager = on(path, clock)
    kept = manager.create(None, {"n": 1}).id
    real = os.replace

    def full(source: Any, target: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        manager.update(kept, {"n": 2})
    monkeypatch.setattr(os, "replace", real)
    assert manager.get(kept).data == {"n": 1}  # type: ignore[union-attr]
    manager.update(kept, {"n": 3})
    assert on(path, clock).get(kept).data == {"n": 3}  # type: ignore[union-attr]


def test_a_path_that_is_a_files_is_refused(tmp_path: Path, clock: Any) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(InvalidSetting, match="a folder"):
        on(tmp_path / "taken", clock)


def test_a_system_without_locks_is_told_to_take_another_store(
    path: Path, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with pytest.raises(InvalidSetting, match="take sqlite"):
        on(path, clock)


def test_a_closed_store_answers_no_more(path: Path, clock: Any) -> None:
    store = FileStore(str(path))
    store.open()
    store.close()
    with pytest.raises(ManagerClosed):
        store.look("s")
    with pytest.raises(ManagerClosed):
        store.transact(lambda ledger: None, 5)
    with pytest.raises(SessionNotFound):
        on(path, clock).update("never", {})
