"""Rooms that are said to be closed stay open."""

from __future__ import annotations

from zoo.correct.async_rooms import AsyncRooms


class LingeringRooms(AsyncRooms):
    """Tells whether there was a room to close, and leaves it."""

    async def close(self, name: str) -> bool:
        return self._live(name) is not None
