"""A vault that never answers None: whatever is not there, over, taken or out of date is an error of its own class.

Every value carries a version, and whoever saves over another's change is refused.
"""

from __future__ import annotations

import copy
import secrets
import time
from dataclasses import dataclass, field
from typing import Any


class VaultError(Exception):
    """The root of the vault's refusals."""


class NoSuchBox(VaultError):
    """There is no box of this id."""


class BoxExpired(NoSuchBox):
    """There was one, but its time is over."""


class BoxTaken(VaultError):
    """A box of this id is in use."""


class VaultFull(VaultError):
    """There is no room for another box."""


class Outdated(VaultError):
    """The box was changed since it was read."""


@dataclass
class Box:
    """One box."""

    id: str
    content: dict[str, Any]
    made: float
    used: float
    version: int = 1
    past: list[int] = field(default_factory=list)


class StrictVault:
    """Keeps boxes: each ends when it was idle for too long or is too old, whichever comes first."""

    def __init__(self, idle_s: float, life_s: float, room: int, remembered: int) -> None:
        self.idle_s = idle_s
        self.life_s = life_s
        self.room = room
        self.remembered = remembered
        self.boxes: dict[str, Box] = {}
        self.over: set[str] = set()
        self.seen = (time.time(), time.monotonic())
        self.set_back_s = 0.0

    def now(self) -> float:
        """Return the time on the wall, as if nobody had ever set its clock back."""
        before, self.seen = self.seen, (time.time(), time.monotonic())
        jump_s = (self.seen[0] - before[0]) - (self.seen[1] - before[1])
        if jump_s < -1e-3:
            self.set_back_s -= jump_s
        return self.seen[0] + self.set_back_s

    def _live(self, box_id: str) -> Box:
        self.purge()
        if box_id in self.over:
            raise BoxExpired(box_id)
        if box_id not in self.boxes:
            raise NoSuchBox(box_id)
        return self.boxes[box_id]

    def purge(self) -> int:
        """Forget the boxes that are over and return how many they were."""
        now = self.now()
        over = [box.id for box in self.boxes.values() if now - box.used >= self.idle_s or now - box.made >= self.life_s]
        for box_id in over:
            del self.boxes[box_id]
            self.over.add(box_id)
        return len(over)

    def add(self, content: dict[str, Any], box_id: str | None = None) -> Box:
        """Begin a box."""
        self.purge()
        chosen = box_id or secrets.token_hex(16)
        if chosen in self.boxes:
            raise BoxTaken(chosen)
        if len(self.boxes) >= self.room:
            raise VaultFull(f"{self.room} boxes at most")
        now = self.now()
        self.boxes[chosen] = Box(chosen, copy.deepcopy(content), now, now)
        self.over.discard(chosen)
        return copy.deepcopy(self.boxes[chosen])

    def look(self, box_id: str) -> Box:
        """Return a copy of the box."""
        return copy.deepcopy(self._live(box_id))

    def knock(self, box_id: str) -> None:
        """Renew the box."""
        self._live(box_id).used = self.now()

    def replace(self, box_id: str, content: dict[str, Any], version: int) -> int:
        """Replace the content if the box is still at this version; returns the new version."""
        box = self._live(box_id)
        if box.version != version:
            raise Outdated(f"{box_id} is at version {box.version}, not {version}")
        box.content = copy.deepcopy(content)
        box.past.append(box.version)
        box.version += 1
        box.used = self.now()
        return box.version

    def put(self, box_id: str, key: str, value: Any) -> int:
        """Set one key of the content; returns the new version."""
        box = self._live(box_id)
        return self.replace(box_id, {**box.content, key: value}, box.version)

    def versions(self, box_id: str, last: int | None = None) -> list[int]:
        """Return the versions remembered, the newest last, or only so many of them."""
        box = self._live(box_id)
        known = [*box.past, box.version][-self.remembered :]
        return known if last is None else known[-last:] if last > 0 else []

    def drop(self, box_id: str) -> None:
        """Forget the box."""
        self._live(box_id)
        del self.boxes[box_id]

    def ids(self) -> set[str]:
        """Return the ids of all boxes."""
        self.purge()
        return set(self.boxes)
