"""Child processes beside virtual threads: who polls a child, or gives it a moment, is not to be ahead of it.

A child is real work from its start until it ends or has been silent for the clock's patience; as long as that, virtual
time passes no faster than real time.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any, Final

from pytest_sessionguard.clock.children import Children
from pytest_sessionguard.clock.patches import Patch, Patches
from pytest_sessionguard.clock.readings import real_monotonic
from pytest_sessionguard.clock.waits import CURRENT


class Child:
    """One child process."""

    __slots__ = ("_children", "_patience_s", "_pid", "_stirred_s")

    def __init__(self, pid: int, patience_s: float) -> None:
        self._pid = pid
        self._patience_s = patience_s
        self._children = Children(pid)
        self._stirred_s = real_monotonic()

    def is_over(self) -> bool:
        """Say whether it has ended, or has been silent for so long that it is taken to be idle."""
        if _has_ended(self._pid):
            return True
        now_s = real_monotonic()
        if self._children.at_work():
            self._stirred_s = now_s
        return now_s - self._stirred_s >= self._patience_s


def _has_ended(pid: int) -> bool:
    try:
        # It is left to be waited for by who started it.
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except (ChildProcessError, AttributeError):
        return True  # waited for already; or there is nobody to ask


def note(pid: int | None) -> None:
    """Have time wait for a child that was just started, where threads are virtual."""
    turns = CURRENT.turns
    if turns is not None and pid is not None:
        turns.hand_out(Child(pid, turns.clock.patience_us / 1e6).is_over)


_init: Final = subprocess.Popen.__init__


def popen_init(self: Any, *args: Any, **kwargs: Any) -> None:
    """Start a child process."""
    _init(self, *args, **kwargs)
    note(self.pid)


PATCHES: Final[list[Patch]] = [(subprocess.Popen, "__init__", popen_init)]


def _noted_start(real: Callable[[Any], None]) -> Callable[[Any], None]:
    def start(self: Any) -> None:
        real(self)
        note(self.pid)

    return start


def of_multiprocessing() -> Patches:
    """Return what is replaced in `multiprocessing`, once that is there."""
    kind = sys.modules["multiprocessing.process"].BaseProcess
    return Patches([(kind, "start", _noted_start(kind.start))])
