"""Virtual time for tests: the clock as a test holds it, and the `virtual_time` marker.

The clock is in force from the first function-scoped fixture of a test to the last one's end; fixtures of wider scopes
live longer than any one test's time, and keep the real one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Generator
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from os import PathLike
from typing import Any, Final, TypeAlias

import pytest

from pytest_sessionguard.clock import eventloop
from pytest_sessionguard.clock.faulty import ClockFault, Drifting, Jumping, Several, Skewed, Stepping, Stopped
from pytest_sessionguard.clock.virtual import VirtualClock
from pytest_sessionguard.core import durations

Span: TypeAlias = str | int | float | timedelta

MARKER: Final = "virtual_time"
FIXTURE: Final = "sessionguard_clock"
FOLDER: Final = "tmp_path"

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class TimeControl:
    """The clock of one test: every span is "5m", a number of seconds, or a timedelta."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock

    def __repr__(self) -> str:
        return f"<sessionguard_clock {self.now.isoformat()}, {durations.show(self.clock.virtual_elapsed_us)} passed>"

    @property
    def now(self) -> datetime:
        """Return the wall time, in UTC."""
        # By way of an integer span: a float of seconds would lose microseconds.
        return _EPOCH + timedelta(microseconds=self.clock.wall_us)

    @property
    def elapsed(self) -> timedelta:
        """Return how much virtual time has passed; setting the wall clock is no passing of time."""
        return timedelta(microseconds=self.clock.virtual_elapsed_us)

    def advance(self, span: Span) -> Awaitable[None]:
        """Let time pass.  In a coroutine, `await` it: every timer due by then runs in its turn.

        Raises:
            ValueError: not a span of time, or a negative one.
        """
        span_us = us_of(span)
        if span_us < 0:
            raise ValueError(f"time does not run backwards: {span!r}; back() sets the wall clock back")
        if _in_a_loop():
            return eventloop.advance(self.clock, span_us)
        self.clock.advance(span_us)
        return _Passed()

    def set(self, instant: datetime | str) -> None:
        """Set the wall clock, as an administrator would; the monotonic clock does not notice.  No zone means UTC."""
        moment = datetime.fromisoformat(instant) if isinstance(instant, str) else instant
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        self.clock.set_wall(_us(moment - _EPOCH))

    def back(self, span: Span) -> None:
        """Set the wall clock back by a span; the monotonic clock goes on as before."""
        self._shift(-us_of(span))

    def forward(self, span: Span) -> None:
        """Set the wall clock forward by a span, without time passing: no timer wakes."""
        self._shift(us_of(span))

    def skew(self, span: Span, *, everywhere: bool = False) -> AbstractContextManager[None]:
        """Give the code in the `with` block a wall clock that is a span off; negative: slow."""
        return self.faulty(Skewed(by_us=us_of(span)), everywhere=everywhere)

    def jump(self, span: Span, *, after: Span = 0, everywhere: bool = False) -> AbstractContextManager[None]:
        """Give it one that is right at first and jumps, `after` a while; negative: back."""
        return self.faulty(Jumping(by_us=us_of(span), after_us=us_of(after)), everywhere=everywhere)

    def drift(self, ppm: int, *, everywhere: bool = False) -> AbstractContextManager[None]:
        """Give it one that is too fast by so many microseconds a second; negative: too slow."""
        return self.faulty(Drifting(ppm=ppm), everywhere=everywhere)

    def stopped(self, *, after: Span = 0, everywhere: bool = False) -> AbstractContextManager[None]:
        """Give it one that stands still, `after` a while."""
        return self.faulty(Stopped(after_us=us_of(after)), everywhere=everywhere)

    def steps(self, span: Span = 1, *, everywhere: bool = False) -> AbstractContextManager[None]:
        """Give it one that moves by whole steps; 1: whole seconds."""
        return self.faulty(Stepping(step_us=us_of(span)), everywhere=everywhere)

    def faulty(self, *faults: ClockFault, everywhere: bool = False) -> AbstractContextManager[None]:
        """Give the code in the `with` block, and the tasks that it starts, a faulty wall clock; `everywhere`: all code.

        Several faults: each is applied to what the one before it shows.  The monotonic clock is right all the time.
        """
        return self.clock.faulty(faults[0] if len(faults) == 1 else Several(faults), everywhere=everywhere)

    def file_times(self, *folders: str | PathLike[str]) -> AbstractContextManager[None]:
        """Have files that are written below the folders show virtual times, until the end of the block."""
        from pytest_sessionguard.clock import filetimes

        return filetimes.following(self.clock, *folders)

    def _shift(self, span_us: int) -> None:
        # The offset alone moves, so that a fault in force is not counted twice.
        self.clock.set_wall(self.clock.monotonic_us + self.clock.wall_offset_us + span_us)


class _Passed:
    """What `advance` gives where nothing is left to wait for."""

    def __await__(self) -> Generator[Any, None, None]:
        yield from ()


def us_of(span: Span) -> int:
    """Return a span as microseconds; it may be negative, such as "-1h".

    Units: microseconds.
    Raises:
        ValueError: not a span of time.
    """
    if isinstance(span, timedelta):
        return _us(span)
    if isinstance(span, (int, float)) and not isinstance(span, bool) and span < 0:
        return -durations.parse(-span)
    if isinstance(span, str) and span.strip().startswith("-"):
        return -durations.parse(span.strip()[1:])
    return durations.parse(span)


def _us(span: timedelta) -> int:
    return (span.days * 86_400 + span.seconds) * 1_000_000 + span.microseconds


def _in_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def clock_for(node: pytest.Item) -> VirtualClock:
    """Return a new clock for a test, started where its `virtual_time` marker says.

    Raises:
        pytest.UsageError: the marker has arguments that it does not take.
    """
    marker = node.get_closest_marker(MARKER)
    if marker is None:
        return VirtualClock(threads=True)
    if marker.args or set(marker.kwargs) - {"start", "file_times"}:
        raise pytest.UsageError(f"{node.nodeid}: the marker {MARKER} takes start=<instant> and file_times=True")
    return VirtualClock(threads=True, **{name: given for name, given in marker.kwargs.items() if name == "start"})


def file_times_for(request: pytest.FixtureRequest, control: TimeControl) -> AbstractContextManager[None]:
    """Return a block in which files of the test show virtual times, if its marker asks for that."""
    marker = request.node.get_closest_marker(MARKER)
    if marker is None or not marker.kwargs.get("file_times"):
        return nullcontext()
    return control.file_times(request.getfixturevalue(FOLDER))


class VirtualTimeTests:
    """What makes marked tests run in virtual time; registered only where one was collected."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> None:
        """Put the clock in force before the first fixture of the test's own is made."""
        # The folder is asked for by the clock's own fixture, whose files it is to date.
        own = fixturedef.argname not in (FIXTURE, FOLDER)
        if own and request.scope == "function" and request.node.get_closest_marker(MARKER):
            request.getfixturevalue(FIXTURE)


def ask_for_clock(item: pytest.Item) -> None:
    """Let a marked test have the clock, also where it has no fixture of its own."""
    names = getattr(item, "fixturenames", None)
    if names is not None and FIXTURE not in names:
        names.append(FIXTURE)
