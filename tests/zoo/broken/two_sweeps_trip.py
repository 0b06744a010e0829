"""Two sweeps at once look at the same rooms; the one that comes second stumbles over what the first has taken."""

from __future__ import annotations

import asyncio

from zoo.correct.async_rooms import AsyncRooms


class StumblingRooms(AsyncRooms):
    """Waits between looking and taking, and expects to find what it saw."""

    async def sweep(self) -> int:
        over = [name for name in self.rooms if self._live(name) is None]
        for name in over:
            await asyncio.sleep(0)
            del self.rooms[name]
        return len(over)
