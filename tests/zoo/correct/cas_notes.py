"""Notes in a store that is reached over a wire: who writes says what he has read, and tries again when that is over.

There is no lock.  The store swaps a row only for the very row that was read, and only while that row lives, both at one
instant: so no update is lost, and nobody brings a note back that expired while he was waiting for the wire.
"""

from __future__ import annotations

import asyncio
import copy
import time
from dataclasses import dataclass, replace
from typing import Any


class NoSuchNote(Exception):
    """There is no note of this name."""


class NoteExists(Exception):
    """There is a note of this name."""


class Outdated(Exception):
    """The note is at another revision."""


@dataclass(frozen=True)
class Row:
    """One note as the store has it; replaced, never changed."""

    text: dict[str, Any]
    revision: int
    seen: float


class Store:
    """The far end of the wire: each call takes a while, and what it does then is one step."""

    def __init__(self, idle_s: float) -> None:
        self.idle_s = idle_s
        self.rows: dict[str, Row] = {}

    def lives(self, row: Row | None) -> bool:
        """Say whether a row is there and not over."""
        return row is not None and time.time() - row.seen < self.idle_s

    async def fetch(self, name: str) -> Row | None:
        """Return the row, if it lives."""
        await asyncio.sleep(0)
        row = self.rows.get(name)
        return row if self.lives(row) else None

    async def swap(self, name: str, old: Row | None, new: Row | None) -> bool:
        """Put one row in the place of another that lives still, or of none; False where it is not so any more."""
        await asyncio.sleep(0)
        now = self.rows.get(name)
        if (now if self.lives(now) else None) is not old:
            return False
        if new is None:
            self.rows.pop(name, None)
        else:
            self.rows[name] = replace(new, seen=time.time())
        return True


class CasNotes:
    """Keeps notes by name."""

    def __init__(self, idle_s: float) -> None:
        self.store = Store(idle_s)

    async def write(self, name: str, text: dict[str, Any]) -> int:
        """Begin a note."""
        while True:
            if await self.store.fetch(name) is not None:
                raise NoteExists(name)
            if await self.store.swap(name, None, Row(copy.deepcopy(text), 1, 0.0)):
                return 1

    async def read(self, name: str) -> dict[str, Any] | None:
        """Return text and revision, or None."""
        row = await self.store.fetch(name)
        return None if row is None else {"name": name, "text": copy.deepcopy(row.text), "revision": row.revision}

    async def touch(self, name: str) -> bool:
        """Renew a note; False when there is none."""
        while (row := await self.store.fetch(name)) is not None:
            if await self.store.swap(name, row, replace(row)):
                return True
        return False

    async def amend(self, name: str, changes: dict[str, Any]) -> int:
        """Merge changes into a note; returns the new revision."""
        while (row := await self.store.fetch(name)) is not None:
            text = {**row.text, **copy.deepcopy(changes)}
            if await self.store.swap(name, row, replace(row, text=text, revision=row.revision + 1)):
                return row.revision + 1
        raise NoSuchNote(name)

    async def rewrite(self, name: str, text: dict[str, Any], revision: int) -> int:
        """Replace the text of a revision; returns the new one."""
        while (row := await self.store.fetch(name)) is not None:
            if row.revision != revision:
                raise Outdated(f"{name} is at {row.revision}, not {revision}")
            if await self.store.swap(name, row, Row(copy.deepcopy(text), revision + 1, 0.0)):
                return revision + 1
        raise NoSuchNote(name)

    async def tear_up(self, name: str) -> bool:
        """Forget a note; False when there was none."""
        while (row := await self.store.fetch(name)) is not None:
            if await self.store.swap(name, row, None):
                return True
        return False

    async def names(self) -> list[str]:
        """Return the names of the notes that live."""
        await asyncio.sleep(0)
        return [name for name, row in self.store.rows.items() if self.store.lives(row)]

    async def weed(self) -> int:
        """Forget what is over and return how much that was."""
        await asyncio.sleep(0)
        over = [name for name, row in self.store.rows.items() if not self.store.lives(row)]
        for name in over:
            del self.store.rows[name]
        return len(over)
