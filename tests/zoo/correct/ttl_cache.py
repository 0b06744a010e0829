"""A cache whose entries live for a time after they were last written; callers choose the keys, None is "not there"."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any


class TtlCache:
    """Maps keys to values; when it is full, the entry that would expire next makes room."""

    def __init__(self, ttl_s: float, room: int) -> None:
        self.ttl_s = ttl_s
        self.room = room
        self.entries: dict[str, tuple[float, float, Any]] = {}

    def expire(self) -> int:
        """Drop what is over and return how much that was."""
        now = time.time()
        over = [key for key, (until, _, _) in self.entries.items() if now >= until]
        for key in over:
            del self.entries[key]
        return len(over)

    def put(self, key: str, value: Any, ttl_s: float | None = None) -> None:
        """Set a key anew, for a time of its own or the usual one."""
        self.pop(key)
        self._set(key, value, self.ttl_s if ttl_s is None else ttl_s)

    def _set(self, key: str, value: Any, span_s: float) -> None:
        if key not in self.entries and len(self.entries) >= self.room:
            del self.entries[min(self.entries, key=lambda one: self.entries[one][0])]
        self.entries[key] = (time.time() + span_s, span_s, value)

    def __setitem__(self, key: str, value: Any) -> None:
        self.expire()
        self._set(key, value, self.entries[key][1] if key in self.entries else self.ttl_s)

    def get(self, key: str) -> Any:
        """Return the value, or None."""
        self.expire()
        return self.entries[key][2] if key in self.entries else None

    def __contains__(self, key: str) -> bool:
        self.expire()
        return key in self.entries

    def pop(self, key: str) -> Any:
        """Take the value out and return it, or None."""
        value = self.get(key)
        self.entries.pop(key, None)
        return value

    def __delitem__(self, key: str) -> None:
        self.expire()
        del self.entries[key]

    def __iter__(self) -> Iterator[str]:
        self.expire()
        return iter(tuple(self.entries))

    def __len__(self) -> int:
        self.expire()
        return len(self.entries)

    def clear(self) -> None:
        """Forget everything."""
        self.entries.clear()
