"""One folder watched: every operation done below it, in order.

Files are told apart by device and inode, so it does not matter by which name, folder or descriptor they are reached.
At the end the folder is compared with what the recorded operations make of it: whatever changed beside them (a memory
map, a library in C, another process) shows there, and the log says that it is incomplete.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from pytest_sessionguard.crash.effects import (
    FILE,
    FOLDER,
    LINK,
    ROOT,
    Effect,
    Entered,
    Image,
    Locked,
    Log,
    Marked,
    Moved,
    Removed,
    Sized,
    Synced,
    Touched,
    Wrote,
)
from pytest_sessionguard.crash.folders import UTIME, Identity, differences, matches, read_file, read_folder
from pytest_sessionguard.crash.simulated import Disk

try:
    from fcntl import F_GETFL, fcntl
except ImportError:  # No such flags where there is no fcntl.
    fcntl = None  # type: ignore[assignment] # asked before it is used

_STAT: Final = os.stat
_FSTAT: Final = os.fstat
_LSEEK: Final = os.lseek

Place = tuple[int, str]
"""A folder's number, and a name in it."""


class Recording:
    """Note what is done below one folder.

    `now_ns` tells the time that files are given; with `follow` the real ones get it too.  `volatile` are patterns of
    names that mean nothing after a crash.  With `snapshots` the folder is read at each mark once something was written
    past the recorder: what is there then is what a kill would leave.

    Attributes:
        listener: is called before each effect is noted.
        snapshots: how many marks there were, and what the folder held.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        now_ns: Callable[[], int] = time.time_ns,
        volatile: tuple[str, ...] = (),
        follow: bool = False,
        snapshots: bool = False,
        base: tuple[Image, dict[Identity, int]] | None = None,
    ) -> None:
        self.folder = folder
        self.lock = threading.RLock()
        self.now_ns = now_ns
        self.volatile = volatile
        self.listener: Callable[[], None] | None = None
        self.snapshots: list[tuple[int, Image]] = []
        self._follow = follow
        self._takes_snapshots = snapshots
        self._marks = 0
        self.base, self.known = read_folder(self.folder) if base is None else base
        self.effects: list[Effect] = []
        self._numbers = max(self.known.values(), default=0)
        self._nameless: set[int] = set()
        self._incomplete: dict[str, None] = {}

    # -- before and after an operation ---------------------------------------------------------------------------------

    def ahead(self, name: str, args: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
        """Say that an operation is about to be done; return the arguments to do it with.

        Here nothing is changed: whoever makes operations fail raises, or shortens what is written.
        """
        del name, named
        return args

    def behind(self, name: str, args: tuple[Any, ...], named: dict[str, Any]) -> None:
        """Say that an operation was done."""

    # -- what is noted -----------------------------------------------------------------------------------------------

    def mark(self, value: Hashable) -> None:
        """Note what the workload says: that an operation began, or was acknowledged."""
        with self.lock:
            self.effects.append(Marked(value))
            self._marks += 1
            if self._takes_snapshots and self._incomplete:
                self.snapshots.append((self._marks, read_folder(self.folder)[0]))

    def _note(self, effect: Effect) -> None:
        if self.listener is not None:
            self.listener()
        self.effects.append(effect)

    def lacks(self, reason: str) -> None:
        """Note why the log may lack something."""
        self._incomplete.setdefault(reason)

    def place(self, path: Any, dir_fd: int | None) -> Place | None:
        """Return the folder and the name that a path means; None outside of the watched folder."""
        text = os.fsdecode(path)
        head, name = os.path.split(text.rstrip("/") if len(text) > 1 else text)
        if name in ("", ".", ".."):
            return None
        try:
            status = _FSTAT(dir_fd) if dir_fd is not None and not head else _STAT(head or ".", dir_fd=dir_fd)
        except (OSError, ValueError):
            return None
        number = self.known.get((status.st_dev, status.st_ino))
        return None if number is None else (number, name)

    def node_at(self, path: Any, dir_fd: int | None = None, *, follow: bool = True) -> int | None:
        """Return the number of what a path leads to; None where it is not known."""
        try:
            if isinstance(path, int):
                return self.node_of(path)
            status = _STAT(path, dir_fd=dir_fd, follow_symlinks=follow)
        except (OSError, ValueError):
            return None
        return self.known.get((status.st_dev, status.st_ino))

    def node_of(self, descriptor: int) -> int | None:
        """Return the number of the file that a descriptor leads to; None where it is not known."""
        try:
            status = _FSTAT(descriptor)
        except OSError:
            return None
        return self.known.get((status.st_dev, status.st_ino))

    def appeared(self, place: Place | None, status: os.stat_result, target: bytes = b"") -> None:
        """Note a node that was just made."""
        if place is None and status.st_nlink:
            return
        self._numbers += 1
        number = self.known[status.st_dev, status.st_ino] = self._numbers
        if place is None:
            self._nameless.add(number)  # A link may give it a name.
            return
        mode = status.st_mode
        kind = FOLDER if stat.S_ISDIR(mode) else LINK if stat.S_ISLNK(mode) else FILE
        self._note(Entered(*place, number, kind, stat.S_IMODE(mode), target, self.now_ns()))

    def wrote(self, descriptor: int, data: Any, offset: int | None = None) -> None:
        """Note bytes that were just written, where the descriptor stood or at an offset."""
        number = self.node_of(descriptor)
        if number is None:
            return
        written = bytes(data)
        if offset is None:
            offset = _LSEEK(descriptor, 0, os.SEEK_CUR) - len(written)
        now_ns = self.now_ns()
        self._note(Wrote(number, offset, written, now_ns))
        if self._follow:
            UTIME(descriptor, ns=(now_ns, now_ns))
        if self._is_synchronous(descriptor):
            self._note(Synced(number))

    def _is_synchronous(self, descriptor: int) -> bool:
        return fcntl is not None and bool(fcntl(descriptor, F_GETFL) & getattr(os, "O_DSYNC", 0))

    def sized(self, number: int | None, size: int) -> None:
        """Note a new size."""
        if number is not None:
            self._note(Sized(number, size, self.now_ns()))

    def touched(self, number: int | None, *, mtime_ns: int | None = None, mode: int | None = None) -> None:
        """Note another time or other permissions."""
        if number is not None:
            self._note(Touched(number, mtime_ns, mode))

    def synced(self, number: int | None) -> None:
        """Note a flush of one node, or of all."""
        self._note(Synced(number))

    def locked(self, number: int | None) -> None:
        """Note a lock."""
        if number is not None:
            self._note(Locked(number))

    def linked(self, place: Place | None, number: int | None, path: Any, dir_fd: int | None) -> None:
        """Note another name for a node; one that comes from outside is new."""
        if place is None:
            return
        if number is None:
            self._brought_in(place, path, dir_fd)
        elif number in self._nameless:
            self._nameless.discard(number)
            mode = stat.S_IMODE(_STAT(path, dir_fd=dir_fd).st_mode)
            self._note(Entered(*place, number, FILE, mode, b"", self.now_ns()))
        else:
            self._note(Entered(*place, number))

    def moved(
        self, source: Place | None, target: Place | None, number: int | None, path: Any, dir_fd: int | None
    ) -> None:
        """Note a rename that was just done; `path` is where it led."""
        if source is None and target is None:
            return
        if source is None or number is None:
            if target is not None:
                self._brought_in(target, path, dir_fd)
        elif target is None:
            self._note(Removed(*source, number))
        else:
            self._note(Moved(*source, *target, number))

    def removed(self, place: Place | None, number: int | None) -> None:
        """Note a name that is gone."""
        if place is not None:
            self._note(Removed(*place, -1 if number is None else number))

    def _brought_in(self, place: Place, path: Any, dir_fd: int | None) -> None:
        """Note what came from outside as safely on the disk: what was done to it there is not known."""
        self.lacks(f"{place[1]} came from outside of the folder")
        status = _STAT(path, dir_fd=dir_fd, follow_symlinks=False)
        self.appeared(place, status)
        if stat.S_ISREG(status.st_mode):
            number = self.known[status.st_dev, status.st_ino]
            self._note(Wrote(number, 0, read_file(path, dir_fd=dir_fd), self.now_ns()))
            self._note(Synced(number))

    # -- the end ----------------------------------------------------------------------------------------------------

    def log(self, *, compare: bool = True) -> Log:
        """Return all that was noted; `compare` looks for what was changed beside it."""
        with self.lock:
            effects = tuple(self.effects)
            if compare:
                self._compare(effects)
            return Log(base=self.base, effects=effects, incomplete=tuple(self._incomplete))

    def _compare(self, effects: tuple[Effect, ...]) -> None:
        disk = Disk(self.base)
        for effect in effects:
            disk.apply(effect)
        given, _ = read_folder(self.folder)
        expected = disk.image()
        wrong = [path for path in differences(expected, given) if not matches(path, self.volatile)]
        if wrong:
            shown = ", ".join(wrong[:3]) + (f" and {len(wrong) - 3} more" if len(wrong) > 3 else "")
            self.lacks(f"changed beside what could be recorded: {shown}")


class _Active:
    """Which recording is under way; one at a time, for stand-ins are the process's own."""

    def __init__(self) -> None:
        self.recording: Recording | None = None


ACTIVE: Final = _Active()


@contextmanager
def active(recording: Recording) -> Iterator[Recording]:
    """Let what is done meanwhile be noted; the stand-ins must be in place."""
    before, ACTIVE.recording = ACTIVE.recording, recording
    try:
        yield recording
    finally:
        ACTIVE.recording = before


@contextmanager
def record(folder: str | Path, **options: Any) -> Iterator[Recording]:
    """Put the stand-ins in place and note what is done below a folder.

    Args:
        options: as `Recording` takes them.
    """
    from pytest_sessionguard.crash.standins import in_place

    recording = Recording(folder, **options)
    with in_place(), active(recording):
        yield recording


__all__ = ["ACTIVE", "ROOT", "Place", "Recording", "active", "record"]
