"""What a search found is made as small as it can be, and what does not replay is told apart."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from explore.toy import ToyRerun, ran
from pytest_sessionguard.core.found import Found, Ran
from pytest_sessionguard.core.plan import Plan
from pytest_sessionguard.core.result import CaseResult
from pytest_sessionguard.core.scenario import AnyStep, Eventually, Parallel, Place, RawId, Repeat, Scenario, Step
from pytest_sessionguard.core.schedule import Settings
from pytest_sessionguard.core.values import FrozenMap
from pytest_sessionguard.core.violation import ViolationFound
from pytest_sessionguard.explore import schedulers, smaller
from pytest_sessionguard.explore.gradual import Counted
from pytest_sessionguard.explore.shrink import likeness, shrink

NOWHERE = Place("", 0, 0)


def a_step(verb: str, **arguments: Any) -> Step:
    return Step(verb=verb, arguments=FrozenMap(arguments), place=NOWHERE)


def a_story(*steps: AnyStep, **more: Any) -> Scenario:
    return Scenario(title="t", path="", place=NOWHERE, steps=steps, **more)


def a_parallel(*branches: tuple[AnyStep, ...]) -> Parallel:
    return Parallel(branches=branches, place=NOWHERE)


def some_operation(rng: random.Random) -> Step:
    verb = rng.choice(["touch", "delete", "get", "create", "sweep"])
    name = rng.choice(["s1", "s2", "s3"])
    if verb == "create":
        return a_step("create", **{"as": name, "data": FrozenMap({"cart": rng.randrange(99), "who": "ann"})})
    return a_step(verb, session=name) if verb != "sweep" else a_step("sweep")


def a_find(rng: random.Random) -> Found:
    """Return a program that fails, as a search meets it: at random, under a random order."""
    while True:
        prefix = [a_step("create", **{"as": f"s{number}", "data": FrozenMap({"n": number})}) for number in (1, 2, 3)]
        clients = tuple(tuple(some_operation(rng) for _ in range(rng.randint(2, 4))) for _ in range(rng.randint(2, 4)))
        suffix = [some_operation(rng) for _ in range(4)]
        plan = Plan(scenario=a_story(*prefix, a_parallel(*clients), *suffix))
        scheduler = Counted(schedulers.make("random", Settings(seed=rng.randrange(1 << 30))))
        for _ in range(20):
            one = ran(plan, scheduler)
            scheduler.end()
            if one.case.violations:
                return Found(plan=plan, case=one.case, schedule=one.schedule, preemptions=one.preemptions)


@pytest.mark.parametrize("seed", range(8))
def test_a_resurrection_shrinks_to_four_operations_and_one_preemption(seed: int) -> None:
    shrunk = shrink(a_find(random.Random(seed)), ToyRerun())
    found = shrunk.found
    assert shrunk.confirmed
    assert shrunk.minimal
    assert len(smaller.paths(found.plan.scenario)) == 4
    assert found.preemptions == 1
    create, at_once, get = found.plan.scenario.steps
    assert (create, get) == (a_step("create", **{"as": "s1"}), a_step("get", session="s1"))
    assert isinstance(at_once, Parallel)
    assert {step.verb for branch in at_once.branches for step in branch if isinstance(step, Step)} == {
        "touch",
        "delete",
    }


# -- what goes wrong ------------------------------------------------------------------------------------------------

RACE = a_story(
    a_step("create", **{"as": "s1"}),
    a_parallel((a_step("touch", session="s1"),), (a_step("delete", session="s1"),)),
    a_step("get", session="s1"),
)


class Fickle(ToyRerun):
    """Shows the bug the first so many times."""

    def __init__(self, times: int) -> None:
        self.times = times

    def once(self, plan: Plan, schedule: str, fault: str) -> Ran:
        self.times -= 1
        return super().once(plan, schedule if self.times >= 0 else "", fault)


def the_race(schedule: str = "ABBA") -> Found:
    one = ToyRerun().once(Plan(scenario=RACE), schedule, "")
    return Found(plan=Plan(scenario=RACE), case=one.case, schedule=schedule, preemptions=one.preemptions)


def test_what_does_not_replay_is_told_with_both_traces() -> None:
    shrunk = shrink(the_race(), Fickle(1))
    assert not shrunk.confirmed
    assert not shrunk.minimal
    first, second = shrunk.traces
    assert "expiry.no-resurrection violated" in first
    assert "held" in second
    assert shrunk.found == the_race()


def test_what_no_longer_replays_once_it_is_small_is_not_confirmed() -> None:
    assert not shrink(the_race(), Fickle(4)).confirmed


def test_a_schedule_that_fits_no_more_is_a_replay_that_differs() -> None:
    found = the_race()
    strange = Found(plan=found.plan, case=found.case, schedule="ZZ", preemptions=1)
    shrunk = shrink(strange, ToyRerun())
    assert not shrunk.confirmed


def test_runs_are_bounded_and_what_is_cut_short_is_not_called_minimal() -> None:
    shrunk = shrink(a_find(random.Random(1)), ToyRerun(), runs_max=30)
    assert not shrunk.minimal
    assert shrunk.confirmed
    assert shrunk.runs < 30 + 130


def test_who_has_no_time_left_gets_what_there_is() -> None:
    found = a_find(random.Random(2))
    shrunk = shrink(found, ToyRerun(), ended=lambda: True)
    assert (shrunk.found.plan, shrunk.minimal) == (found.plan, False)


class Faulty(ToyRerun):
    """Fails with a fault and, where `besides`, without one."""

    def __init__(self, besides: bool) -> None:
        self.besides = besides

    def once(self, plan: Plan, schedule: str, fault: str) -> Ran:
        seen = ViolationFound(property="cancel.no-leak", summary="")
        bad = bool(fault) or self.besides
        return Ran(case=CaseResult(title="", status="held", violations=(seen,) if bad else ()))


@pytest.mark.parametrize("besides", [True, False])
def test_a_fault_stays_only_where_it_is_needed(besides: bool) -> None:
    case = Faulty(besides).once(Plan(scenario=RACE), "", "cancel").case
    plan = Plan(scenario=a_story(a_step("sweep")))
    shrunk = shrink(Found(plan=plan, case=case, fault="cancel"), Faulty(besides))
    assert shrunk.confirmed
    assert shrunk.found.fault == ("" if besides else "cancel")


# -- likeness -------------------------------------------------------------------------------------------------------


def told(given: str, name: str = "data.merge") -> tuple[str, ...]:
    return likeness(ViolationFound(property=name, summary="", given=given))


def test_data_and_times_may_differ_but_not_what_kind_of_answer_it_is() -> None:
    assert told("ok: data={'a': {'b': [1]}}") == told("ok: data={}")
    assert told("ok: data={'a': [1, {'deep...") == told("ok: data={}")
    assert told("ok: seconds=1m30s") == told("ok: seconds=5s")
    assert told("failed: KeyError: 'x'") == told("failed: KeyError: 'y'")
    assert told("failed: KeyError: 'x'") != told("failed: TypeError: 'x'")
    assert told("ok: data={}") != told("ok: data={}", "data.version")


# -- simpler ones ---------------------------------------------------------------------------------------------------


def simplest(step: AnyStep) -> AnyStep:
    for one in smaller.simpler(step):
        return one
    raise AssertionError("nothing is simpler")


def every_simpler(step: AnyStep) -> Iterator[AnyStep]:
    for one in smaller.simpler(step):
        yield one
        yield from every_simpler(one)


@pytest.mark.parametrize(
    ("step", "at_last"),
    [
        (a_step("touch", session="s1", timeout_us=90_500_000), a_step("touch", session="s1")),
        (a_step("advance", by_us=90_500_000), a_step("advance", by_us=0)),
        (a_step("get", session=RawId("\x00")), a_step("get", session=RawId("x"))),
        (a_step("put", session="s1", key="long", value="odd"), a_step("put", session="s1", key="a", value=1)),
        (a_step("update", session="s1", set=FrozenMap({"x": 1, "long": (1, 2)})),
         a_step("update", session="s1", set=FrozenMap({}))),
        (a_step("save", session="s1", data="text"), a_step("save", session="s1", data="text")),
        (Step(verb="get", arguments=FrozenMap({"session": "s1"}), place=NOWHERE, client="B", label="x",
              refused=frozenset()), a_step("get", session="s1")),
        (Repeat(times=9, counter="", steps=(a_step("sweep"),), place=NOWHERE),
         Repeat(times=1, counter="", steps=(a_step("sweep"),), place=NOWHERE)),
        (Eventually(within_us=90_500_000, every_us=1, expect=a_step("expect", count=0), place=NOWHERE),
         Eventually(within_us=0, every_us=1, expect=a_step("expect", count=0), place=NOWHERE)),
    ],
)  # fmt: skip
def test_every_step_has_a_simplest_form_and_simplifying_ends(step: AnyStep, at_last: AnyStep) -> None:
    while list(smaller.simpler(step)):
        step = list(smaller.simpler(step))[-1] if at_last not in smaller.simpler(step) else at_last
    assert step == at_last


def test_what_stands_around_the_steps_goes_too() -> None:
    full = a_story(
        a_step("sweep"), start=(a_step("count"),), requires=("touch",), figures=FrozenMap({"limit": 5}),
        invariants=("data.isolation",),
    )  # fmt: skip
    given = list(smaller.barer(full))
    assert given[0].steps == (a_step("count"), a_step("sweep"))
    assert {len(one.requires) + len(one.invariants) + len(one.figures) + len(one.start) for one in given} == {3, 4}


def test_steps_inside_blocks_are_reached_and_empty_blocks_go() -> None:
    inner = Repeat(times=2, counter="", steps=(a_step("sweep"), a_step("count")), place=NOWHERE)
    story = a_story(inner, a_parallel((a_step("sweep"),), (a_step("count"),)))
    assert len(smaller.paths(story)) == 4
    assert smaller.without(story, smaller.paths(story)).steps == ()
    assert smaller.without(story, smaller.paths(story)[:3]).steps == (a_step("count"),)


def test_a_session_is_renamed_wherever_it_is_named() -> None:
    looked = Eventually(within_us=1, every_us=1, expect=a_step("expect", ids=("s1",)), place=NOWHERE)
    story = a_story(a_step("create", **{"as": "s1"}), looked, a_parallel((a_step("get", session="s1"),) * 2, ()))
    renamed = smaller.renamed(story, {"s1": "cart"})
    assert smaller.sessions(renamed) == ("cart",)
    assert "s1" not in repr(renamed)
    assert len(smaller.about(renamed, "cart")) == 3
