"""Child processes at work: one that computes, or has done so since it was last asked about, is no silent peer.

What waits for a child sees nothing but silence while the child starts, on a slow machine for long.  The kernel tells
whether a process could run, and how much it has run; where it cannot be asked, nobody is at work.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

_OWN: Final = "/proc/self"
# Running or able to run; waiting for a disk.
_AT_WORK: Final = (b"R", b"D")
# Fields of a process's `stat` after its name: state, and the processor time used by itself, in user and kernel mode.
_STATE, _USED = 0, slice(11, 13)


class Children:
    """Remember how much each child process has run; `pid`: that one and its own children alone."""

    __slots__ = ("_pid", "_used")

    def __init__(self, pid: int | None = None) -> None:
        self._pid = pid
        self._used: dict[bytes, list[bytes]] = {}

    def at_work(self) -> bool:
        """Say whether a child, or a child of one, is at work, or has been since this was last asked."""
        before, self._used = self._used, {}
        found, waiting = False, [*_children(_OWN)] if self._pid is None else [str(self._pid).encode()]
        while waiting:
            child = waiting.pop()
            if child in self._used:
                continue
            place = f"/proc/{child.decode()}"
            try:
                with open(f"{place}/stat", "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()
            except OSError:
                continue  # it has ended meanwhile
            used = self._used[child] = fields[_USED]
            found = found or fields[_STATE] in _AT_WORK or before.get(child, used) != used
            waiting += _children(place)
        return found


def _children(place: str) -> Iterator[bytes]:
    """Give the children of all threads of a process."""
    try:
        threads = os.listdir(f"{place}/task")
    except OSError:
        return
    for thread in threads:
        try:
            with open(f"{place}/task/{thread}/children", "rb") as file:
                yield from file.read().split()
        except OSError:
            continue
