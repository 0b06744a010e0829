"""What stands in the place of `open` and of the functions of `os` while operations are recorded.

Each does the real thing and notes it; while no recording is active it is the real thing and no more.  They are put
wherever the real ones are found: in `os`, `io`, `builtins`, and in every module that took them by name before.  Nothing
is flushed to the real disk meanwhile: what would survive is the enumeration's question.
"""

from __future__ import annotations

import builtins
import functools
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from pytest_sessionguard.clock.captured import Captured
from pytest_sessionguard.crash import files, guard
from pytest_sessionguard.crash.recorder import ACTIVE, Recording

_LSTAT: Final = os.lstat
_FSTAT: Final = os.fstat
_PREAD: Final = getattr(os, "pread", None)
_LSEEK: Final = os.lseek
_READLINK: Final = getattr(os, "readlink", None)

_REAL: Final = {name: getattr(os, name) for name in dir(os) if callable(getattr(os, name))}
_STAND_INS: Final[dict[str, Callable[..., Any]]] = {}


def _in_place_of(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let a function stand for those of `os` with these names, where this system has them.

    It is given the active recording and the real function before their arguments.
    """

    def decorate(note: Callable[..., Any]) -> Callable[..., Any]:
        for name in names:
            real = _REAL.get(name)
            if real is not None:
                _STAND_INS[name] = _stand_in(note, real)
        return note

    return decorate


def _stand_in(note: Callable[..., Any], real: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(real)
    def stand_in(*args: Any, **named: Any) -> Any:
        recording = ACTIVE.recording
        if recording is None:
            return real(*args, **named)
        with recording.lock:
            args = recording.ahead(real.__name__, args, named)
            answer = note(recording, real, *args, **named)
            recording.behind(real.__name__, args, named)
            return answer

    return stand_in


# -- names ----------------------------------------------------------------------------------------------------------


_WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


@_in_place_of("open")
def _open(
    recording: Recording, real: Any, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None
) -> int:
    if not flags & _WRITES:
        return int(real(path, flags, mode, dir_fd=dir_fd))
    place = recording.place(path, dir_fd)
    try:
        before: os.stat_result | None = os.stat(path, dir_fd=dir_fd)
    except (OSError, ValueError):
        before = None
    with guard.expected():
        descriptor = int(real(path, flags, mode, dir_fd=dir_fd))
    status = _FSTAT(descriptor)
    known = recording.known.get((status.st_dev, status.st_ino))
    if flags & getattr(os, "O_TMPFILE", 0) == getattr(os, "O_TMPFILE", -1):
        if recording.node_at(path, dir_fd) is not None:
            recording.appeared(None, status)
    elif before is None:
        recording.appeared(place, status)
    elif known is not None and flags & os.O_TRUNC and before.st_size:
        recording.sized(known, 0)
    return descriptor


@_in_place_of("rename", "replace")
def _rename(
    recording: Recording,
    real: Any,
    src: Any,
    dst: Any,
    *,
    src_dir_fd: int | None = None,
    dst_dir_fd: int | None = None,
) -> None:
    source, target = recording.place(src, src_dir_fd), recording.place(dst, dst_dir_fd)
    number = recording.node_at(src, src_dir_fd, follow=False)
    same = number is not None and number == recording.node_at(dst, dst_dir_fd, follow=False)
    real(src, dst, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)
    if not same:  # Two names of one file: nothing happens.
        recording.moved(source, target, number, dst, dst_dir_fd)


@_in_place_of("unlink", "remove", "rmdir")
def _remove(recording: Recording, real: Any, path: Any, *, dir_fd: int | None = None) -> None:
    place, number = recording.place(path, dir_fd), recording.node_at(path, dir_fd, follow=False)
    real(path, dir_fd=dir_fd)
    recording.removed(place, number)


@_in_place_of("mkdir")
def _mkdir(recording: Recording, real: Any, path: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
    place = recording.place(path, dir_fd)
    real(path, mode, dir_fd=dir_fd)
    if place is not None:
        recording.appeared(place, os.stat(path, dir_fd=dir_fd))


@_in_place_of("symlink")
def _symlink(
    recording: Recording,
    real: Any,
    src: Any,
    dst: Any,
    target_is_directory: bool = False,
    *,
    dir_fd: int | None = None,
) -> None:
    place = recording.place(dst, dir_fd)
    real(src, dst, target_is_directory, dir_fd=dir_fd)
    if place is not None:
        recording.appeared(place, os.stat(dst, dir_fd=dir_fd, follow_symlinks=False), os.fsencode(src))


@_in_place_of("link")
def _link(
    recording: Recording,
    real: Any,
    src: Any,
    dst: Any,
    *,
    src_dir_fd: int | None = None,
    dst_dir_fd: int | None = None,
    follow_symlinks: bool = True,
) -> None:
    place = recording.place(dst, dst_dir_fd)
    real(src, dst, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd, follow_symlinks=follow_symlinks)
    recording.linked(place, recording.node_at(dst, dst_dir_fd, follow=False), dst, dst_dir_fd)


# -- contents -------------------------------------------------------------------------------------------------------


@_in_place_of("write")
def _write(recording: Recording, real: Any, descriptor: int, data: Any, /) -> int:
    count = int(real(descriptor, data))
    recording.wrote(descriptor, memoryview(data).cast("B")[:count])
    return count


@_in_place_of("pwrite")
def _pwrite(recording: Recording, real: Any, descriptor: int, data: Any, offset: int, /) -> int:
    count = int(real(descriptor, data, offset))
    recording.wrote(descriptor, memoryview(data).cast("B")[:count], offset)
    return count


@_in_place_of("writev")
def _writev(recording: Recording, real: Any, descriptor: int, buffers: Any, /) -> int:
    count = int(real(descriptor, buffers))
    recording.wrote(descriptor, _together(buffers)[:count])
    return count


@_in_place_of("pwritev")
def _pwritev(recording: Recording, real: Any, descriptor: int, buffers: Any, offset: int, flags: int = 0, /) -> int:
    count = int(real(descriptor, buffers, offset, flags))
    recording.wrote(descriptor, _together(buffers)[:count], offset)
    return count


def _together(buffers: Any) -> bytes:
    return b"".join(bytes(one) for one in buffers)


@_in_place_of("sendfile")
def _sendfile(
    recording: Recording, real: Any, out_fd: int, in_fd: int, offset: int | None, count: int, *rest: Any, **named: Any
) -> int:
    start = _LSEEK(in_fd, 0, os.SEEK_CUR) if offset is None else offset
    sent = int(real(out_fd, in_fd, offset, count, *rest, **named))
    if sent and recording.node_of(out_fd) is not None:
        recording.wrote(out_fd, _read_at(in_fd, sent, start))
    return sent


@_in_place_of("copy_file_range")
def _copy_file_range(
    recording: Recording,
    real: Any,
    src: int,
    dst: int,
    count: int,
    offset_src: int | None = None,
    offset_dst: int | None = None,
) -> int:
    start = _LSEEK(src, 0, os.SEEK_CUR) if offset_src is None else offset_src
    copied = int(real(src, dst, count, offset_src, offset_dst))
    if copied and recording.node_of(dst) is not None:
        recording.wrote(dst, _read_at(src, copied, start), offset_dst)
    return copied


def _read_at(descriptor: int, count: int, offset: int) -> bytes:
    assert _PREAD is not None
    return bytes(_PREAD(descriptor, count, offset))


@_in_place_of("truncate", "ftruncate")
def _truncate(recording: Recording, real: Any, path: Any, length: int) -> None:
    number = recording.node_at(path)
    real(path, length)
    recording.sized(number, length)


@_in_place_of("posix_fallocate")
def _fallocate(recording: Recording, real: Any, descriptor: int, offset: int, length: int, /) -> None:
    before = _FSTAT(descriptor).st_size
    real(descriptor, offset, length)
    if offset + length > before:
        recording.sized(recording.node_of(descriptor), offset + length)


@_in_place_of("utime")
def _utime(recording: Recording, real: Any, path: Any, *args: Any, **named: Any) -> None:
    real(path, *args, **named)
    number = recording.node_at(path, named.get("dir_fd"), follow=named.get("follow_symlinks", True))
    if number is not None:
        explicit = bool(args and args[0] is not None) or named.get("times") is not None or "ns" in named
        status = _FSTAT(path) if isinstance(path, int) else os.stat(path, dir_fd=named.get("dir_fd"))
        recording.touched(number, mtime_ns=status.st_mtime_ns if explicit else recording.now_ns())


@_in_place_of("chmod", "fchmod", "lchmod")
def _chmod(recording: Recording, real: Any, path: Any, mode: int, **named: Any) -> None:
    real(path, mode, **named)
    recording.touched(recording.node_at(path, named.get("dir_fd")), mode=mode)


# -- flushing -------------------------------------------------------------------------------------------------------


@_in_place_of("fsync", "fdatasync")
def _fsync(recording: Recording, real: Any, fd: Any) -> None:
    descriptor = fd if isinstance(fd, int) else fd.fileno()
    number = recording.node_of(descriptor)
    if number is None:
        real(fd)  # Not ours, or not open at all.
    else:
        recording.synced(number)


@_in_place_of("sync")
def _sync(recording: Recording, real: Any) -> None:
    recording.synced(None)


# -- putting them in place ------------------------------------------------------------------------------------------


_PLACES: Final[list[tuple[Any, str, Any]]] = [
    *((os, name, stand_in) for name, stand_in in _STAND_INS.items()),
    *((module, "open", files.opened) for module in (builtins, io, sys.modules["_io"])),
]
_CAPTURED: Final = Captured(
    {**{_REAL[name]: stand_in for name, stand_in in _STAND_INS.items()}, files.REAL_OPEN: files.opened}
)
# `shutil` asks these sets what a function can do.
_ABILITIES: Final = ("supports_dir_fd", "supports_fd", "supports_follow_symlinks")


class _Nesting:
    depth = 0


@contextmanager
def in_place() -> Iterator[None]:
    """Let the stand-ins be found wherever the real functions were; may be nested."""
    _Nesting.depth += 1
    try:
        if _Nesting.depth == 1:
            guard.install()
            _put()
        yield
    finally:
        _Nesting.depth -= 1
        if _Nesting.depth == 0:
            _take()


def _put() -> None:
    for ability in _ABILITIES:
        able: set[Any] = getattr(os, ability)
        able.update(stand_in for name, stand_in in _STAND_INS.items() if _REAL[name] in able)
    for module, name, stand_in in _PLACES:
        setattr(module, name, stand_in)
    _CAPTURED.apply(shared=False)


def _take() -> None:
    _CAPTURED.restore(shared=False)
    for module, name, _ in _PLACES:
        setattr(module, name, files.REAL_OPEN if name == "open" and module is not os else _REAL[name])
    for ability in _ABILITIES:
        getattr(os, ability).difference_update(_STAND_INS.values())
