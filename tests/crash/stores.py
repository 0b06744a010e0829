"""Small stores that keep texts under names: six with a classic durability bug each, and two sound ones.

Each has `put`, which has acknowledged once it returns, and a class method `reopen` that gives what there is.
"""

from __future__ import annotations

import json
import os
import pathlib
import tempfile
import zlib
from os import replace as moved  # Taken by name before anything is recorded, as many modules do.

Kept = dict[str, str]


def sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Whole:
    """One document, written anew at each change."""

    def __init__(self, folder: str | pathlib.Path) -> None:
        self.folder = os.fspath(folder)
        self.path = os.path.join(self.folder, "kept.json")
        self.kept = self.reopen(folder)

    def put(self, name: str, text: str) -> None:
        self.kept[name] = text
        self.save(json.dumps(self.kept, sort_keys=True))

    def save(self, document: str) -> None:
        raise NotImplementedError

    @classmethod
    def reopen(cls, folder: str | pathlib.Path) -> Kept:
        try:
            with open(os.path.join(folder, "kept.json")) as file:
                return dict(json.load(file))
        except FileNotFoundError:
            return {}


class InPlace(Whole):
    """Bug: the only copy is written over."""

    def save(self, document: str) -> None:
        with open(self.path, "w") as file:
            file.write(document)
            file.flush()
            os.fsync(file.fileno())
        sync_folder(self.folder)


class RenameWithoutFsync(Whole):
    """Bug: the new file's data need not be there when its name is."""

    def save(self, document: str) -> None:
        descriptor, temporary = tempfile.mkstemp(dir=self.folder)
        with os.fdopen(descriptor, "w") as file:
            file.write(document)
        os.replace(temporary, self.path)
        sync_folder(self.folder)


class NoFolderFsync(Whole):
    """Bug: the rename need not have reached the disk when it is acknowledged."""

    def save(self, document: str) -> None:
        descriptor, temporary = tempfile.mkstemp(dir=self.folder)
        with os.fdopen(descriptor, "w") as file:
            file.write(document)
            file.flush()
            os.fsync(file.fileno())
        moved(temporary, self.path)


class FsyncBeforeFlush(Whole):
    """Bug: what is flushed to the disk is not yet what was written."""

    def save(self, document: str) -> None:
        descriptor, temporary = tempfile.mkstemp(dir=self.folder)
        with os.fdopen(descriptor, "w") as file:
            file.write(document)
            os.fsync(file.fileno())
        os.replace(temporary, self.path)
        sync_folder(self.folder)


class GapBeforeRename(Whole):
    """Bug: between making the backup and the rename there is no document."""

    def save(self, document: str) -> None:
        descriptor, temporary = tempfile.mkstemp(dir=self.folder)
        with os.fdopen(descriptor, "w") as file:
            file.write(document)
            file.flush()
            os.fsync(file.fileno())
        if os.path.exists(self.path):
            os.rename(self.path, self.path + ".backup")
            sync_folder(self.folder)
        os.replace(temporary, self.path)
        sync_folder(self.folder)


class Atomic(Whole):
    """Sound: a new file, flushed, moved over the old one, the folder flushed."""

    def save(self, document: str) -> None:
        with tempfile.NamedTemporaryFile("w", dir=self.folder, delete=False) as file:
            file.write(document)
            file.flush()
            os.fsync(file.fileno())
        pathlib.Path(file.name).replace(self.path)
        sync_folder(self.folder)


class Journal:
    """Sound: records of length, checksum and text; what follows a bad one is not there."""

    checked = True

    def __init__(self, folder: str | pathlib.Path) -> None:
        self.reopen(folder)
        self.file = open(os.path.join(folder, "journal"), "ab")  # noqa: SIM115 - it stays open.
        sync_folder(os.fspath(folder))

    def put(self, name: str, text: str) -> None:
        record = json.dumps([name, text]).encode()
        self.file.write(b"%08x%08x" % (len(record), zlib.crc32(record)) + record)
        self.file.flush()
        os.fsync(self.file.fileno())

    @classmethod
    def reopen(cls, folder: str | pathlib.Path) -> Kept:
        path = pathlib.Path(folder, "journal")
        if not path.exists():
            return {}
        raw, found, end = path.read_bytes(), {}, 0
        while len(raw) >= end + 16:
            try:
                length, checksum = int(raw[end : end + 8], 16), int(raw[end + 8 : end + 16], 16)
            except ValueError:
                break
            record = raw[end + 16 : end + 16 + length]
            if len(record) < length or (cls.checked and zlib.crc32(record) != checksum):
                break
            name, text = json.loads(record)
            found[name] = text
            end += 16 + length
        if end < len(raw):  # Whatever is added from now on must follow what is good.
            with path.open("r+b") as file:
                file.truncate(end)
                file.flush()
                os.fsync(file.fileno())
        return found


class JournalWithoutChecksum(Journal):
    """Bug: a record whose length has landed is believed, whatever has become of its text."""

    checked = False


BROKEN = (InPlace, RenameWithoutFsync, NoFolderFsync, FsyncBeforeFlush, GapBeforeRename, JournalWithoutChecksum)
SOUND = (Atomic, Journal)

PUTS = [(f"s{number % 2}", chr(97 + number) * 1_500) for number in range(4)]


def workload(store):  # type: ignore[no-untyped-def]
    """Return what puts four texts of 1.5 KB into a store, each acknowledged."""

    def run(folder, mark) -> None:  # type: ignore[no-untyped-def]
        opened = store(folder)
        for number, (name, text) in enumerate(PUTS):
            mark(("begin", number))
            opened.put(name, text)
            mark(("done", number))

    return run


def after(count: int) -> Kept:
    """Return what a sound store holds after so many puts."""
    return dict(PUTS[:count])


def judge(store):  # type: ignore[no-untyped-def]
    """Return what reopens the store and says whether it holds what was acknowledged, or what was under way besides."""

    def run(folder, marks) -> str:  # type: ignore[no-untyped-def]
        done = sum(what == "done" for what, _ in marks)
        begun = sum(what == "begin" for what, _ in marks)
        found = store.reopen(folder)
        return "" if found in (after(done), after(begun)) else f"{done} acknowledged, {len(found)} found or wrong"

    return run
