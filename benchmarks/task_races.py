"""Four races of tasks that session managers are known for, as small as they can be."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping


class LostUpdate:
    """Reads a number of hits, waits, writes it."""

    def __init__(self) -> None:
        self.hits = {"a": 0}

    async def hit(self) -> None:
        read = self.hits["a"]
        await asyncio.sleep(0)
        self.hits["a"] = read + 1

    def is_right(self) -> bool:
        return self.hits["a"] == 2

    clients = (hit, hit)


class Limit:
    """Counts its sessions, waits, then adds one."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, int]] = {"z": {}}

    async def create(self, key: str) -> bool:
        if len(self.kept) >= 2:
            return False
        await asyncio.sleep(0)
        self.kept[key] = {"n": 0}
        return True

    async def one(self) -> None:
        await self.create("a")

    async def other(self) -> None:
        await self.create("b")

    def is_right(self) -> bool:
        return len(self.kept) <= 2

    clients = (one, other)


class Deadlock:
    """Takes two locks in two orders."""

    def __init__(self) -> None:
        self.first, self.second = asyncio.Lock(), asyncio.Lock()
        self.done = 0

    async def _both(self, one: asyncio.Lock, other: asyncio.Lock) -> None:
        async with one:
            await asyncio.sleep(0)
            async with other:
                self.done += 1

    async def one(self) -> None:
        await self._both(self.first, self.second)

    async def other(self) -> None:
        await self._both(self.second, self.first)

    def is_right(self) -> bool:
        return self.done == 2

    clients = (one, other)


class Resurrection:
    """A touch reads, waits, and writes back what was deleted meanwhile."""

    def __init__(self) -> None:
        self.kept = {"a": {"at": 0}}

    async def touch(self) -> None:
        session = self.kept.get("a")
        if session is not None:
            await asyncio.sleep(0)
            self.kept["a"] = {**session, "at": 1}

    async def delete(self) -> None:
        await asyncio.sleep(0)
        self.kept.pop("a", None)

    def is_right(self) -> bool:
        return "a" not in self.kept

    clients = (touch, delete)


class Independent:
    """Three clients, each with a session of its own."""

    def __init__(self, store: MutableMapping[str, int]) -> None:
        self.store = store
        self.store.update(dict.fromkeys("abc", 0))

    async def work(self, name: str) -> None:
        for _ in range(2):
            read = self.store[name]
            await asyncio.sleep(0)
            self.store[name] = read + 1


RACES = {"lost update": LostUpdate, "limit": Limit, "deadlock": Deadlock, "resurrection": Resurrection}
