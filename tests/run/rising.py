"""A store that brings back what was deleted while it was touched, and its profile."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

from pytest_sessionguard.target.shape import Profile

OPERATIONS = {
    "create": "create(data?) -> id",
    "get": "get(id) -> data",
    "touch": "touch(id) -> found",
    "update": "update(id, changes) -> found",
    "delete": "delete(id) -> found",
}


class Rising:
    """A touch reads, waits, and writes back what it has read, even if that was deleted meanwhile."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Any]] = {}
        self.numbers = itertools.count(1)

    async def create(self, data: Any = None) -> str:
        name = f"id{next(self.numbers)}"
        self.kept[name] = dict(data or {})
        return name

    async def get(self, id: str) -> Any:
        await asyncio.sleep(0)
        return self.kept.get(id)

    async def touch(self, id: str) -> bool:
        held = self.kept.get(id)
        await asyncio.sleep(0)
        if held is not None:
            self.kept[id] = held
        return held is not None

    async def update(self, id: str, changes: Any) -> bool:
        await asyncio.sleep(0)
        if id in self.kept:
            self.kept[id].update(changes)
        return id in self.kept

    async def delete(self, id: str) -> bool:
        await asyncio.sleep(0)
        return self.kept.pop(id, None) is not None


class Mended(Rising):
    """A touch writes nothing back."""

    async def touch(self, id: str) -> bool:
        await asyncio.sleep(0)
        return id in self.kept


def a_profile(factory: type = Rising) -> Profile:
    return Profile.of(
        {"manager": {"factory": factory, "callers": "tasks"}, "operations": OPERATIONS, "policy": {}}, name="rising"
    )
