"""Two who speak at once in one room: it reads, waits, and writes without its lock, so that one of them is not heard."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from zoo.correct.async_rooms import AsyncRooms


class NoisyRooms(AsyncRooms):
    """Has no lock."""

    async def say(self, name: str, words: dict[str, Any]) -> bool:
        room = self._live(name)
        if room is None:
            return False
        before = dict(room.words)
        await asyncio.sleep(0)
        room.words = {**before, **words}
        room.used = time.time()
        return True
