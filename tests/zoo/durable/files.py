"""Sessions in files: one sealed document each with the one before as a backup; and what is wrong in stores like it."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

LIMIT = 5


class Damaged(Exception):
    """A document that cannot be read, and has no sound backup."""


class Full(Exception):
    """There is no room for another session."""


class Files:
    """Sound: written beside, flushed, put in place by a rename, the folder flushed; the one before is the backup."""

    def __init__(self, root: str, idle: float = 600.0, on_commit: Callable[[Any], Any] | None = None) -> None:
        self.root, self.idle, self.on_commit = Path(root), idle, on_commit
        self.lock = threading.Lock()
        for left in self.root.glob("*.new"):
            left.unlink()

    # -- documents

    def path(self, id: str) -> Path:
        return self.root / f"{id}.json"

    def backup(self, id: str) -> Path:
        return self.root / f"{id}.bak"

    def fresh(self, id: str) -> Path:
        return self.root / f"{id}.new"

    def sealed(self, document: Any) -> str:
        text = json.dumps(document)
        return f"{hashlib.sha256(text.encode()).hexdigest()}\n{text}"

    def opened(self, raw: bytes) -> Any:
        head, _, body = raw.partition(b"\n")
        if hashlib.sha256(body).hexdigest().encode() != head:
            raise Damaged("the checksum is wrong")
        return json.loads(body)

    def put(self, path: Path, text: str) -> None:
        with path.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())

    def sync(self) -> None:
        descriptor = os.open(self.root, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def keep_backup(self, id: str) -> None:
        if self.path(id).exists():
            with suppress(FileNotFoundError):
                self.backup(id).unlink()
            os.link(self.path(id), self.backup(id))

    def write(self, id: str, document: Any) -> None:
        fresh = self.fresh(id)
        try:
            self.put(fresh, self.sealed(document))
            self.keep_backup(id)
            os.replace(fresh, self.path(id))
        except OSError:
            with suppress(OSError):
                fresh.unlink()
            raise
        self.sync()

    def read(self, id: str) -> Any:
        try:
            document = self.opened(self.path(id).read_bytes())
        except FileNotFoundError:
            return None
        except Damaged:
            document = self.repaired(id)
        return None if time.time() - document["seen"] >= self.idle else document

    def repaired(self, id: str) -> Any:
        try:
            return self.opened(self.backup(id).read_bytes())
        except FileNotFoundError:
            raise Damaged(f"{id} is damaged, and has no backup") from None

    def remove(self, id: str) -> None:
        self.path(id).unlink()
        self.sync()
        with suppress(FileNotFoundError):
            self.backup(id).unlink()
        self.sync()

    def every(self) -> Iterator[str]:
        for path in sorted(self.root.glob("*.json")):
            yield path.stem

    # -- operations

    @contextmanager
    def turn(self, id: str) -> Iterator[None]:
        with self.lock:
            yield

    def commit(self, id: str) -> None:
        if self.on_commit is not None:
            self.on_commit(id)

    def room(self) -> None:
        if sum(self.read(id) is not None for id in self.every()) >= LIMIT:
            raise Full

    def create(self, data: Any = None) -> str:
        id = uuid.uuid4().hex
        with self.turn(id):
            self.room()
            self.commit(id)
            self.write(id, {"data": data or {}, "seen": time.time()})
        return id

    def get(self, id: str) -> Any:
        found = self.read(id)
        return None if found is None else found["data"]

    def update(self, id: str, changes: Any) -> bool:
        with self.turn(id):
            found = self.read(id)
            if found is None:
                return False
            self.commit(id)
            self.write(id, {"data": {**found["data"], **changes}, "seen": time.time()})
        return True

    def touch(self, id: str) -> bool:
        with self.turn(id):
            found = self.read(id)
            if found is None:
                return False
            self.commit(id)
            self.write(id, {**found, "seen": time.time()})
        return True

    def delete(self, id: str) -> bool:
        with self.turn(id):
            if self.read(id) is None:
                return False
            self.commit(id)
            self.remove(id)
        return True

    def list(self) -> list[str]:
        return [id for id in self.every() if self.read(id) is not None]

    def recover(self) -> None:
        """Write down anew what was damaged."""
        for id in self.every():
            try:
                self.opened(self.path(id).read_bytes())
            except Damaged:
                text = self.sealed(self.repaired(id))
                self.put(self.fresh(id), text)
                os.replace(self.fresh(id), self.path(id))
                self.sync()

    def close(self) -> None:
        pass


# -- what a crash finds


class InPlace(Files):
    """Written over the old document."""

    def write(self, id: str, document: Any) -> None:
        self.put(self.path(id), self.sealed(document))
        self.sync()


class RenameWithoutFsync(Files):
    """Renamed before its content is on the disk."""

    def put(self, path: Path, text: str) -> None:
        path.write_text(text)


class NoFolderSync(Files):
    """The new name is never flushed."""

    def sync(self) -> None:
        pass


class FsyncBeforeFlush(Files):
    """Flushed to the disk while the text is in the buffer."""

    def put(self, path: Path, text: str) -> None:
        with path.open("w") as file:
            file.write(text)
            os.fsync(file.fileno())


class BackupGap(Files):
    """For a moment there is only the backup, and nobody looks for it there."""

    def keep_backup(self, id: str) -> None:
        if self.path(id).exists():
            os.replace(self.path(id), self.backup(id))


class RemovedFirst(Files):
    """The old document is removed before the new one is there."""

    def keep_backup(self, id: str) -> None:
        with suppress(FileNotFoundError):
            self.path(id).unlink()


class DeleteNotSynced(Files):
    """A removal that comes undone."""

    def remove(self, id: str) -> None:
        self.path(id).unlink()
        with suppress(FileNotFoundError):
            self.backup(id).unlink()


class DeleteLeavesBackup(Files):
    """A session deleted comes back from its backup when the folder is opened again."""

    def __init__(self, root: str, idle: float = 600.0, on_commit: Any = None) -> None:
        super().__init__(root, idle, on_commit)
        for left in self.root.glob("*.bak"):
            if not self.path(left.stem).exists():
                os.replace(left, self.path(left.stem))

    def remove(self, id: str) -> None:
        self.keep_backup(id)
        self.path(id).unlink()
        self.sync()


class TouchInMemory(Files):
    """A touch is acknowledged, and written down with the next update."""

    def __init__(self, root: str, idle: float = 600.0, on_commit: Any = None) -> None:
        super().__init__(root, idle, on_commit)
        self.seen: dict[str, float] = {}

    def read(self, id: str) -> Any:
        try:
            document = self.opened(self.path(id).read_bytes())
        except FileNotFoundError:
            return None
        except Damaged:
            document = self.repaired(id)
        document["seen"] = max(document["seen"], self.seen.get(id, 0.0))
        return None if time.time() - document["seen"] >= self.idle else document

    def touch(self, id: str) -> bool:
        if self.read(id) is None:
            return False
        self.commit(id)
        self.seen[id] = time.time()
        return True


class ExpiryLost(Files):
    """What was there when it was opened lives as if it were new."""

    def __init__(self, root: str, idle: float = 600.0, on_commit: Any = None) -> None:
        super().__init__(root, idle, on_commit)
        for id in list(self.every()):
            with suppress(Damaged):
                self.write(id, {**self.opened(self.path(id).read_bytes()), "seen": time.time()})


class LateCreate(Files):
    """A new session is written down with the next call."""

    def __init__(self, root: str, idle: float = 600.0, on_commit: Any = None) -> None:
        super().__init__(root, idle, on_commit)
        self.waiting: dict[str, Any] = {}

    def write(self, id: str, document: Any) -> None:
        waiting, self.waiting = self.waiting, {id: document}
        for one, late in waiting.items():
            super().write(one, late)

    def read(self, id: str) -> Any:
        found = self.waiting.get(id)
        if found is None:
            return super().read(id)
        return None if time.time() - found["seen"] >= self.idle else found

    def every(self) -> Iterator[str]:
        yield from sorted({*self.waiting, *super().every()})

    def remove(self, id: str) -> None:
        if self.waiting.pop(id, None) is None or self.path(id).exists():
            super().remove(id)

    def close(self) -> None:
        for one, late in self.waiting.items():
            super().write(one, late)


class SharedFresh(Files):
    """What an unfinished write has left is taken for a session's newest state."""

    def __init__(self, root: str, idle: float = 600.0, on_commit: Any = None) -> None:
        for left in Path(root).glob("*.new"):
            os.replace(left, left.with_suffix(".json"))
        super().__init__(root, idle, on_commit)


# -- what damage finds


class NoChecksum(Files):
    """A damaged text that can be parsed is taken for what was written."""

    def opened(self, raw: bytes) -> Any:
        try:
            return json.loads(raw.partition(b"\n")[2])
        except ValueError:
            raise Damaged("no JSON") from None


class DamageUntyped(Files):
    """Fails in whatever way the parser does."""

    def opened(self, raw: bytes) -> Any:
        head, _, body = raw.partition(b"\n")
        document = json.loads(body)
        if hashlib.sha256(body).hexdigest().encode() != head:
            raise Damaged("the checksum is wrong")
        return document


class DamageEmptied(Files):
    """A damaged document is a session without data."""

    def repaired(self, id: str) -> Any:
        return {"data": {}, "seen": time.time()}


class DamageHidden(Files):
    """A damaged document is no session."""

    def repaired(self, id: str) -> Any:
        return {"data": {}, "seen": 0.0}


class BackupUnused(Files):
    """There is a backup, and nobody reads it."""

    def repaired(self, id: str) -> Any:
        raise Damaged(id)


class BackupUnchecked(Files):
    """The backup is read without a look at its checksum."""

    def opened(self, raw: bytes) -> Any:
        head, _, body = raw.partition(b"\n")
        if hashlib.sha256(body).hexdigest().encode() != head:
            with suppress(ValueError):
                return json.loads(body)
            raise Damaged("no JSON")
        return json.loads(body)


# -- what recovery gets wrong


class RecoveryRemovesFirst(Files):
    """Each document is removed before it is written anew."""

    def recover(self) -> None:
        for id in list(self.every()):
            text = self.path(id).read_text()
            self.path(id).unlink()
            self.put(self.path(id), text)
            self.sync()


class RecoveryForgets(Files):
    """Of several documents only the first is recovered."""

    def recover(self) -> None:
        for number, id in enumerate(list(self.every())):
            if number:
                self.remove(id)


class RecoveryOnce(Files):
    """Whoever recovers a second time finds nothing."""

    def __init__(self, root: str, idle: float = 600.0, on_commit: Any = None) -> None:
        super().__init__(root, idle, on_commit)
        mark = self.root / "recovered"
        if any(self.every()):
            if mark.exists():
                for id in list(self.every()):
                    self.remove(id)
            self.put(mark, "")


# -- what a fault finds


class Swallowed(Files):
    """An error of the disk is passed over."""

    def write(self, id: str, document: Any) -> None:
        with suppress(OSError):
            super().write(id, document)


class LockLeak(Files):
    """A hook that fails keeps the lock."""

    @contextmanager
    def turn(self, id: str) -> Iterator[None]:
        self.lock.acquire()
        yield
        self.lock.release()


class SlotLeak(Files):
    """A place is taken before the hook, and not given back where that fails."""

    def __init__(self, root: str, idle: float = 600.0, on_commit: Any = None) -> None:
        super().__init__(root, idle, on_commit)
        self.leaked = 0

    def room(self) -> None:
        if sum(self.read(id) is not None for id in self.every()) + self.leaked >= LIMIT:
            raise Full

    def create(self, data: Any = None) -> str:
        id = uuid.uuid4().hex
        with self.turn(id):
            self.room()
            self.leaked += 1
            self.commit(id)
            self.write(id, {"data": data or {}, "seen": time.time()})
            self.leaked -= 1
        return id


class AheadOfDisk(Files):
    """Memory is changed first, and stays changed where the disk is full."""

    def __init__(self, root: str, idle: float = 600.0, on_commit: Any = None) -> None:
        super().__init__(root, idle, on_commit)
        self.known: dict[str, Any] = {}

    def write(self, id: str, document: Any) -> None:
        self.known[id] = document
        super().write(id, document)

    def read(self, id: str) -> Any:
        found = self.known.get(id)
        if found is None:
            return super().read(id)
        return None if time.time() - found["seen"] >= self.idle else found

    def every(self) -> Iterator[str]:
        yield from sorted({*self.known, *super().every()})

    def remove(self, id: str) -> None:
        super().remove(id)
        self.known.pop(id, None)


class HookAfterwards(Files):
    """The hook that may refuse is asked when all is written."""

    def update(self, id: str, changes: Any) -> bool:
        with self.turn(id):
            found = self.read(id)
            if found is None:
                return False
            self.write(id, {"data": {**found["data"], **changes}, "seen": time.time()})
            self.commit(id)
        return True


class HookSwallowed(Files):
    """A hook that fails is passed over."""

    def commit(self, id: str) -> None:
        with suppress(Exception):
            super().commit(id)


class LeftBehind(Files):
    """What an interrupted write has left is listed as a session."""

    def write(self, id: str, document: Any) -> None:
        fresh = self.root / f"{id}-new.json"
        self.put(fresh, self.sealed(document))
        self.keep_backup(id)
        os.replace(fresh, self.path(id))
        self.sync()
