"""Readings of a clock and what they say of a deadline: exhaustive about the boundary."""

from __future__ import annotations

import itertools

import pytest

from pytest_sessionguard.core.history import Stamp
from pytest_sessionguard.core.model.moments import (
    ALIVE,
    DEAD,
    EITHER,
    EXACT_STEP_US,
    Timeline,
    reading_of,
    span,
    standing,
    surely_before,
)

# On an instant that a double holds exactly, so that the deadline itself is judged.
START_US = 64 * EXACT_STEP_US * 1_000
TIMEOUT_US = 64 * EXACT_STEP_US


def at(*readings: int | tuple[int, int]) -> tuple[tuple[int, int], ...]:
    return tuple((one, one) if isinstance(one, int) else one for one in readings)


def after(idle_us: int, *, dead_at_timeout: bool = True, unit_us: int = 0, start_us: int = START_US) -> int:
    now = at(start_us + idle_us)
    return standing(at(start_us), now, TIMEOUT_US, dead_at_timeout=dead_at_timeout, unit_us=unit_us)


@pytest.mark.parametrize(
    ("idle_us", "expired", "alive"),
    [
        (0, ALIVE, ALIVE),
        (TIMEOUT_US - 1, ALIVE, ALIVE),
        (TIMEOUT_US, DEAD, ALIVE),
        (TIMEOUT_US + 1, DEAD, DEAD),
        (10 * TIMEOUT_US, DEAD, DEAD),
    ],
)
def test_a_session_is_judged_to_the_microsecond(idle_us: int, expired: int, alive: int) -> None:
    assert after(idle_us) == expired
    assert after(idle_us, dead_at_timeout=False) == alive


@pytest.mark.parametrize("dead_at_timeout", [True, False])
def test_the_deadline_itself_is_not_judged_on_an_instant_that_a_double_cannot_hold(dead_at_timeout: bool) -> None:
    found = [after(TIMEOUT_US + step, dead_at_timeout=dead_at_timeout, start_us=START_US + 1) for step in (-1, 0, 1)]
    assert found == [ALIVE, EITHER, DEAD]


def test_a_double_holds_the_exact_instants_and_every_difference_of_them() -> None:
    start_s = 1_790_000_000 + 17 / 64
    for step in range(0, 6400, 7):
        assert (start_s + step / 64) - start_s == step / 64
        micros = round((start_s + step / 64) * 1_000_000)
        assert micros % EXACT_STEP_US == 0


def test_a_timeout_that_a_double_cannot_hold_leaves_its_deadline_open() -> None:
    odd_us = 100_000  # 0.1 s
    assert standing(at(START_US), at(START_US + odd_us), odd_us, dead_at_timeout=True, unit_us=0) == EITHER
    assert standing(at(START_US), at(START_US + odd_us - 1), odd_us, dead_at_timeout=True, unit_us=0) == ALIVE


@pytest.mark.parametrize("dead_at_timeout", [True, False])
@pytest.mark.parametrize(
    ("off_us", "found"),
    [(-1_000_001, ALIVE), (-1_000_000, EITHER), (0, EITHER), (1_000_000, EITHER), (1_000_001, DEAD)],
)
def test_one_unit_either_side_of_a_deadline_is_not_judged(off_us: int, found: int, dead_at_timeout: bool) -> None:
    assert after(TIMEOUT_US + off_us, unit_us=1_000_000, dead_at_timeout=dead_at_timeout) == found


def test_an_interval_is_judged_as_all_the_instants_within_it() -> None:
    """Against every pair of instants taken one by one."""
    step, timeout = EXACT_STEP_US, 3 * EXACT_STEP_US
    spans = [(low * step, high * step) for low, high in itertools.combinations_with_replacement(range(6), 2)]
    for since, now in itertools.product(spans, spans):
        if now[0] < since[1]:
            continue
        for dead_at in (True, False):
            each = 0
            for first in range(since[0], since[1] + 1, step):
                for then in range(now[0], now[1] + 1, step):
                    idle = then - first
                    each |= DEAD if (idle >= timeout if dead_at else idle > timeout) else ALIVE
            assert standing((since,), (now,), timeout, dead_at_timeout=dead_at, unit_us=0) == each


def test_what_the_three_ways_to_read_a_clock_dispute_is_free() -> None:
    since = at(START_US)
    shown, passed, latest = START_US + 1, START_US + TIMEOUT_US, START_US + 1
    assert standing(since, at(shown, passed, latest), TIMEOUT_US, dead_at_timeout=True, unit_us=0) == EITHER
    assert standing(since, at(shown, shown, shown), TIMEOUT_US, dead_at_timeout=True, unit_us=0) == ALIVE
    assert standing(since, at(passed, passed, passed), TIMEOUT_US, dead_at_timeout=True, unit_us=0) == DEAD


# -- the timeline -----------------------------------------------------------------------------------------------------


def seen(*stamps: tuple[int, int], monotonic: bool = False) -> Timeline:
    line = Timeline(monotonic=monotonic)
    for wall_us, mono_us in stamps:
        line = line.seen(Stamp(wall_us, mono_us))
    return line


def test_while_the_clock_runs_forward_there_is_one_reading() -> None:
    line = seen((100, 0), (150, 50), (500, 60))
    assert line.backs == 0
    assert line.moment(Stamp(150, 50), Stamp(500, 60)) == ((150, 500),)


def test_after_a_set_back_there_are_three_readings() -> None:
    line = seen((1_000, 0), (1_500, 500), (600, 600))
    assert (line.backs, line.lost_us, line.high_us) == (1, 1_000, 1_500)
    now = Stamp(700, 700)
    assert line.seen(now).moment(now, now) == ((700, 700), (1_700, 1_700), (1_500, 1_500))


def test_what_was_lost_adds_up_over_set_backs() -> None:
    line = seen((1_000, 0), (900, 100), (800, 200))
    assert (line.backs, line.lost_us) == (2, 400)
    assert line.moment(Stamp(800, 200), Stamp(800, 200))[1] == (1_200, 1_200)


def test_a_set_back_of_the_wall_clock_is_noted_and_moves_nothing_on_the_monotonic_clock() -> None:
    line = seen((1_000, 0), (10, 100), monotonic=True)
    assert line.backs == 1
    assert line.moment(Stamp(10, 100), Stamp(10, 100)) == ((100, 100),)


def test_a_restart_of_the_monotonic_clock_is_no_set_back_of_the_wall_clock() -> None:
    line = seen((1_000, 5_000)).restarted(Stamp(1_100, 0))
    assert line.backs == 0
    assert line.seen(Stamp(1_200, 100)).backs == 0


def test_a_wall_clock_set_back_over_a_restart_is_noticed() -> None:
    line = seen((1_000, 5_000)).restarted(Stamp(400, 0))
    assert (line.backs, line.lost_us) == (1, 600)


def test_a_restart_that_keeps_the_monotonic_clock_measures_the_set_back_by_it() -> None:
    line = seen((1_000, 5_000)).restarted(Stamp(900, 5_300))
    assert (line.backs, line.lost_us) == (1, 400)


def test_before_the_first_set_back_all_scales_read_the_same() -> None:
    moment = at((3, 4))
    assert [reading_of(moment, scale) for scale in range(3)] == [(3, 4)] * 3


def test_a_span_reaches_from_the_earlier_to_the_later_on_each_scale() -> None:
    assert span(at((1, 2)), at((5, 6))) == ((1, 6),)
    assert span(at((1, 2)), at((5, 6), (7, 8), (9, 9))) == ((1, 6), (1, 8), (1, 9))


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        (at(1), at(2), True),
        (at(2), at(2), False),
        (at((1, 3)), at((3, 4)), False),
        (at(5), at(6, 6, 6), True),
        (at(5), at(6, 4, 6), False),
        (at(1, 5, 5), at(2, 6, 5), False),
    ],
)
def test_a_moment_is_surely_before_another_on_every_scale(
    first: tuple[tuple[int, int], ...], second: tuple[tuple[int, int], ...], says: bool
) -> None:
    assert surely_before(first, second) is says
