"""Waiting rooms, each with a timer of its own that ends it; nobody sweeps.

Whoever renews a room takes its timer back and sets another.  An operation that comes at the very deadline does not ask
whether the timer was first: it looks at the clock itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import secrets
from collections.abc import Callable
from types import TracebackType
from typing import Any


class HouseFull(Exception):
    """There is no room left."""


class WaitingRoom:
    """One room, its deadline, and the timer that ends it."""

    def __init__(self, notice: dict[str, Any]) -> None:
        self.notice = copy.deepcopy(notice)
        self.deadline = 0.0
        self.timer: asyncio.TimerHandle | None = None
        self.bells: list[Callable[[], object]] = []


class TimerRooms:
    """Keeps rooms until their timers run out."""

    def __init__(self, idle_s: float, seats: int) -> None:
        self.idle_s = idle_s
        self.seats = seats
        self.rooms: dict[str, WaitingRoom] = {}

    async def __aenter__(self) -> TimerRooms:
        self.loop = asyncio.get_running_loop()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        for key in tuple(self.rooms):
            self._end(key)

    def _set_timer(self, key: str, room: WaitingRoom) -> None:
        if room.timer is not None:
            room.timer.cancel()
        room.deadline = self.loop.time() + self.idle_s
        room.timer = self.loop.call_at(room.deadline, self._end, key)

    def _end(self, key: str) -> None:
        room = self.rooms.pop(key, None)
        if room is None:
            return
        if room.timer is not None:
            room.timer.cancel()
        for bell in room.bells:
            with contextlib.suppress(Exception):
                bell()

    def _live(self, key: str) -> WaitingRoom | None:
        room = self.rooms.get(key)
        if room is not None and self.loop.time() >= room.deadline:
            self._end(key)
            return None
        return room

    async def open(self, notice: dict[str, Any]) -> str:
        """Open a room and return its key."""
        for key in tuple(self.rooms):
            self._live(key)
        if len(self.rooms) >= self.seats:
            raise HouseFull(f"{self.seats} rooms at most")
        key = secrets.token_urlsafe(16)
        room = self.rooms[key] = WaitingRoom(notice)
        self._set_timer(key, room)
        return key

    async def read(self, key: str) -> dict[str, Any] | None:
        """Return the notice, or None."""
        await asyncio.sleep(0)
        room = self._live(key)
        return None if room is None else copy.deepcopy(room.notice)

    async def stay(self, key: str) -> bool:
        """Renew a room; False when there is none."""
        await asyncio.sleep(0)
        room = self._live(key)
        if room is None:
            return False
        self._set_timer(key, room)
        return True

    async def pin(self, key: str, notice: dict[str, Any]) -> bool:
        """Replace the notice; False when there is no such room."""
        await asyncio.sleep(0)
        room = self._live(key)
        if room is None:
            return False
        room.notice = copy.deepcopy(notice)
        self._set_timer(key, room)
        return True

    async def left(self, key: str) -> float | None:
        """Return how long a room stays open, or None."""
        room = self._live(key)
        return None if room is None else room.deadline - self.loop.time()

    async def ring_at_end(self, key: str, bell: Callable[[], object]) -> bool:
        """Have a bell rung when the room ends; False when there is no such room."""
        room = self._live(key)
        if room is None:
            return False
        room.bells.append(bell)
        return True

    async def leave(self, key: str) -> bool:
        """End a room; False when there was none."""
        room = self._live(key)
        self._end(key)
        return room is not None

    async def keys(self) -> list[str]:
        """Return the keys of the open rooms."""
        return [key for key in tuple(self.rooms) if self._live(key) is not None]
