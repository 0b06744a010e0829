"""Logins of users as objects that save themselves; each user has room for a few, and the oldest makes room."""

from __future__ import annotations

import copy
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any


class Conflict(Exception):
    """Somebody else saved first."""


class Gone(Exception):
    """There is no such login."""


@dataclass
class Kept:
    """What the store keeps of a login."""

    user: str
    data: dict[str, Any]
    version: int
    seen: datetime
    born: datetime


class Login:
    """A caller's own copy of a login."""

    def __init__(self, store: UserLogins, key: str, kept: Kept) -> None:
        self.store = store
        self.key = key
        self.user = kept.user
        self.data = copy.deepcopy(kept.data)
        self.version = kept.version

    def save(self) -> int:
        """Write the copy back, unless somebody else did first."""
        self.version = self.store.write(self.key, self.data, self.version)
        return self.version


class UserLogins:
    """Reading renews a login, and none lives longer than the absolute timeout."""

    def __init__(self, idle: timedelta, absolute: timedelta, per_user: int) -> None:
        self.idle = idle
        self.absolute = absolute
        self.per_user = per_user
        self.kept: dict[str, Kept] = {}

    def _lives(self, kept: Kept) -> bool:
        now = datetime.now(UTC)
        return now - kept.seen < self.idle and now - kept.born < self.absolute

    def _find(self, key: str) -> Kept:
        kept = self.kept.get(key)
        if kept is None or not self._lives(kept):
            raise Gone(key)
        return kept

    def open(self, user: str, data: dict[str, Any] | None = None) -> Login:
        """Log a user in; where all his places are taken, his oldest login ends."""
        self.purge()
        mine = [key for key, kept in self.kept.items() if kept.user == user]
        while len(mine) >= self.per_user:
            del self.kept[mine.pop(0)]
        key, now = secrets.token_hex(16), datetime.now(UTC)
        self.kept[key] = Kept(user, copy.deepcopy(data or {}), 1, now, now)
        return Login(self, key, self.kept[key])

    def load(self, key: str) -> Login:
        """Give a copy, and renew the login."""
        kept = self._find(key)
        kept.seen = datetime.now(UTC)
        return Login(self, key, kept)

    def peek(self, key: str) -> bool:
        """Say whether a login lives, and renew nothing."""
        kept = self.kept.get(key)
        return kept is not None and self._lives(kept)

    def write(self, key: str, data: dict[str, Any], version: int) -> int:
        """Replace the data of a version."""
        kept = self._find(key)
        if kept.version != version:
            raise Conflict(key)
        kept.data, kept.version, kept.seen = copy.deepcopy(data), version + 1, datetime.now(UTC)
        return kept.version

    def logout(self, key: str) -> None:
        """End a login."""
        self._find(key)
        del self.kept[key]

    def of(self, user: str) -> list[str]:
        """List the logins of a user."""
        return [key for key, kept in self.kept.items() if kept.user == user and self._lives(kept)]

    def end_all(self, user: str) -> None:
        """End every login of a user."""
        for key in [key for key, kept in self.kept.items() if kept.user == user]:
            del self.kept[key]

    def purge(self) -> int:
        """Drop what is over and return how much that was."""
        over = [key for key, kept in self.kept.items() if not self._lives(kept)]
        for key in over:
            del self.kept[key]
        return len(over)
