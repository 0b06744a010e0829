"""Sessions in a log of JSON lines that is written anew when it has grown; and what is wrong in stores like it."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import Any

from zoo.durable.common import Damaged, Sessions, opened, put, replaced, sealed, sync


class Lines(Sessions):
    """Sound: a sealed line a change; after four of them the log is written anew, beside, and put in its place."""

    most = 4

    def load(self) -> None:
        self.path = self.root / "sessions.jsonl"
        self.count = 0
        if not self.path.exists():
            put(self.path, b"")
            sync(self.root)
        raw = self.path.read_bytes()
        sound = 0
        for line in raw.splitlines(keepends=True):
            text = opened(line[:-1]) if line.endswith(b"\n") else None
            if text is None:
                break
            self.apply(json.loads(text))
            sound += len(line)
        if sound < len(raw):
            if any(opened(line) is not None for line in raw[sound:].split(b"\n")[1:]):
                raise Damaged("a bad line before a good one")
            self.cut(sound)

    def cut(self, size: int) -> None:
        with self.path.open("r+b") as file:
            file.truncate(size)
            os.fsync(file.fileno())

    def apply(self, record: Any) -> None:
        id, document = record
        self.count += 1
        if document is None:
            self.state.pop(id, None)
        else:
            self.state[id] = document

    def line(self, id: str, document: Any) -> bytes:
        return sealed(json.dumps([id, document]).encode()) + b"\n"

    def keep(self, id: str, document: Any) -> None:
        if self.count >= self.most:
            self.anew(id, document)
            return
        size = self.path.stat().st_size
        try:
            put(self.path, self.line(id, document), mode="ab")
        except OSError:
            with suppress(OSError):
                self.cut(size)
            raise
        self.count += 1

    def anew(self, id: str, document: Any) -> None:
        after = self.after(id, document)
        replaced(self.path, b"".join(self.line(one, kept) for one, kept in after.items()))
        self.count = len(after)


class WrittenAnewInPlace(Lines):
    """The log that has grown is emptied, then written."""

    def anew(self, id: str, document: Any) -> None:
        after = self.after(id, document)
        put(self.path, b"".join(self.line(one, kept) for one, kept in after.items()))
        self.count = len(after)


class LastLeftOut(Lines):
    """The change that makes the log grow too long is not in the new one."""

    def anew(self, id: str, document: Any) -> None:
        replaced(self.path, b"".join(self.line(one, kept) for one, kept in self.state.items()))
        self.count = len(self.state)


class NewLogUnflushed(Lines):
    """The new log is in its place before it is on the disk."""

    def anew(self, id: str, document: Any) -> None:
        fresh = self.path.with_suffix(".fresh")
        fresh.write_bytes(b"".join(self.line(one, kept) for one, kept in self.after(id, document).items()))
        os.replace(fresh, self.path)
        sync(self.root)
        self.count = 1


class NewNameUnflushed(Lines):
    """Whoever looks after a loss of power may still find the old log, and nothing of what came since."""

    def anew(self, id: str, document: Any) -> None:
        fresh = self.path.with_suffix(".fresh")
        put(fresh, b"".join(self.line(one, kept) for one, kept in self.after(id, document).items()))
        os.replace(fresh, self.path)
        self.count = 1


class HalfALineLeft(Lines):
    """What a full disk has cut off stays, and the next line is written behind it."""

    def keep(self, id: str, document: Any) -> None:
        with self.path.open("ab", buffering=0) as file:
            file.write(self.line(id, document))
            os.fsync(file.fileno())
