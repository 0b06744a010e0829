"""Sessions as dicts, no annotations, camel case, constants for settings, builtin exceptions."""

# The names are the point here.
# ruff: noqa: N801, N803, N806
import time
import uuid

SESSION_TIMEOUT_MINUTES = 20
MAX_SESSIONS = 50


class sessionRegistry:
    def __init__(self):
        self.sessions = {}

    def newSession(self, user, data=None):
        if len(self.sessions) >= MAX_SESSIONS:
            raise RuntimeError("too many sessions")
        sessionId = uuid.uuid4().hex
        self.sessions[sessionId] = {"id": sessionId, "user": user, "data": data or {}, "last_seen": time.time()}
        return sessionId

    def getSession(self, sessionId):
        session = self.sessions[sessionId]
        if time.time() - session["last_seen"] >= SESSION_TIMEOUT_MINUTES * 60:
            del self.sessions[sessionId]
            raise KeyError(sessionId)
        return session

    def keepAlive(self, sessionId):
        self.getSession(sessionId)["last_seen"] = time.time()

    def endSession(self, sessionId):
        del self.sessions[sessionId]

    def evictExpired(self):
        now = time.time()
        dead = [key for key, one in self.sessions.items() if now - one["last_seen"] >= SESSION_TIMEOUT_MINUTES * 60]
        for key in dead:
            del self.sessions[key]
        return len(dead)

    def countSessions(self):
        return len(self.sessions)
