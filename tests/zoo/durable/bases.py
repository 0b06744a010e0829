"""Sessions in a SQLite file; and what is wrong in stores like it."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
import uuid
from pathlib import Path
from typing import Any


class Damaged(Exception):
    """A row or the file cannot be read."""


class Base:
    """Sound: every operation is one transaction, flushed when it is committed; a row has a checksum."""

    synchronous = "full"
    journal = "wal"

    def __init__(self, root: str, idle: float = 600.0) -> None:
        self.idle = idle
        try:
            self.base = sqlite3.connect(Path(root, "sessions.db"), isolation_level=None)
            self.base.execute(f"pragma journal_mode={self.journal}")
            self.base.execute(f"pragma synchronous={self.synchronous}")
            self.base.execute("create table if not exists s (id text primary key, document text, seal text)")
        except sqlite3.DatabaseError as error:
            raise Damaged(str(error)) from error

    def asked(self, text: str, *values: Any) -> list[Any]:
        try:
            return self.base.execute(text, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise Damaged(str(error)) from error

    def seal(self, id: str, document: str) -> str:
        return hashlib.sha256(f"{id} {document}".encode()).hexdigest()

    def write(self, id: str, document: Any) -> None:
        text = json.dumps(document)
        self.asked("insert or replace into s values (?, ?, ?)", id, text, self.seal(id, text))

    def opened(self, id: str, document: str, seal: str) -> Any:
        if self.seal(id, document) != seal:
            raise Damaged(id)
        return json.loads(document)

    def read(self, id: str) -> Any:
        for row in self.asked("select id, document, seal from s where id = ?", id):
            found = self.opened(*row)
            return None if time.time() - found["seen"] >= self.idle else found
        return None

    def create(self, data: Any = None) -> str:
        id = uuid.uuid4().hex
        self.write(id, {"data": data or {}, "seen": time.time()})
        return id

    def get(self, id: str) -> Any:
        found = self.read(id)
        return None if found is None else found["data"]

    def update(self, id: str, changes: Any) -> bool:
        found = self.read(id)
        if found is None:
            return False
        self.write(id, {"data": {**found["data"], **changes}, "seen": time.time()})
        return True

    def touch(self, id: str) -> bool:
        found = self.read(id)
        if found is None:
            return False
        self.write(id, {**found, "seen": time.time()})
        return True

    def delete(self, id: str) -> bool:
        found = self.read(id)
        self.asked("delete from s where id = ?", id)
        return found is not None

    def list(self) -> list[str]:
        return [id for (id,) in self.asked("select id from s order by id") if self.read(id) is not None]

    def close(self) -> None:
        self.base.close()


class Extra(Base):
    """Sound: a rollback journal, the folder flushed when that goes."""

    synchronous = "extra"
    journal = "delete"


class Normal(Base):
    """The log is flushed now and then: the last transactions go with the power."""

    synchronous = "normal"


class LateCommit(Base):
    """One transaction for ever, committed when it is closed."""

    def __init__(self, root: str, idle: float = 600.0) -> None:
        super().__init__(root, idle)
        self.base.execute("begin")

    def close(self) -> None:
        self.base.execute("commit")
        super().close()


class TwoTransactions(Base):
    """A row is removed by one transaction and written by the next."""

    def write(self, id: str, document: Any) -> None:
        self.asked("delete from s where id = ?", id)
        super().write(id, document)


class RowUnsealed(Base):
    """A row is believed, whatever its checksum says."""

    def opened(self, id: str, document: str, seal: str) -> Any:
        try:
            return json.loads(document)
        except ValueError:
            raise Damaged(id) from None


class SoftDelete(Base):
    """What is deleted is forgotten in memory, and comes back with the next process."""

    def __init__(self, root: str, idle: float = 600.0) -> None:
        super().__init__(root, idle)
        self.gone: set[str] = set()

    def read(self, id: str) -> Any:
        return None if id in self.gone else super().read(id)

    def delete(self, id: str) -> bool:
        found = self.read(id) is not None
        self.gone.add(id)
        return found
