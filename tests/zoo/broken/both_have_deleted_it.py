"""Two who close a room at once are both told that they did: it looks, waits, and then closes."""

from __future__ import annotations

import asyncio

from zoo.correct.async_rooms import AsyncRooms


class SlowDoor(AsyncRooms):
    """Waits between looking and closing."""

    async def close(self, name: str) -> bool:
        was_live = self._live(name) is not None
        await asyncio.sleep(0)
        self._close(name)
        return was_live
