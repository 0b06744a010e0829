"""Each use of an expired session makes another session, instead of always giving the same replacement."""

from __future__ import annotations

from pytest_sessionguard.reference import SessionManager
from pytest_sessionguard.reference.sessions import Session


class ForgetfulManager(SessionManager):
    """Does not remember that it has replaced a session."""

    def use(self, session_id: str) -> Session:
        if self.get(session_id) is not None and not self.exists(session_id):
            return self.create()
        return super().use(session_id)
