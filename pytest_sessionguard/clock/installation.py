"""Putting a clock in force and taking it out again, whatever happens in between.

Everything that is replaced is listed before it is replaced, and every step of the way back may be taken twice; so a
KeyboardInterrupt in the middle of either way leaves nothing behind.
"""

from __future__ import annotations

import os
from _thread import get_ident
from types import TracebackType
from typing import Final

from pytest_sessionguard.clock import (
    alarms,
    child_work,
    classes,
    eventloop,
    frozen,
    readings,
    remembered,
    select_turns,
    sockets,
    threads,
)
from pytest_sessionguard.clock.captured import Captured
from pytest_sessionguard.clock.exempt import KEEPS_REAL_TIME, KEEPS_REAL_TIME_BESIDE_THREADS
from pytest_sessionguard.clock.patches import Patches
from pytest_sessionguard.clock.readings import READINGS
from pytest_sessionguard.clock.virtual import VirtualClock
from pytest_sessionguard.errors import UsageError

_CAPTURED: Final = Captured(readings.STAND_INS)
_CAPTURED_WITH_LOCKS: Final = Captured({**readings.STAND_INS, **threads.STAND_INS})
PATCHES: Final = [*frozen.PATCHES, *classes.PATCHES, *eventloop.PATCHES, *remembered.PATCHES]
_WITHOUT_THREADS: Final = Patches(PATCHES)
_WITH_THREADS: Final = Patches(
    [*PATCHES, *threads.PATCHES, *select_turns.PATCHES, *sockets.PATCHES, *child_work.PATCHES, *alarms.PATCHES]
)


_in_force: Installation | None = None


class Installation:
    """Hold one clock in force between `__enter__` and `__exit__`.

    Raises:
        UsageError: another clock, or the same one, is in force already; or the running event loop is not asyncio's own.
    """

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._captured = _CAPTURED_WITH_LOCKS if clock.threads and not threads.are_locks_kept() else _CAPTURED
        self._factory: frozen.ClockFactory | None = None
        self._patches = _WITH_THREADS if clock.threads else _WITHOUT_THREADS

    def __enter__(self) -> VirtualClock:
        if READINGS.clock is not None:
            whose = "this clock" if READINGS.clock is self._clock else "another clock"
            raise UsageError(
                f"{whose} is already in force: leave its `with clock.installed()` before entering a new one"
            )
        try:
            self._enter()
        except BaseException:
            self._leave()
            raise
        return self._clock

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._leave()
        except BaseException:
            self._leave()
            raise

    def _enter(self) -> None:
        global _in_force
        _in_force = self
        READINGS.owner = get_ident()
        READINGS.elsewhere = threads.sleep
        READINGS.keeps_real_time = KEEPS_REAL_TIME_BESIDE_THREADS if self._clock.threads else KEEPS_REAL_TIME
        READINGS.clock = self._clock
        self._factory = frozen.ClockFactory(self._clock)
        frozen.start(self._factory)
        self._patches.put()
        remembered.enter(self._clock)
        self._captured.apply()
        if self._clock.threads:
            threads.enter(self._clock)
        eventloop.enter(self._clock)

    def _leave(self) -> None:
        global _in_force
        try:
            if self._clock.threads:
                alarms.leave()
                threads.leave(self._clock)
            eventloop.leave()
            if self._factory is not None:
                self._captured.restore()
        finally:
            self._patches.take_out()
            if self._factory is not None:
                frozen.stop(self._factory)
            READINGS.clock = None
            READINGS.foreign_wall = None
            _in_force = None

    def leave_in_child(self) -> None:
        """Take the clock out of force in a child process that was forked: it runs in real time, as others do."""
        alarms.leave_in_child()
        threads.leave_in_child()
        self._leave()


def _leave_in_child() -> None:
    if _in_force is not None:
        _in_force.leave_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_in_child)
