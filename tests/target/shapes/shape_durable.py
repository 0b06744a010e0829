"""A durable one: a file, timedelta settings, whole seconds, versions, statuses, start and close."""

from __future__ import annotations

import json
import sqlite3
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path


class StaleVersion(Exception):
    """Somebody else wrote first."""


class NoSuchSession(LookupError):
    """Nothing has this id."""


@dataclass(frozen=True)
class Record:
    sid: str
    owner: str
    data: dict[str, object]
    revision: int
    status: str


class SqliteSessions:
    def __init__(self, db_path: str | Path, idle_timeout: timedelta = timedelta(minutes=30)) -> None:
        self._path = db_path
        self._idle = idle_timeout

    def start(self) -> None:
        self._db = sqlite3.connect(self._path, isolation_level=None)
        self._db.execute("create table if not exists s (sid text primary key, owner, data, revision, seen)")

    def close(self) -> None:
        self._db.close()

    def register(self, sid: str, owner: str, data: dict[str, object] | None = None) -> None:
        row = (sid, owner, json.dumps(data or {}), 1, int(time.time()))
        self._db.execute("insert or replace into s values (?, ?, ?, ?, ?)", row)

    def fetch(self, sid: str) -> Record | None:
        row = self._db.execute("select * from s where sid = ?", (sid,)).fetchone()
        if row is None:
            return None
        expired = int(time.time()) - row[4] >= self._idle.total_seconds()
        return Record(row[0], row[1], json.loads(row[2]), row[3], "expired" if expired else "active")

    def save(self, sid: str, data: dict[str, object], expected_version: int) -> int:
        record = self.fetch(sid)
        if record is None:
            raise NoSuchSession(sid)
        if record.revision != expected_version:
            raise StaleVersion(sid)
        change = (json.dumps(data), expected_version + 1, int(time.time()), sid)
        self._db.execute("update s set data = ?, revision = ?, seen = ? where sid = ?", change)
        return expected_version + 1

    def refresh(self, sid: str) -> bool:
        done = self._db.execute("update s set seen = ? where sid = ?", (int(time.time()), sid))
        return done.rowcount > 0

    def remove(self, sid: str) -> bool:
        return self._db.execute("delete from s where sid = ?", (sid,)).rowcount > 0

    def list_sessions(self, owner: str | None = None) -> list[str]:
        rows = self._db.execute("select sid from s where owner = coalesce(?, owner)", (owner,))
        return [sid for (sid,) in rows]
