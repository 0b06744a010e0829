"""What goes past the stand-ins, noticed: memory maps, SQLite, files opened by other means.

The interpreter tells of such calls by its audit events.  An audit hook stays for ever; this one asks first whether
anything is recorded.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pytest_sessionguard.crash.recorder import ACTIVE


class _Hook:
    installed = False
    expected = 0


@contextmanager
def expected() -> Iterator[None]:
    """Say that a stand-in is opening a file right now."""
    _Hook.expected += 1
    try:
        yield
    finally:
        _Hook.expected -= 1


def install() -> None:
    """See to it that audit events are heard."""
    if not _Hook.installed:
        _Hook.installed = True
        sys.addaudithook(heard)


_WRITES = os.O_WRONLY | os.O_RDWR


def heard(event: str, args: tuple[Any, ...]) -> None:
    """Take note of an audit event that tells of I/O past the stand-ins."""
    recording = ACTIVE.recording
    if recording is None or event not in _EVENTS:
        return
    if event == "open":
        path, _, flags = args
        if not _Hook.expected and isinstance(flags, int) and flags & _WRITES and not isinstance(path, int):
            place = recording.place(path, None) if path is not None else None
            if place is not None:
                recording.lacks(f"{place[1]} was opened past what can be recorded")
    elif event == "sqlite3.connect":
        path = args[0]
        if isinstance(path, (str, bytes, os.PathLike)) and (place := recording.place(path, None)) is not None:
            recording.lacks(f"SQLite writes {place[1]} by itself")
    elif event == "mmap.__new__":
        if recording.node_of(args[0]) is not None:
            recording.lacks("a file of the folder was mapped into memory")
    else:
        recording.locked(recording.node_of(args[0]) if isinstance(args[0], int) else None)


_EVENTS = frozenset({"open", "sqlite3.connect", "mmap.__new__", "fcntl.flock", "fcntl.lockf"})
