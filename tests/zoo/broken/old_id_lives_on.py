"""A session that got a new id is still there under its old one, so that whoever has stolen that is still in."""

from __future__ import annotations

import secrets

from zoo.correct.web_store import WebSession, WebStore


class GenerousStore(WebStore):
    """Keeps what it should forget."""

    def cycle(self, session: WebSession) -> str:
        session.sid = secrets.token_urlsafe(32)
        self.save(session)
        return session.sid
