"""Leases for threads, counted on the monotonic clock: asking for one that is there gives it, renewed.

Each holder may have a few; the oldest of a holder's own ends when he asks for one more.
"""

from __future__ import annotations

import copy
import threading
import time
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Lease:
    """One lease; it is replaced, never changed."""

    name: str
    holder: str
    terms: dict[str, Any]
    begun: int
    used: float = field(default_factory=time.monotonic)


class OwnedLeases:
    """Keeps leases under one lock."""

    def __init__(self, idle_s: float, per_holder: int) -> None:
        self.idle_s = idle_s
        self.per_holder = per_holder
        self.leases: dict[str, Lease] = {}
        self.begun = 0
        self.lock = threading.Lock()

    def _drop_expired(self) -> int:
        now = time.monotonic()
        over = [name for name, lease in self.leases.items() if now - lease.used >= self.idle_s]
        for name in over:
            del self.leases[name]
        return len(over)

    def obtain(self, name: str, holder: str, terms: dict[str, Any]) -> Lease:
        """Return the lease of this name, renewed, or begin one."""
        with self.lock:
            self._drop_expired()
            if name in self.leases:
                self.leases[name] = replace(self.leases[name], used=time.monotonic())
                return copy.deepcopy(self.leases[name])
            mine = [lease for lease in self.leases.values() if lease.holder == holder]
            if len(mine) >= self.per_holder:
                del self.leases[min(mine, key=lambda lease: lease.begun).name]
            self.begun += 1
            self.leases[name] = Lease(name, holder, copy.deepcopy(terms), self.begun)
            return copy.deepcopy(self.leases[name])

    def find(self, name: str) -> Lease | None:
        """Return a copy of the lease, or None."""
        with self.lock:
            self._drop_expired()
            return copy.deepcopy(self.leases.get(name))

    def renew(self, name: str) -> bool:
        """Renew the lease; False when there is none."""
        with self.lock:
            self._drop_expired()
            if name not in self.leases:
                return False
            self.leases[name] = replace(self.leases[name], used=time.monotonic())
            return True

    def amend(self, name: str, terms: dict[str, Any]) -> bool:
        """Change some of the terms; False when there is no such lease."""
        with self.lock:
            self._drop_expired()
            if name not in self.leases:
                return False
            before = self.leases[name]
            amended = {**before.terms, **copy.deepcopy(terms)}
            self.leases[name] = replace(before, terms=amended, used=time.monotonic())
            return True

    def release(self, name: str) -> bool:
        """End the lease; False when there was none."""
        with self.lock:
            self._drop_expired()
            return self.leases.pop(name, None) is not None

    def held(self, holder: str | None = None) -> list[str]:
        """Return the names of a holder's leases, or of all."""
        with self.lock:
            self._drop_expired()
            return [one.name for one in self.leases.values() if holder is None or one.holder == holder]

    def expire_old(self) -> int:
        """Forget what is over and return how much that was."""
        with self.lock:
            return self._drop_expired()
