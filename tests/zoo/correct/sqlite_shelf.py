"""Sessions in a SQLite file, in whole seconds as `int(time.time())`: they outlive the process that made them."""

from __future__ import annotations

import json
import sqlite3
import time
import uuid
from typing import Any

_TABLE = "CREATE TABLE IF NOT EXISTS shelf (id TEXT PRIMARY KEY, data TEXT, version INTEGER, seen INTEGER)"


class ShelfFull(Exception):
    """There is no room."""


class Conflict(Exception):
    """Somebody else saved first."""


class SqliteShelf:
    """Keeps one row a session."""

    def __init__(self, path: str, idle_s: int, room: int) -> None:
        self.idle_s = idle_s
        self.room = room
        self.file = sqlite3.connect(path, isolation_level=None)
        self.file.execute(_TABLE)

    def close(self) -> None:
        """Let the file go."""
        self.file.close()

    def _live_since(self) -> int:
        return int(time.time()) - self.idle_s

    def purge(self) -> int:
        """Remove what is over and return how much that was."""
        return self.file.execute("DELETE FROM shelf WHERE seen <= ?", (self._live_since(),)).rowcount

    def add(self, data: dict[str, Any]) -> str:
        """Begin a session and return its id."""
        self.purge()
        if self.count() >= self.room:
            raise ShelfFull(f"{self.room} sessions at most")
        session_id = uuid.uuid4().hex
        row = (session_id, json.dumps(data), int(time.time()))
        self.file.execute("INSERT INTO shelf VALUES (?, ?, 1, ?)", row)
        return session_id

    def load(self, session_id: str) -> dict[str, Any] | None:
        """Return data and version, or None."""
        sql = "SELECT data, version FROM shelf WHERE id = ? AND seen > ?"
        row = self.file.execute(sql, (session_id, self._live_since())).fetchone()
        return None if row is None else {"id": session_id, "data": json.loads(row[0]), "version": row[1]}

    def store(self, session_id: str, data: dict[str, Any], version: int) -> int | None:
        """Replace the data of a session at this version; returns the new version, or None where there is none."""
        if self.load(session_id) is None:
            return None
        sql = "UPDATE shelf SET data = ?, version = version + 1, seen = ? WHERE id = ? AND version = ?"
        done = self.file.execute(sql, (json.dumps(data), int(time.time()), session_id, version))
        if not done.rowcount:
            raise Conflict(session_id)
        return version + 1

    def touch(self, session_id: str) -> bool:
        """Renew the session; False when there is none."""
        sql = "UPDATE shelf SET seen = ? WHERE id = ? AND seen > ?"
        return self.file.execute(sql, (int(time.time()), session_id, self._live_since())).rowcount == 1

    def remove(self, session_id: str) -> bool:
        """Forget the session; False when there was none."""
        sql = "DELETE FROM shelf WHERE id = ? AND seen > ?"
        return self.file.execute(sql, (session_id, self._live_since())).rowcount == 1

    def count(self) -> int:
        """Count the sessions."""
        sql = "SELECT count(*) FROM shelf WHERE seen > ?"
        return int(self.file.execute(sql, (self._live_since(),)).fetchone()[0])

    def ids(self) -> list[str]:
        """Return the ids of the sessions."""
        sql = "SELECT id FROM shelf WHERE seen > ?"
        return [row[0] for row in self.file.execute(sql, (self._live_since(),))]
