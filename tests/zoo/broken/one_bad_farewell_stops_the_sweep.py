"""An error while one room is closed ends the sweep: the rooms after it stay."""

from __future__ import annotations

from zoo.correct.async_rooms import AsyncRooms


class TouchyRooms(AsyncRooms):
    """Lets the errors of others through."""

    def _close(self, name: str) -> bool:
        room = self.rooms.pop(name, None)
        for farewell in room.farewells if room is not None else ():
            farewell()
        return room is not None
