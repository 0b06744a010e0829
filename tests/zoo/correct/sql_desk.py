"""Desks in a SQLite file for threads: a connection for every call, readers that never wait, writers one at a time.

Writers stand in line before they begin a transaction, so that none finds the file locked; what they decide and what
they write is one transaction.  Readers see what was committed.  One connection is kept open for as long as the manager
is, so that the last one to leave does not tidy the log away under another.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

_TABLE = "CREATE TABLE IF NOT EXISTS desk (id TEXT PRIMARY KEY, owner TEXT, data TEXT, made INTEGER, used INTEGER)"


class DeskGone(Exception):
    """There is no such desk."""


class SqlDesk:
    """Keeps a row for each desk; an owner has a few, and his oldest makes room."""

    def __init__(self, path: str, idle_s: float, per_owner: int) -> None:
        self.path = path
        self.idle_ns = round(idle_s * 1_000_000_000)
        self.per_owner = per_owner
        self.line = threading.Lock()
        self.keeper = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self.keeper.execute("PRAGMA journal_mode = WAL")
        self.keeper.execute(_TABLE)

    def close(self) -> None:
        """Let the file go."""
        self.keeper.close()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as file:
            yield file

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self.line, self._reading() as file:
            file.execute("BEGIN IMMEDIATE")
            try:
                yield file
            except BaseException:
                file.execute("ROLLBACK")
                raise
            file.execute("COMMIT")

    def _since(self) -> int:
        return time.time_ns() - self.idle_ns

    def open(self, owner: str, data: dict[str, Any]) -> str:
        """Begin a desk and return its id."""
        desk_id, now = uuid.uuid4().hex, time.time_ns()
        with self._writing() as file:
            file.execute("DELETE FROM desk WHERE used <= ?", (self._since(),))
            sql = "SELECT id FROM desk WHERE owner = ? ORDER BY rowid"
            mine = [row[0] for row in file.execute(sql, (owner,))]
            for old in mine[: max(0, len(mine) - self.per_owner + 1)]:
                file.execute("DELETE FROM desk WHERE id = ?", (old,))
            file.execute("INSERT INTO desk VALUES (?, ?, ?, ?, ?)", (desk_id, owner, json.dumps(data), now, now))
        return desk_id

    def look(self, desk_id: str) -> dict[str, Any]:
        """Return owner and data."""
        with self._reading() as file:
            sql = "SELECT owner, data FROM desk WHERE id = ? AND used > ?"
            row = file.execute(sql, (desk_id, self._since())).fetchone()
        if row is None:
            raise DeskGone(desk_id)
        return {"id": desk_id, "owner": row[0], "data": json.loads(row[1])}

    def sit(self, desk_id: str) -> None:
        """Renew a desk."""
        with self._writing() as file:
            sql = "UPDATE desk SET used = ? WHERE id = ? AND used > ?"
            if not file.execute(sql, (time.time_ns(), desk_id, self._since())).rowcount:
                raise DeskGone(desk_id)

    def note(self, desk_id: str, changes: dict[str, Any]) -> None:
        """Merge changes into the data."""
        with self._writing() as file:
            sql = "SELECT data FROM desk WHERE id = ? AND used > ?"
            row = file.execute(sql, (desk_id, self._since())).fetchone()
            if row is None:
                raise DeskGone(desk_id)
            data = json.dumps({**json.loads(row[0]), **changes})
            file.execute("UPDATE desk SET data = ?, used = ? WHERE id = ?", (data, time.time_ns(), desk_id))

    def leave(self, desk_id: str) -> bool:
        """Give a desk up; False when there was none."""
        with self._writing() as file:
            sql = "DELETE FROM desk WHERE id = ? AND used > ?"
            return file.execute(sql, (desk_id, self._since())).rowcount == 1

    def of(self, owner: str) -> list[str]:
        """Return the ids of an owner's desks."""
        with self._reading() as file:
            sql = "SELECT id FROM desk WHERE owner = ? AND used > ?"
            return [row[0] for row in file.execute(sql, (owner, self._since()))]

    def clean(self) -> int:
        """Remove what is over and return how much that was."""
        with self._writing() as file:
            return file.execute("DELETE FROM desk WHERE used <= ?", (self._since(),)).rowcount
