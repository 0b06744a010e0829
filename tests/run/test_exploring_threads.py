"""Whole cases of sync targets, their clients run as threads in the order that a scheduler chooses."""

from __future__ import annotations

import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest

from pytest_sessionguard.core.plan import Plan, cells
from pytest_sessionguard.core.schedule import Settings
from pytest_sessionguard.core.switches import told
from pytest_sessionguard.explore import schedulers
from pytest_sessionguard.run import scenario_files
from pytest_sessionguard.run.runner import Exploration, Runner
from pytest_sessionguard.target.imports import import_module, put_on_path
from pytest_sessionguard.target.shape import Profile

import toys  # isort: skip

put_on_path([Path(__file__).parent / "targets"])
shops = import_module("shops")

OPERATIONS = {
    "create": "create(data?) -> id",
    "get": "get(id) -> data",
    "update": "update(id, changes) -> found",
    "sweep": "sweep() -> count",
}

TWO_UPDATES = """
- create: {as: a, data: {n: 0}}
- parallel:
    - [{update: {session: a, set: {x: 1}}}]
    - [{update: {session: a, set: {y: 1}}}]
- get: a
"""


def plan_of(steps: str = TWO_UPDATES) -> Plan:
    text = f"scenario: A story\nversion: 1\nsteps:\n{textwrap.indent(textwrap.dedent(steps), '  ')}"
    (plan,) = cells(scenario_files.load("a.session.yaml", text))
    return plan


def profile_of(factory: Any) -> Profile:
    return toys.a_profile(factory, operations=OPERATIONS, manager={"callers": "threads"})


def explored(
    factory: Any, steps: str = TWO_UPDATES, name: str = "exhaustive", runs_max: int = 300, **settings: Any
) -> Exploration:
    scheduler = schedulers.make(name, Settings(**{"preemptions_max": 1, **settings}))
    return Runner(profile_of(factory)).explore(plan_of(steps), scheduler, runs_max=runs_max)


def test_a_sound_manager_holds_in_every_order() -> None:
    before = threading.active_count()
    found = explored(shops.Shop)
    assert found.exhaustive
    assert {case.status for case in found.cases} == {"held"}
    assert len(found.cases) > 10
    assert threading.active_count() == before


def test_a_lost_update_is_found_and_says_where_its_thread_stood() -> None:
    found = explored(shops.Unlocked).last
    assert found.violations[0].property == "concurrency.no-lost-update"
    assert len(found.switches) == 1
    assert "shops.py" in told(found.switches)
    assert "in Unlocked.update" in told(found.switches)
    again = explored(shops.Unlocked, name="replay", schedule=found.schedule).last
    assert (again.violations, again.switches) == (found.violations, found.switches)


def test_a_deadlock_is_told_with_the_schedule_that_led_there() -> None:
    found = explored(shops.Crossing).last
    assert found.violations[0].property == "concurrency.deadlock-free"
    assert "client A waits for a Lock, which client B has" in found.violations[0].message
    assert found.schedule.switches


def test_a_cleaner_that_is_a_thread_sweeps_in_virtual_time() -> None:
    steps = """
    - create: {as: a}
    - parallel:
        - [{update: {session: a, set: {x: 1}}}]
        - [{sweep: {}}, {get: a}]
    - advance: 2h
    - get: a
    """
    found = explored(shops.Shop, steps, name="random", runs_max=10)
    assert {case.status for case in found.cases} == {"held"}
    assert {case.virtual_us for case in found.cases} == {7_200_000_000}


def test_nothing_is_woven_once_an_exploration_is_over() -> None:
    before = shops.Shop.update.__code__
    explored(shops.Shop, name="random", runs_max=3)
    Runner(profile_of(shops.Shop)).run(plan_of(), schedulers.make("random"))
    assert shops.Shop.update.__code__ is before


@pytest.mark.parametrize("name", ["random", "pct"])
def test_it_is_found_at_random_too(name: str) -> None:
    assert explored(shops.Unlocked, name=name, seed=2).last.violations
