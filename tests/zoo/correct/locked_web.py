"""Web sessions behind one lock: requests in threads load a copy, change it, and save it unless another was first.

Reading renews; a user may have a few sessions, and the one idle for longest makes room; after a login the session goes
on under a new id, as its caller's copy does.
"""

from __future__ import annotations

import copy
import secrets
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any


class SessionGone(Exception):
    """There is no such session, or no more."""


class Outrun(Exception):
    """Another request has saved first."""


@dataclass
class Stored:
    """What is kept of a session."""

    user: str
    data: dict[str, Any]
    born: datetime
    used: datetime
    version: int = 1


@dataclass
class Loaded:
    """A request's own copy of a session."""

    key: str
    user: str
    data: dict[str, Any]
    version: int


class LockedWeb:
    """Keeps sessions of users."""

    def __init__(self, idle: timedelta, lifetime: timedelta, per_user: int) -> None:
        self.idle = idle
        self.lifetime = lifetime
        self.per_user = per_user
        self.stored: dict[str, Stored] = {}
        self.lock = threading.RLock()

    def _prune(self) -> int:
        """Drop what is over; the caller has the lock."""
        now = datetime.now(UTC)
        over = [
            key for key, one in self.stored.items() if now - one.used >= self.idle or now - one.born >= self.lifetime
        ]
        for key in over:
            del self.stored[key]
        return len(over)

    def _find(self, key: str) -> Stored:
        self._prune()
        if key not in self.stored:
            raise SessionGone(key)
        return self.stored[key]

    def _copy(self, key: str, stored: Stored) -> Loaded:
        return Loaded(key, stored.user, copy.deepcopy(stored.data), stored.version)

    def begin(self, user: str, data: dict[str, Any]) -> Loaded:
        """Begin a session of a user."""
        with self.lock:
            self._prune()
            mine = [key for key, one in self.stored.items() if one.user == user]
            if len(mine) >= self.per_user:
                del self.stored[min(mine, key=lambda key: self.stored[key].used)]
            key, now = secrets.token_urlsafe(32), datetime.now(UTC)
            self.stored[key] = Stored(user, copy.deepcopy(data), now, now)
            return self._copy(key, self.stored[key])

    def load(self, key: str) -> Loaded:
        """Return a copy of the session, renewed."""
        with self.lock:
            stored = self._find(key)
            stored.used = datetime.now(UTC)
            return self._copy(key, stored)

    def save(self, key: str, data: dict[str, Any], version: int) -> int:
        """Replace the data of a version; returns the new version."""
        with self.lock:
            stored = self._find(key)
            if stored.version != version:
                raise Outrun(f"{key} is at {stored.version}, not {version}")
            stored.data = copy.deepcopy(data)
            stored.version += 1
            stored.used = datetime.now(UTC)
            return stored.version

    def renew_id(self, key: str) -> str:
        """Give the session a new id, which is returned."""
        with self.lock:
            stored = self._find(key)
            new_key = secrets.token_urlsafe(32)
            self.stored[new_key] = stored
            del self.stored[key]
            stored.used = datetime.now(UTC)
            return new_key

    def log_out(self, key: str) -> bool:
        """End the session; False when there was none."""
        with self.lock:
            self._prune()
            return self.stored.pop(key, None) is not None

    def log_out_everywhere(self, user: str) -> int:
        """End all sessions of a user and return how many they were."""
        with self.lock:
            self._prune()
            mine = [key for key, one in self.stored.items() if one.user == user]
            for key in mine:
                del self.stored[key]
            return len(mine)

    def sessions_of(self, user: str) -> list[str]:
        """Return the ids of the sessions of a user."""
        with self.lock:
            self._prune()
            return [key for key, one in self.stored.items() if one.user == user]

    def prune(self) -> int:
        """Drop what is over and return how much that was."""
        with self.lock:
            return self._prune()
