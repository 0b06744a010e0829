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
        self.entries: dict[str, tuple[float, Any]] = {}
        self.spans_s: dict[str, float] = {}

    def expire(self) -> int:
        """Drop what is over and return how much that was."""
        now = time.time()
        over = [key for key, (until, _) in self.entries.items() if now >= until]
        for key in over:
            del self.entries[key]
        return len(over)

    def put(self, key: str, value: Any, ttl_s: float | None = None) -> None:
        """Set a key anew, for a time of its own or the usual one."""
        self.pop(key)
        self.spans_s[key] = self.ttl_s if ttl_s is None else ttl_s
        self[key] = value

    def __setitem__(self, key: str, value: Any) -> None:
        self.expire()
        if key not in self.entries and len(self.entries) >= self.room:
            del self.entries[min(self.entries, key=lambda one: self.entries[one][0])]
        self.entries[key] = (time.time() + self.spans_s.get(key, self.ttl_s), value)

    def get(self, key: str) -> Any:
        """Return the value, or None."""
        self.expire()
        return self.entries[key][1] if key in self.entries else None

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
