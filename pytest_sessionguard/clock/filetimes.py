"""File times under the clock, an option: what is written below some folders while time is virtual shows virtual times.

The kernel dates files by the real clock.  So before virtual time moves, and before anybody looks, every file that the
kernel has dated since is given the virtual time of its writing.  Nothing that writes needs to be known: C code and
child processes may.  What `os.utime` is told stays as told.  The time of a change of status (ctime) stays real.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from pytest_sessionguard.clock.readings import real_time_ns
from pytest_sessionguard.clock.virtual import VirtualClock

_real_stat, _real_lstat, _real_fstat = os.stat, os.lstat, os.fstat
_real_scandir, _real_utime = os.scandir, os.utime

# The kernel dates files by a clock that ticks this seldom.
_TICK_NS: Final = 20_000_000

# Elsewhere it is the file behind a link that is dated.
_FOLLOWS_LINKS: Final = os.utime not in os.supports_follow_symlinks

_SETS: Final = tuple(
    kind
    for kind in (
        getattr(os, name, None)
        for name in ("supports_dir_fd", "supports_fd", "supports_follow_symlinks", "supports_effective_ids")
    )
    if isinstance(kind, set)
)


class Follower:
    """Date the files below some folders by a clock."""

    def __init__(self, clock: VirtualClock, folders: tuple[str | os.PathLike[str], ...]) -> None:
        self.clock = clock
        self.folders = [os.path.realpath(folder) for folder in folders]
        self._since_ns = real_time_ns() - _TICK_NS
        # Device and number of a file -> the time that it was given, by us or by a user.
        self._given: dict[tuple[int, int], int] = {}

    def is_fresh(self, status: os.stat_result) -> bool:
        """Say whether it was the kernel that dated the file, since we follow."""
        return (
            self._since_ns <= status.st_mtime_ns <= real_time_ns() + _TICK_NS
            and self._given.get((status.st_dev, status.st_ino)) != status.st_mtime_ns
        )

    def date_all(self) -> None:
        """Give every file that the kernel has dated the time that it is now."""
        wall_ns = self.clock.wall_us * 1000
        waiting = list(self.folders)
        while waiting:
            folder = waiting.pop()
            self._date(folder, wall_ns)
            try:
                with _real_scandir(folder) as entries:
                    for entry in entries:
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append(entry.path)
                        else:
                            self._date(entry.path, wall_ns)
            except OSError:
                continue  # gone meanwhile

    def _date(self, path: str, wall_ns: int) -> None:
        try:
            status = _real_lstat(path)
            if self.is_fresh(status):
                read_ns = wall_ns if status.st_atime_ns >= self._since_ns else status.st_atime_ns
                _real_utime(path, ns=(read_ns, wall_ns), follow_symlinks=_FOLLOWS_LINKS)
                self._note(_real_lstat(path))
        except OSError:
            pass  # gone meanwhile, or not ours to date

    def _note(self, status: os.stat_result) -> None:
        self._given[status.st_dev, status.st_ino] = status.st_mtime_ns

    # -- what stands in for the functions of `os` --------------------------------------------------------------------

    def stat(self, path: Any, **options: Any) -> os.stat_result:
        return self._told(_real_stat, path, options)

    def lstat(self, path: Any, **options: Any) -> os.stat_result:
        return self._told(_real_lstat, path, options)

    def fstat(self, fd: int) -> os.stat_result:
        return self._told(_real_fstat, fd, {})

    def _told(self, real: Any, path: Any, options: dict[str, Any]) -> os.stat_result:
        status: os.stat_result = real(path, **options)
        if self.is_fresh(status):
            self.date_all()
            status = real(path, **options)
        return status

    def scandir(self, *path: Any) -> Any:
        self.date_all()
        return _real_scandir(*path)

    def utime(self, path: Any, times: Any = None, **options: Any) -> None:
        if times is None and "ns" not in options:
            wall_ns = self.clock.wall_us * 1000
            options["ns"] = (wall_ns, wall_ns)
        _real_utime(path, **options) if times is None else _real_utime(path, times, **options)
        looked_at = {name: value for name, value in options.items() if name != "ns"}
        self._note(_real_stat(path, **looked_at))


_moving, _setting = VirtualClock.__dict__["monotonic_us"], VirtualClock.__dict__["wall_offset_us"]
_followers: dict[int, Follower] = {}


class _Followed(VirtualClock):
    """A clock that has files dated before it moves."""

    __slots__ = ()

    @property
    def monotonic_us(self) -> int:
        return int(_moving.__get__(self))

    @monotonic_us.setter
    def monotonic_us(self, value: int) -> None:
        _followers[id(self)].date_all()
        _moving.__set__(self, value)

    @property
    def wall_offset_us(self) -> int:
        return int(_setting.__get__(self))

    @wall_offset_us.setter
    def wall_offset_us(self, value: int) -> None:
        _followers[id(self)].date_all()
        _setting.__set__(self, value)


@contextmanager
def following(clock: VirtualClock, *folders: str | os.PathLike[str]) -> Iterator[None]:
    """Have files that are written below the folders dated by the clock, until the end of the block.

    Within another such block for the same clock, its folders are followed too.
    """
    outer = _followers.get(id(clock))
    if outer is not None:
        before = list(outer.folders)
        outer.folders += [os.path.realpath(folder) for folder in folders]
        try:
            yield
        finally:
            outer.date_all()
            outer.folders[:] = before
        return
    follower = _followers[id(clock)] = Follower(clock, folders)
    names = ("stat", "lstat", "fstat", "scandir", "utime")
    before_us = {name: os.__dict__[name] for name in names}
    stand_ins = {name: getattr(follower, name) for name in names}
    joined = [(kind, stand_ins[name]) for kind in _SETS for name in names if before_us[name] in kind]
    try:
        clock.__class__ = _Followed
        for kind, stand_in in joined:
            kind.add(stand_in)
        for name in names:
            setattr(os, name, stand_ins[name])
        yield
    finally:
        for name in names:
            setattr(os, name, before_us[name])
        for kind, stand_in in joined:
            kind.discard(stand_in)
        follower.date_all()
        clock.__class__ = VirtualClock
        del _followers[id(clock)]
