"""The clock's own bookkeeping: two hands, moved apart only by `set_wall`."""

from __future__ import annotations

import contextvars
import math
from datetime import datetime, timedelta, timezone
from fractions import Fraction

import pytest

from pytest_sessionguard.clock.virtual import START_US, VirtualClock, sleep_us, wall_us_of


def test_two_clocks_start_at_the_same_fixed_instant() -> None:
    assert VirtualClock().wall_us == VirtualClock().wall_us == START_US == 1_767_225_600_000_000


@pytest.mark.parametrize(
    "start",
    [
        "2026-03-01T12:00:00+02:00",
        "2026-03-01T10:00:00",
        datetime(2026, 3, 1, 10),
        datetime(2026, 3, 1, 11, tzinfo=timezone(timedelta(hours=1))),
        1_772_359_200_000_000,
    ],
)
def test_the_start_is_text_a_datetime_or_microseconds(start: datetime | str | int) -> None:
    assert VirtualClock(start=start).wall_us == 1_772_359_200_000_000


def test_an_instant_before_the_epoch_is_negative() -> None:
    assert wall_us_of("1969-12-31T23:59:59.999999") == -1


def test_advance_moves_both_hands_and_counts() -> None:
    clock = VirtualClock(start=0)
    began_us = clock.monotonic_us
    clock.advance(5)
    clock.advance(0)
    assert (clock.wall_us, clock.monotonic_us - began_us, clock.virtual_elapsed_us) == (5, 5, 5)


def test_advance_never_goes_back() -> None:
    clock = VirtualClock()
    with pytest.raises(ValueError, match="cannot advance by -1 us: use set_wall"):
        clock.advance(-1)


@pytest.mark.parametrize("wall_us", [-1, 0, 10**15])
def test_set_wall_jumps_either_way_and_the_monotonic_hand_stays(wall_us: int) -> None:
    clock = VirtualClock()
    before_us = clock.monotonic_us
    clock.set_wall(wall_us)
    assert (clock.wall_us, clock.monotonic_us, clock.virtual_elapsed_us) == (wall_us, before_us, 0)


def test_skew_shifts_the_wall_of_this_context_only() -> None:
    clock = VirtualClock(start=100)
    elsewhere = contextvars.copy_context()
    with clock.skew(-30):
        assert clock.wall_us == 70
        assert elsewhere.run(lambda: clock.wall_us) == 100
        with clock.skew(5):
            assert clock.wall_us == 105
        assert clock.wall_us == 70
    assert clock.wall_us == 100


def test_skew_ends_with_an_exception() -> None:
    clock = VirtualClock(start=100)
    with pytest.raises(KeyError), clock.skew(1):
        raise KeyError
    assert clock.wall_us == 100


@pytest.mark.parametrize(
    ("seconds", "span_us"),
    [
        (0, 0),
        (1, 1_000_000),
        (0.1, 100_000),
        (0.3, 300_000),
        (86_400.1, 86_400_100_000),
        (1e-7, 1),
        (1e-10, 1),
        (1.000_000_5, 1_000_001),
        (Fraction(1, 3), 333_334),
        (True, 1_000_000),
    ],
)
def test_a_sleep_is_rounded_up_to_microseconds(seconds: float, span_us: int) -> None:
    assert sleep_us(seconds) == span_us


@pytest.mark.parametrize(
    ("seconds", "error", "message"),
    [
        (-0.001, ValueError, "sleep length must be non-negative"),
        (math.nan, ValueError, "NaN"),
        (math.inf, OverflowError, "infinity"),
        ("1", TypeError, "str"),
        (None, TypeError, "NoneType"),
    ],
)
def test_a_sleep_that_the_real_one_refuses_is_refused(seconds: float, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        sleep_us(seconds)


def test_a_clock_shows_where_it_is() -> None:
    clock = VirtualClock(start=0)
    assert repr(clock) == f"<VirtualClock 1970-01-01T00:00:00+00:00 monotonic {clock.monotonic_us} us>"
