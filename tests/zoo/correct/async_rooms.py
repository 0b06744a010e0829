"""Chat rooms for asyncio: every room has a lock, the door has one too, and a task sweeps the floor.

Between reading and writing it really waits, so that only its locks keep it right.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import time
import uuid
from collections.abc import Callable
from types import TracebackType
from typing import Any


class Room:
    """One room: its words, who is to be told when it closes, and its lock."""

    def __init__(self, words: dict[str, Any]) -> None:
        self.words = copy.deepcopy(words)
        self.used = time.time()
        self.lock = asyncio.Lock()
        self.farewells: list[Callable[[], object]] = []


class AsyncRooms:
    """Keeps rooms; when the house is full, the room that was idle for longest is closed."""

    def __init__(self, idle_s: float, room: int, sweep_every_s: float) -> None:
        self.idle_s = idle_s
        self.room = room
        self.sweep_every_s = sweep_every_s
        self.rooms: dict[str, Room] = {}
        self.door = asyncio.Lock()
        self.sweeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> AsyncRooms:
        self.sweeper = asyncio.create_task(self._sweep_for_ever())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.sweeper is not None:
            self.sweeper.cancel()
        await self.clear()

    async def _sweep_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self.sweep_every_s)
            await self.sweep()

    def _live(self, name: str) -> Room | None:
        room = self.rooms.get(name)
        return room if room is not None and time.time() - room.used < self.idle_s else None

    def _close(self, name: str) -> bool:
        room = self.rooms.pop(name, None)
        if room is None:
            return False
        for farewell in room.farewells:
            with contextlib.suppress(Exception):
                farewell()
        return True

    async def open(self, words: dict[str, Any]) -> str:
        """Open a room and return its name."""
        async with self.door:
            await self.sweep()
            await asyncio.sleep(0)
            if len(self.rooms) >= self.room:
                self._close(min(self.rooms, key=lambda name: self.rooms[name].used))
            name = uuid.uuid4().hex
            self.rooms[name] = Room(words)
            return name

    async def read(self, name: str) -> dict[str, Any] | None:
        """Return the words of the room."""
        await asyncio.sleep(0)
        room = self._live(name)
        return None if room is None else copy.deepcopy(room.words)

    async def enter(self, name: str) -> bool:
        """Renew the room; False when it is closed."""
        room = self._live(name)
        if room is None:
            return False
        room.used = time.time()
        return True

    async def say(self, name: str, words: dict[str, Any]) -> bool:
        """Add words to the room; False when it is closed."""
        room = self._live(name)
        if room is None:
            return False
        async with room.lock:
            before = dict(room.words)
            await asyncio.sleep(0)
            if self._live(name) is not room:
                return False
            room.words = {**before, **copy.deepcopy(words)}
            room.used = time.time()
            return True

    async def on_close(self, name: str, farewell: Callable[[], object]) -> bool:
        """Have somebody told when the room closes; False when it is closed already."""
        room = self._live(name)
        if room is None:
            return False
        room.farewells.append(farewell)
        return True

    async def close(self, name: str) -> bool:
        """Close the room; False when it was closed."""
        was_live = self._live(name) is not None
        self._close(name)
        return was_live

    async def sweep(self) -> int:
        """Close the rooms that are over and return how many they were."""
        return sum(self._close(name) for name in tuple(self.rooms) if self._live(name) is None)

    async def clear(self) -> None:
        """Close all rooms."""
        for name in tuple(self.rooms):
            self._close(name)

    async def names(self) -> list[str]:
        """Return the names of the open rooms."""
        return [name for name in self.rooms if self._live(name) is not None]
