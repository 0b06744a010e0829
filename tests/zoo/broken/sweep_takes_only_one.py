"""A purge removes the first stale worker and leaves the others."""

from __future__ import annotations

from zoo.correct.stale_registry import StaleRegistry


class LazyRegistry(StaleRegistry):
    """Stops after one."""

    def purge(self) -> list[int]:
        stale = [number for number in self.workers if self.is_stale(number)][:1]
        for number in stale:
            del self.workers[number]
        return stale
