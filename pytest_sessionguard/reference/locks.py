"""One lock a session, for work on it that takes its time; it exists only while somebody holds or wants it.

Transactions are atomic without it.  It keeps an edit, which reads, thinks and writes, from being overtaken by another
change of the same session, while all other sessions go on.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from pytest_sessionguard.errors import InvalidSession

_EXPECTED = "its edit to end before the same caller changes it otherwise"


class _Entry:
    __slots__ = ("holder", "lock", "users")

    def __init__(self, lock: threading.Lock) -> None:
        self.lock = lock
        self.users = 0
        self.holder: int | None = None


class ThreadLocks:
    """Locks for threads."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._entries: dict[str, _Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    @contextmanager
    def holding(self, session_id: str) -> Iterator[None]:
        """Hold the session's lock; refused, instead of waiting for ever, when this very thread holds it."""
        me = threading.get_ident()
        with self._guard:
            entry = self._entries.setdefault(session_id, _Entry(threading.Lock()))
            if entry.holder == me:
                raise InvalidSession("session", session_id, _EXPECTED)
            entry.users += 1
        try:
            with entry.lock:
                entry.holder = me
                try:
                    yield
                finally:
                    entry.holder = None
        finally:
            with self._guard:
                entry.users -= 1
                if not entry.users:
                    del self._entries[session_id]


class _TaskEntry:
    __slots__ = ("holder", "lock", "users")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.users = 0
        self.holder: asyncio.Task[object] | None = None


class TaskLocks:
    """Locks for the tasks of one loop; a cancelled wait leaves nothing behind."""

    def __init__(self) -> None:
        self._entries: dict[str, _TaskEntry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    @asynccontextmanager
    async def holding(self, session_id: str) -> AsyncIterator[None]:
        """Hold the session's lock; refused, instead of waiting for ever, when this very task holds it."""
        entry = self._entries.setdefault(session_id, _TaskEntry())
        me = asyncio.current_task()
        if entry.holder is not None and entry.holder is me:
            raise InvalidSession("session", session_id, _EXPECTED)
        entry.users += 1
        try:
            async with entry.lock:
                entry.holder = me
                try:
                    yield
                finally:
                    entry.holder = None
        finally:
            entry.users -= 1
            if not entry.users:
                del self._entries[session_id]
