"""All sessions in two slots that are written by turns; and what is wrong in stores like it."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import Any

from zoo.durable.common import Sessions, opened, put, sealed, sync


class Slots(Sessions):
    """Sound: the older slot is written over and flushed; the newer of those that are whole counts."""

    def load(self) -> None:
        self.number = 0
        self.slots = [self.root / "a", self.root / "b"]
        for path in self.slots:
            if not path.exists():
                put(path, b"")
        sync(self.root)
        found = [one for path in self.slots if (one := self.read(path)) is not None]
        if found:
            self.number, self.state = max(found, key=lambda one: one[0])

    def read(self, path: Any) -> tuple[int, dict[str, Any]] | None:
        text = opened(path.read_bytes())
        if text is None:
            return None
        number, state = json.loads(text)
        return number, state

    def keep(self, id: str, document: Any) -> None:
        number = self.number + 1
        self.write(number, json.dumps([number, self.after(id, document)]).encode())
        self.number = number

    def write(self, number: int, text: bytes) -> None:
        slot = self.slots[number % 2]
        try:
            put(slot, sealed(text))
        except OSError:
            with suppress(OSError):
                os.truncate(slot, 0)  # A buffer that is closed may have been written after all.
            raise


class OneSlot(Slots):
    """The slot that counts is the one that is written over."""

    def write(self, number: int, text: bytes) -> None:
        put(self.slots[0], sealed(text))


class SlotUnflushed(Slots):
    """Nothing is flushed."""

    def write(self, number: int, text: bytes) -> None:
        self.slots[number % 2].write_bytes(sealed(text))


class HeadBelieved(Slots):
    """The slot with the higher number counts, whole or not."""

    def read(self, path: Any) -> tuple[int, dict[str, Any]] | None:
        raw = path.read_bytes()
        number, _, text = raw.partition(b" ")
        return (int(number), json.loads(text)[1]) if number else None

    def write(self, number: int, text: bytes) -> None:
        put(self.slots[number % 2], b"%d " % number + text)


class DiskFullPassedOver(Slots):
    """What the disk has no room for is kept in memory, and called done."""

    def keep(self, id: str, document: Any) -> None:
        try:
            super().keep(id, document)
        except OSError:
            self.number += 2
