"""Four races of threads that session managers are known for, as small as they can be."""

from __future__ import annotations

import threading


class LostUpdate:
    """Reads a number of hits, then writes it."""

    def __init__(self) -> None:
        self.hits = {"a": 0}

    def hit(self) -> None:
        self.hits["a"] = self.hits["a"] + 1

    def is_right(self) -> bool:
        return self.hits["a"] == 2

    clients = (hit, hit)


class Limit:
    """Counts its sessions, then adds one."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, int]] = {"z": {}}

    def create(self, key: str) -> bool:
        if len(self.kept) >= 2:
            return False
        self.kept[key] = {"n": 0}
        return True

    def one(self) -> None:
        self.create("a")

    def other(self) -> None:
        self.create("b")

    def is_right(self) -> bool:
        return len(self.kept) <= 2

    clients = (one, other)


class Deadlock:
    """Takes two locks in two orders."""

    def __init__(self) -> None:
        self.first, self.second = threading.Lock(), threading.Lock()
        self.done = 0

    def one(self) -> None:
        with self.first, self.second:
            self.done += 1

    def other(self) -> None:
        with self.second, self.first:
            self.done += 1

    def is_right(self) -> bool:
        return self.done == 2

    clients = (one, other)


class Resurrection:
    """A touch writes back what was deleted meanwhile."""

    def __init__(self) -> None:
        self.kept = {"a": {"at": 0}}

    def touch(self) -> None:
        session = self.kept.get("a")
        if session is not None:
            self.kept["a"] = {**session, "at": 1}

    def delete(self) -> None:
        self.kept.pop("a", None)

    def is_right(self) -> bool:
        return "a" not in self.kept

    clients = (touch, delete)


RACES = {"lost update": LostUpdate, "limit": Limit, "deadlock": Deadlock, "resurrection": Resurrection}
