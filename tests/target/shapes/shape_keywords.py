"""Keyword-only parameters, open-ended data, inheritance, `now` handed over by callers, static and class methods."""

from __future__ import annotations

import time
from typing import Any
from uuid import uuid4


class Base:
    def delete_session(self, session_id: str) -> bool:
        return self._kept.pop(session_id, None) is not None

    def has_session(self, session_id: str) -> bool:
        return session_id in self._kept

    @property
    def active_count(self) -> int:
        return len(self._kept)


class KeywordSessions(Base):
    IDLE_TIMEOUT = 120.0

    def __init__(self, *, namespace: str, strict: bool = False) -> None:
        self._kept: dict[str, dict[str, Any]] = {}

    def create(self, *, client_id: str = "anonymous", ttl: float | None = None, **attributes: Any) -> str:
        session_id = uuid4().hex
        self._kept[session_id] = dict(attributes)
        return session_id

    def get_data(self, session_id: str) -> dict[str, Any]:
        return dict(self._kept.get(session_id, {}))

    def update(self, session_id: str, **fields: Any) -> dict[str, Any] | None:
        if session_id not in self._kept:
            return None
        self._kept[session_id] |= fields
        return dict(self._kept[session_id])

    def touch(self, session_id: str, now: float) -> None:
        self._kept[session_id]["seen"] = now

    def clear_all(self) -> int:
        count = len(self._kept)
        self._kept.clear()
        return count

    @staticmethod
    def time_left(session_id: str) -> float:
        return time.time()
