"""Whoever releases a lease that is gone meets a KeyError that nobody has announced."""

from __future__ import annotations

from zoo.correct.owned_leases import OwnedLeases


class FragileLeases(OwnedLeases):
    """Deletes without asking whether it is there."""

    def release(self, name: str) -> bool:
        with self.lock:
            del self.leases[name]
        return True
