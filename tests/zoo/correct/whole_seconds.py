"""A store that counts whole seconds, as old servers do: SETEX, TTL, EXPIRE, PERSIST."""

from __future__ import annotations

import json
import time
from typing import Any


class WholeSeconds:
    """Keeps text by key."""

    def __init__(self, ttl: int) -> None:
        self.default = ttl
        self.rows: dict[str, tuple[int, str]] = {}

    def _now(self) -> int:
        return int(time.time())

    def _row(self, key: str) -> tuple[int, str] | None:
        row = self.rows.get(key)
        if row is not None and row[0] <= self._now():
            del self.rows[key]
            return None
        return row

    def setnx(self, key: str, value: dict[str, Any], ttl: int | None = None) -> int:
        if self._row(key) is not None:
            return 0
        self.rows[key] = self._now() + (self.default if ttl is None else ttl), json.dumps(value)
        return 1

    def get(self, key: str) -> dict[str, Any] | None:
        row = self._row(key)
        return None if row is None else json.loads(row[1])

    def set(self, key: str, value: dict[str, Any]) -> int:
        row = self._row(key)
        if row is None:
            return 0
        self.rows[key] = row[0], json.dumps(value)
        return 1

    def expire(self, key: str, ttl: int) -> int:
        row = self._row(key)
        if row is None:
            return 0
        self.rows[key] = self._now() + ttl, row[1]
        return 1

    def ttl(self, key: str) -> int:
        row = self._row(key)
        return -2 if row is None else row[0] - self._now()

    def delete(self, key: str) -> int:
        return int(self._row(key) is not None and self.rows.pop(key, None) is not None)

    def keys(self) -> list[str]:
        return [key for key in list(self.rows) if self._row(key) is not None]

    def dbsize(self) -> int:
        return len(self.rows)
