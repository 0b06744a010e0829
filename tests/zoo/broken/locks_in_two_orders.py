"""Who speaks takes the room's lock, then the door's; who enters takes them the other way round: they wait for ever."""

from __future__ import annotations

import asyncio
from typing import Any

from zoo.correct.async_rooms import AsyncRooms


class EntangledRooms(AsyncRooms):
    """Takes two locks in two orders."""

    async def say(self, name: str, words: dict[str, Any]) -> bool:
        room = self._live(name)
        if room is None:
            return False
        async with room.lock:
            await asyncio.sleep(0)
            async with self.door:
                room.words = {**room.words, **words}
        return True

    async def enter(self, name: str) -> bool:
        room = self._live(name)
        if room is None:
            return False
        async with self.door:
            await asyncio.sleep(0)
            async with room.lock:
                return await super().enter(name)
