"""Exhaustive search and PCT."""

from __future__ import annotations

from collections.abc import Iterator
from math import factorial, prod

import pytest

from pytest_sessionguard.core.schedule import Settings
from pytest_sessionguard.errors import ScheduleMisfit
from pytest_sessionguard.explore import schedulers
from tests.explore.strands import runs, steps_of

COUNTS = [(1, 1), (3, 3), (2, 2, 2), (1, 2, 3), (1, 1, 1, 1), (4,)]


def orders(counts: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Give every order of so many steps of each strand, by brute force."""
    if not any(counts):
        yield ()
    for strand, left in enumerate(counts):
        if left:
            rest = tuple(number - (one == strand) for one, number in enumerate(counts))
            yield from ((strand, *order) for order in orders(rest))


def preemptions(order: tuple[int, ...], counts: tuple[int, ...]) -> int:
    left = list(counts)
    stopped = 0
    for before, strand in zip((None, *order), order, strict=False):
        stopped += before is not None and strand != before and left[before] > 0
        left[strand] -= 1
    return stopped


@pytest.mark.parametrize("counts", COUNTS)
def test_exhaustive_visits_every_order_exactly_once(counts: tuple[int, ...]) -> None:
    visited = [run.steps for run in runs(schedulers.make("exhaustive"), steps_of(*counts))]
    assert len(visited) == len(set(visited)) == factorial(sum(counts)) // prod(map(factorial, counts))
    assert set(visited) == set(orders(counts))


@pytest.mark.parametrize("most", [0, 1, 2])
@pytest.mark.parametrize("counts", COUNTS)
def test_a_bound_leaves_exactly_the_orders_with_fewer_preemptions(counts: tuple[int, ...], most: int) -> None:
    bounded = list(runs(schedulers.make("exhaustive", Settings(preemptions_max=most)), steps_of(*counts)))
    assert sorted(run.steps for run in bounded) == sorted(
        order for order in orders(counts) if preemptions(order, counts) <= most
    )
    assert all(run.preemptions == preemptions(run.steps, counts) for run in bounded)


def test_a_target_that_does_something_else_the_second_time_is_told() -> None:
    scheduler = schedulers.make("exhaustive")
    scheduler.begin()
    assert [scheduler.choose([0, 1], -1), scheduler.choose([0, 1], 0)] == [0, 0]
    assert scheduler.end()
    scheduler.begin()
    with pytest.raises(
        ScheduleMisfit, match="schedule AB no longer fits: its decision 1 lets A run, but only B, C can"
    ):
        scheduler.choose([1, 2], -1)


def test_pct_without_changes_never_stops_a_strand() -> None:
    seen = list(runs(schedulers.make("pct", Settings(changes=0)), steps_of(3, 3, 3), runs_max=60))
    assert {run.preemptions for run in seen} == {0}
    assert len({run.steps for run in seen}) == 6


def test_pct_stops_strands_at_most_as_often_as_it_changes_priorities() -> None:
    seen = list(runs(schedulers.make("pct", Settings(changes=2)), steps_of(5, 5, 5), runs_max=300))
    assert {run.preemptions for run in seen} == {0, 1, 2}


def test_pct_finds_a_bug_of_depth_two_as_often_as_it_promises() -> None:
    # The one order that fails: B takes its only step between the last two of A.  Depth 2: chance 1 / (n k).
    wanted = (0,) * 9 + (1, 0)
    seen = [run.steps for run in runs(schedulers.make("pct", Settings(changes=1)), steps_of(10, 1), runs_max=2000)]
    assert seen.count(wanted) / len(seen) == pytest.approx(1 / (2 * 10), rel=0.2)
