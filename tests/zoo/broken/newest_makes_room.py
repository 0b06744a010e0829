"""When the house is full the room used last has to go, instead of the one that was idle for longest."""

from __future__ import annotations

from typing import Any

from zoo.correct.async_rooms import AsyncRooms


class UnjustRooms(AsyncRooms):
    """Has `max` where `min` belongs."""

    async def open(self, words: dict[str, Any]) -> str:
        if len(self.rooms) >= self.room:
            self._close(max(self.rooms, key=lambda name: self.rooms[name].used))
        return await super().open(words)
