"""First in first out, random and replay."""

from __future__ import annotations

from collections import Counter

import pytest

from pytest_sessionguard.core.schedule import Settings, parse
from pytest_sessionguard.errors import ScheduleMisfit
from pytest_sessionguard.explore import schedulers
from tests.explore.strands import runs, steps_of


def test_first_in_first_out_goes_round() -> None:
    (only,) = runs(schedulers.make("first-in-first-out"), steps_of(2, 3, 2))
    assert only.steps == (0, 1, 2, 0, 1, 2, 1)


def test_a_newcomer_waits_behind_those_who_were_there_and_before_who_ran_last() -> None:
    scheduler = schedulers.make("first-in-first-out")
    scheduler.begin()
    assert scheduler.choose([0, 1], -1) == 0
    assert [scheduler.choose([0, 1, 2], 0), scheduler.choose([0, 1, 2], 1), scheduler.choose([0, 1, 2], 2)] == [1, 2, 0]


def test_random_reaches_every_order_about_equally_often() -> None:
    seen = Counter(run.steps for run in runs(schedulers.make("random"), steps_of(1, 1, 1), runs_max=6000))
    assert len(seen) == 6
    assert max(seen.values()) < 1.3 * min(seen.values())


def test_another_seed_gives_other_runs() -> None:
    one, two = (
        [run.steps for run in runs(schedulers.make("random", Settings(seed=seed)), steps_of(4, 4), runs_max=20)]
        for seed in (1, 2)
    )
    assert one != two


def test_a_replay_that_has_told_all_lets_whoever_runs_go_on() -> None:
    (only,) = runs(schedulers.make("replay", Settings(schedule=parse("AB"))), steps_of(2, 3, 2))
    assert only.steps == (0, 1, 1, 1, 0, 2, 2)


def test_a_schedule_that_no_longer_fits_is_told_with_its_decision() -> None:
    with pytest.raises(ScheduleMisfit, match=r"schedule ABBC no longer fits: its decision 4 lets C run, but only A, B"):
        list(runs(schedulers.make("replay", Settings(schedule=parse("ABBC"))), steps_of(3, 3)))
