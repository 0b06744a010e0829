"""File objects whose writes are noted when they reach the operating system.

The buffers and the text layer are Python's own, so that data is flushed exactly when it would have been.
"""

from __future__ import annotations

import io
import os
from typing import Any, Final

from pytest_sessionguard.crash import guard
from pytest_sessionguard.crash.recorder import ACTIVE

REAL_OPEN: Final = io.open


class RecordedFile(io.FileIO):
    """A file opened for writing."""

    def write(self, data: Any, /) -> Any:
        """Write, and note how much of it was taken."""
        recording = ACTIVE.recording
        if recording is None:
            return super().write(data)
        with recording.lock:
            descriptor, data = recording.ahead("write", (self.fileno(), data), {})
            count = super().write(data)
            if count:
                recording.wrote(descriptor, memoryview(data).cast("B")[:count])
            recording.behind("write", (descriptor, data), {})
            return count

    def truncate(self, size: int | None = None, /) -> int:
        """Cut the file, and note it."""
        recording = ACTIVE.recording
        if recording is None:
            return super().truncate(size)
        with recording.lock:
            after = super().truncate(size)
            recording.sized(recording.node_of(self.fileno()), after)
            return after


def _by_stand_in(path: Any, flags: int) -> int:
    return os.open(path, flags, 0o666)  # The stand-in: it is in place whenever this is asked.


def opened(
    file: Any,
    mode: str = "r",
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    closefd: bool = True,
    opener: Any = None,
) -> Any:
    """Open a file as `open` does; one that is written below the watched folder is recorded."""
    recording = ACTIVE.recording
    ours = recording is not None and isinstance(mode, str) and bool(set(mode) & set("wax+"))
    if ours and recording is not None and opener is None and not isinstance(file, int):
        try:
            ours = recording.place(file, None) is not None
        except TypeError:
            ours = False
    if not ours:
        return REAL_OPEN(file, mode, buffering, encoding, errors, newline, closefd, opener)
    if "b" in mode and (encoding is not None or errors is not None or newline is not None):
        raise ValueError("binary mode takes no encoding, errors or newline argument")
    if "b" not in mode:
        encoding = io.text_encoding(encoding)
    return _layered(file, mode, buffering, encoding, errors, newline, closefd, opener)


def _layered(
    file: Any,
    mode: str,
    buffering: int,
    encoding: str | None,
    errors: str | None,
    newline: str | None,
    closefd: bool,
    opener: Any,
) -> Any:
    binary = "b" in mode
    raw_mode = mode.replace("t", "").replace("b", "")
    given = opener if opener is not None or isinstance(file, int) else _by_stand_in
    with guard.expected():
        raw = RecordedFile(file, raw_mode, closefd, given)
    result: Any = raw
    try:
        lines = buffering == 1 or (buffering < 0 and raw.isatty())
        if buffering == 0:
            if binary:
                return raw
            raise ValueError("can't have unbuffered text I/O")
        size = buffering if buffering > 1 else _block(raw)
        result = io.BufferedRandom(raw, size) if "+" in mode else io.BufferedWriter(raw, size)
        if binary:
            return result
        result = io.TextIOWrapper(result, encoding, errors, newline, lines)
        result.mode = mode
        return result
    except BaseException:
        result.close()
        raise


def _block(raw: RecordedFile) -> int:
    """Return the size that `open` gives a buffer."""
    return max(int(getattr(raw, "_blksize", 0)), io.DEFAULT_BUFFER_SIZE)
