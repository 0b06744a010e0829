"""Sessions in memory that end when they were idle for too long."""

import time
import uuid


class Sessions:
    def __init__(self, idle_timeout):
        self.idle_timeout = idle_timeout
        self.kept = {}

    def create(self, data):
        name = uuid.uuid4().hex
        self.kept[name] = (dict(data), time.time())
        return name

    def get(self, name):
        found = self.kept.get(name)
        if found is None:
            return None
        if time.time() - found[1] >= self.idle_timeout:
            del self.kept[name]
            return None
        return dict(found[0])

    def touch(self, name):
        data = self.get(name)
        if data is None:
            return False
        self.kept[name] = (data, time.time())
        return True

    def delete(self, name):
        alive = self.get(name) is not None
        self.kept.pop(name, None)
        return alive
