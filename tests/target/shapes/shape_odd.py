"""Odd habits: sessions as dicts that are handed back to be saved, nothing annotated, hours, answers of every kind."""

import time


class OddSessions:
    def __init__(self, folder, url, lifetime_hours, max_history, limit=9, verbose=True):
        self.kept = {}
        self.lifetime_hours = lifetime_hours
        self.limit = limit

    @property
    def session_ids(self):
        return list(self.kept)

    def open_session(self, client):
        if len(self.kept) >= self.limit:
            return None
        session = {"key": client, "client": client, "context": {}, "expires": time.time() + self.lifetime_hours * 3600}
        self.kept[session["key"]] = session
        return session

    def fetch_session(self, key):
        session = self.kept.get(key)
        if session is None or session["expires"] < time.time():
            return {}
        return session

    def lookup(self, key):
        return self.kept[key]

    def save(self, session):
        self.kept[session["key"]] = session
        return True

    def take_out(self, key):
        session = self.kept.pop(key)
        return session["context"].copy().data

    def add_message(self, key, *, message, field="log", **options):
        self.kept[key]["context"].setdefault(field, []).append(message)

    def update(self, key, values):
        if key not in self.kept:
            raise LookupError(key)
        session = self.kept[key]
        if session["context"].get("rev") != values.get("rev"):
            raise ValueError("another version")
        session["context"] = values
        self.version = 2
        return self.version

    def prune(self):
        gone = [key for key, one in self.kept.items() if one["expires"] < time.time()]
        for key in gone:
            del self.kept[key]
        return gone

    def history(self, key):
        return [self.kept[key]]

    def is_valid(self, key):
        return key in self.kept

    def stats(self):
        return {"total": len(self.kept)}

    def checkout(self, key):
        new_key = self.kept[key] = key
        return new_key

    def remaining(self, key):
        return self.kept[key]["expires"] - time.time()

    def keepalive(self, key):
        self.kept[key]["expires"] = time.time() + 5
        return self.kept[key]

    def close(self, key):
        del self.kept[key]

    def stop(self, reason):
        return reason
