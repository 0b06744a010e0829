"""A real case is run again under other schedules, and is made as small as it can be."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest
from rising import a_profile

from pytest_sessionguard.core.found import Found
from pytest_sessionguard.core.plan import Plan
from pytest_sessionguard.core.scenario import Parallel, Place, Scenario, Step
from pytest_sessionguard.core.schedule import Settings
from pytest_sessionguard.core.values import FrozenMap
from pytest_sessionguard.errors import UsageError
from pytest_sessionguard.explore import schedulers, smaller
from pytest_sessionguard.explore.shrink import shrink
from pytest_sessionguard.run.again import Again
from pytest_sessionguard.run.runner import Runner

NOWHERE = Place("generated", 1, 1)


def a_runner() -> Runner:
    return Runner(a_profile(), target="rising.toml")


def a_step(verb: str, **arguments: Any) -> Step:
    return Step(verb=verb, arguments=FrozenMap(arguments), place=NOWHERE)


def some_operation(rng: random.Random) -> Step:
    verb, name = rng.choice(["touch", "touch", "delete", "get", "update"]), rng.choice(["s1", "s2"])
    changes = {"set": FrozenMap({rng.choice("abc"): rng.randrange(99)})} if verb == "update" else {}
    return a_step(verb, session=name, **changes)


def a_program(rng: random.Random) -> Plan:
    prefix = [a_step("create", **{"as": f"s{number}", "data": FrozenMap({"n": number})}) for number in (1, 2)]
    clients = tuple(tuple(some_operation(rng) for _ in range(rng.randint(1, 3))) for _ in range(rng.randint(2, 3)))
    at_once = Parallel(branches=clients, place=NOWHERE)
    suffix = [some_operation(rng) for _ in range(2)]
    return Plan(scenario=Scenario(title="Drawn", path="", place=NOWHERE, steps=(*prefix, at_once, *suffix)))


def searched(runner: Runner, seed: int) -> Found:
    """Return the first violation that a search at random meets."""
    rng = random.Random(seed)
    for number in itertools.count(seed << 16):
        plan = a_program(rng)
        case = runner.run(plan, schedulers.make("random", Settings(seed=number)))
        if case.violations:
            return Found(plan=plan, case=case, schedule=str(case.schedule))
    raise AssertionError


@pytest.mark.unmeasured
@pytest.mark.parametrize("seed", range(8))
def test_the_resurrection_shrinks_to_four_operations_and_one_preemption(seed: int) -> None:
    runner = a_runner()
    shrunk = shrink(searched(runner, seed), Again(runner))
    assert (shrunk.confirmed, shrunk.minimal) == (True, True)
    assert len(smaller.paths(shrunk.found.plan.scenario)) == 4
    assert shrunk.found.preemptions == 1
    assert shrunk.runs < 300
    assert shrunk.found.violation.property == "lifecycle.delete"


RACE = Plan(
    scenario=Scenario(
        title="A race",
        path="",
        place=NOWHERE,
        steps=(
            a_step("create", **{"as": "s1"}),
            Parallel(branches=((a_step("touch", session="s1"),), (a_step("delete", session="s1"),)), place=NOWHERE),
            a_step("get", session="s1"),
        ),
    )
)


def test_one_schedule_is_followed_exactly() -> None:
    again = Again(a_runner())
    assert again.once(RACE, "", "").case.status == "held"
    ran = again.once(RACE, "ABB", "")
    assert (ran.case.status, ran.schedule, ran.preemptions) == ("violated", "ABB", 1)


def test_a_schedule_that_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError):
        Again(a_runner()).once(RACE, "CCC", "")


def test_some_schedules_are_all_different_and_begin_with_those_of_fewest_preemptions() -> None:
    ran = list(Again(a_runner()).some(RACE, "", runs_max=100, seed=0, drawn=False))
    assert len({one.schedule for one in ran}) == len(ran) < 10
    assert [one.preemptions for one in ran] == sorted(one.preemptions for one in ran)
    assert {one.case.status for one in ran} == {"held", "violated"}


def test_a_schedule_that_is_known_comes_first() -> None:
    ran = next(Again(a_runner()).some(RACE, "", runs_max=1, seed=0, like="ABB"))
    assert ran.schedule == "ABB"
