"""Small stores of sessions in a Redis server, one done right, and others wrong in one way each."""

from __future__ import annotations

import json
import secrets
from contextlib import suppress
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry


class Full(Exception):
    """No more sessions."""


class Pantry:
    """Each session is one text; what is done is done in one request, and an error comes out as it is."""

    answer_secs: float | None = 2.0

    def __init__(self, host: str, port: int, limit: int) -> None:
        self.limit = limit
        self.server: Any = redis.Redis(
            host,
            port,
            socket_timeout=self.answer_secs,
            socket_connect_timeout=2.0,
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
        )

    def create(self, data: dict[str, Any] | None = None) -> str:
        if len(self.list()) >= self.limit:
            raise Full
        return self.put(secrets.token_hex(16), data or {})

    def put(self, id: str, data: dict[str, Any]) -> str:
        self.server.hset("sessions", id, json.dumps(data))
        return id

    def get(self, id: str) -> dict[str, Any] | None:
        text = self.server.hget("sessions", id)
        return None if text is None else json.loads(text)

    def update(self, id: str, changes: dict[str, Any]) -> bool:
        before = self.get(id)
        if before is None:
            return False
        self.put(id, {**before, **changes})
        return True

    def delete(self, id: str) -> bool:
        return bool(self.server.hdel("sessions", id))

    def list(self) -> list[str]:
        return list(self.server.hkeys("sessions"))

    def clear(self) -> int:
        return sum(self.delete(id) for id in self.list())

    def close(self) -> None:
        self.server.close()


AWAY = (redis.ConnectionError, redis.TimeoutError)


class Swallows(Pantry):
    """Bug: what could not be written is called done."""

    def put(self, id: str, data: dict[str, Any]) -> str:
        with suppress(*AWAY):
            super().put(id, data)
        return id


class AsksAgain(Pantry):
    """Bug: what was not answered is asked for again, as something new."""

    def create(self, data: dict[str, Any] | None = None) -> str:
        try:
            return super().create(data)
        except AWAY:
            return super().create(data)


class KeyByKey(Pantry):
    """Bug: a change of several keys is several requests."""

    def update(self, id: str, changes: dict[str, Any]) -> bool:
        return all(Pantry.update(self, id, {key: value}) for key, value in changes.items())


class RemembersFirst(Pantry):
    """Bug: what is remembered here is changed before it is known whether the server has it, and is believed."""

    def __init__(self, host: str, port: int, limit: int) -> None:
        super().__init__(host, port, limit)
        self.known: dict[str, dict[str, Any]] = {}

    def put(self, id: str, data: dict[str, Any]) -> str:
        self.known[id] = data
        return super().put(id, data)

    def get(self, id: str) -> dict[str, Any] | None:
        return self.known[id] if id in self.known else super().get(id)

    def delete(self, id: str) -> bool:
        found = super().delete(id)
        self.known.pop(id, None)
        return found


class KeepsThePlace(Pantry):
    """Bug: a place is taken before the server is asked, and not given back where that fails."""

    taken = 0

    def create(self, data: dict[str, Any] | None = None) -> str:
        if self.taken >= self.limit:
            raise Full
        self.taken += 1
        return self.put(secrets.token_hex(16), data or {})

    def delete(self, id: str) -> bool:
        found = super().delete(id)
        self.taken -= found
        return found


class TakesSilenceForNone(Pantry):
    """Bug: who cannot be asked is said not to be there."""

    def get(self, id: str) -> dict[str, Any] | None:
        try:
            return super().get(id)
        except AWAY:
            return None


class WaitsForEver(Pantry):
    """Bug: an answer is waited for without end."""

    answer_secs = None


TABLES: dict[str, Any] = {
    "operations": {
        "create": "create(data?) -> id",
        "get": "get(id) -> data",
        "update": "update(id, changes) -> found",
        "delete": "delete(id) -> found",
        "list": "list() -> ids",
        "clear": "clear() -> count",
        "close": "close()",
    },
    "policy": {
        "limit": 3,
        "survives": "restart",
        "missing": {"get": "none", "update": "false", "delete": "false"},
        "close": "keeps",
    },
    "errors": {"limit": Full},
}
