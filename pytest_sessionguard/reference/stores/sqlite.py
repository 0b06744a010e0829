"""Sessions in a SQLite file: what is acknowledged outlives the process and a loss of power.

WAL with `synchronous=FULL`: a commit returns when it is on the disk.  Every transaction takes the write lock at its
begin, so checks (the limit, a version) and writes are one step among all processes that share the file.  The latest
instant is kept in the file, too: no process, and no restart, sees time go backwards.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from pytest_sessionguard.errors import ManagerClosed, SessionError, StoreBusy, StoreDamaged
from pytest_sessionguard.reference.documents import Document
from pytest_sessionguard.reference.sessions import Session, Status
from pytest_sessionguard.reference.stores import Census, Everyone, Ledger, Scope, StoreKind

T = TypeVar("T")

LAYOUT: Final = 1  # `user_version` of the file
BUSY_SECS: Final = 5.0

# AUTOINCREMENT: the serial of a session that was removed is never given again.
_SCHEMA: Final = (
    """
    CREATE TABLE session (
        serial INTEGER PRIMARY KEY AUTOINCREMENT,
        session_id TEXT NOT NULL UNIQUE,
        client_id TEXT,
        capabilities TEXT NOT NULL,
        data TEXT NOT NULL,
        status TEXT NOT NULL,
        version INTEGER NOT NULL,
        created_us INTEGER NOT NULL,
        last_active_us INTEGER NOT NULL,
        expires_us INTEGER,
        idle_us INTEGER,
        dies_us INTEGER,
        grace_us INTEGER,
        left_us INTEGER,
        replaced_by TEXT,
        settled INTEGER NOT NULL
    )
    """,
    "CREATE INDEX session_expires ON session (expires_us) WHERE status = 'active'",
    "CREATE INDEX session_expired ON session (serial) WHERE status <> 'active'",
    "CREATE INDEX session_owner ON session (client_id, serial)",
    "CREATE TABLE latest (one INTEGER PRIMARY KEY CHECK (one = 1), now_us INTEGER NOT NULL)",
    "INSERT INTO latest VALUES (1, 0)",
    f"PRAGMA user_version = {LAYOUT}",
)

_COLUMNS: Final = (
    "serial",
    "session_id",
    "client_id",
    "capabilities",
    "data",
    "status",
    "version",
    "created_us",
    "last_active_us",
    "expires_us",
    "idle_us",
    "dies_us",
    "grace_us",
    "left_us",
    "replaced_by",
    "settled",
)
_SELECT: Final = f"SELECT {', '.join(_COLUMNS)} FROM session"
_INSERT: Final = f"INSERT INTO session ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"
_UPDATE: Final = f"UPDATE session SET {', '.join(f'{column} = ?' for column in _COLUMNS[1:])} WHERE serial = ?"
_LIVE: Final = "status = 'active' AND (expires_us IS NULL OR expires_us > ?)"

Row = tuple[object, ...]


class SqliteLedger:
    """One transaction under way."""

    def __init__(self, connection: sqlite3.Connection, place: str, now_us: int) -> None:
        self.now_us = now_us
        self._connection = connection
        self._place = place

    def find(self, session_id: str) -> Session | None:
        """Return the stored session, live or dead."""
        return _first(self._sessions(f"{_SELECT} WHERE session_id = ?", session_id))

    def holds(self, serial: int) -> bool:
        """Tell whether a session of this serial is stored."""
        return bool(self._number("SELECT count(*) FROM session WHERE serial = ?", serial))

    def next_serial(self) -> int:
        """Return a number that no session of this store ever had."""
        return 1 + self._number("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'session'")

    def add(self, session: Session) -> None:
        """Keep a new session; its id is free."""
        self._connection.execute(_INSERT, _row(session))

    def put(self, before: Session, after: Session) -> None:
        """Keep `after` in the place of `before`: the same serial, perhaps another id."""
        self._connection.execute(_UPDATE, (*_row(after)[1:], before.serial))

    def remove(self, session: Session) -> None:
        """Forget a session."""
        self._connection.execute("DELETE FROM session WHERE serial = ?", (session.serial,))

    def count(self, scope: Scope) -> int:
        """Count the live sessions of an owner, or of everyone."""
        which, arguments = _of(scope)
        return self._number(f"SELECT count(*) FROM session WHERE {_LIVE}{which}", self.now_us, *arguments)

    def oldest(self, scope: Scope) -> Session | None:
        """Return the live session that was created first."""
        which, arguments = _of(scope)
        return _first(
            self._sessions(f"{_SELECT} WHERE {_LIVE}{which} ORDER BY serial LIMIT 1", self.now_us, *arguments)
        )

    def ids(self, scope: Scope) -> list[str]:
        """Return the ids of the live sessions in the order of their creation."""
        which, arguments = _of(scope)
        query = f"SELECT session_id FROM session WHERE {_LIVE}{which} ORDER BY serial"
        return [row[0] for row in self._connection.execute(query, (self.now_us, *arguments))]

    def dead(self, at_most: int) -> Sequence[Session]:
        """Return stored sessions that have run out of time, marked or not."""
        marked = self._sessions(f"{_SELECT} WHERE status <> 'active' LIMIT ?", at_most)
        due = f"{_SELECT} WHERE status = 'active' AND expires_us <= ? ORDER BY expires_us LIMIT ?"
        return [*marked, *self._sessions(due, self.now_us, at_most - len(marked))]

    def some(self, at_most: int) -> Sequence[Session]:
        """Return stored sessions, whichever."""
        return self._sessions(f"{_SELECT} LIMIT ?", at_most)

    def census(self) -> Census:
        """Count."""
        figures = "count(*), min(created_us), max(created_us), coalesce(sum(? - created_us), 0)"
        live = f"SELECT {figures} FROM session WHERE {_LIVE}"
        active, oldest_us, newest_us, age_sum_us = self._connection.execute(live, (self.now_us,) * 2).fetchone()
        total = self._number("SELECT count(*) FROM session")
        settled = self._number("SELECT count(*) FROM session WHERE status <> 'active' AND settled")
        return Census(
            active=active,
            oldest_created_us=oldest_us,
            newest_created_us=newest_us,
            age_sum_us=age_sum_us,
            total=total,
            unsettled=total - active - settled,
        )

    def _number(self, query: str, *arguments: object) -> int:
        return int(self._connection.execute(query, arguments).fetchone()[0])

    def _sessions(self, query: str, *arguments: object) -> list[Session]:
        return [_session(row, self._place) for row in self._connection.execute(query, arguments)]


class SqliteStore:
    """One file.  Its threads share one connection; a process that was forked opens its own."""

    durable = True

    def __init__(self, path: str) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._process = 0
        self._forsaken: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        self._now_us = 0

    def open(self) -> None:
        """Open the file, made if it is missing.

        Raises:
            StoreDamaged: not a file of this kind.
            StoreBusy: another process does not let go of it.
        """
        with self._lock:
            if self._connection is None:
                self._connect()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is None:
                return
            if self._process == os.getpid():
                connection.close()
            else:
                self._forsaken.append(connection)

    def instant(self, now_us: int) -> int:
        """Return `now_us`, or the latest instant this process has seen when that is later."""
        with self._lock:
            self._now_us = max(self._now_us, now_us)
            return self._now_us

    def look(self, session_id: str) -> Session | None:
        """Return a session as it was committed last; readers never wait for a writer."""
        with self._lock:
            try:
                rows = self._open_connection().execute(f"{_SELECT} WHERE session_id = ?", (session_id,)).fetchall()
            except sqlite3.Error as problem:
                raise _explained(problem, self._path) from problem
        return _session(rows[0], self._path) if rows else None

    def transact(self, work: Callable[[Ledger], T], now_us: int) -> T:
        """Run `work` as one transaction that all processes see whole or not at all.

        Raises:
            StoreBusy: another process held the file for longer than five seconds.
            StoreDamaged: the file cannot be read.
        """
        with self._lock:
            connection = self._open_connection()
            try:
                connection.execute("BEGIN IMMEDIATE")
                latest = "UPDATE latest SET now_us = max(now_us, ?) RETURNING now_us"
                self._now_us = max(self._now_us, now_us)
                ((self._now_us,),) = connection.execute(latest, (self._now_us,)).fetchall()
                try:
                    answer = work(SqliteLedger(connection, self._path, self._now_us))
                except SessionError:
                    connection.execute("COMMIT")  # a refusal is an answer: an expiry that was seen stays seen
                    raise
                connection.execute("COMMIT")
                return answer
            except sqlite3.Error as problem:
                raise _explained(problem, self._path) from problem
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def _open_connection(self) -> sqlite3.Connection:
        if self._connection is None:
            raise ManagerClosed
        if self._process != os.getpid():
            self._forsaken.append(self._connection)  # the parent's: using it, or letting it be closed, breaks its locks
            return self._connect()
        return self._connection

    def _connect(self) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(self._path, timeout=BUSY_SECS, isolation_level=None, check_same_thread=False)
        except sqlite3.Error as problem:
            raise _explained(problem, self._path) from problem
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN IMMEDIATE")  # of several processes that find no table, one makes it
            (layout,) = connection.execute("PRAGMA user_version").fetchone()
            if layout == 0:
                for statement in _SCHEMA:
                    connection.execute(statement)
            elif layout != LAYOUT:
                raise StoreDamaged(self._path, f"its layout is {layout}, this version knows {LAYOUT}")
            (now_us,) = connection.execute("SELECT now_us FROM latest").fetchone()
            connection.execute("COMMIT")
        except sqlite3.Error as problem:
            connection.close()
            raise _explained(problem, self._path) from problem
        except BaseException:
            connection.close()
            raise
        self._now_us = max(self._now_us, now_us)
        self._connection, self._process = connection, os.getpid()
        return connection


def _of(scope: Scope) -> tuple[str, tuple[object, ...]]:
    return ("", ()) if isinstance(scope, Everyone) else (" AND client_id IS ?", (scope,))


def _row(session: Session) -> Row:
    return (
        session.serial,
        session.session_id,
        session.client_id,
        json.dumps(session.capabilities),
        json.dumps(session.data),
        session.status.value,
        session.version,
        session.created_us,
        session.last_active_us,
        session.expires_us,
        session.idle_us,
        session.dies_us,
        session.grace_us,
        session.left_us,
        session.replaced_by,
        session.settled,
    )


def _session(row: Row, place: str) -> Session:
    fields: dict[str, object] = dict(zip(_COLUMNS, row, strict=True))
    try:
        capabilities: list[str] = json.loads(str(fields.pop("capabilities")))
        document: Document = json.loads(str(fields.pop("data")))
        status = Status(str(fields.pop("status")))
        settled = bool(fields.pop("settled"))
    except ValueError as problem:
        raise StoreDamaged(place, f"session {row[1]!r} cannot be read ({problem})") from None
    return Session(
        capabilities=tuple(capabilities),
        data=document,
        status=status,
        settled=settled,
        **fields,  # type: ignore[arg-type]  # the columns left have the types that the schema gave them
    )


def _first(found: list[Session]) -> Session | None:
    return found[0] if found else None


def _explained(problem: sqlite3.Error, place: str) -> Exception:
    """Return the refusal that an error of SQLite stands for, or the error itself when it is none."""
    code = getattr(problem, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreBusy(place)
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return StoreDamaged(place, str(problem))
    return problem


def _built(path: str | None) -> SqliteStore:
    assert path is not None  # needs_path
    return SqliteStore(path)


STORE: Final = StoreKind(
    name="sqlite",
    summary="in a SQLite file, shared by processes; what is acknowledged survives a loss of power",
    needs_path=True,
    build=_built,
)
