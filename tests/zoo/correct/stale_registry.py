"""A registry of workers: who was not heard of for a while is stale, stays, and may come back until it is purged."""

from __future__ import annotations

import copy
import itertools
import time
from typing import Any


class RegistryFull(Exception):
    """There is room for no more."""


class StaleRegistry:
    """Knows workers by a number; a stale one takes up room until somebody purges it."""

    def __init__(self, patience_s: float, room: int) -> None:
        self.patience_s = patience_s
        self.room = room
        self.numbers = itertools.count(1)
        self.workers: dict[int, dict[str, Any]] = {}

    def register(self, facts: dict[str, Any]) -> int:
        """Note a worker and return its number."""
        if len(self.workers) >= self.room:
            raise RegistryFull(f"{self.room} workers at most")
        number = next(self.numbers)
        self.workers[number] = {"facts": copy.deepcopy(facts), "heard": time.time()}
        return number

    def is_stale(self, number: int) -> bool:
        """Say whether nothing was heard of the worker for too long."""
        return bool(time.time() - self.workers[number]["heard"] >= self.patience_s)

    def heartbeat(self, number: int) -> bool:
        """Note that the worker was heard of; False when it is not known."""
        if number not in self.workers:
            return False
        self.workers[number]["heard"] = time.time()
        return True

    def facts(self, number: int) -> dict[str, Any] | None:
        """Return what is known of the worker, stale or not."""
        return copy.deepcopy(self.workers[number]["facts"]) if number in self.workers else None

    def learn(self, number: int, facts: dict[str, Any]) -> bool:
        """Add to what is known of the worker; this is no heartbeat."""
        if number not in self.workers:
            return False
        self.workers[number]["facts"].update(copy.deepcopy(facts))
        return True

    def dismiss(self, number: int) -> bool:
        """Forget the worker; False when it was not known."""
        return self.workers.pop(number, None) is not None

    def purge(self) -> list[int]:
        """Forget who is stale and return their numbers."""
        stale = [number for number in self.workers if self.is_stale(number)]
        for number in stale:
            del self.workers[number]
        return stale

    def dismiss_all(self) -> int:
        """Forget everybody and return how many they were."""
        count = len(self.workers)
        self.workers.clear()
        return count
