"""What a story asks for and a profile's manager cannot tell apart, it is skipped for, and told so."""

from __future__ import annotations

import pytest
import toys

from pytest_sessionguard.core.plan import Plan, cells
from pytest_sessionguard.run import scenario_files
from pytest_sessionguard.run.fit import data_is_left_out, misfits
from pytest_sessionguard.run.runner import run_plan
from pytest_sessionguard.target.profile import profile


def a_plan(advance: str, matrix: str = "") -> Plan:
    text = f"""\
scenario: A story
version: 1
{matrix}steps:
  - create: {{as: cart, data: {{n: 1}}}}
  - repeat: {{times: 2, counter: i, steps: [{{advance: {advance}}}]}}
"""
    return cells(scenario_files.load("a.session.yaml", text))[0]


@pytest.mark.parametrize(
    ("advance", "matrix", "near"),
    [
        ("{to_timeout_of: cart}", "", True),
        ("{to_timeout_of: cart, minus: 1us}", "", True),
        ("{to_timeout_of: cart, minus: 1s}", "", True),
        ("{to_timeout_of: cart, plus: 1s}", "", True),
        ("{to_timeout_of: cart, minus: 61s, plus: 1m}", "", True),
        ("{to_timeout_of: cart, minus: 1001ms}", "", False),
        ("{to_timeout_of: cart, plus: 2s}", "", False),
        ("{to_timeout_of: cart, minus: $early}", "matrix: {early: [1ms]}\n", True),
        ("{to_timeout_of: cart, minus: $early}", "matrix: {early: [2s]}\n", False),
        ("{to_timeout_of: cart, minus: '${i}s'}", "", False),  # known only when it runs
        ("1us", "", False),
    ],
)
def test_a_story_stands_no_nearer_to_a_timeout_than_the_manager_can_tell(advance: str, matrix: str, near: bool) -> None:
    plan = a_plan(advance, matrix)
    coarse = toys.a_profile(manager={"granularity": "1s"})
    expected = ("a granularity finer than 1s, to stand so near to a timeout",) if near else ()
    assert misfits(plan, coarse) == expected
    assert misfits(plan, toys.a_profile()) == ()


ID_ONLY = {"create": "create(id) -> id"}


@pytest.mark.parametrize(
    ("steps", "left_out"),
    [
        ("- touch: cart", True),
        ("- expect: {session: cart, alive: true}", True),
        ("- expect: {session: cart, alive: true, data: {n: 1}}", False),
        ("- expect: {session: cart, has: {n: 1}}", False),
        ("- update: {session: cart, set: {m: 2}}", False),
        ("- repeat: {times: 2, steps: [{expect: {session: cart, data: {n: 1}}}]}", False),
        ("- get: cart\n  answer: {data: {n: 1}}", False),
        ("- get: cart\n  capture: {items: data.n}", False),
    ],
)
def test_data_that_no_step_looks_at_is_left_out_where_create_takes_none(steps: str, left_out: bool) -> None:
    text = f"scenario: A story\nversion: 1\nsteps:\n- create: {{as: cart, data: {{n: 1}}}}\n{steps}\n"
    (plan,) = cells(scenario_files.load("a.session.yaml", text))
    assert data_is_left_out(plan, toys.a_profile(operations=ID_ONLY)) is left_out
    assert ("create that takes data" in misfits(plan, toys.a_profile(operations=ID_ONLY))) is not left_out
    assert not data_is_left_out(plan, toys.a_profile())


def test_a_manager_that_keeps_no_data_runs_a_story_that_gives_some() -> None:
    class Bare(toys.Toy):
        def create(self, id: str) -> str:  # type: ignore[override]
            return super().create(id=id)

    text = (
        "scenario: A story\nversion: 1\nsteps:\n- create: {as: cart, data: {n: 1}}\n"
        "- expect: {session: cart, alive: true}\n"
    )
    (plan,) = cells(scenario_files.load("a.session.yaml", text))
    case = run_plan(plan, toys.a_profile(Bare, {**ID_ONLY, "exists": "exists(id) -> found"}))
    assert (case.status, case.reason) == ("held", "")


class Counting:
    def create(self) -> str:
        raise NotImplementedError

    def stats(self) -> dict[str, int]:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("named", "missing"), [({"total": "t"}, ("metrics that tell oldest_age",)), ({"total": "t", "oldest_age": "a"}, ())]
)
def test_a_story_expects_no_metrics_that_the_profile_does_not_name(
    named: dict[str, str], missing: tuple[str, ...]
) -> None:
    steps = "  - create: {as: cart}\n  - expect: {metrics: {total: 1, oldest_age: 0}}\n"
    plan = cells(scenario_files.load("a.session.yaml", f"scenario: A story\nversion: 1\nsteps:\n{steps}"))[0]
    operations = {"create": "create() -> id", "metrics": "stats() -> metrics"}
    assert misfits(plan, profile(factory=Counting, operations=operations, metrics=named)) == missing
