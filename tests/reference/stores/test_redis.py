"""What only the Redis store can be asked: a real server that is shared, away, killed and started again."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from pytest_sessionguard.errors import (
    InvalidSetting,
    ManagerClosed,
    SessionLimitExceeded,
    StoreAway,
    StoreBusy,
    StoreDamaged,
)
from pytest_sessionguard.reference import SessionManager
from pytest_sessionguard.reference.stores import redis as redis_store
from pytest_sessionguard.reference.stores.redis import RedisStore


@pytest.fixture
def url(redis_server: str) -> str:
    return f"{redis_server}?prefix={uuid.uuid4().hex}:"


def on(url: str, clock: Any, **settings: Any) -> SessionManager:
    return SessionManager(**{"store": "redis", "path": url, "clock": clock, "environ": {}, **settings})


def client_of(manager: SessionManager) -> Any:
    return manager._engine.store._client  # type: ignore[attr-defined]


def test_two_managers_on_one_server_share_sessions_time_and_the_limit(url: str, clock: Any) -> None:
    one, other = on(url, clock, max_concurrent=2), on(url, clock, max_concurrent=2)
    session_id = one.create("ada", {"a": 1}).id
    other.update(session_id, {"b": 2})
    assert one.get(session_id).data == {"a": 1, "b": 2}  # type: ignore[union-attr]
    other.create()
    with pytest.raises(SessionLimitExceeded):
        one.create()
    one.stop()
    clock.advance(-100)
    again = on(url, clock)
    assert again.get(session_id) == other.get(session_id)


def test_prefixes_keep_tenants_apart(url: str, clock: Any) -> None:
    one, other = on(url, clock), on(url + "other", clock)
    session_id = one.create().id
    assert other.get(session_id) is None
    assert other.count() == 0


def test_threads_together_pass_no_limit_and_lose_no_update(url: str, clock: Any) -> None:
    managers = [on(url, clock, max_concurrent=6) for _ in range(3)]
    managers[0].create(None, {"n": 0}, session_id="shared")
    made: list[str] = []

    def work(manager: SessionManager) -> None:
        for _ in range(4):
            with suppress(SessionLimitExceeded):
                made.append(manager.create().id)
            manager.edit("shared", lambda data: {"n": int(str(data["n"])) + 1})

    threads = [threading.Thread(target=work, args=(manager,)) for manager in managers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(made) == 5
    assert managers[0].get("shared").data == {"n": 12}  # type: ignore[union-attr]


def test_who_is_always_overtaken_is_told_that_it_is_busy(url: str, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    manager = on(url, clock)
    monkeypatch.setattr(redis_store, "BUSY_SECS", 0)
    monkeypatch.setattr(manager._engine.store, "_once", lambda *_: None)
    with pytest.raises(StoreBusy):
        manager.create()


def test_a_session_that_cannot_be_read_is_damaged_and_harms_no_other(url: str, clock: Any) -> None:
    manager = on(url, clock)
    bad, good = manager.create().id, manager.create().id
    client_of(manager).hset(f"{manager._engine.store._prefix}session", bad, "{}")  # type: ignore[attr-defined]
    for ask in (manager.get, manager.touch):
        with pytest.raises(StoreDamaged):
            ask(bad)
    assert manager.touch(good)


@pytest.mark.parametrize("path", ["sessions.db", "http://127.0.0.1"])
def test_what_is_no_server_is_refused(path: str, clock: Any) -> None:
    with pytest.raises(InvalidSetting, match="redis://"):
        on(path, clock)


def test_without_the_library_it_says_what_to_install(clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(InvalidSetting, match=r"pytest-sessionguard\[redis\]"):
        on("redis://127.0.0.1:1", clock)


def test_a_password_stands_in_no_message(clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_store, "BUSY_SECS", 0)
    with pytest.raises(StoreAway) as away:
        on("redis://user:secret@127.0.0.1:1/0?socket_timeout=1", clock)
    assert "secret" not in str(away.value)
    assert "127.0.0.1:1" in str(away.value)


def test_a_closed_store_answers_no_more(url: str) -> None:
    store = RedisStore(url)
    store.open()
    store.open()
    store.close()
    store.close()
    with pytest.raises(ManagerClosed):
        store.look("s")
    with pytest.raises(ManagerClosed):
        store.transact(lambda ledger: None, 5)


# The library says that the watch is lost where a connection breaks that had one.
@pytest.mark.parametrize("told", ["ConnectionError", "TimeoutError", "WatchError"])
@pytest.mark.parametrize("arrives", [True, False])
def test_a_connection_that_breaks_during_the_commit_changes_exactly_once(
    url: str, clock: Any, monkeypatch: pytest.MonkeyPatch, arrives: bool, told: str
) -> None:
    import redis

    manager = on(url, clock)
    session_id = manager.create(None, {"n": 0}).id
    real, breaks = redis.client.Pipeline.execute, [True]

    def broken(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not breaks:
            return real(self, *args, **kwargs)
        breaks.clear()
        if arrives:
            real(self, *args, **kwargs)
        raise getattr(redis, told)("gone")

    monkeypatch.setattr(redis.client.Pipeline, "execute", broken)
    assert manager.update(session_id, {"n": 1}) == 2
    assert manager.get(session_id).version == 2  # type: ignore[union-attr]


# -- a server of its own, on TCP, that writes everything down before it answers ---------------------------------------


class Server:
    """A real server that can be killed, stopped and started again."""

    def __init__(self, folder: Path, program: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._arguments = [program, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder)]
        self._arguments += ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
        self.process: Any = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        self.process = subprocess.Popen(self._arguments, stdout=subprocess.PIPE, text=True)
        assert any("ready to accept connections" in line.lower() for line in self.process.stdout)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    pytest.importorskip("redis", reason="needs the extra `redis`")
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("needs redis-server on this machine")
    server = Server(tmp_path, program)
    server.start()
    yield server
    server.kill()


def test_a_server_that_was_killed_gives_back_what_was_acknowledged(server: Server, clock: Any) -> None:
    manager = on(server.url, clock)
    kept = [manager.create("ada", {"n": n}).id for n in range(5)]
    manager.close(kept.pop())
    server.kill()
    server.start()
    assert on(server.url, clock).list_ids() == kept
    assert manager.list_ids() == kept, "the same manager goes on with the new server"


def test_a_server_that_is_away_for_shorter_than_the_retry_is_waited_for(server: Server, clock: Any) -> None:
    manager = on(server.url, clock)
    server.kill()
    back = threading.Timer(0.05, server.start)
    back.start()
    session_id = manager.create().id
    back.join()
    assert manager.exists(session_id)


def test_a_server_that_is_away_for_longer_than_the_retry_is_told(
    server: Server, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = on(server.url, clock)
    session_id = manager.create().id
    monkeypatch.setattr(redis_store, "BUSY_SECS", 0.05)
    server.kill()
    for ask in (lambda: manager.create(), lambda: manager.get(session_id)):
        with pytest.raises(StoreAway, match="ask again what is there"):
            ask()
    server.start()
    assert manager.list_ids() == [session_id]


def test_a_server_that_stands_still_is_away(server: Server, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BUSY_SECS", "ANSWER_SECS"):
        monkeypatch.setattr(redis_store, name, 0.1)
    manager = on(server.url, clock)
    session_id = manager.create().id
    server.process.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(StoreAway):
            manager.touch(session_id)
    finally:
        server.process.send_signal(signal.SIGCONT)
    assert manager.touch(session_id)
