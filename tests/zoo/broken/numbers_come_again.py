"""Workers are numbered by how many there are: once one has gone, the next gets a number that another has."""

from __future__ import annotations

import itertools
from typing import Any

from zoo.correct.stale_registry import StaleRegistry


class CountingRegistry(StaleRegistry):
    """Takes the count for a number."""

    def register(self, facts: dict[str, Any]) -> int:
        self.numbers = itertools.count(len(self.workers) + 1)
        return super().register(facts)
