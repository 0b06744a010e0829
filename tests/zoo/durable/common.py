"""What the stores of other styles have in common: sessions in memory, each change kept before it is made."""

from __future__ import annotations

import hashlib
import os
import time
import uuid
from pathlib import Path
from typing import Any


class Damaged(Exception):
    """What is on the disk cannot be read."""


class Sessions:
    """A store that says how one change is kept (`keep`), and what is there when it is opened (`load`)."""

    def __init__(self, root: str, idle: float = 600.0) -> None:
        self.root, self.idle = Path(root), idle
        self.state: dict[str, Any] = {}
        self.load()

    def load(self) -> None:
        """Fill `state` with what was kept."""
        raise NotImplementedError

    def keep(self, id: str, document: Any) -> None:
        """Keep a session's new document; None: it is gone."""
        raise NotImplementedError

    def change(self, id: str, document: Any) -> None:
        self.keep(id, document)
        if document is None:
            self.state.pop(id, None)
        else:
            self.state[id] = document

    def after(self, id: str, document: Any) -> dict[str, Any]:
        """Return all documents as they are after a change."""
        return {one: kept for one, kept in {**self.state, id: document}.items() if kept is not None}

    def alive(self, id: str) -> Any:
        found = self.state.get(id)
        return None if found is None or time.time() - found["seen"] >= self.idle else found

    def create(self, data: Any = None) -> str:
        id = uuid.uuid4().hex
        self.change(id, {"data": data or {}, "seen": time.time()})
        return id

    def get(self, id: str) -> Any:
        found = self.alive(id)
        return None if found is None else found["data"]

    def update(self, id: str, changes: Any) -> bool:
        found = self.alive(id)
        if found is not None:
            self.change(id, {"data": {**found["data"], **changes}, "seen": time.time()})
        return found is not None

    def touch(self, id: str) -> bool:
        found = self.alive(id)
        if found is not None:
            self.change(id, {**found, "seen": time.time()})
        return found is not None

    def delete(self, id: str) -> bool:
        found = self.alive(id)
        if found is not None:
            self.change(id, None)
        return found is not None

    def list(self) -> list[str]:
        return [id for id in sorted(self.state) if self.alive(id) is not None]

    def close(self) -> None:
        pass


def sealed(text: bytes) -> bytes:
    return hashlib.sha256(text).hexdigest().encode() + b" " + text


def opened(raw: bytes) -> bytes | None:
    head, _, text = raw.partition(b" ")
    return text if hashlib.sha256(text).hexdigest().encode() == head else None


def put(path: Path, raw: bytes, *, mode: str = "wb") -> None:
    with path.open(mode) as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())


def sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replaced(path: Path, raw: bytes) -> None:
    """Put a file in its place, whole, whatever happens meanwhile."""
    fresh = path.with_suffix(".fresh")
    put(fresh, raw)
    os.replace(fresh, path)
    sync(path.parent)
