"""Orders come one after the other, each once, those of fewest preemptions first."""

from __future__ import annotations

from collections import Counter

from pytest_sessionguard.core.schedule import NOBODY, Schedule
from pytest_sessionguard.explore.gradual import Counted, Gradual


def ran(scheduler: Gradual | Counted, *lengths: int) -> tuple[int, ...]:
    """Return what was decided in one run of strands that take so many steps."""
    left = dict(enumerate(lengths))
    current, made = NOBODY, []
    scheduler.begin()
    while left:
        enabled = sorted(left)
        current = scheduler.choose(enabled, current) if len(enabled) > 1 else enabled[0]
        if len(enabled) > 1:
            made.append(current)
        left[current] -= 1
        if not left[current]:
            del left[current]
    return tuple(made)


def all_of(scheduler: Gradual, *lengths: int) -> list[tuple[tuple[int, ...], int]]:
    runs = []
    while True:
        runs.append((ran(scheduler, *lengths), scheduler.preemptions))
        if not scheduler.end():
            return runs


def test_every_order_is_run_once_and_fewest_preemptions_first() -> None:
    scheduler = Gradual(1_000, drawn=False)
    runs = all_of(scheduler, 2, 2, 2)
    assert scheduler.complete
    assert len(runs) == len(set(runs)) == 90
    preemptions = [number for _, number in runs]
    assert preemptions == sorted(preemptions)
    assert Counter(preemptions)[0] == 6


def test_there_are_no_more_runs_than_are_allowed_and_the_last_are_drawn() -> None:
    runs = all_of(Gradual(20, seed=3), 4, 4)
    assert len(runs) == 20
    assert runs == all_of(Gradual(20, seed=3), 4, 4)
    assert not any(runs[number:] == all_of(Gradual(20, seed=4), 4, 4)[number:] for number in range(16, 17))


def test_a_schedule_that_is_known_is_run_first_as_far_as_it_goes() -> None:
    scheduler = Gradual(1_000, like=Schedule((1, 7, 0, 1)), drawn=False)
    runs = all_of(scheduler, 2, 2)
    assert runs[0] == ((1, 0, 1), 2)
    assert sorted(set(runs)) == sorted(runs[1:])


def test_preemptions_of_any_scheduler_can_be_counted() -> None:
    counted = Counted(Gradual(10, like=Schedule((0, 1, 0))))
    ran(counted, 2, 2)
    assert counted.preemptions == 2
    assert counted.end()
