"""Managers for threads: sessions in a dict, with and without races."""

from __future__ import annotations

import threading
import time
from typing import Any


class Shop:
    """Does everything under one lock, and sweeps by a thread that stops at the end."""

    def __init__(self, idle: float = 60.0, limit: int | None = None) -> None:
        self.idle = idle
        self.limit = limit
        self.kept: dict[str, dict[str, Any]] = {}
        self.lock = threading.RLock()
        self.last = 0
        self.over = threading.Event()
        self.cleaner = threading.Thread(target=self.clean, daemon=True)
        self.cleaner.start()

    def clean(self) -> None:
        while not self.over.wait(30):
            self.sweep()

    def alive(self, id: str) -> dict[str, Any] | None:
        entry = self.kept.get(id)
        return None if entry is None or time.time() - entry["at"] >= self.idle else entry

    def create(self, data: Any = None) -> str:
        with self.lock:
            if self.limit is not None and len(self.kept) >= self.limit:
                raise OverflowError(self.limit)
            self.last += 1
            id = f"s{self.last}"
            self.kept[id] = {"data": dict(data or {}), "at": time.time()}
            return id

    def get(self, id: str) -> Any:
        with self.lock:
            entry = self.alive(id)
            return None if entry is None else dict(entry["data"])

    def update(self, id: str, changes: Any) -> bool:
        with self.lock:
            entry = self.alive(id)
            if entry is not None:
                entry["data"] = {**entry["data"], **changes}
                entry["at"] = time.time()
            return entry is not None

    def sweep(self) -> int:
        with self.lock:
            gone = [id for id in self.kept if self.alive(id) is None]
            for id in gone:
                del self.kept[id]
            return len(gone)


class Unlocked(Shop):
    """Loses one of two updates where it is stopped between reading and writing."""

    def update(self, id: str, changes: Any) -> bool:
        entry = self.alive(id)
        if entry is not None:
            entry["data"] = {**entry["data"], **changes}
        return entry is not None


class Crossing(Shop):
    """Takes two locks in the order of what it is given."""

    def __init__(self, idle: float = 60.0, limit: int | None = None) -> None:
        super().__init__(idle, limit)
        self.other = threading.Lock()

    def update(self, id: str, changes: Any) -> bool:
        first, second = (self.lock, self.other) if "x" in changes else (self.other, self.lock)
        with first, second:
            return super().update(id, changes)
