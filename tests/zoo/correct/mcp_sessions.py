"""Sessions of a protocol server: a handshake that takes a while, things to close that may fail, and a task that cleans.

Why it is right although it waits in the middle: a place is taken before the handshake and given back in `finally`; who
ends a session is who took it out of the table, so that nobody else can; closing goes on in a task of its own when its
caller is cancelled; and an update looks again after it has waited.
"""

from __future__ import annotations

import asyncio
import copy
import secrets
import time
from typing import Any


class SessionUnknown(Exception):
    """There is no such session."""


class TooManySessions(Exception):
    """All places are taken."""


class McpSession:
    """One client's session."""

    def __init__(self, client: str, state: dict[str, Any]) -> None:
        self.client = client
        self.state = copy.deepcopy(state)
        self.made = self.used = time.monotonic()
        self.lock = asyncio.Lock()
        self.streams: list[Any] = []


class McpSessions:
    """Keeps sessions until they were idle for too long; a task looks after that."""

    def __init__(self, idle_s: float, most: int, every_s: float) -> None:
        self.idle_s = idle_s
        self.most = most
        self.every_s = every_s
        self.sessions: dict[str, McpSession] = {}
        self.opening = 0
        self.closings: set[asyncio.Task[None]] = set()
        self.cleaner: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to clean."""
        self.cleaner = asyncio.create_task(self._clean())

    async def stop(self) -> None:
        """Clean no more, and end every session."""
        if self.cleaner is not None:
            self.cleaner.cancel()
            await asyncio.wait([self.cleaner])
            self.cleaner = None
        await self.terminate_all()

    async def _clean(self) -> None:
        while True:
            await asyncio.sleep(self.every_s)
            await self.sweep()

    def _is_over(self, session: McpSession) -> bool:
        return time.monotonic() - session.used >= self.idle_s

    def _live(self, session_id: str) -> McpSession:
        session = self.sessions.get(session_id)
        if session is None or self._is_over(session):
            raise SessionUnknown(session_id)
        return session

    async def _end(self, session_id: str) -> bool:
        session = self.sessions.pop(session_id, None)
        if session is None:
            return False
        closing = asyncio.create_task(self._close_streams(session))
        self.closings.add(closing)
        closing.add_done_callback(self.closings.discard)
        await asyncio.shield(closing)
        return True

    async def _close_streams(self, session: McpSession) -> None:
        for stream in session.streams:
            await asyncio.sleep(0)
            try:
                await stream.close()
            except Exception:
                continue

    async def initialize(self, client: str, state: dict[str, Any]) -> str:
        """Begin a session and return its id."""
        if len(self.sessions) + self.opening >= self.most:
            await self.sweep()
        if len(self.sessions) + self.opening >= self.most:
            raise TooManySessions(f"{self.most} sessions at most")
        self.opening += 1
        try:
            await self._shake_hands()
            session_id = secrets.token_urlsafe(24)
            self.sessions[session_id] = McpSession(client, state)
            return session_id
        finally:
            self.opening -= 1

    async def _shake_hands(self) -> None:
        await asyncio.sleep(0)

    async def read(self, session_id: str) -> dict[str, Any]:
        """Return client and state of a session."""
        await asyncio.sleep(0)
        session = self._live(session_id)
        return {"id": session_id, "client": session.client, "state": copy.deepcopy(session.state)}

    async def ping(self, session_id: str) -> None:
        """Renew a session."""
        await asyncio.sleep(0)
        self._live(session_id).used = time.monotonic()

    async def patch(self, session_id: str, changes: dict[str, Any]) -> None:
        """Merge changes into the state."""
        session = self._live(session_id)
        async with session.lock:
            patched = {**session.state, **copy.deepcopy(changes)}
            await asyncio.sleep(0)
            if self._live(session_id) is not session:
                raise SessionUnknown(session_id)
            session.state = patched
            session.used = time.monotonic()

    async def adopt(self, session_id: str, stream: Any) -> None:
        """Give the session a stream, closed at its end."""
        self._live(session_id).streams.append(stream)

    async def terminate(self, session_id: str) -> None:
        """End a session."""
        self._live(session_id)
        await self._end(session_id)

    async def terminate_all(self) -> None:
        """End every session, and wait for whatever is being closed still."""
        for session_id in tuple(self.sessions):
            await self._end(session_id)
        if self.closings:
            await asyncio.wait(tuple(self.closings))

    async def sweep(self) -> int:
        """End what is over and return how much that was."""
        ended = 0
        for session_id, session in tuple(self.sessions.items()):
            if self._is_over(session):
                ended += await self._end(session_id)
        return ended

    async def ids(self) -> list[str]:
        """Return the ids of the sessions that live."""
        return [session_id for session_id, session in self.sessions.items() if not self._is_over(session)]
