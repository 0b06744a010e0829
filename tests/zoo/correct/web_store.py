"""A web framework's session store: a request loads a session object, changes it, and saves it as a whole.

Whoever asks for a session that is not there gets a new one under an id of the store's own choice, so that no stranger
can plant one.  Of two requests at once the last to save wins.
"""

from __future__ import annotations

import copy
import secrets
import time
from typing import Any


class WebSession(dict[str, Any]):
    """What a request works on."""

    def __init__(self, sid: str, data: dict[str, Any], *, new: bool) -> None:
        super().__init__(data)
        self.sid = sid
        self.new = new


class WebStore:
    """Keeps the data of sessions by id."""

    def __init__(self, lifetime_s: float) -> None:
        self.lifetime_s = lifetime_s
        self.kept: dict[str, tuple[float, dict[str, Any]]] = {}

    def _alive(self, sid: str) -> bool:
        if sid in self.kept and time.time() >= self.kept[sid][0]:
            del self.kept[sid]
        return sid in self.kept

    def start(self, data: dict[str, Any] | None = None) -> WebSession:
        """Return a new session, kept already."""
        session = WebSession(secrets.token_urlsafe(32), data or {}, new=True)
        self.save(session)
        return session

    def load(self, sid: str) -> WebSession:
        """Return the session of this id, renewed, or a new one under another id."""
        if not self._alive(sid):
            return self.start()
        data = copy.deepcopy(self.kept[sid][1])
        self.kept[sid] = (time.time() + self.lifetime_s, self.kept[sid][1])
        return WebSession(sid, data, new=False)

    def save(self, session: WebSession) -> None:
        """Keep the session as it is now."""
        self.kept[session.sid] = (time.time() + self.lifetime_s, copy.deepcopy(dict(session)))

    def has(self, sid: str) -> bool:
        """Say whether the session is there; this renews nothing."""
        return self._alive(sid)

    def cycle(self, session: WebSession) -> str:
        """Give the session a new id and return it."""
        self.kept.pop(session.sid, None)
        session.sid = secrets.token_urlsafe(32)
        self.save(session)
        return session.sid

    def end(self, sid: str) -> None:
        """Forget the session, if it is there."""
        self.kept.pop(sid, None)

    def prune(self) -> int:
        """Forget what is over and return how much that was."""
        over = [sid for sid, (until, _) in self.kept.items() if time.time() >= until]
        for sid in over:
            del self.kept[sid]
        return len(over)
