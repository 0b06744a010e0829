"""A client that goes away takes its session with it, although it should have time to come back."""

from __future__ import annotations

from pytest_sessionguard.reference import SessionManager


class ImpatientManager(SessionManager):
    """Closes at a disconnect."""

    def disconnect(self, session_id: str) -> bool:
        return self.close(session_id)
