"""Putting a clock in force and taking it out again, whatever happens in between.

Everything that is replaced is listed before it is replaced, and every step of the way back may be taken twice; so a
KeyboardInterrupt in the middle of either way leaves nothing behind.
"""

from __future__ import annotations

from _thread import get_ident
from types import TracebackType
from typing import Any, Final

from pytest_sessionguard.clock import classes, eventloop, frozen, readings, remembered, select_turns, sockets, threads
from pytest_sessionguard.clock.captured import Captured
from pytest_sessionguard.clock.exempt import KEEPS_REAL_TIME, KEEPS_REAL_TIME_BESIDE_THREADS
from pytest_sessionguard.clock.readings import READINGS
from pytest_sessionguard.clock.virtual import VirtualClock
from pytest_sessionguard.errors import UsageError

_CAPTURED: Final = Captured(readings.STAND_INS)
_CAPTURED_WITH_LOCKS: Final = Captured({**readings.STAND_INS, **threads.STAND_INS})
# What stands for an attribute that the owner itself has not.
_INHERITED: Final = object()
_PATCHES: Final = [*frozen.PATCHES, *classes.PATCHES, *eventloop.PATCHES]
_WITH_THREADS: Final = [*_PATCHES, *threads.PATCHES, *select_turns.PATCHES, *sockets.PATCHES]


class Installation:
    """Hold one clock in force between `__enter__` and `__exit__`.

    Raises:
        UsageError: another clock, or the same one, is in force already; or the running event loop is not asyncio's own.
    """

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._captured = _CAPTURED_WITH_LOCKS if clock.threads and not threads.are_locks_kept() else _CAPTURED
        self._freeze: frozen.Freeze | None = None
        self._replaced: list[tuple[Any, str, Any]] = []

    def __enter__(self) -> VirtualClock:
        if READINGS.clock is not None:
            whose = "this clock" if READINGS.clock is self._clock else "another clock"
            raise UsageError(
                f"{whose} is already in force: leave its `with clock.installed()` before entering a new one"
            )
        eventloop.refuse_foreign_loops()
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
        READINGS.owner = get_ident()
        READINGS.elsewhere = threads.sleep
        READINGS.keeps_real_time = KEEPS_REAL_TIME_BESIDE_THREADS if self._clock.threads else KEEPS_REAL_TIME
        READINGS.clock = self._clock
        self._freeze = frozen.Freeze(self._clock)
        self._freeze.start()
        replaced = self._replaced
        with_threads = self._clock.threads
        patches = _WITH_THREADS if with_threads else _PATCHES
        for owner, name, stand_in in (*patches, *remembered.patches(self._clock)):
            replaced.append((owner, name, owner.__dict__.get(name, _INHERITED)))
            setattr(owner, name, stand_in)
        self._captured.apply()
        if with_threads:
            threads.enter(self._clock)
        eventloop.enter(self._clock)

    def _leave(self) -> None:
        try:
            threads.leave()
            eventloop.leave()
            if self._freeze is not None:
                self._captured.restore()
        finally:
            for owner, name, original in self._replaced:
                if original is not _INHERITED:
                    setattr(owner, name, original)
                elif name in owner.__dict__:
                    delattr(owner, name)
            self._replaced.clear()
            if self._freeze is not None:
                self._freeze.stop()
            READINGS.clock = None
            READINGS.foreign_wall = None
