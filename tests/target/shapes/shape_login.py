"""A web login: tokens, per user limits with eviction, several required parameters, a factory function."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Token:
    __slots__ = ("expires", "token", "username", "values")

    def __init__(self, token: str, username: str, expires: float) -> None:
        self.token = token
        self.username = username
        self.expires = expires
        self.values: dict[str, Any] = {}

    @property
    def is_expired(self) -> bool:
        return time.time() >= self.expires


class LoginSessions:
    def __init__(self, session_timeout_minutes: int = 15, max_per_user: int = 3, secret: str = "s") -> None:
        self._minutes = session_timeout_minutes
        self._max = max_per_user
        self._tokens: OrderedDict[str, Token] = OrderedDict()

    def login(self, username: str, ip_address: str) -> Token:
        mine = [one for one in self._tokens.values() if one.username == username and not one.is_expired]
        if len(mine) >= self._max:
            self._evict_oldest(username)
        token = Token(secrets.token_urlsafe(), username, time.time() + self._minutes * 60)
        self._tokens[token.token] = token
        return token

    def _evict_oldest(self, username: str) -> None:
        oldest = next(key for key, one in self._tokens.items() if one.username == username)
        del self._tokens[oldest]

    def validate(self, token: str) -> Token | None:
        found = self._tokens.get(token)
        return None if found is None or found.is_expired else found

    def set_value(self, token: str, key: str, value: Any) -> bool:
        found = self.validate(token)
        if found is None:
            return False
        found.values[key] = value
        return True

    def extend(self, token: str) -> bool:
        found = self.validate(token)
        if found is None:
            return False
        found.expires = time.time() + self._minutes * 60
        return True

    def logout(self, token: str) -> bool:
        return self._tokens.pop(token, None) is not None

    def get_user_sessions(self, username: str) -> list[Token]:
        return [one for one in self._tokens.values() if one.username == username]


def make_login_sessions() -> LoginSessions:
    return LoginSessions()


@contextmanager
def opened_login_sessions() -> Iterator[LoginSessions]:
    yield LoginSessions()


def unannotated():  # type: ignore[no-untyped-def]
    return LoginSessions()
