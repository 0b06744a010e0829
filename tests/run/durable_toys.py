"""Managers that keep their sessions in files: sound ones, and some that a crash finds wanting."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
import uuid
from pathlib import Path
from typing import Any

from pytest_sessionguard.target.shape import Profile

OPERATIONS = {
    "create": "create(data?) -> id",
    "get": "get(id) -> data",
    "update": "update(id, changes) -> found",
    "touch": "touch(id) -> found",
    "delete": "delete(id) -> found",
    "list": "list() -> ids",
    "close": "close()",
}


class FileSessions:
    """One document a session, written beside and moved into place, everything flushed."""

    def __init__(self, root: str, idle: float = 600.0) -> None:
        self.root, self.idle = Path(root), idle
        for left in self.root.glob("*.new"):
            left.unlink()

    def path(self, id: str) -> Path:
        return self.root / f"{id}.json"

    def write(self, id: str, data: Any) -> None:
        document = json.dumps({"data": data, "seen": time.time()})
        fresh = self.root / f"{id}.new"
        with fresh.open("w") as file:
            file.write(document)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, self.path(id))
        self.sync()

    def sync(self) -> None:
        descriptor = os.open(self.root, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)

    def read(self, id: str) -> Any:
        try:
            found = json.loads(self.path(id).read_text())
        except FileNotFoundError:
            return None
        return None if time.time() - found["seen"] >= self.idle else found

    def create(self, data: Any = None) -> str:
        id = uuid.uuid4().hex
        self.write(id, data or {})
        return id

    def get(self, id: str) -> Any:
        found = self.read(id)
        return None if found is None else found["data"]

    def update(self, id: str, changes: Any) -> bool:
        found = self.read(id)
        if found is not None:
            self.write(id, {**found["data"], **changes})
        return found is not None

    def touch(self, id: str) -> bool:
        return self.update(id, {})

    def delete(self, id: str) -> bool:
        found = self.read(id)
        if found is not None:
            self.path(id).unlink()
            self.sync()
        return found is not None

    def list(self) -> list[str]:
        return [path.stem for path in sorted(self.root.glob("*.json")) if self.read(path.stem) is not None]

    def close(self) -> None:
        pass


class InPlace(FileSessions):
    """Writes over the only copy."""

    def write(self, id: str, data: Any) -> None:
        with self.path(id).open("w") as file:
            file.write(json.dumps({"data": data, "seen": time.time()}))
            file.flush()
            os.fsync(file.fileno())
        self.sync()


class Unflushed(FileSessions):
    """Never flushes the folder: what is right after a kill need not be after a power loss."""

    def sync(self) -> None:
        pass


class Undeleted(FileSessions):
    """Flushes all but deletions."""

    def delete(self, id: str) -> bool:
        found = self.read(id)
        if found is not None:
            self.path(id).unlink()
        return found is not None


class Lazy(FileSessions):
    """Keeps the last change in memory until it is closed."""

    def __init__(self, root: str, idle: float = 600.0) -> None:
        super().__init__(root, idle)
        self.waiting: dict[str, Any] = {}

    def read(self, id: str) -> Any:
        return self.waiting.get(id) or super().read(id)

    def update(self, id: str, changes: Any) -> bool:
        found = self.read(id)
        if found is not None:
            self.waiting[id] = {"data": {**found["data"], **changes}, "seen": time.time()}
        return found is not None

    def delete(self, id: str) -> bool:
        self.waiting.pop(id, None)
        return super().delete(id)

    def close(self) -> None:
        for id, found in self.waiting.items():
            super().write(id, found["data"])


class Monotonic(FileSessions):
    """Writes down what the monotonic clock showed, which means nothing after a boot."""

    def write(self, id: str, data: Any) -> None:
        super().write(id, {"data": data, "at": time.monotonic()})

    def read(self, id: str) -> Any:
        found = super().read(id)
        if found is None or not 0 <= time.monotonic() - found["data"]["at"] < self.idle:
            return None
        return found["data"]


class Recovering(FileSessions):
    """Moves what was left half made away when it is told to recover, in a way that can be crashed."""

    step_by_step = False

    def recover(self) -> None:
        for path in self.root.glob("*.json"):
            if not self.step_by_step:
                self.read(path.stem)
                continue
            text = path.read_text()
            path.unlink()
            with path.open("w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            self.sync()


class CrashedRecovery(Recovering):
    """Removes each document before it writes it anew."""

    step_by_step = True


class OnlyOnce(FileSessions):
    """Opens what it has left the first time, and no more."""

    def __init__(self, root: str, idle: float = 600.0) -> None:
        super().__init__(root, idle)
        mark = self.root / "opened"
        if any(self.root.glob("*.json")):
            if mark.exists():
                for path in self.root.glob("*.json"):
                    path.unlink()
            mark.write_text("")


class AsyncFiles:
    """The same, async."""

    def __init__(self, root: str, idle: float = 600.0) -> None:
        self.inner = FileSessions(root, idle)

    def __getattr__(self, name: str) -> Any:
        async def call(*args: Any, **named: Any) -> Any:
            return getattr(self.inner, name)(*args, **named)

        return call


class Unopenable(FileSessions):
    """Refuses to open what a crash has left."""

    def __init__(self, root: str, idle: float = 600.0) -> None:
        if list(Path(root).glob("*.new")):
            raise RuntimeError("somebody is writing")
        super().__init__(root, idle)


class SqliteSessions(FileSessions):
    """In a SQLite file, which is written past Python."""

    def __init__(self, root: str, idle: float = 600.0) -> None:
        super().__init__(root, idle)
        self.base = sqlite3.connect(os.path.join(root, "s.db"), isolation_level=None)
        self.base.execute("pragma journal_mode=wal")
        self.base.execute("create table if not exists s (id text primary key, data text, seen real)")

    def write(self, id: str, data: Any) -> None:
        self.base.execute("insert or replace into s values (?, ?, ?)", (id, json.dumps(data), time.time()))

    def read(self, id: str) -> Any:
        row = self.base.execute("select data, seen from s where id = ?", (id,)).fetchone()
        if row is None or time.time() - row[1] >= self.idle:
            return None
        return {"data": json.loads(row[0]), "seen": row[1]}

    def delete(self, id: str) -> bool:
        found = self.read(id) is not None
        self.base.execute("delete from s where id = ?", (id,))
        return found

    def list(self) -> list[str]:
        return [id for (id,) in self.base.execute("select id from s") if self.read(id) is not None]

    def close(self) -> None:
        self.base.close()


class SqliteOutsideOfTransactions(SqliteSessions):
    """Answers before it has committed."""

    def __init__(self, root: str, idle: float = 600.0) -> None:
        super().__init__(root, idle)
        self.base.execute("begin")

    def close(self) -> None:
        self.base.execute("commit")
        super().close()


def a_profile(factory: Any, *, operations: Any = (), survives: Any = "power-loss", **policy: Any) -> Profile:
    """Return the profile of a durable toy: idle for ten minutes."""
    return Profile.of(
        {
            "manager": {"factory": factory, "args": {"root": "{dir}", "idle": "{idle_timeout}"}},
            "operations": {**OPERATIONS, **dict(operations)},
            "policy": {"idle_timeout": "10m", "missing": {"get": "none"}, "survives": survives, **policy},
        },
        name="durable toy",
    )


class SqliteUnflushed(SqliteSessions):
    """Tells SQLite not to flush its log: right after a kill, and wrong after a power loss."""

    def __init__(self, root: str, idle: float = 600.0) -> None:
        super().__init__(root, idle)
        self.base.execute("pragma synchronous=normal")


def in_disguise(root: str, idle: float = 600.0) -> AsyncFiles:
    """Return an async manager of which nobody can tell before it is called."""
    return AsyncFiles(root, idle)


class Cleaning(FileSessions):
    """Removes expired sessions by a thread of its own, while nobody calls."""

    def __init__(self, root: str, idle: float = 600.0) -> None:
        super().__init__(root, idle)
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.clean, daemon=True)
        self.thread.start()

    def clean(self) -> None:
        while not self.stopped.wait(300):
            for path in sorted(self.root.glob("*.json")):
                if self.read(path.stem) is None:
                    path.unlink()
                    self.sync()

    def close(self) -> None:
        self.stopped.set()
        self.thread.join()
