"""`signal.alarm` and `setitimer` under the clock: an alarm set by a virtual thread rings in virtual time.

A daemon thread with turns waits for the alarm.  When it rings while the main thread waits in virtual time, the handler
is called there, in the middle of the wait, as the interpreter would; else, and where there is no handler in Python, a
real signal is sent.  An alarm that tools set is real.
"""

from __future__ import annotations

import signal
import sys
import threading
from functools import partial
from typing import Any, Final

from pytest_sessionguard.clock import threads
from pytest_sessionguard.clock.patches import Patch
from pytest_sessionguard.clock.readings import READINGS, real_sleep
from pytest_sessionguard.clock.turns import Turns
from pytest_sessionguard.clock.virtual import sleep_us
from pytest_sessionguard.clock.waits import me

_setitimer: Final[Any] = getattr(signal, "setitimer", None)
_getitimer: Final[Any] = getattr(signal, "getitimer", None)
_alarm: Final[Any] = getattr(signal, "alarm", None)
_REAL: Final = getattr(signal, "ITIMER_REAL", 0)
_LOOK_S, _LOOKS_MAX = 0.001, 1000
_RING: Final = getattr(signal, "SIGALRM", 14)


class Alarm(threading.Thread):
    """One alarm, from when it is set until it has rung or is put out."""

    def __init__(self, turns: Turns, seconds: float, interval_s: float) -> None:
        super().__init__(name="alarm", daemon=True)
        self._turns = turns
        self._span_s = seconds
        self._put_out = threading.Event()
        self.interval_s = interval_s
        self._due_us = turns.clock.monotonic_us + sleep_us(seconds)

    def run(self) -> None:
        """Ring in time, and again after every interval."""
        while not self._put_out.wait(self._span_s):
            self._due_us += sleep_us(self.interval_s)
            self._span_s = self.interval_s
            _ring(self._turns)
            if not self.interval_s:
                return

    def put_out(self) -> tuple[float, float]:
        """Ring no more; return the seconds that were left, and the interval."""
        left = self.left()
        self._put_out.set()
        return left

    def left(self) -> tuple[float, float]:
        """Return the seconds until it rings, 0.0 once it has, and the interval."""
        if not self.is_alive():
            return 0.0, 0.0
        return max(1e-6, (self._due_us - self._turns.clock.monotonic_us) / 1e6), self.interval_s


_set: Alarm | None = None


def _ring(turns: Turns) -> None:
    handler, main = signal.getsignal(_RING), threading.main_thread()
    assert main.ident is not None
    runner = turns.runners.get(main.ident)
    # A loop of asyncio learns of a signal by its pipe, which only a real one writes to.
    of_loops = getattr(sys.modules.get("asyncio.unix_events"), "_sighandler_noop", None)
    if callable(handler) and handler is not of_loops and runner is not None:
        frame = sys._current_frames().get(main.ident)
        if turns.interrupt(runner, partial(handler, _RING, frame)):
            return
    signal.pthread_kill(main.ident, _RING)
    waiter = None if runner is None else runner.waiter
    if handler is of_loops and waiter is not None and waiter.poll is not None:
        # Until it has come no time may pass.
        for _ in range(_LOOKS_MAX):
            if waiter.poll():
                return
            real_sleep(_LOOK_S)


def _is_real(depth: int) -> bool:
    """Say whether who calls sets real alarms: a tool, or a thread without turns."""
    return me() is None or READINGS.keeps_real_time[sys._getframe(depth).f_globals.get("__name__", "")]


def _replace(seconds: float, interval_s: float) -> tuple[float, float]:
    global _set
    before = (0.0, 0.0) if _set is None else _set.put_out()
    _set = None
    here = me()
    if seconds > 0 and here is not None:
        _set = Alarm(here[0], seconds, interval_s)
        threads.start_virtual(_set)
    return before


def setitimer(which: int, seconds: float, interval: float = 0.0, /) -> Any:
    """Set an interval timer: the one of real time in virtual time."""
    if which != _REAL or seconds < 0 or interval < 0 or _is_real(2):
        return _setitimer(which, seconds, interval)
    return _replace(float(seconds), float(interval))


def getitimer(which: int, /) -> Any:
    """Return what is left of an interval timer."""
    if which != _REAL or _is_real(2):
        return _getitimer(which)
    return (0.0, 0.0) if _set is None else _set.left()


def alarm(seconds: int, /) -> int:
    """Set an alarm; return what was left of the one before, in whole seconds."""
    if _is_real(2):
        return int(_alarm(seconds))
    left_s, _ = _replace(float(seconds), 0.0)
    # As the system does: what is left is never said to be nothing.
    return 0 if not left_s else max(1, round(left_s))


def leave() -> None:
    """Have an alarm that is set ring in real time, when what is left has passed.  May be called again."""
    global _set
    if _set is not None:
        left_s, interval_s = _set.put_out()
        _set = None
        if left_s:
            _setitimer(_REAL, left_s, interval_s)


def leave_in_child() -> None:
    """Forget an alarm in a child that was forked: the system does not hand it down."""
    global _set
    _set = None


PATCHES: Final[list[Patch]] = [
    (signal, each.__name__, each) for each in (setitimer, getitimer, alarm) if hasattr(signal, each.__name__)
]
