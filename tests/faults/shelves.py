"""A small store of sessions in files with hooks, done right, and done wrong in one way each."""

from __future__ import annotations

import json
import os
import secrets
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any


class Full(Exception):
    """No more sessions."""


class Shelf:
    """Sessions as files, each replaced whole; what is in memory follows what is on the disk."""

    def __init__(self, root: str, limit: int, commit: Callable[[str], None], closed: Callable[[str], None]) -> None:
        self.root, self.limit, self.commit, self.closed = root, limit, commit, closed
        self.lock = threading.Lock()
        os.makedirs(root, exist_ok=True)
        self.kept: dict[str, dict[str, Any]] = {}
        for name in sorted(os.listdir(root)):
            if name.endswith(".json"):
                with open(os.path.join(root, name)) as file:
                    self.kept[name.removesuffix(".json")] = json.load(file)

    def place(self, id: str) -> str:
        return os.path.join(self.root, f"{id}.json")

    def write(self, id: str, data: dict[str, Any]) -> None:
        fresh = self.place(id) + ".new"
        with open(fresh, "w") as file:
            json.dump(data, file)
        os.replace(fresh, self.place(id))

    def create(self, data: dict[str, Any] | None = None) -> str:
        with self.lock:
            if len(self.kept) >= self.limit:
                raise Full
            id = secrets.token_hex(16)
            self.commit(id)
            self.write(id, data or {})
            self.kept[id] = dict(data or {})
            return id

    def get(self, id: str) -> dict[str, Any] | None:
        return dict(self.kept[id]) if id in self.kept else None

    def update(self, id: str, changes: dict[str, Any]) -> bool:
        with self.lock:
            if id not in self.kept:
                return False
            after = {**self.kept[id], **changes}
            self.commit(id)
            self.write(id, after)
            self.kept[id] = after
            return True

    def delete(self, id: str) -> bool:
        with self.lock:
            if id not in self.kept:
                return False
            os.unlink(self.place(id))
            del self.kept[id]
        with suppress(Exception):  # The session is gone, whoever could not be told.
            self.closed(id)
        return True

    def list(self) -> list[str]:
        return list(self.kept)

    def clear(self) -> int:
        return sum(self.delete(id) for id in list(self.kept))


class HalfInMemory(Shelf):
    """Bug: what is in memory is changed key by key, before it is known whether it can be written."""

    def update(self, id: str, changes: dict[str, Any]) -> bool:
        with self.lock:
            if id not in self.kept:
                return False
            for key, value in changes.items():
                self.kept[id][key] = value
                self.commit(id)
            self.write(id, self.kept[id])
            return True


class Swallows(Shelf):
    """Bug: what could not be written is called done."""

    def write(self, id: str, data: dict[str, Any]) -> None:
        with suppress(OSError):
            super().write(id, data)


class KeepsTheSlot(Shelf):
    """Bug: the slot is taken before the hook, and not given back where that fails."""

    taken = 0

    def create(self, data: dict[str, Any] | None = None) -> str:
        if self.taken >= self.limit:
            raise Full
        self.taken += 1
        return super().create(data)

    def delete(self, id: str) -> bool:
        found = super().delete(id)
        self.taken -= found
        return found


class KeepsTheLock(Shelf):
    """Bug: the lock is not given back where the hook fails."""

    def update(self, id: str, changes: dict[str, Any]) -> bool:
        self.lock.acquire()
        if id not in self.kept:
            self.lock.release()
            return False
        after = {**self.kept[id], **changes}
        self.commit(id)
        self.write(id, after)
        self.kept[id] = after
        self.lock.release()
        return True


class InPlace(Shelf):
    """Bug: the only copy is written over: half of it is there where the disk is full."""

    def write(self, id: str, data: dict[str, Any]) -> None:
        with open(self.place(id), "w") as file:
            json.dump(data, file)


class TellsFirst(Shelf):
    """Bug: who is told first, and then the session is ended, keeps it where telling fails."""

    def delete(self, id: str) -> bool:
        with self.lock:
            if id not in self.kept:
                return False
            os.unlink(self.place(id))
            self.closed(id)
            del self.kept[id]
            return True


class PassesOverItsHook(Shelf):
    """Bug: the hook that may refuse is asked, and its refusal passed over."""

    def update(self, id: str, changes: dict[str, Any]) -> bool:
        with self.lock:
            if id not in self.kept:
                return False
            with suppress(Exception):
                self.commit(id)
            self.write(id, {**self.kept[id], **changes})
            self.kept[id] |= changes
            return True


class AsksAfterwards(Shelf):
    """Bug: the hook that may refuse is asked once all is done."""

    def update(self, id: str, changes: dict[str, Any]) -> bool:
        with self.lock:
            if id not in self.kept:
                return False
            self.write(id, {**self.kept[id], **changes})
            self.kept[id] |= changes
            self.commit(id)
            return True


class AsksAgain(Shelf):
    """Sound: a hook that fails is asked twice more before it is believed; the folder is tidied under its eyes."""

    def update(self, id: str, changes: dict[str, Any]) -> bool:
        with self.lock:
            if id not in self.kept:
                return False
            for left in range(3):
                try:
                    self.commit(id)
                    break
                except ConnectionError:
                    if left == 2:
                        raise
            self.write(id, {**self.kept[id], **changes})
            self.kept[id] |= changes
            with suppress(Exception):
                self.commit("the folder")
            return True


PROFILE = """
[manager]
factory = "shelves:{name}"
path = ["."]
args = {{ root = "{{dir}}/shelf", limit = "{{limit}}" }}
hooks = {{ commit = "commit(id)", closed = "close(id)" }}

[operations]
create = "create(data?) -> id"
get = "get(id) -> data"
update = "update(id, changes) -> found"
delete = "delete(id) -> found"
list = "list() -> ids"
clear = "clear() -> count"

[policy]
limit = 3
survives = "restart"
missing = {{ get = "none", update = "false", delete = "false" }}
data = "copies"

[errors]
limit = "shelves:Full"
"""
