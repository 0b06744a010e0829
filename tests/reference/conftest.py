"""Every claim about a manager is asked of both faces on every store: `make` builds one, whichever, sync to call."""

from __future__ import annotations

import asyncio
import inspect
import shutil
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_sessionguard.reference import AsyncSessionManager, SessionManager, stores


class Clock:
    """Seconds since 1970 that move when told, kept as whole microseconds."""

    def __init__(self) -> None:
        self.now_us = 1_700_000_000_000_000

    def __call__(self) -> float:
        return self.now_us / 1e6

    def advance(self, seconds: float = 0, *, us: int = 0) -> None:
        self.now_us += round(seconds * 1e6) + us


class OnLoop:
    """An async manager whose methods are called as if they were sync; `manager` is the thing itself."""

    def __init__(self, manager: AsyncSessionManager, loop: asyncio.AbstractEventLoop) -> None:
        self.manager = manager
        self.loop = loop

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.manager, name)
        if not inspect.iscoroutinefunction(found):
            return found
        return lambda *args, **kwargs: self.loop.run_until_complete(found(*args, **kwargs))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def eager_threads() -> Iterator[None]:
    """Let the interpreter switch threads as often as it can, so that what is not atomic shows.

    The threads are not measured: two that begin at once are refused their trace functions where an audit hook is heard.
    """
    before, traced = sys.getswitchinterval(), threading.gettrace()
    threading.settrace(None)  # type: ignore[arg-type]  # what it is before anybody sets it
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)
    threading.settrace(traced)  # type: ignore[arg-type]


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@pytest.fixture(params=["sync", "async"])
def face(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=sorted(stores.kinds()))
def kind(request: pytest.FixtureRequest) -> stores.StoreKind:
    return stores.kinds()[request.param]


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a real Redis server, started for this run; it keeps nothing."""
    pytest.importorskip("redis", reason="needs the extra `redis`")
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("needs redis-server on this machine")
    socket = tmp_path_factory.mktemp("redis") / "socket"
    told = ["--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(socket.parent)]
    with subprocess.Popen([program, *told], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert any("ready to accept connections" in line.lower() for line in server.stdout)
        try:
            yield f"unix://{socket}"
        finally:
            server.terminate()
            server.stdout.read()


@pytest.fixture
def store_path(kind: stores.StoreKind, tmp_path: Path, request: pytest.FixtureRequest) -> str | None:
    """Where a store of this kind keeps the sessions of one test."""
    if kind.name == "redis":
        return f"{request.getfixturevalue('redis_server')}?prefix={tmp_path.name}:{uuid.uuid4().hex}:"
    return str(tmp_path / "sessions.db") if kind.needs_path else None


@pytest.fixture
def place(kind: stores.StoreKind, store_path: str | None) -> dict[str, Any]:
    """The arguments that choose a store, the same file for every manager of one test."""
    return {"store": kind.name} if store_path is None else {"store": kind.name, "path": store_path}


@pytest.fixture
def make(
    face: str, place: dict[str, Any], clock: Clock, loop: asyncio.AbstractEventLoop
) -> Iterator[Callable[..., Any]]:
    made: list[Any] = []

    def build(**settings: Any) -> Any:
        settings = {"clock": clock, "environ": {}, **place, **settings}
        manager = SessionManager(**settings) if face == "sync" else OnLoop(AsyncSessionManager(**settings), loop)
        made.append(manager)
        return manager

    yield build
    for manager in made:
        manager.stop()


@pytest.fixture
def manager(make: Callable[..., Any]) -> Any:
    return make()
