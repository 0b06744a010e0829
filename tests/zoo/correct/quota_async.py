"""Workspaces with a quota for each owner: a lock for each owner, held from counting to making, across a wait.

A lock is about one owner, and nobody takes two.  An owner's lock stays for as long as the manager does.
"""

from __future__ import annotations

import asyncio
import copy
import secrets
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass
class Space:
    """One workspace."""

    owner: str
    files: dict[str, Any]
    used: float
    version: int = 0


class QuotaAsync:
    """Keeps workspaces."""

    def __init__(self, idle_s: float, quota: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.idle_s = idle_s
        self.quota = quota
        self.clock = clock
        self.spaces: dict[str, Space] = {}
        self.locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def _live(self, space_id: str) -> Space | None:
        space = self.spaces.get(space_id)
        return space if space is not None and self.clock() - space.used < self.idle_s else None

    async def open(self, owner: str, files: dict[str, Any]) -> str | None:
        """Begin a workspace and return its id; None when the owner has enough of them."""
        async with self.locks[owner]:
            held = sum(one.owner == owner and self._live(key) is not None for key, one in self.spaces.items())
            if held >= self.quota:
                return None
            await asyncio.sleep(0)
            space_id = secrets.token_hex(12)
            self.spaces[space_id] = Space(owner, copy.deepcopy(files), self.clock())
            return space_id

    async def load(self, space_id: str) -> dict[str, Any] | None:
        """Return owner, files and version, or None."""
        space = self._live(space_id)
        if space is None:
            return None
        return {"id": space_id, "owner": space.owner, "files": copy.deepcopy(space.files), "version": space.version}

    async def work(self, space_id: str) -> bool:
        """Renew a workspace; False when there is none."""
        space = self._live(space_id)
        if space is None:
            return False
        space.used = self.clock()
        return True

    async def write(self, space_id: str, changes: dict[str, Any]) -> int | None:
        """Merge changes into the files and return the new version; None when there is no such workspace."""
        space = self._live(space_id)
        if space is None:
            return None
        async with self.locks[space.owner]:
            files = {**space.files, **copy.deepcopy(changes)}
            await asyncio.sleep(0)
            if self._live(space_id) is None:
                return None
            space.files, space.used = files, self.clock()
            space.version += 1
            return space.version

    async def give_up(self, space_id: str) -> bool:
        """Forget a workspace; False when there was none."""
        was_live = self._live(space_id) is not None
        self.spaces.pop(space_id, None)
        return was_live

    async def of(self, owner: str) -> list[str]:
        """Return the ids of an owner's workspaces."""
        return [key for key, one in self.spaces.items() if one.owner == owner and self._live(key) is not None]

    async def reclaim(self) -> int:
        """Forget what is over and return how much that was."""
        over = [key for key in self.spaces if self._live(key) is None]
        for key in over:
            del self.spaces[key]
        return len(over)
