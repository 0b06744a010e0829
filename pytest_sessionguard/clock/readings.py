"""What code is told when it asks the `time` module while a clock is in force.

One object answers for the whole process, because the module `time` is one too.  Its bound methods stand in for the
built-in functions: unlike plain functions they do not turn into methods when a class body captures them.  Without a
clock in force, and for callers that keep real time, every one of them answers as the real function.
"""

from __future__ import annotations

import sys
import time
from _thread import get_ident
from collections.abc import Callable, Mapping
from math import ceil
from time import struct_time
from types import SimpleNamespace
from typing import Any, Final

from pytest_sessionguard.clock.exempt import KEEPS_REAL_TIME
from pytest_sessionguard.clock.virtual import VirtualClock, sleep_us

# The real functions, captured once; this module is exempt from faking, so they stay real.
real_time, real_time_ns = time.time, time.time_ns
real_monotonic, real_monotonic_ns = time.monotonic, time.monotonic_ns
real_perf_counter, real_perf_counter_ns = time.perf_counter, time.perf_counter_ns
real_localtime, real_gmtime, real_strftime = time.localtime, time.gmtime, time.strftime
real_ctime, real_asctime = time.ctime, time.asctime
real_sleep, real_get_clock_info = time.sleep, time.get_clock_info
real_clock_gettime = getattr(time, "clock_gettime", None)
real_clock_gettime_ns = getattr(time, "clock_gettime_ns", None)

_frame = sys._getframe

# What an event loop takes for "now": a tenth of a microsecond absorbs the rounding of float deadlines for some
# seventeen years of virtual time, and is still too short to let a timer fire a microsecond early.
RESOLUTION_S: Final = 1e-7

_WALL_CLOCKS: Final = frozenset(getattr(time, name) for name in ("CLOCK_REALTIME", "CLOCK_TAI") if hasattr(time, name))
_MONOTONIC_CLOCKS: Final = frozenset(
    getattr(time, name)
    for name in (
        "CLOCK_MONOTONIC",
        "CLOCK_MONOTONIC_RAW",
        "CLOCK_BOOTTIME",
        "CLOCK_UPTIME",
        "CLOCK_UPTIME_RAW",
        "CLOCK_HIGHRES",
    )
    if hasattr(time, name)
)


class Readings:
    """Answer for the `time` module: the clock in force, the thread that owns it, and who else may set the wall.

    Units: `foreign_wall` gives microseconds since the Unix epoch; it is set while a freezegun factory that is not
    driven by the clock (one that ticks by itself) has the say.  `owner` is 0 while the owner has company whose waits
    are virtual too; then, and for other threads, `elsewhere` sleeps.
    """

    __slots__ = ("clock", "elsewhere", "foreign_wall", "keeps_real_time", "owner")

    def __init__(self) -> None:
        self.clock: VirtualClock | None = None
        self.owner = 0
        # Module name -> whether its code is shown the real time.
        self.keeps_real_time: Mapping[str, bool] = KEEPS_REAL_TIME
        self.elsewhere: Callable[[Any], None] = real_sleep
        self.foreign_wall: Callable[[], int] | None = None

    def wall_us(self) -> int | None:
        """Return the wall time for the caller's caller; none if it is to be shown the real one."""
        clock = self.clock
        if clock is None or self.keeps_real_time[_frame(2).f_globals.get("__name__", "")]:
            return None
        return clock.wall_us if self.foreign_wall is None else self.foreign_wall()

    def time(self) -> float:
        wall_us = self.wall_us()
        return real_time() if wall_us is None else wall_us / 1_000_000

    def time_ns(self) -> int:
        wall_us = self.wall_us()
        return real_time_ns() if wall_us is None else wall_us * 1000

    def monotonic(self) -> float:
        clock = self.clock
        if clock is None or self.keeps_real_time[_frame(1).f_globals.get("__name__", "")]:
            return real_monotonic()
        return clock.monotonic_us / 1_000_000

    def monotonic_ns(self) -> int:
        clock = self.clock
        if clock is None or self.keeps_real_time[_frame(1).f_globals.get("__name__", "")]:
            return real_monotonic_ns()
        return clock.monotonic_us * 1000

    def perf_counter(self) -> float:
        clock = self.clock
        if clock is None or self.keeps_real_time[_frame(1).f_globals.get("__name__", "")]:
            return real_perf_counter()
        return clock.monotonic_us / 1_000_000

    def perf_counter_ns(self) -> int:
        clock = self.clock
        if clock is None or self.keeps_real_time[_frame(1).f_globals.get("__name__", "")]:
            return real_perf_counter_ns()
        return clock.monotonic_us * 1000

    def clock_gettime(self, clk_id: int, /) -> float:
        """Answer for wall and monotonic clocks; processor time stays real."""
        wall_us = self.wall_us()
        if wall_us is not None and clk_id in _WALL_CLOCKS:
            return wall_us / 1_000_000
        if wall_us is not None and self.clock is not None and clk_id in _MONOTONIC_CLOCKS:
            return self.clock.monotonic_us / 1_000_000
        assert real_clock_gettime is not None
        return float(real_clock_gettime(clk_id))

    def clock_gettime_ns(self, clk_id: int, /) -> int:
        wall_us = self.wall_us()
        if wall_us is not None and clk_id in _WALL_CLOCKS:
            return wall_us * 1000
        if wall_us is not None and self.clock is not None and clk_id in _MONOTONIC_CLOCKS:
            return self.clock.monotonic_us * 1000
        assert real_clock_gettime_ns is not None
        return int(real_clock_gettime_ns(clk_id))

    def localtime(self, seconds: float | None = None, /) -> struct_time:
        # The C library knows the zone's rules at that instant: adding a fixed offset would be an hour off in summer.
        wall_us = self.wall_us() if seconds is None else None
        return real_localtime(seconds if wall_us is None else wall_us // 1_000_000)

    def gmtime(self, seconds: float | None = None, /) -> struct_time:
        wall_us = self.wall_us() if seconds is None else None
        return real_gmtime(seconds if wall_us is None else wall_us // 1_000_000)

    def ctime(self, seconds: float | None = None, /) -> str:
        wall_us = self.wall_us() if seconds is None else None
        return real_ctime(seconds if wall_us is None else wall_us // 1_000_000)

    def asctime(self, *instant: Any) -> str:
        wall_us = self.wall_us() if not instant else None
        return real_asctime(*instant) if wall_us is None else real_asctime(real_localtime(wall_us // 1_000_000))

    def strftime(self, layout: str, *instant: Any) -> str:
        wall_us = self.wall_us() if not instant else None
        if wall_us is None:
            return real_strftime(layout, *instant)
        return real_strftime(layout, real_localtime(wall_us // 1_000_000))

    def get_clock_info(self, name: Any, /) -> Any:
        info = real_get_clock_info(name)
        if self.wall_us() is None or name not in ("time", "monotonic", "perf_counter"):
            return info
        return SimpleNamespace(
            implementation="sessionguard", monotonic=info.monotonic, adjustable=info.adjustable, resolution=RESOLUTION_S
        )

    def sleep(self, seconds: Any, /) -> None:
        """Pass `seconds` at once on the owner's thread; as `elsewhere` says on any other; really sleep for callers that
        keep real time."""
        clock = self.clock
        if clock is None or self.keeps_real_time[_frame(1).f_globals.get("__name__", "")]:
            return real_sleep(seconds)
        if get_ident() != self.owner:
            return self.elsewhere(seconds)
        # The usual sleep without a call; `sleep_us` says why this much and rounds the unusual ones.
        usual = type(seconds) is float and 1e-6 <= seconds < 1e6
        span_us = ceil(seconds * 1e6 - 1e-3) if usual else sleep_us(seconds)
        if span_us:
            clock.monotonic_us += span_us + clock.late_us
        return None


READINGS: Final = Readings()

# Real function -> what stands in for it.  Bound once: a bound method has no identity of its own.
STAND_INS: Final[dict[Any, Any]] = {
    real_time: READINGS.time,
    real_time_ns: READINGS.time_ns,
    real_monotonic: READINGS.monotonic,
    real_monotonic_ns: READINGS.monotonic_ns,
    real_perf_counter: READINGS.perf_counter,
    real_perf_counter_ns: READINGS.perf_counter_ns,
    real_localtime: READINGS.localtime,
    real_gmtime: READINGS.gmtime,
    real_ctime: READINGS.ctime,
    real_asctime: READINGS.asctime,
    real_strftime: READINGS.strftime,
    real_get_clock_info: READINGS.get_clock_info,
    real_sleep: READINGS.sleep,
    **({real_clock_gettime: READINGS.clock_gettime} if real_clock_gettime is not None else {}),
    **({real_clock_gettime_ns: READINGS.clock_gettime_ns} if real_clock_gettime_ns is not None else {}),
}
