"""Drafts under the keys of their writers: a decorator lets one caller at a time work on one key.

The lock of a key is there only while somebody holds it or waits for it.  `clear` asks for no lock; so who has waited
looks again whether his draft is still the one that he has read.
"""

from __future__ import annotations

import asyncio
import copy
import functools
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")


class Turn:
    """A lock, and how many have to do with it."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.users = 0


def in_turn(method: Callable[..., Awaitable[T]]) -> Callable[..., Awaitable[T]]:
    """Let one caller at a time work on the key that comes first."""

    @functools.wraps(method)
    async def alone(self: KeyedDesk, key: str, *rest: Any) -> T:
        turn = self.turns.setdefault(key, Turn())
        turn.users += 1
        try:
            async with turn.lock:
                return await method(self, key, *rest)
        finally:
            turn.users -= 1
            if not turn.users:
                del self.turns[key]

    return alone


class KeyedDesk:
    """Keeps drafts for so long, whoever works on them."""

    def __init__(self, life_s: float) -> None:
        self.life_s = life_s
        self.drafts: dict[str, tuple[float, dict[str, Any]]] = {}
        self.turns: dict[str, Turn] = {}

    async def _load(self, key: str) -> dict[str, Any] | None:
        await asyncio.sleep(0)
        found = self.drafts.get(key)
        if found is None:
            return None
        if time.monotonic() >= found[0]:
            del self.drafts[key]
            return None
        return found[1]

    async def _draft(self, key: str) -> dict[str, Any]:
        draft = await self._load(key)
        if draft is None:
            raise KeyError(key)
        return draft

    async def _store(self, key: str, before: dict[str, Any], after: dict[str, Any]) -> None:
        await asyncio.sleep(0)
        found = self.drafts.get(key)
        if found is None or found[1] is not before or time.monotonic() >= found[0]:
            raise KeyError(key)
        self.drafts[key] = (found[0], after)

    @in_turn
    async def ensure(self, key: str, draft: dict[str, Any]) -> dict[str, Any]:
        """Return the draft of a key, or begin it."""
        known = await self._load(key)
        if known is None:
            known = copy.deepcopy(draft)
            self.drafts[key] = (time.monotonic() + self.life_s, known)
        return {"key": key, "draft": copy.deepcopy(known)}

    @in_turn
    async def get(self, key: str) -> dict[str, Any]:
        """Return the draft."""
        return copy.deepcopy(await self._draft(key))

    @in_turn
    async def put(self, key: str, name: str, value: Any) -> None:
        """Set one value of the draft."""
        before = await self._draft(key)
        await self._store(key, before, {**before, name: copy.deepcopy(value)})

    @in_turn
    async def append(self, key: str, name: str, value: Any) -> None:
        """Add to one list of the draft."""
        before = await self._draft(key)
        await self._store(key, before, {**before, name: [*before.get(name, ()), copy.deepcopy(value)]})

    @in_turn
    async def pop(self, key: str) -> dict[str, Any]:
        """Take the draft out."""
        before = await self._draft(key)
        del self.drafts[key]
        return before

    async def exists(self, key: str) -> bool:
        """Say whether there is a draft."""
        found = self.drafts.get(key)
        return found is not None and time.monotonic() < found[0]

    async def clear(self) -> None:
        """Forget all drafts."""
        self.drafts.clear()

    async def keys(self) -> list[str]:
        """Return the keys of all drafts that live."""
        return [key for key, (until, _) in self.drafts.items() if time.monotonic() < until]
