"""Toy managers, sound ones and broken ones, for the tests of the runner."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from pytest_sessionguard.target.shape import Profile

OPERATIONS = {
    "create": "create(data?, id=id?) -> id",
    "get": "get(id) -> data",
    "exists": "exists(id) -> flag",
    "ttl": "ttl(id) -> seconds",
    "touch": "touch(id) -> found",
    "update": "update(id, changes) -> found",
    "delete": "delete(id) -> found",
    "sweep": "sweep() -> count",
    "list": "list() -> ids",
    "count": "count() -> count",
}


class Toy:
    """Sessions in a dict, safe for threads; None and false for what is not there."""

    def __init__(self, idle: float = 60.0, limit: int | None = None) -> None:
        self.idle, self.limit = idle, limit
        self.kept: dict[str, dict[str, Any]] = {}
        self.lock = threading.RLock()

    def alive(self, id: str) -> dict[str, Any] | None:
        with self.lock:
            entry = self.kept.get(id)
            if entry is not None and time.time() - entry["at"] >= self.idle:
                del self.kept[id]
                entry = None
            return entry

    def create(self, data: Any = None, id: str | None = None) -> str:
        with self.lock:
            self.sweep()
            if self.limit is not None and len(self.kept) >= self.limit:
                raise OverflowError(f"{self.limit} sessions are the limit")
            id = id or uuid.uuid4().hex
            if id in self.kept:
                raise FileExistsError(id)
            self.kept[id] = {"data": json.loads(json.dumps(data or {})), "at": time.time()}
            return id

    def get(self, id: str) -> Any:
        entry = self.alive(id)
        return None if entry is None else json.loads(json.dumps(entry["data"]))

    def exists(self, id: str) -> bool:
        return self.alive(id) is not None

    def ttl(self, id: str) -> float | None:
        entry = self.alive(id)
        return None if entry is None else entry["at"] + self.idle - time.time()

    def touch(self, id: str) -> bool:
        with self.lock:
            entry = self.alive(id)
            if entry is not None:
                entry["at"] = time.time()
            return entry is not None

    def update(self, id: str, changes: Any) -> bool:
        with self.lock:
            entry = self.alive(id)
            if entry is not None:
                entry["data"].update(changes)
                entry["at"] = time.time()
            return entry is not None

    def delete(self, id: str) -> bool:
        with self.lock:
            entry = self.alive(id)
            self.kept.pop(id, None)
            return entry is not None

    def sweep(self) -> int:
        with self.lock:
            return sum(self.alive(id) is None for id in list(self.kept))

    def list(self) -> list[str]:
        with self.lock:
            return [id for id in list(self.kept) if self.alive(id) is not None]

    def count(self) -> int:
        return len(self.list())


class Forgetful(Toy):
    """Its touch renews nothing."""

    def touch(self, id: str) -> bool:
        return self.alive(id) is not None


class Early(Toy):
    """Expires a second early."""

    def __init__(self, idle: float = 60.0, limit: int | None = None) -> None:
        super().__init__(idle - 1, limit)


class Sharing(Toy):
    """Hands out the very data that it keeps."""

    def get(self, id: str) -> Any:
        entry = self.alive(id)
        return None if entry is None else entry["data"]


class SharingWithin(Toy):
    """Copies the data it hands out, but not what is inside."""

    def get(self, id: str) -> Any:
        entry = self.alive(id)
        return None if entry is None else dict(entry["data"])


class Limitless(Toy):
    """Lets one more in than its limit."""

    def __init__(self, idle: float = 60.0, limit: int | None = None) -> None:
        super().__init__(idle, None if limit is None else limit + 1)


class Racing(Toy):
    """Reads, waits for the other thread, writes: updates at once are lost."""

    def __init__(self, idle: float = 60.0, limit: int | None = None) -> None:
        super().__init__(idle, limit)
        self.meeting = threading.Barrier(2, timeout=5)

    def update(self, id: str, changes: Any) -> bool:
        data = dict(self.kept[id]["data"])
        self.meeting.wait()
        self.kept[id] = {"data": {**data, **changes}, "at": time.time()}
        return True


class Stuck(Toy):
    """Its delete waits for a lock that nobody gives back."""

    def __init__(self, idle: float = 60.0, limit: int | None = None) -> None:
        super().__init__(idle, limit)
        self.taken = threading.Semaphore(0)

    def delete(self, id: str) -> bool:
        self.taken.acquire()
        return True


class Crashing(Toy):
    """Fails on update, and says something before."""

    def update(self, id: str, changes: Any) -> bool:
        print("about to fail")
        raise ZeroDivisionError("of course")


class Noisy(Toy):
    """Does not know whether it is there."""

    def exists(self, id: str) -> bool:
        return True


class Interrupting(Toy):
    """The user loses patience in the middle of an update."""

    def update(self, id: str, changes: Any) -> bool:
        raise KeyboardInterrupt


class Filed(Toy):
    """Keeps its sessions in a file over restarts."""

    def __init__(self, root: str, idle: float = 60.0, limit: int | None = None) -> None:
        super().__init__(idle, limit)
        self.file = Path(root) / "sessions.json"
        self.opened = True
        if self.file.exists():
            self.kept = json.loads(self.file.read_text())

    def close(self) -> None:
        self.file.write_text(json.dumps(self.kept))
        self.opened = False


class Amnesiac(Filed):
    """Forgets to write when it is closed."""

    def close(self) -> None:
        self.opened = False


class NeverAgain(Filed):
    """Cannot be made a second time on the same folder."""

    def __init__(self, root: str, idle: float = 60.0, limit: int | None = None) -> None:
        super().__init__(root, idle, limit)
        if self.file.exists():
            raise RuntimeError("the file is locked")


class ClosesBadly(Filed):
    """Fails when it is closed."""

    def close(self) -> None:
        raise OSError("disk on fire")


class AsyncToy:
    """The same for the tasks of one loop, with awaits in the middle and a cleaner."""

    def __init__(self, idle: float = 60.0, limit: int | None = None, every: float | None = None) -> None:
        self.inner = Toy(idle, limit)
        self.lock = asyncio.Lock()
        self.every = every
        self.cleaner: asyncio.Task[None] | None = None

    async def start(self) -> None:
        if self.every is not None:
            self.cleaner = asyncio.create_task(self.clean())

    async def clean(self) -> None:
        while True:
            await asyncio.sleep(self.every or 1)
            self.inner.sweep()

    async def stop(self) -> None:
        if self.cleaner is not None:
            self.cleaner.cancel()

    async def create(self, data: Any = None, id: str | None = None) -> str:
        await asyncio.sleep(0.001)
        return self.inner.create(data, id)

    async def get(self, id: str) -> Any:
        await asyncio.sleep(0)
        return self.inner.get(id)

    async def exists(self, id: str) -> bool:
        return self.inner.exists(id)

    async def ttl(self, id: str) -> float | None:
        return self.inner.ttl(id)

    async def touch(self, id: str) -> bool:
        return self.inner.touch(id)

    async def update(self, id: str, changes: Any) -> bool:
        async with self.lock:
            await asyncio.sleep(0.01)
            return self.inner.update(id, changes)

    async def delete(self, id: str) -> bool:
        return self.inner.delete(id)

    async def sweep(self) -> int:
        return self.inner.sweep()

    async def list(self) -> list[str]:
        return self.inner.list()

    async def count(self) -> int:
        return self.inner.count()


class AsyncRacing(AsyncToy):
    """Reads, awaits, writes: updates at once are lost."""

    async def update(self, id: str, changes: Any) -> bool:
        data = dict(self.inner.kept[id]["data"])
        await asyncio.sleep(0.01)
        self.inner.kept[id] = {"data": {**data, **changes}, "at": time.time()}
        return True


class AsyncStuck(AsyncToy):
    """Takes its lock and never gives it back."""

    async def update(self, id: str, changes: Any) -> bool:
        await self.lock.acquire()
        return self.inner.update(id, changes)


def generated(idle: float = 60.0, limit: int | None = None) -> Iterator[Toy]:
    """Give a toy as a generator."""
    yield Toy(idle, limit)


@contextlib.contextmanager
def entered(idle: float = 60.0, limit: int | None = None) -> Iterator[Toy]:
    """Give a toy as a context manager."""
    yield Toy(idle, limit)


@contextlib.asynccontextmanager
async def async_entered(idle: float = 60.0, limit: int | None = None) -> AsyncIterator[AsyncToy]:
    """Give an async toy as an async context manager."""
    yield AsyncToy(idle, limit)


def leaving_badly(idle: float = 60.0, limit: int | None = None) -> Iterator[Toy]:
    """Give a toy, and fail when it is left."""
    yield Toy(idle, limit)
    raise OSError("the lid is stuck")


def a_profile(factory: Any = Toy, operations: dict[str, Any] | None = None, **tables: Any) -> Profile:
    """Return the profile of a toy: idle for 30 minutes, three sessions at most."""
    manager = {
        "factory": factory,
        "args": {"idle": "{idle_timeout}", "limit": "{limit}"},
        "callers": "threads",
        **tables.pop("manager", {}),
    }
    policy = {"idle_timeout": "30m", "limit": 3, "missing": {"exists": "false"}, **tables.pop("policy", {})}
    errors = {"limit": "OverflowError", "exists": "FileExistsError", **tables.pop("errors", {})}
    tables = {"operations": operations or OPERATIONS, "policy": policy, "errors": errors, **tables}
    return Profile.of({"manager": manager, **tables}, name="toy")


class Desk:
    """Sessions as objects that save themselves, under versions and owners; owns resources; tells metrics."""

    def __init__(self, idle: float = 60.0) -> None:
        self.idle = idle
        self.kept: dict[str, dict[str, Any]] = {}
        self.resources: dict[str, list[Any]] = {}

    def live(self, id: str) -> dict[str, Any] | None:
        entry = self.kept.get(id)
        return entry if entry is not None and time.time() - entry["at"] < self.idle else None

    def open(self, id: str, owner: str, data: Any) -> DeskSession:
        now = time.time()
        self.kept[id] = {"data": dict(data), "owner": owner, "version": 1, "at": now, "made": now}
        return DeskSession(self, id)

    def get(self, id: str) -> DeskSession | None:
        return None if self.live(id) is None else DeskSession(self, id)

    def write(self, id: str, data: Any, version: int) -> int | None:
        entry = self.live(id)
        if entry is None:
            return None
        if entry["version"] != version:
            raise BlockingIOError(f"{id} is at {entry['version']}")
        entry.update(data=dict(data), version=version + 1, at=time.time())
        return version + 1

    def attach(self, id: str, resource: Any) -> None:
        self.resources.setdefault(id, []).append(resource)

    def drop(self, id: str) -> bool:
        for resource in self.resources.pop(id, []):
            resource.close()
        return self.kept.pop(id, None) is not None

    def metrics(self) -> dict[str, int]:
        living = sum(self.live(id) is not None for id in self.kept)
        return {"total": len(self.kept), "active": living}


class DeskSession:
    """One session as its user holds it."""

    def __init__(self, desk: Desk, id: str) -> None:
        entry = desk.kept[id]
        self._desk, self.id = desk, id
        self.data, self.owner, self.version = dict(entry["data"]), entry["owner"], entry["version"]

    def save(self) -> int | None:
        version = self._desk.write(self.id, self.data, self.version)
        self.version = version or self.version
        return version


DESK = {
    "create": "open(id, owner, data) -> session",
    "get": "get(id) -> session",
    "save": "write(id, data, version) -> version",
    "update": "session.save() -> version",
    "attach": "attach(id, resource)",
    "delete": "drop(id) -> found",
    "metrics": "metrics() -> metrics",
}


def a_desk(operations: dict[str, Any] | None = None, **tables: Any) -> Profile:
    """Return the profile of a desk: idle for 30 minutes."""
    return Profile.of(
        {
            "manager": {"factory": tables.pop("factory", Desk), "args": {"idle": "{idle_timeout}"}},
            "operations": operations or DESK,
            "session": {"id": "id", "data": "data", "owner": "owner", "version": "version"},
            "policy": {"idle_timeout": "30m", "resource": "close()", **tables.pop("policy", {})},
            "errors": {"conflict": "BlockingIOError"},
            "metrics": {"total": "total", "active": "active"},
            **tables,
        },
        name="desk",
    )
