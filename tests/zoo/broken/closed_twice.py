"""What a room owns is closed once when it ends, and once more for good measure."""

from __future__ import annotations

from zoo.correct.async_rooms import AsyncRooms


class ThoroughRooms(AsyncRooms):
    """Says farewell twice."""

    def _close(self, name: str) -> bool:
        room = self.rooms.get(name)
        if room is not None:
            room.farewells += room.farewells
        return super()._close(name)
