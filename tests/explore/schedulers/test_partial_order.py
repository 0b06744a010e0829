"""Sleep sets and DPOR leave out only what could make no difference, checked against all orders by brute force."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from pytest_sessionguard.errors import ScheduleMisfit
from pytest_sessionguard.explore import schedulers
from tests.explore.strands import Run, Touches, runs, steps_of

REDUCING = ["sleep-sets", "dpor"]

Program = list[list[Touches]]


def essence(run: Run, program: Program) -> frozenset[tuple[object, ...]]:
    """Return what tells a run from others that differ: which of each two conflicting steps came first."""
    turn = [0] * len(program)
    steps: list[tuple[int, int]] = []
    for strand in run.steps:
        steps.append((strand, turn[strand]))
        turn[strand] += 1
    return frozenset(
        (one, other)
        for at, one in enumerate(steps)
        for other in steps[at + 1 :]
        if one[0] != other[0] and _conflict(program[one[0]][one[1]], program[other[0]][other[1]])
    )


def _conflict(one: Touches, other: Touches) -> bool:
    return any(key == key2 and (write or write2) for key, write in one for key2, write2 in other)


def essences(name: str, program: Program) -> list[frozenset[tuple[object, ...]]]:
    return [essence(run, program) for run in runs(schedulers.make(name), program)]


def independent(*counts: int) -> Program:
    return [[((f"s{strand}", True),)] * number for strand, number in enumerate(counts)]


def drawn(seed: int) -> Program:
    rng = random.Random(seed)

    def step() -> Touches:
        return tuple((rng.choice("xyz"), rng.random() < 0.5) for _ in range(rng.choice((0, 1, 1, 2))))

    strands: Sequence[int] = rng.choice([(3, 3), (2, 2, 2), (4, 2), (3, 1, 2), (1, 1, 1, 2)])
    return [[step() for _ in range(number)] for number in strands]


@pytest.mark.parametrize("name", REDUCING)
@pytest.mark.parametrize("seed", range(40))
def test_every_order_that_differs_is_run(name: str, seed: int) -> None:
    program = drawn(seed)
    if not any(touches for strand in program for touches in strand):
        return
    everything = essences("exhaustive", program)
    found = essences(name, program)
    assert set(found) == set(everything)
    assert len(found) <= len(everything)


@pytest.mark.parametrize(("name", "least"), [("sleep-sets", 50), ("dpor", 500)])
def test_independent_strands_take_few_runs(name: str, least: int) -> None:
    program = independent(3, 3, 3)
    assert len(essences("exhaustive", program)) >= least * len(essences(name, program))


@pytest.mark.parametrize("name", REDUCING)
def test_where_nobody_tells_what_it_touches_no_order_is_left_out(name: str) -> None:
    assert {run.steps for run in runs(schedulers.make(name), steps_of(2, 2, 1))} == {
        run.steps for run in runs(schedulers.make("exhaustive"), steps_of(2, 2, 1))
    }


@pytest.mark.parametrize("name", REDUCING)
def test_a_target_that_does_something_else_the_second_time_is_told(name: str) -> None:
    scheduler = schedulers.make(name)
    scheduler.begin()
    scheduler.choose([0, 1], -1)
    assert scheduler.end()
    scheduler.begin()
    with pytest.raises(ScheduleMisfit, match="schedule B no longer fits: its decision 1 lets B run, but only A, C can"):
        scheduler.choose([0, 2], -1)
