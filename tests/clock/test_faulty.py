"""Faulty wall clocks: what each shows, and whom."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_sessionguard.clock import eventloop
from pytest_sessionguard.clock.faulty import ClockFault, Drifting, Jumping, Several, Skewed, Stepping, Stopped
from pytest_sessionguard.clock.virtual import START_US, VirtualClock

S = 1_000_000
FAULTS: list[ClockFault] = [
    Skewed(by_us=-3 * S),
    Jumping(by_us=-3600 * S, after_us=5 * S),
    Drifting(ppm=-200),
    Stopped(after_us=2 * S, for_us=4 * S),
    Stepping(),
    Several((Drifting(ppm=500_000), Stepping(step_us=10 * S))),
]


def shown_s(fault: ClockFault, *moments_s: float) -> list[float]:
    """Return what a clock that was right at 1000 shows so many seconds later, as seconds from there."""
    return [(fault.shown_us(round((1000 + at) * S), round(at * S)) - 1000 * S) / S for at in moments_s]


def test_a_skewed_clock_is_off_by_as_much_all_the_time() -> None:
    assert shown_s(Skewed(by_us=-3 * S), 0, 1, 1e6) == [-3, -2, 1e6 - 3]


def test_a_clock_jumps_at_its_instant_and_stays_wrong() -> None:
    back, at_once = Jumping(by_us=-60 * S, after_us=10 * S), Jumping(by_us=60 * S)
    assert shown_s(back, 0, 9.999999, 10, 20) == [0, 9.999999, -50, -40]
    assert shown_s(at_once, 0, 1) == [60, 61]


def test_a_clock_drifts_by_so_much_a_second() -> None:
    assert shown_s(Drifting(ppm=100), 0, 1, 86_400) == [0, 1.0001, 86_400 + 8.64]
    assert shown_s(Drifting(ppm=-1_000_000), 0, 1, 86_400) == [0, 0, 0]


def test_a_stopped_clock_stands_still_for_good_or_for_a_while() -> None:
    assert shown_s(Stopped(), 0, 1, 100) == [0, 0, 0]
    assert shown_s(Stopped(after_us=2 * S, for_us=4 * S), 1, 2, 5.5, 6, 7) == [1, 2, 2, 6, 7]


def test_a_stepping_clock_shows_the_last_whole_step() -> None:
    assert shown_s(Stepping(), 0, 0.999999, 1, 2.5) == [0, 0, 1, 2]
    assert shown_s(Stepping(step_us=S // 2), 0.4, 0.6) == [0, 0.5]


def test_of_several_faults_each_is_applied_to_what_the_one_before_shows() -> None:
    assert shown_s(Several((Skewed(by_us=S // 2), Stepping())), 0.4, 0.6) == [0, 1]
    assert shown_s(Several((Stepping(), Skewed(by_us=S // 2))), 0.4, 0.6) == [0.5, 0.5]
    assert shown_s(Several(()), 7) == [7]


@pytest.mark.parametrize("fault", FAULTS, ids=repr)
@settings(max_examples=20, database=None)
@given(instants_us=st.lists(st.integers(0, 10**12), min_size=2, max_size=20))
def test_whatever_is_wrong_is_wrong_in_the_same_way_again(fault: ClockFault, instants_us: list[int]) -> None:
    shown = [fault.shown_us(at, at) for at in sorted(instants_us)]
    assert shown == [fault.shown_us(at, at) for at in sorted(instants_us)]
    if not isinstance(fault, Jumping):
        assert all(one <= other for one, other in pairwise(shown))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Drifting(ppm=-1_000_001), "would run backwards"),
        (lambda: Stepping(step_us=0), "steps of 0 us"),
        (lambda: Jumping(by_us=1, after_us=-1), "after_us cannot be -1"),
        (lambda: Stopped(for_us=-1), "for_us cannot be -1"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()  # type: ignore[operator]


# -- in force ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", FAULTS, ids=repr)
@pytest.mark.parametrize("everywhere", [True, False])
def test_the_wall_clock_goes_wrong_and_the_monotonic_one_does_not(fault: ClockFault, everywhere: bool) -> None:
    with VirtualClock().installed() as clock:
        steady_ns = time.monotonic_ns()
        with clock.faulty(fault, everywhere=everywhere):
            for passed_us in (0, 2_500_000, 7_250_000):
                clock.advance(passed_us - clock.virtual_elapsed_us)
                shown_us = fault.shown_us(START_US + passed_us, passed_us)
                assert time.time_ns() == shown_us * 1000
                assert datetime.now(UTC).timestamp() == time.time() == shown_us / S
                assert time.monotonic_ns() - steady_ns == passed_us * 1000
        assert time.time_ns() == (START_US + 7_250_000) * 1000


def test_a_fault_counts_from_its_own_beginning() -> None:
    with VirtualClock().installed() as clock:
        time.sleep(100)
        with clock.faulty(Drifting(ppm=500_000)):
            assert time.time() == START_US / S + 100
            time.sleep(10)
            assert time.time() == START_US / S + 115


def test_an_inner_fault_replaces_the_outer_one_and_ends_with_an_exception() -> None:
    clock = VirtualClock()
    with clock.faulty(Skewed(by_us=5), everywhere=True):
        assert clock.wall_us == START_US + 5
        with clock.faulty(Skewed(by_us=7)), pytest.raises(KeyError), clock.faulty(Skewed(by_us=1)):
            assert clock.wall_us == START_US + 1
            raise KeyError
        assert clock.wall_us == START_US + 5
        with pytest.raises(KeyError), clock.faulty(Skewed(by_us=9), everywhere=True):
            raise KeyError
        assert clock.wall_us == START_US + 5
    assert clock.wall_us == START_US


def test_each_client_has_its_own_fault_and_its_tasks_have_it_too() -> None:
    clock = VirtualClock()

    async def client(fault: ClockFault) -> float:
        with clock.faulty(fault):
            await asyncio.sleep(10)
            return await asyncio.create_task(asyncio.sleep(0, time.time()))

    async def main() -> list[float]:
        return await asyncio.gather(client(Stopped()), client(Skewed(by_us=S)), client(Several(())))

    start = START_US / S
    assert eventloop.run(clock, main) == [start, start + 11, start + 10]


def test_a_fault_everywhere_is_seen_by_other_threads_and_one_of_a_task_is_not() -> None:
    seen: list[int] = []
    with VirtualClock().installed() as clock:
        for everywhere in (True, False):
            with clock.faulty(Skewed(by_us=S), everywhere=everywhere):
                thread = threading.Thread(
                    target=contextvars.Context().run, args=(lambda: seen.append(time.time_ns() // 1000),)
                )
                thread.start()
                thread.join()
    assert seen == [START_US + S, START_US]


def test_the_wall_may_be_set_while_its_clock_is_faulty() -> None:
    clock = VirtualClock()
    with clock.faulty(Stopped()):
        clock.advance(S)
        clock.set_wall(START_US + 10 * S)
        assert clock.wall_us == START_US + 9 * S
    assert clock.wall_us == START_US + 10 * S
