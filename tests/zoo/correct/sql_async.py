"""Documents in a SQLite file for asyncio: one connection, and so one lock, for readers as well as for writers.

A transaction waits in its middle.  On one connection everybody sees what is not committed yet, so a reader has to wait
too; and whoever is cancelled in the middle takes back what he has begun.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any

_TABLES = """
CREATE TABLE IF NOT EXISTS doc (id TEXT PRIMARY KEY, version INTEGER, used INTEGER);
CREATE TABLE IF NOT EXISTS page (id TEXT, version INTEGER, data TEXT, PRIMARY KEY (id, version));
"""


class DocGone(Exception):
    """There is no such document."""


class DocExists(Exception):
    """There is a document of this id."""


class DocOutdated(Exception):
    """The document is at another version."""


class SqlAsync:
    """Keeps documents and their last versions."""

    def __init__(self, path: str, idle_s: float, remembered: int) -> None:
        self.path = path
        self.idle_ns = round(idle_s * 1_000_000_000)
        self.remembered = remembered
        self.lock = asyncio.Lock()

    async def __aenter__(self) -> SqlAsync:
        self.file = sqlite3.connect(self.path, isolation_level=None)
        self.file.executescript(_TABLES)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.file.close()

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[None]:
        async with self.lock:
            self.file.execute("BEGIN")
            try:
                yield
            except BaseException:
                self.file.execute("ROLLBACK")
                raise
            self.file.execute("COMMIT")

    def _version(self, doc_id: str) -> int:
        sql = "SELECT version FROM doc WHERE id = ? AND used > ?"
        row = self.file.execute(sql, (doc_id, time.time_ns() - self.idle_ns)).fetchone()
        if row is None:
            raise DocGone(doc_id)
        return int(row[0])

    def _data(self, doc_id: str, version: int) -> dict[str, Any]:
        row = self.file.execute("SELECT data FROM page WHERE id = ? AND version = ?", (doc_id, version)).fetchone()
        found: dict[str, Any] = json.loads(row[0])
        return found

    def _drop(self, doc_id: str) -> None:
        self.file.execute("DELETE FROM doc WHERE id = ?", (doc_id,))
        self.file.execute("DELETE FROM page WHERE id = ?", (doc_id,))

    async def _add_page(self, doc_id: str, version: int, data: dict[str, Any]) -> None:
        """Write a version; time may have passed meanwhile, so that the document may be over."""
        self.file.execute("INSERT INTO page VALUES (?, ?, ?)", (doc_id, version, json.dumps(data)))
        await asyncio.sleep(0)
        self._version(doc_id)
        sql = "UPDATE doc SET version = ?, used = ? WHERE id = ?"
        self.file.execute(sql, (version, time.time_ns(), doc_id))
        oldest = version - self.remembered
        self.file.execute("DELETE FROM page WHERE id = ? AND version <= ?", (doc_id, oldest))

    async def create(self, doc_id: str, data: dict[str, Any]) -> int:
        """Begin a document; its version is 1."""
        async with self._transaction():
            sql = "SELECT count(*) FROM doc WHERE id = ? AND used > ?"
            if self.file.execute(sql, (doc_id, time.time_ns() - self.idle_ns)).fetchone()[0]:
                raise DocExists(doc_id)
            self._drop(doc_id)
            self.file.execute("INSERT INTO doc VALUES (?, 1, ?)", (doc_id, time.time_ns()))
            await asyncio.sleep(0)
            self.file.execute("INSERT INTO page VALUES (?, 1, ?)", (doc_id, json.dumps(data)))
        return 1

    async def read(self, doc_id: str) -> dict[str, Any] | None:
        """Return data and version, or None."""
        async with self.lock:
            try:
                version = self._version(doc_id)
            except DocGone:
                return None
            return {"id": doc_id, "version": version, "data": self._data(doc_id, version)}

    async def touch(self, doc_id: str) -> None:
        """Renew a document."""
        async with self._transaction():
            self._version(doc_id)
            self.file.execute("UPDATE doc SET used = ? WHERE id = ?", (time.time_ns(), doc_id))

    async def update(self, doc_id: str, changes: dict[str, Any]) -> int:
        """Merge changes into the data; returns the new version."""
        async with self._transaction():
            version = self._version(doc_id)
            await self._add_page(doc_id, version + 1, {**self._data(doc_id, version), **changes})
            return version + 1

    async def save(self, doc_id: str, data: dict[str, Any], version: int) -> int:
        """Replace the data of a version; returns the new one."""
        async with self._transaction():
            if self._version(doc_id) != version:
                raise DocOutdated(doc_id)
            await self._add_page(doc_id, version + 1, data)
            return version + 1

    async def delete(self, doc_id: str) -> None:
        """Forget a document."""
        async with self._transaction():
            self._version(doc_id)
            await asyncio.sleep(0)
            self._version(doc_id)
            self._drop(doc_id)

    async def versions(self, doc_id: str) -> list[int]:
        """Return the versions remembered, the newest first."""
        async with self.lock:
            self._version(doc_id)
            sql = "SELECT version FROM page WHERE id = ? ORDER BY version DESC"
            return [row[0] for row in self.file.execute(sql, (doc_id,))]

    async def ids(self) -> list[str]:
        """Return the ids of the documents that live."""
        async with self.lock:
            sql = "SELECT id FROM doc WHERE used > ?"
            return [row[0] for row in self.file.execute(sql, (time.time_ns() - self.idle_ns,))]

    async def purge(self) -> int:
        """Forget what is over and return how much that was."""
        async with self._transaction():
            sql = "SELECT id FROM doc WHERE used <= ?"
            over = [row[0] for row in self.file.execute(sql, (time.time_ns() - self.idle_ns,))]
            for doc_id in over:
                self._drop(doc_id)
            return len(over)
