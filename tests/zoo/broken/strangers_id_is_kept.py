"""Whoever asks for a session that is not there gets a new one under the very id that he has asked for."""

from __future__ import annotations

from zoo.correct.web_store import WebSession, WebStore


class TrustingStore(WebStore):
    """Lets strangers choose."""

    def load(self, sid: str) -> WebSession:
        if not self.has(sid):
            session = WebSession(sid, {}, new=True)
            self.save(session)
            return session
        return super().load(sid)
