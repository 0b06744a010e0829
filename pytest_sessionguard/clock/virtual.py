"""A clock that moves only when it is told to.

Pure bookkeeping: it reads no real clock and patches nothing itself.  Two hands move together, the monotonic one and the
wall one; only `set_wall` and faults of the wall clock move them apart, and nothing ever
moves the monotonic hand back.  Integer microseconds
inside.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final, SupportsFloat, SupportsIndex

from pytest_sessionguard.clock.faulty import ClockFault, Skewed

MICROSECONDS: Final = 1_000_000
# 2026-01-01T00:00:00Z: every run starts at the same instant, so that a replay prints the same dates.
START_US: Final = 1_767_225_600 * MICROSECONDS
# About eleven days: code that takes 0 for "never" must find every usual timeout already past, as on a real machine.
MONOTONIC_START_US: Final = 1_000_000 * MICROSECONDS
# Real time that a peer outside the event loop is given before its silence counts as idleness.
PATIENCE_US: Final = 500_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ONE_US = timedelta(microseconds=1)

# What is wrong with the wall clock of this task or thread, and since when on the monotonic clock.
_Running = tuple[Callable[[int, int], int], int]
_fault: ContextVar[_Running | None] = ContextVar("sessionguard_clock_fault", default=None)


class VirtualClock:
    """Hold virtual time; put it in force with `with clock.installed():`.

    Units: `start` is an aware or naive (then UTC) datetime, ISO 8601 text, or microseconds since the Unix epoch;
    `patience_us` is real time, see `eventloop`.
    `threads`: threads started while the clock is in force wait in virtual time, one running at a time, see `turns`;
    `seed` picks among those that could run or are due at the same instant, None: first come, first served.
    `late_us`: sleeps and timeouts end so much after they are due; in reality none ends at the very instant.
    """

    __slots__ = (
        "__weakref__",
        "_fault",
        "late_us",
        "monotonic_us",
        "passed_on",
        "patience_us",
        "seed",
        "threads",
        "wall_offset_us",
    )

    def __init__(
        self,
        *,
        start: datetime | str | int = START_US,
        patience_us: int = PATIENCE_US,
        threads: bool = False,
        seed: int | None = None,
        late_us: int = 0,
    ) -> None:
        # Plain attributes, because every faked reading goes through them; only the methods below write them.
        self.monotonic_us = MONOTONIC_START_US
        self.wall_offset_us = wall_us_of(start) - MONOTONIC_START_US
        self._fault: _Running | None = None
        self.patience_us = patience_us
        self.threads = threads
        self.seed = seed
        self.late_us = late_us
        # Lets a span pass with all that is due in it; set while the clock is in force for threads too.
        self.passed_on: Callable[[int], bool] | None = None

    def __repr__(self) -> str:
        wall = _EPOCH + timedelta(microseconds=self.wall_us)
        return f"<VirtualClock {wall.isoformat()} monotonic {self.monotonic_us} us>"

    @property
    def wall_us(self) -> int:
        """Return the wall time that the current task or thread sees, with whatever is wrong with its clock.

        Units: microseconds since the Unix epoch.
        """
        running = _fault.get() or self._fault
        if running is None:
            return self.monotonic_us + self.wall_offset_us
        shown_us, began_us = running
        return shown_us(self.monotonic_us + self.wall_offset_us, self.monotonic_us - began_us)

    @property
    def virtual_elapsed_us(self) -> int:
        """Return all virtual time that has passed on this clock; jumps of the wall clock are no passing of time."""
        return self.monotonic_us - MONOTONIC_START_US

    def advance(self, span_us: int) -> None:
        """Let `span_us` pass: both hands move.

        In force with threads, and called by one of them: every wake-up due by then comes first, in order of deadlines,
        those at the target instant included, and whoever woke has come to rest before this returns.

        Raises:
            ValueError: the span is negative; only `set_wall` goes back.
        """
        if span_us < 0:
            raise ValueError(f"virtual time cannot advance by {span_us} us: use set_wall to set the wall clock back")
        if self.passed_on is None or not self.passed_on(span_us):
            self.monotonic_us += span_us

    def set_wall(self, wall_us: int) -> None:
        """Set the wall clock, forwards or back, as an administrator would; the monotonic clock does not notice.

        Counted without any fault: under `skew(s)` the caller then sees `wall_us + s`.
        """
        self.wall_offset_us = wall_us - self.monotonic_us

    def skew(self, span_us: int) -> AbstractContextManager[None]:
        """Give the current task or thread a wall clock that is `span_us` off; negative: slow.  See `faulty`."""
        return self.faulty(Skewed(by_us=span_us))

    @contextmanager
    def faulty(self, fault: ClockFault, *, everywhere: bool = False) -> Iterator[None]:
        """Give the current task or thread, and the tasks that it starts, a faulty wall clock; `everywhere`: all.

        An inner fault replaces the outer one, and that of a task the one that is everywhere: a node called by a skewed
        client has its own error, not the sum.
        """
        running = (fault.shown_us, self.monotonic_us)
        if everywhere:
            outer, self._fault = self._fault, running
            try:
                yield
            finally:
                self._fault = outer
            return
        token = _fault.set(running)
        try:
            yield
        finally:
            _fault.reset(token)

    def installed(self) -> AbstractContextManager[VirtualClock]:
        """Return a context manager that puts this clock in force for the whole process.

        The thread that enters it owns the time: its sleeps and its event loops' timers pass at once.  Other threads
        read the same clock; those started inside the span wait in virtual time if the clock has `threads`, all others
        in real time.

        Raises:
            UsageError: on entry, when a clock is already in force.
        """
        return _installation()(self)


@cache
def _installation() -> Callable[[VirtualClock], AbstractContextManager[VirtualClock]]:
    # Imported late, so that the bookkeeping alone never loads freezegun.
    from pytest_sessionguard.clock.installation import Installation

    return Installation


def wall_us_of(instant: datetime | str | int) -> int:
    """Return the microseconds since the Unix epoch of a datetime, of ISO 8601 text, or of themselves."""
    if isinstance(instant, int):
        return instant
    if isinstance(instant, str):
        instant = datetime.fromisoformat(instant)
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    return (instant - _EPOCH) // _ONE_US


def sleep_us(seconds: SupportsFloat | SupportsIndex) -> int:
    """Return the span of a sleep, rounded up to microseconds, so that no sleep wakes before its time.

    Less than a nanosecond above a whole microsecond is taken for the float's own noise: 0.1 s is 100,000 us, not
    100,001.  But no sleep takes no time, however short: who sleeps for what is left until a deadline, which by that
    noise may be a ten-billionth of a second, would do so for ever.

    Raises:
        ValueError: negative, or not a number.
        TypeError: no number at all.
    """
    if type(seconds) is int and seconds >= 0:
        return seconds * MICROSECONDS
    if not isinstance(seconds, float):
        # Text has no __float__ but float() would read it; the real sleep would not.
        seconds = seconds.__float__() if hasattr(seconds, "__float__") else operator.index(seconds)
    if seconds != seconds:
        raise ValueError("Invalid value NaN (not a number)")
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    return max(int(seconds > 0), math.ceil(seconds * 1e6 - 1e-3))
