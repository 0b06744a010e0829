"""Threads that share a database or a file wait for each other in virtual time, and their races are found."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_sessionguard.clock.readings import real_monotonic
from pytest_sessionguard.clock.virtual import VirtualClock
from pytest_sessionguard.core.schedule import Settings
from pytest_sessionguard.explore import schedulers, thread_search, threads
from pytest_sessionguard.explore.shared_stores import virtual_waits
from pytest_sessionguard.target.imports import import_module, put_on_path

fcntl = pytest.importorskip("fcntl")
put_on_path([Path(__file__).parent / "targets"])
stores = import_module("stores")
POINTS = threads.switch_points()


@pytest.fixture(autouse=True)
def waits() -> Iterator[None]:
    real = sqlite3.connect, fcntl.flock
    with virtual_waits(threads.offer_switch):
        yield
    assert (sqlite3.connect, fcntl.flock) == real


def searched(kind: Any, folder: Path, name: str = "random", runs_max: int = 60) -> tuple[Any, list[Any]]:
    made: list[Any] = []

    def program() -> tuple[list[threads.Client], Callable[[], None]]:
        manager = kind(folder)
        made.append(manager)

        def check() -> None:
            assert manager.is_right()

        return [lambda client=client: client(manager) for client in kind.clients], check

    scheduler = schedulers.make(name, Settings(seed=1, preemptions_max=2))
    found = thread_search.search(program, scheduler, targets=[kind], runs_max=runs_max, points=POINTS)
    return found, made


@pytest.mark.parametrize("kind", [stores.HastyDatabase, stores.HastyFile])
def test_a_lost_update_in_a_shared_store_is_found(kind: Any, tmp_path: Path) -> None:
    assert isinstance(searched(kind, tmp_path)[0].failure, AssertionError)


@pytest.mark.parametrize("kind", [stores.Database, stores.File, stores.UnlockedByHand])
def test_a_store_that_locks_is_not_accused_and_costs_no_real_time(kind: Any, tmp_path: Path) -> None:
    began_s = real_monotonic()
    assert searched(kind, tmp_path, runs_max=12)[0].failure is None
    assert real_monotonic() - began_s < 4


def test_sqlite_gives_up_after_its_timeout_in_virtual_time(tmp_path: Path) -> None:
    began_s = real_monotonic()
    found, made = searched(stores.Stuck, tmp_path, name="exhaustive", runs_max=1)
    assert isinstance(found.failure, AssertionError | sqlite3.OperationalError)
    assert made[0].errors == ["database is locked"]
    made[0].kept.close()
    assert real_monotonic() - began_s < 4


def test_outside_of_virtual_threads_it_waits_in_real_time(tmp_path: Path) -> None:
    keeper = sqlite3.connect(tmp_path / "a.db", check_same_thread=False, isolation_level=None)
    keeper.execute("CREATE TABLE t (n)")
    keeper.execute("BEGIN IMMEDIATE")
    waiting = sqlite3.connect(tmp_path / "a.db", timeout=0.01)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        waiting.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(sqlite3.OperationalError, match="syntax"):
        waiting.execute("SELEKT")
    with open(tmp_path / "lock", "w") as one, open(tmp_path / "lock", "w") as other:
        fcntl.flock(one, fcntl.LOCK_EX)
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        thread = threading.Thread(target=fcntl.flock, args=(other, fcntl.LOCK_EX))
        thread.start()
        fcntl.flock(one, fcntl.LOCK_UN)
        thread.join()
    keeper.close()
    waiting.close()


def test_connections_and_cursors_are_still_of_their_kind() -> None:
    class Special(sqlite3.Connection):
        pass

    class Pointer(sqlite3.Cursor):
        pass

    for connection in (
        sqlite3.connect(":memory:", factory=Special),
        sqlite3.connect(":memory:", 1, 0, None, True, Special),
    ):
        assert isinstance(connection, Special)
        assert isinstance(connection.cursor(Pointer), Pointer)
        assert isinstance(connection.cursor(lambda own: Pointer(own)), Pointer)
        with connection:
            assert connection.execute("SELECT 1").fetchall() == [(1,)]
        connection.close()
    with VirtualClock(threads=True).installed():
        made = sqlite3.connect(":memory:", factory=lambda *args, **more: Special(*args, **more))
        assert type(made) is Special
        made.close()
