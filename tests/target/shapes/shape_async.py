"""Async, a context manager with a cleaner, milliseconds, an owner, own exceptions, copies."""

from __future__ import annotations

import asyncio
import copy
import time
import uuid
from dataclasses import dataclass, field
from typing import Any


class SessionError(Exception):
    """The root."""


class SessionNotFound(SessionError):
    """No such session."""


class SessionExpired(SessionError):
    """Too late."""


class SessionLimitReached(SessionError):
    """No room."""


@dataclass
class UserSession:
    id: str
    user_id: str
    payload: dict[str, Any] = field(default_factory=dict)
    version: int = 1
    expires_at: float = 0.0


class AsyncSessions:
    def __init__(self, *, ttl_ms: int = 60_000, max_sessions: int = 10, cleanup_interval_ms: int = 5_000) -> None:
        self.ttl_ms = ttl_ms
        self.max_sessions = max_sessions
        self.cleanup_interval_ms = cleanup_interval_ms
        self._kept: dict[str, UserSession] = {}
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> AsyncSessions:
        self._task = asyncio.create_task(self._clean())
        return self

    async def __aexit__(self, *problem: object) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _clean(self) -> None:
        while True:
            await asyncio.sleep(self.cleanup_interval_ms / 1000)
            await self.purge_expired()

    def _live(self, sid: str) -> UserSession:
        session = self._kept.get(sid)
        if session is None:
            raise SessionNotFound(sid)
        if session.expires_at <= time.time():
            del self._kept[sid]
            raise SessionNotFound(sid)
        return session

    async def create_session(self, user_id: str, data: dict[str, Any] | None = None) -> str:
        await self.purge_expired()
        if len(self._kept) >= self.max_sessions:
            raise SessionLimitReached(user_id)
        session = UserSession(str(uuid.uuid4()), user_id, dict(data or {}), 1, time.time() + self.ttl_ms / 1000)
        self._kept[session.id] = session
        return session.id

    async def load(self, sid: str) -> UserSession:
        return copy.deepcopy(self._live(sid))

    async def heartbeat(self, sid: str) -> None:
        self._live(sid).expires_at = time.time() + self.ttl_ms / 1000

    async def update_session(self, sid: str, changes: dict[str, Any]) -> int:
        session = self._live(sid)
        session.payload.update(changes)
        session.version += 1
        session.expires_at = time.time() + self.ttl_ms / 1000
        return session.version

    async def destroy(self, sid: str) -> None:
        self._live(sid)
        del self._kept[sid]

    async def purge_expired(self) -> int:
        dead = [sid for sid, one in self._kept.items() if one.expires_at <= time.time()]
        for sid in dead:
            del self._kept[sid]
        return len(dead)

    async def session_ids(self) -> list[str]:
        await self.purge_expired()
        return list(self._kept)
