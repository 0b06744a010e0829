"""Rooms are over after half of their time."""

from __future__ import annotations

from zoo.correct.async_rooms import AsyncRooms


class HastyRooms(AsyncRooms):
    """Halves the timeout."""

    def __init__(self, idle_s: float, room: int, sweep_every_s: float) -> None:
        super().__init__(idle_s / 2, room, sweep_every_s)
