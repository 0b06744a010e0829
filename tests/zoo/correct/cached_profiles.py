"""Profiles in a slow store behind a quick cache: what is written goes to both, what is read comes from the nearer.

Whoever fills the cache from the store has waited for the store, and somebody may have changed the profile meanwhile; so
filling and changing take the lock of the key, and the cache holds only what the store does.
"""

from __future__ import annotations

import asyncio
import copy
import time
from collections import defaultdict
from typing import Any


class SlowStore:
    """What is far away."""

    def __init__(self) -> None:
        self.rows: dict[str, tuple[float, dict[str, Any]]] = {}

    async def read(self, key: str) -> tuple[float, dict[str, Any]] | None:
        """Return the row."""
        found = self.rows.get(key)
        await asyncio.sleep(0)
        return found

    async def write(self, key: str, row: tuple[float, dict[str, Any]]) -> None:
        """Put the row there."""
        await asyncio.sleep(0)
        self.rows[key] = row

    async def remove(self, key: str) -> None:
        """Take the row away."""
        await asyncio.sleep(0)
        self.rows.pop(key, None)


class CachedProfiles:
    """Keeps profiles by name."""

    def __init__(self, life_s: float, cached: int = 2) -> None:
        self.life_s = life_s
        self.cached = cached
        self.store = SlowStore()
        self.cache: dict[str, tuple[float, dict[str, Any]]] = {}
        self.locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def _fill(self, key: str, row: tuple[float, dict[str, Any]]) -> None:
        """Note what the store holds; the caller has the lock of the key."""
        self.cache.pop(key, None)
        while len(self.cache) >= self.cached:
            del self.cache[next(iter(self.cache))]
        self.cache[key] = row

    async def _load(self, key: str) -> dict[str, Any] | None:
        """Return the data that lives; the caller has the lock of the key."""
        row = self.cache.get(key)
        if row is None:
            row = await self.store.read(key)
            if row is not None:
                self._fill(key, row)
        if row is None or time.time() >= row[0]:
            return None
        return row[1]

    async def _save(self, key: str, data: dict[str, Any]) -> None:
        """Write through; the caller has the lock of the key.

        Once the store has it, nobody may read the old one from the cache; so whoever is cancelled leaves nothing there.
        """
        row = (time.time() + self.life_s, data)
        self.cache.pop(key, None)
        await self.store.write(key, row)
        self._fill(key, row)

    async def put(self, key: str, data: dict[str, Any]) -> None:
        """Begin a profile, or begin it anew."""
        async with self.locks[key]:
            await self._save(key, copy.deepcopy(data))

    async def get(self, key: str) -> dict[str, Any]:
        """Return the data."""
        async with self.locks[key]:
            data = await self._load(key)
            if data is None:
                raise KeyError(key)
            return copy.deepcopy(data)

    async def replace(self, key: str, data: dict[str, Any]) -> bool:
        """Replace the data; False when there is no such profile."""
        async with self.locks[key]:
            if await self._load(key) is None:
                return False
            await self._save(key, copy.deepcopy(data))
            return True

    async def delete(self, key: str) -> bool:
        """Forget a profile; False when there was none."""
        async with self.locks[key]:
            found = await self._load(key)
            self.cache.pop(key, None)
            await self.store.remove(key)
            return found is not None

    async def has(self, key: str) -> bool:
        """Say whether there is a profile."""
        async with self.locks[key]:
            return await self._load(key) is not None
