"""Whole cases under one schedule after another."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
import toys

from pytest_sessionguard.core.plan import Plan, cells
from pytest_sessionguard.core.schedule import Schedule, Settings, parse
from pytest_sessionguard.errors import ScheduleMisfit
from pytest_sessionguard.explore import schedulers
from pytest_sessionguard.run import scenario_files
from pytest_sessionguard.run.runner import Exploration, Runner

TASKS = {"callers": "tasks"}

TWO_UPDATES = """
- create: {as: a, data: {n: 0}}
- parallel:
    - [{update: {session: a, set: {x: 1}}}]
    - [{update: {session: a, set: {y: 1}}}]
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
        if len(changes) < 2 and "x" in changes:
            await asyncio.sleep(0)
        self.inner.kept[id] = {"data": {**data, **changes}, "at": time.time()}
        return True


def plan_of(steps: str = TWO_UPDATES) -> Plan:
    text = f"scenario: A story\nversion: 1\nsteps:\n{textwrap.indent(textwrap.dedent(steps), '  ')}"
    (plan,) = cells(scenario_files.load("a.session.yaml", text))
    return plan


def explored(factory: Any, name: str = "exhaustive", *, runs_max: int = 500, **settings: Any) -> Exploration:
    runner = Runner(toys.a_profile(factory, manager=TASKS))
    return runner.explore(plan_of(), schedulers.make(name, Settings(**settings)), runs_max=runs_max)


def test_a_sound_manager_holds_in_every_order_and_that_all_were_run_is_said() -> None:
    found = explored(Careful)
    assert found.exhaustive
    assert {case.status for case in found.cases} == {"held"}
    assert len({case.schedule for case in found.cases}) == len(found.cases) == 4


def test_the_first_violation_ends_the_exploration() -> None:
    found = explored(Hasty)
    assert not found.exhaustive
    assert [case.status for case in found.cases[:-1]] == ["held"] * (len(found.cases) - 1)
    (violation,) = found.last.violations
    assert violation.property == "concurrency.no-lost-update"
    assert len(found.last.schedule) > 1


def test_the_case_that_failed_fails_again_under_its_schedule() -> None:
    found = explored(Hasty, "random", seed=3).last
    again = explored(Hasty, "replay", schedule=found.schedule)
    assert len(again.cases) == 1
    assert again.last.violations == found.violations
    assert again.last.schedule == found.schedule


def test_no_more_cases_are_run_than_are_asked_for() -> None:
    found = explored(Careful, "random", runs_max=7)
    assert (len(found.cases), found.exhaustive) == (7, False)


def test_a_case_without_a_schedule_says_that_there_was_none() -> None:
    assert Runner(toys.a_profile(Careful, manager=TASKS)).run(plan_of()).schedule == Schedule()


def test_what_cannot_be_run_is_not_run_again() -> None:
    runner = Runner(toys.a_profile(Careful))
    skipped = runner.explore(plan_of("- create: {as: a}\n- rotate: a\n"), schedulers.make("random"), runs_max=9)
    assert [case.status for case in skipped.cases] == ["skipped"]


def test_a_schedule_that_no_longer_fits_is_told_and_leaves_nothing_in_force() -> None:
    with pytest.raises(
        ScheduleMisfit, match="schedule AC no longer fits: its decision 2 lets C run, but only A, B can"
    ):
        explored(Careful, "replay", schedule=parse("AC"))
    assert explored(Careful).exhaustive


def test_a_deadlock_is_told_with_the_schedule_that_led_there() -> None:
    class Crossing(toys.AsyncToy):
        other: asyncio.Lock

        async def update(self, id: str, changes: Any) -> bool:
            if not hasattr(self, "other"):
                self.other = asyncio.Lock()
            locks = (self.lock, self.other) if "x" in changes else (self.other, self.lock)
            async with locks[0]:
                await asyncio.sleep(0)
                async with locks[1]:
                    return self.inner.update(id, changes)

    found = explored(Crossing).last
    assert found.violations[0].property == "concurrency.deadlock-free"
    assert found.schedule.switches


def test_the_traces_do_not_depend_on_the_hash_seed() -> None:
    program = (
        "from test_exploring import Hasty, explored\n"
        "print([str(case.schedule) for case in explored(Hasty, 'random', seed=2, runs_max=30).cases])"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parent)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    }
    assert len(told) == 1
