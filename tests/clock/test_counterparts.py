"""Pairs of real and virtual values."""

from __future__ import annotations

from functools import partial

from pytest_sessionguard.clock import readings
from pytest_sessionguard.clock.counterparts import Counterparts

PAIRS = Counterparts(readings.STAND_INS)


def both() -> tuple[object, object]:
    """Return a real function and its stand-in; as globals of this module the next span would take them out."""
    return readings.real_time, readings.STAND_INS[readings.real_time]


def real_and_fake(value: object) -> tuple[object, object]:
    pair = PAIRS.of(value)
    assert pair is not None
    return pair.real, pair.fake


def test_each_side_finds_the_same_pair() -> None:
    real, fake = both()
    assert real_and_fake(real) == real_and_fake(fake) == (real, fake)


def test_a_value_without_a_clock_has_no_pair() -> None:
    for value in (None, (), ("a", 1), (print, partial(print)), partial(print, "a", end=""), staticmethod(print)):
        assert PAIRS.of(value) is None


def test_the_value_itself_is_one_side_of_its_pair() -> None:
    for value in ((1, readings.real_time), partial(readings.real_time), staticmethod(readings.real_time)):
        real, fake = real_and_fake(value)
        assert real is value
        back, same = real_and_fake(fake)
        assert same is fake
        assert type(back) is type(value)


def test_a_tuple_of_both_sides_has_two_others_for_its_pair() -> None:
    real, fake = both()
    assert real_and_fake((real, fake)) == ((real, real), (fake, fake))


def test_a_shallow_look_takes_nothing_apart() -> None:
    real, _ = both()
    assert PAIRS.of((real,), deep=False) is None
    assert PAIRS.of(real, deep=False) is not None
