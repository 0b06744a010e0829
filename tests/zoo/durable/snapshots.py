"""Sessions as a snapshot and the changes since, or as a shelf for each change; and what is wrong in such stores."""

from __future__ import annotations

import dbm.dumb
import json
import os
import shelve
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from zoo.durable.common import Sessions, opened, put, replaced, sealed, sync


class Snapshots(Sessions):
    """Sound: the snapshot names the file of the changes that follow it; both are there before the old ones go."""

    most = 3

    def load(self) -> None:
        self.snapshot = self.root / "snapshot"
        if not self.snapshot.exists():
            self.take(0, {})
        text = opened(self.snapshot.read_bytes())
        if text is None:
            raise ValueError("the snapshot is damaged")
        self.number, self.state = json.loads(text)
        for path in self.root.glob("changes-*"):
            if path != self.changes:
                path.unlink()
        self.count, sound = 0, 0
        raw = self.changes.read_bytes()
        for line in raw.splitlines(keepends=True):
            record = opened(line[:-1]) if line.endswith(b"\n") else None
            if record is None:
                break
            id, document = json.loads(record)
            self.state = self.after(id, document)
            sound += len(line)
            self.count += 1
        if sound < len(raw):
            os.truncate(self.changes, sound)
            put(self.changes, b"", mode="ab")

    @property
    def changes(self) -> Path:
        return self.root / f"changes-{self.number}"

    def take(self, number: int, state: dict[str, Any]) -> None:
        put(self.root / f"changes-{number}", b"")
        sync(self.root)
        replaced(self.snapshot, sealed(json.dumps([number, state]).encode()))

    def keep(self, id: str, document: Any) -> None:
        if self.count < self.most:
            self.append(sealed(json.dumps([id, document]).encode()) + b"\n")
            self.count += 1
            return
        self.take(self.number + 1, self.after(id, document))
        old, self.number, self.count = self.changes, self.number + 1, 0
        with suppress(OSError):
            old.unlink()

    def append(self, line: bytes) -> None:
        size = self.changes.stat().st_size
        try:
            put(self.changes, line, mode="ab")
        except OSError:
            with suppress(OSError):
                os.truncate(self.changes, size)
            raise


class ChangesGoneFirst(Snapshots):
    """The changes are removed before the snapshot that holds them is there."""

    def take(self, number: int, state: dict[str, Any]) -> None:
        for path in self.root.glob("changes-*"):
            path.write_bytes(b"")
        super().take(number, state)


class SnapshotUnflushed(Snapshots):
    """The snapshot has its name before its bytes are on the disk."""

    def take(self, number: int, state: dict[str, Any]) -> None:
        put(self.root / f"changes-{number}", b"")
        fresh = self.snapshot.with_suffix(".fresh")
        fresh.write_bytes(sealed(json.dumps([number, state]).encode()))
        os.replace(fresh, self.snapshot)
        sync(self.root)


class SeenAnew(Snapshots):
    """Whoever is in the snapshot was seen when it was taken."""

    def take(self, number: int, state: dict[str, Any]) -> None:
        super().take(number, {id: {**document, "seen": time.time()} for id, document in state.items()})


class Shelves(Sessions):
    """Sound: each change makes a new shelf; a file that is replaced whole names the one that counts."""

    def load(self) -> None:
        self.current = self.root / "current"
        self.number = int(self.current.read_text()) if self.current.exists() else 0
        if self.number:
            with self.shelf(self.place(self.number), "r") as shelf:
                self.state = dict(shelf)

    def shelf(self, place: Path, flag: str) -> Any:
        return shelve.Shelf(dbm.dumb.open(str(place / "shelf"), flag))

    def place(self, number: int) -> Path:
        return self.root / f"version-{number}"

    def keep(self, id: str, document: Any) -> None:
        number, place = self.number + 1, self.place(self.number + 1)
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        with self.shelf(place, "n") as shelf:
            shelf.update(self.after(id, document))
        for path in place.iterdir():
            self.flush(path)
        sync(place)
        sync(self.root)
        replaced(self.current, str(number).encode())
        shutil.rmtree(self.place(self.number), ignore_errors=True)
        self.number = number

    def flush(self, path: Path) -> None:
        sync(path)


class ShelfUnflushed(Shelves):
    """What the name leads to is not on the disk yet."""

    def flush(self, path: Path) -> None:
        pass
