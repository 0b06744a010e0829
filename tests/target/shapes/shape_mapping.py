"""A mapping with a time to live, as caches have it: the caller chooses the ids, nothing is annotated."""

import time


class TTLStore:
    def __init__(self, maxsize=128, ttl=600, timer=time.monotonic):
        self.maxsize = maxsize
        self.ttl = ttl
        self.timer = timer
        self._items = {}

    def _purge(self):
        now = self.timer()
        for key in [key for key, (_, expires) in self._items.items() if expires <= now]:
            del self._items[key]

    def __setitem__(self, key, value):
        self._purge()
        if key not in self._items and len(self._items) >= self.maxsize:
            self._items.pop(next(iter(self._items)))
        self._items[key] = (value, self.timer() + self.ttl)

    def __getitem__(self, key):
        self._purge()
        return self._items[key][0]

    def __delitem__(self, key):
        self._purge()
        del self._items[key]

    def __contains__(self, key):
        self._purge()
        return key in self._items

    def __len__(self):
        self._purge()
        return len(self._items)
