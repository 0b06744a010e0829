"""A purge removes workers that have been silent for half of what is allowed."""

from __future__ import annotations

import time

from zoo.correct.stale_registry import StaleRegistry


class RuthlessRegistry(StaleRegistry):
    """Purges too early."""

    def purge(self) -> list[int]:
        now = time.time()
        silent = [number for number, one in self.workers.items() if now - one["heard"] >= self.patience_s / 2]
        for number in silent:
            del self.workers[number]
        return silent
