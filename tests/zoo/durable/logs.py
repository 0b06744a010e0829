"""Sessions in one append-only log with a checksum in each line; and what is wrong in stores like it."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any


class Damaged(Exception):
    """The log has a bad line before its last one."""


class Log:
    """Sound: a line an operation, flushed before it is acknowledged; a torn last line is cut off."""

    def __init__(self, root: str, idle: float = 600.0) -> None:
        self.root, self.idle = Path(root), idle
        self.path = self.root / "log"
        self.state: dict[str, Any] = {}
        self.last = 0
        self.load()

    # -- the log

    def line(self, record: Any) -> bytes:
        text = json.dumps(record).encode()
        return hashlib.sha256(text).hexdigest().encode() + b" " + text + b"\n"

    def parsed(self, line: bytes) -> Any:
        head, _, text = line.partition(b" ")
        if hashlib.sha256(text).hexdigest().encode() != head:
            return None
        return json.loads(text)

    def load(self) -> None:
        if not self.path.exists():
            self.path.touch()
            self.sync(self.root)
            return
        raw, sound = self.path.read_bytes(), 0
        lines = raw.split(b"\n")
        for number, line in enumerate(lines):
            record = self.parsed(line)
            if record is None or number == len(lines) - 1:
                if any(self.parsed(one) is not None for one in lines[number + 1 :]):
                    raise Damaged(f"line {number + 1}")
                break
            self.apply(record)
            sound += len(line) + 1
        if sound < len(raw):
            self.cut(sound)

    def cut(self, sound: int) -> None:
        with self.path.open("r+b") as file:
            file.truncate(sound)
            os.fsync(file.fileno())

    def sync(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def apply(self, record: Any) -> None:
        id, document = record
        self.last = max(self.last, int(id[1:]))
        if document is None:
            self.state.pop(id, None)
        else:
            self.state[id] = document

    def append(self, id: str, document: Any) -> None:
        self.write(self.line([id, document]))
        self.apply([id, document])

    def write(self, line: bytes) -> None:
        size = self.path.stat().st_size
        try:
            with self.path.open("ab") as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            self.cut(size)
            raise

    def alive(self, id: str) -> Any:
        found = self.state.get(id)
        return None if found is None or time.time() - found["seen"] >= self.idle else found

    # -- operations

    def create(self, data: Any = None) -> str:
        id = f"s{self.last + 1}"
        self.append(id, {"data": data or {}, "seen": time.time()})
        return id

    def get(self, id: str) -> Any:
        found = self.alive(id)
        return None if found is None else found["data"]

    def update(self, id: str, changes: Any) -> bool:
        found = self.alive(id)
        if found is None:
            return False
        self.append(id, {"data": {**found["data"], **changes}, "seen": time.time()})
        return True

    def touch(self, id: str) -> bool:
        found = self.alive(id)
        if found is None:
            return False
        self.append(id, {**found, "seen": time.time()})
        return True

    def delete(self, id: str) -> bool:
        if self.alive(id) is None:
            return False
        self.append(id, None)
        return True

    def list(self) -> list[str]:
        return [id for id in sorted(self.state) if self.alive(id) is not None]

    def recover(self) -> None:
        """Write the log anew, a line a session."""
        fresh = self.root / "log.new"
        lines = [self.line([id, document]) for id, document in self.state.items()]
        if f"s{self.last}" not in self.state and self.last:
            lines.append(self.line([f"s{self.last}", None]))
        with fresh.open("wb") as file:
            file.write(b"".join(lines))
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, self.path)
        self.sync(self.root)

    def close(self) -> None:
        pass


class NoLineChecksum(Log):
    """A torn or damaged line that can be read is believed."""

    def line(self, record: Any) -> bytes:
        return f"{record[0]} {json.dumps(record[1])}\n".encode()

    def parsed(self, line: bytes) -> Any:
        id, _, text = line.decode(errors="replace").partition(" ")
        if not id.startswith("s") or not id[1:].isdigit():
            return None
        try:
            return [id, json.loads(text)]
        except ValueError:
            return [id, {"data": {}, "seen": time.time()}]


class NotFlushed(Log):
    """Left to the operating system."""

    def write(self, line: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(line)


class Buffered(Log):
    """One file for ever, whose buffer is written when it is full."""

    def load(self) -> None:
        super().load()
        self.file = self.path.open("ab")

    def write(self, line: bytes) -> None:
        self.file.write(line)

    def close(self) -> None:
        self.file.close()


class GroupCommit(Log):
    """Two operations are flushed together: the first is acknowledged before."""

    def __init__(self, root: str, idle: float = 600.0) -> None:
        self.waiting: list[bytes] = []
        super().__init__(root, idle)

    def write(self, line: bytes) -> None:
        self.waiting.append(line)
        if len(self.waiting) == 2:
            self.close()

    def close(self) -> None:
        lines, self.waiting = self.waiting, []
        if lines:
            super().write(b"".join(lines))


class TornTailKept(Log):
    """A torn last line is passed over, and the next one written right behind it."""

    def cut(self, sound: int) -> None:
        pass

    def load(self) -> None:
        try:
            super().load()
        except Damaged:
            for line in self.path.read_bytes().split(b"\n"):
                record = self.parsed(line)
                if record is not None:
                    self.apply(record)


class IndexBeforeData(Log):
    """How much of the log is right is written down before the log is."""

    def write(self, line: bytes) -> None:
        size = self.path.stat().st_size + len(line)
        (self.root / "size").write_text(str(size))
        super().write(line)

    def load(self) -> None:
        size = self.root / "size"
        if size.exists() and self.path.stat().st_size != int(size.read_text() or 0):
            raise RuntimeError("the log is not as long as its index says")
        super().load()


class DeleteInMemory(Log):
    """A removal is never written down."""

    def delete(self, id: str) -> bool:
        return self.state.pop(id, None) is not None


class IdsReused(Log):
    """Ids begin at 1 again when it is opened."""

    def load(self) -> None:
        super().load()
        self.last = 0


class CompactedInPlace(Log):
    """Recovery empties the log, then writes it."""

    def recover(self) -> None:
        with self.path.open("wb") as file:
            for id, document in self.state.items():
                file.write(self.line([id, document]))
            file.flush()
            os.fsync(file.fileno())


class CompactedUnsynced(Log):
    """Recovery renames what is not on the disk yet."""

    def recover(self) -> None:
        fresh = self.root / "log.new"
        fresh.write_bytes(b"".join(self.line([id, document]) for id, document in self.state.items()))
        os.replace(fresh, self.path)


class RemovedBeforeUse(Log):
    """Recovery removes the old log before the new one has its name."""

    def recover(self) -> None:
        fresh = self.root / "log.new"
        with fresh.open("wb") as file:
            file.write(b"".join(self.line([id, document]) for id, document in self.state.items()))
            file.flush()
            os.fsync(file.fileno())
        self.path.unlink()
        self.sync(self.root)
        os.rename(fresh, self.path)
        self.sync(self.root)


class RecoveredTwice(Log):
    """Recovery appends what it has found once more, as other sessions."""

    def recover(self) -> None:
        for document in list(self.state.values()):
            self.create(document["data"])


class TailLost(Log):
    """Recovery takes the last line for a torn one, whatever it is."""

    def load(self) -> None:
        super().load()
        raw = self.path.read_bytes()
        if raw.count(b"\n") > 1:
            self.cut(raw[:-1].rindex(b"\n") + 1)


class TornAppend(Log):
    """An append that met a full disk leaves its beginning behind, and the next one follows it."""

    def write(self, line: bytes) -> None:
        with self.path.open("ab", buffering=0) as file:
            file.write(line)
            os.fsync(file.fileno())


class Half(Log):
    """An update is two lines, of which a crash may take one."""

    def update(self, id: str, changes: Any) -> bool:
        found = self.alive(id)
        if found is None:
            return False
        self.append(id, None)
        self.append(id, {"data": {**found["data"], **changes}, "seen": time.time()})
        return True
