"""What follows a `parallel` step holds in every order that its file asks for; one in which it does not is told."""

from __future__ import annotations

import asyncio
import textwrap
import time
from typing import Any

import pytest
import toys

from pytest_sessionguard.core.plan import cells
from pytest_sessionguard.core.result import CaseResult
from pytest_sessionguard.core.schedule import parse
from pytest_sessionguard.run import orders, scenario_files
from pytest_sessionguard.run.orders import Followed, Orders
from pytest_sessionguard.run.runner import Runner

RACE = """
- create: {{as: a, data: {{n: 0}}}}
- parallel:
    - [{{update: {{session: a, set: {{x: 1}}}}}}]
    - [{{update: {{session: a, set: {{y: 1}}}}}}]
  schedules: {}
- get: a
"""


class Careful(toys.AsyncToy):
    """Updates in one step."""

    async def update(self, id: str, changes: Any) -> bool:
        async with self.lock:
            await asyncio.sleep(0)
            return self.inner.update(id, changes)


class Hasty(toys.AsyncToy):
    """Loses an update where a task is stopped between reading and writing, which the first order does not."""

    async def update(self, id: str, changes: Any) -> bool:
        await asyncio.sleep(0)
        data = dict(self.inner.kept[id]["data"])
        if "x" in changes:
            await asyncio.sleep(0)
        self.inner.kept[id] = {"data": {**data, **changes}, "at": time.time()}
        return True


def run(factory: Any, steps: str, **manager: str) -> CaseResult:
    text = f"scenario: A story\nversion: 1\nsteps:\n{textwrap.indent(textwrap.dedent(steps), '  ')}"
    (plan,) = cells(scenario_files.load("a.session.yaml", text))
    return Runner(toys.a_profile(factory, manager={"callers": "tasks", **manager})).run(plan)


@pytest.mark.parametrize(("schedules", "runs"), [("exhaustive", 20), (7, 7), ("AB", 1)])
def test_a_sound_manager_holds_in_all_that_was_asked_for(schedules: str | int, runs: int) -> None:
    case = run(Careful, RACE.format(schedules))
    assert case.status == "held", case.reason
    assert case.runs <= runs or case.reason
    assert case.exercised["lifecycle.get"] == case.runs


@pytest.mark.parametrize("schedules", ["exhaustive", 30, "ABBAA"])
def test_an_order_in_which_it_does_not_hold_is_told(schedules: str | int) -> None:
    case = run(Hasty, RACE.format(schedules))
    assert case.status == "violated"
    (found,) = case.violations
    assert found.property == "concurrency.no-lost-update"
    assert parse(found.schedule)
    assert "A stopped at" in found.switch
    assert "test_orders.py" in found.switch
    assert f"switch   {found.switch}\n  schedule {found.schedule}" in found.message


def test_threads_are_run_in_orders_too() -> None:
    assert run(toys.Toy, RACE.format(5), callers="threads").status == "held"


def test_a_schedule_that_no_longer_fits_is_followed_as_far_as_it_goes_and_others_run_besides() -> None:
    held = run(Careful, RACE.format("ABBBBBBBBBBBB"))
    assert held.status == "held"
    assert held.runs > 1
    assert "the schedule no longer fits" in held.reason
    assert run(Hasty, RACE.format("C")).status == "violated"


def test_steps_that_ask_for_orders_are_run_in_every_combination() -> None:
    one = run(Careful, RACE.format("exhaustive"))
    two = run(Careful, RACE.format("exhaustive") + RACE.format("exhaustive").replace("as: a,", "as: b,"))
    assert two.runs == one.runs**2


def test_a_step_that_asks_for_none_beside_one_that_does_has_one() -> None:
    both = RACE.format("exhaustive") + RACE.format("X").replace("as: a,", "as: b,").replace("  schedules: X\n", "")
    assert run(Careful, both).runs == run(Careful, RACE.format("exhaustive")).runs


def test_more_orders_than_are_run_leave_a_case_unproven(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "RUNS_MAX", 2)
    case = run(Careful, RACE.format("exhaustive"))
    assert (case.status, case.runs) == ("unproven", 2)
    assert "more than 2 orders" in case.reason


def test_what_the_target_lacks_is_skipped_once() -> None:
    case = run(toys.Toy, RACE.format(5), callers="one")
    assert (case.status, case.runs) == ("skipped", 1)


def test_a_schedule_with_more_in_it_than_there_is_to_decide_does_not_fit() -> None:
    followed = Followed(parse("AB"))
    followed.begin()
    assert followed.choose([0, 1], -1) == 0
    assert followed.end()
    assert not followed.fits
    followed.begin()
    assert followed.choose([0, 1], -1) == 0


def test_nothing_that_was_entered_leaves_no_order() -> None:
    every = Orders()
    every.begin()
    assert not every.end()
