"""A key-value server that answers in numbers: 1 or 0 for done or not, -2 for "no such key", -1 for "it never ends".

Keys hold hashes of text fields; what a key has to live is told in whole seconds, rounded up.
"""

from __future__ import annotations

import math
import time


class ReplyServer:
    """Keeps hashes by key."""

    def __init__(self) -> None:
        self.hashes: dict[str, dict[str, str]] = {}
        self.deadlines: dict[str, float] = {}

    def _has(self, key: str) -> bool:
        if key in self.deadlines and time.time() >= self.deadlines[key]:
            del self.deadlines[key], self.hashes[key]
        return key in self.hashes

    def hnew(self, key: str, fields: dict[str, str], seconds: float) -> int:
        """Set a new hash that lives for so long; 0 when the key is there."""
        if self._has(key):
            return 0
        self.hashes[key] = dict(fields)
        self.deadlines[key] = time.time() + seconds
        return 1

    def exists(self, key: str) -> int:
        """Say whether the key is there."""
        return int(self._has(key))

    def hset(self, key: str, field: str, value: str) -> int:
        """Set one field of a hash that is there; how long it lives is as before."""
        if not self._has(key):
            return 0
        self.hashes[key][field] = value
        return 1

    def hgetall(self, key: str) -> dict[str, str]:
        """Return all fields; none where there is no such key."""
        return dict(self.hashes[key]) if self._has(key) else {}

    def expire(self, key: str, seconds: float) -> int:
        """Let the key live for so long from now; 0 when it is not there."""
        if not self._has(key):
            return 0
        self.deadlines[key] = time.time() + seconds
        return 1

    def ttl(self, key: str) -> int:
        """Return the whole seconds that the key has to live, -1 for ever, -2 for no such key."""
        if not self._has(key):
            return -2
        if key not in self.deadlines:
            return -1
        return math.ceil(self.deadlines[key] - time.time())

    def delete(self, key: str) -> int:
        """Forget the key; 0 when it is not there."""
        if not self._has(key):
            return 0
        self.deadlines.pop(key, None)
        del self.hashes[key]
        return 1

    def keys(self) -> list[str]:
        """Return all keys."""
        return [key for key in tuple(self.hashes) if self._has(key)]

    def dbsize(self) -> int:
        """Count the keys."""
        return len(self.keys())

    def flushall(self) -> str:
        """Forget everything."""
        self.hashes.clear()
        self.deadlines.clear()
        return "OK"
