"""Sessions in memory: nothing outlives the process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, TypeVar

from pytest_sessionguard.reference.indexes import IndexedLedger
from pytest_sessionguard.reference.sessions import Session
from pytest_sessionguard.reference.stores import Ledger, StoreKind

T = TypeVar("T")


class MemoryStore:
    """A ledger, a lock, and a clock that never goes backwards."""

    durable = False

    def __init__(self) -> None:
        self._ledger = IndexedLedger()
        self._lock = threading.Lock()

    def open(self) -> None:
        """Get ready: there is nothing to do."""

    def close(self) -> None:
        """Let go: there is nothing to let go of."""

    def instant(self, now_us: int) -> int:
        """Return `now_us`, or the latest instant the store has seen when that is later."""
        with self._lock:
            if now_us > self._ledger.now_us:
                self._ledger.now_us = now_us
            return self._ledger.now_us

    def look(self, session_id: str) -> Session | None:
        """Return a session as it was stored last; one reading of a dict needs no lock."""
        return self._ledger.sessions.get(session_id)

    def transact(self, work: Callable[[Ledger], T], now_us: int) -> T:
        """Run `work` alone.

        The book refuses before it writes and its values are checked before they come here, so there is nothing to undo.
        """
        with self._lock:
            if now_us > self._ledger.now_us:
                self._ledger.now_us = now_us
            return work(self._ledger)


STORE: Final = StoreKind(
    name="memory",
    summary="in this process's memory; nothing outlives it",
    needs_path=False,
    build=lambda path: MemoryStore(),
)
