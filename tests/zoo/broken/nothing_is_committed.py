"""A shelf never commits: after a restart everything is gone."""

from __future__ import annotations

from zoo.correct.sqlite_shelf import SqliteShelf


class FleetingShelf(SqliteShelf):
    """Leaves its transaction open."""

    def __init__(self, path: str, idle_s: int, room: int) -> None:
        super().__init__(path, idle_s, room)
        self.file.isolation_level = "DEFERRED"
