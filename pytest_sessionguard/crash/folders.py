"""Folders read and rebuilt: from the disk to an image, and back.

Only real functions of the operating system are used, so that nothing here is ever recorded.
"""

from __future__ import annotations

import os
import stat
import tempfile
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

from pytest_sessionguard.crash.effects import FILE, FOLDER, LINK, ROOT, Image, Item, joined

# Taken before anybody could put a stand-in in their place.
OPEN: Final = os.open
WRITE: Final = os.write
READ: Final = os.read
CLOSE: Final = os.close
MKDIR: Final = os.mkdir
UNLINK: Final = os.unlink
RMDIR: Final = os.rmdir
LINK_TO: Final = os.link
SYMLINK: Final = os.symlink
CHMOD: Final = os.chmod
UTIME: Final = os.utime

# Where less is free, as in a container, a disk that is full would be our doing.
_ROOM: Final = 1 << 26

Identity = tuple[int, int]
"""Device and inode: what a file or folder is, whatever its name."""


def scratch() -> str | None:
    """Return where folders that come and go are cheapest: memory where there is such a place."""
    try:
        free = os.statvfs("/dev/shm") if os.access("/dev/shm", os.W_OK) else None
    except OSError:
        return None
    return "/dev/shm" if free is not None and free.f_bavail * free.f_frsize >= _ROOM else None


def new_folder() -> Path:
    """Make an empty folder that nobody else uses."""
    return Path(tempfile.mkdtemp(prefix="sessionguard-", dir=scratch()))


def read_file(path: str, *, dir_fd: int | None = None) -> bytes:
    """Return what a file holds."""
    descriptor = OPEN(path, os.O_RDONLY, dir_fd=dir_fd)
    try:
        parts = []
        while part := READ(descriptor, 1 << 20):
            parts.append(part)
        return b"".join(parts)
    finally:
        CLOSE(descriptor)


def read_folder(folder: str | Path) -> tuple[dict[str, Item], dict[Identity, int]]:
    """Return what a folder holds, numbered from 1, and which number is whose; the folder itself is number 0."""
    image: dict[str, Item] = {}
    known: dict[Identity, int] = {_identity(os.stat(folder)): ROOT}

    def walk(place: str, prefix: str) -> None:
        for entry in sorted(os.scandir(place), key=lambda one: one.name):
            status = entry.stat(follow_symlinks=False)
            number = known.setdefault(_identity(status), len(known))
            path = joined(prefix, entry.name)
            mode, mtime_ns = stat.S_IMODE(status.st_mode), status.st_mtime_ns
            if stat.S_ISDIR(status.st_mode):
                image[path] = Item(FOLDER, b"", mode, mtime_ns, number)
                walk(entry.path, path)
            elif stat.S_ISLNK(status.st_mode):
                image[path] = Item(LINK, os.fsencode(os.readlink(entry.path)), mode, mtime_ns, number)
            elif stat.S_ISREG(status.st_mode):
                image[path] = Item(FILE, read_file(entry.path), mode, mtime_ns, number)

    walk(os.fspath(folder), ".")
    return image, known


def _identity(status: os.stat_result) -> Identity:
    return status.st_dev, status.st_ino


def empty(folder: str | Path) -> None:
    """Remove everything in a folder, and leave the folder itself."""
    with os.scandir(folder) as entries:
        for entry in list(entries):
            if entry.is_dir(follow_symlinks=False):
                empty(entry.path)
                RMDIR(entry.path)
            else:
                UNLINK(entry.path)


def write_folder(image: Image, folder: str | Path) -> dict[Identity, int]:
    """Let a folder hold exactly what the image says; return which number is whose."""
    empty(folder)
    top = os.fspath(folder)
    known = {_identity(os.stat(top)): ROOT}
    first: dict[int, str] = {}
    later: list[tuple[str, Item]] = []
    for path, item in image.items():
        place = f"{top}/{path}"
        if item.kind == FOLDER:
            MKDIR(place, 0o777)
            known[_identity(os.stat(place))] = item.node
            later.append((place, item))
            continue
        if item.kind == LINK:
            SYMLINK(os.fsdecode(item.data), place)
            known[_identity(os.lstat(place))] = item.node
            continue
        if item.node >= 0 and item.node in first:
            LINK_TO(first[item.node], place)
            continue
        first[item.node] = place
        descriptor = OPEN(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            known[_identity(os.fstat(descriptor))] = item.node
            left = memoryview(item.data)
            while left:
                left = left[WRITE(descriptor, left) :]
        finally:
            CLOSE(descriptor)
        if item.mode != 0o644:
            CHMOD(place, item.mode)
        if item.mtime_ns:
            UTIME(place, ns=(item.mtime_ns, item.mtime_ns))
    for place, item in reversed(later):
        if item.mode not in (0o755, 0o777):
            CHMOD(place, item.mode)
        if item.mtime_ns:
            UTIME(place, ns=(item.mtime_ns, item.mtime_ns))
    return known


def matches(path: str, patterns: tuple[str, ...]) -> bool:
    """Say whether the name of a file is one of those that the patterns mean."""
    return any(fnmatch(path.rpartition("/")[2], pattern) for pattern in patterns)


def differences(expected: Image, given: Image) -> list[str]:
    """Return the paths at which two images hold other things; times and modes are not compared."""
    wrong = []
    for path in sorted({*expected, *given}):
        one, other = expected.get(path), given.get(path)
        if one is None or other is None or (one.kind, one.data) != (other.kind, other.data):
            wrong.append(path)
    return wrong
