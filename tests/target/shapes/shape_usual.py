"""Usual names: get_or_create, update_activity, cleanup_stale_sessions; a lock; only the sweep looks at the time."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any


class TooManySessions(Exception):
    """The manager is full."""


@dataclass
class Session:
    session_id: str
    data: dict[str, Any] = field(default_factory=dict)
    last_activity: float = 0.0


class SessionManager:
    def __init__(self, timeout_secs: float = 3600, max_sessions: int = 100) -> None:
        self.timeout_secs = timeout_secs
        self.max_sessions = max_sessions
        self._sessions: dict[str, Session] = {}
        self._lock = threading.Lock()

    def get_or_create(self, session_id: str) -> Session:
        with self._lock:
            if session_id in self._sessions:
                return self._sessions[session_id]
            if len(self._sessions) >= self.max_sessions:
                raise TooManySessions(session_id)
            session = self._sessions[session_id] = Session(session_id, {}, time.time())
            return session

    def get_session(self, session_id: str) -> Session | None:
        return self._sessions.get(session_id)

    def update_activity(self, session_id: str) -> bool:
        session = self._sessions.get(session_id)
        if session is None:
            return False
        session.last_activity = time.time()
        return True

    def cleanup_stale_sessions(self) -> int:
        now = time.time()
        dead = [key for key, one in self._sessions.items() if now - one.last_activity > self.timeout_secs]
        for key in dead:
            del self._sessions[key]
        return len(dead)

    def remove_session(self, session_id: str) -> bool:
        return self._sessions.pop(session_id, None) is not None

    def active_sessions(self) -> list[str]:
        return list(self._sessions)

    def __len__(self) -> int:
        return len(self._sessions)
