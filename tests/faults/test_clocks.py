"""A wall clock that is off, drifts or stands still: who goes by the wrong clock is found, and nobody else."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from pytest_sessionguard.core.plan import cells
from pytest_sessionguard.core.result import CaseResult
from pytest_sessionguard.run import scenario_files
from pytest_sessionguard.run.runner import Runner
from pytest_sessionguard.target.loading import load
from pytest_sessionguard.target.shape import Profile


class Sessions:
    """Sessions that are over an hour after they were made, by one clock or another."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.made: dict[str, float] = {}

    def create(self, id: str) -> str:
        self.made[id] = self.now()
        return id

    def get(self, id: str) -> dict[str, Any] | None:
        return {} if self.now() < self.made.get(id, float("-inf")) + 3600 else None


def by_wall() -> Sessions:
    return Sessions(lambda: time.time())


def by_monotonic() -> Sessions:
    return Sessions(lambda: time.monotonic())


def a_profile(factory: Any) -> Profile:
    policy = {"absolute_timeout": "1h", "missing": {"get": "none"}, "clock": "wall"}
    operations = {"create": "create(id) -> id", "get": "get(id) -> data"}
    return Profile.of({"manager": {"factory": factory}, "operations": operations, "policy": policy})


def told(profile: Profile, fault: str, *steps: str) -> CaseResult:
    lines = "".join(f"  - {step}\n" for step in ("create: {as: a, id: a}", *steps))
    text = f"scenario: A clock is wrong\nversion: 1\nsteps:\n{lines}faults:\n  - {fault}\n"
    (plan,) = cells(scenario_files.load("clock.session.yaml", text))
    return Runner(profile).run(plan)


DEAD, ALIVE = "expect: {session: a, alive: false}", "expect: {session: a, alive: true}"
CASES = [
    ("{clock_drift: 1m}", ("advance: 59m30s", DEAD)),
    ("{clock_skew: 10m, at: 2}", ("advance: 55m", DEAD)),
    ("{clock_stop: 10m}", ("advance: 5m", ALIVE, "advance: 54m59s", ALIVE, "advance: 1s", DEAD)),
]


@pytest.mark.parametrize(("fault", "steps"), CASES)
def test_a_manager_by_the_right_clock_is_not_accused(fault: str, steps: tuple[str, ...]) -> None:
    case = told(a_profile(by_wall), fault, *steps)
    assert (case.status, case.reason) == ("held", ""), case.violations
    assert len(case.fired) == 1


@pytest.mark.parametrize(("fault", "steps"), CASES[:2])
def test_a_manager_by_the_wrong_clock_is_found(fault: str, steps: tuple[str, ...]) -> None:
    case = told(a_profile(by_monotonic), fault, *steps)
    assert case.status == "violated"
    assert case.violations[0].property.startswith("expiry.")


@pytest.mark.parametrize("fault", ["{clock_drift: -10m}", "{clock_skew: -2h, at: 2}", "{clock_stop: 2h}"])
@pytest.mark.parametrize("name", ["reference-sync-memory", "reference-async-memory"])
def test_a_clock_that_is_slow_is_no_fault_of_the_manager_s(name: str, fault: str) -> None:
    case = told(load(name), fault, ALIVE, "advance: 30m", "touch: a", "advance: 50m", ALIVE)
    assert (case.status, case.reason) == ("held", ""), case.violations


SHOWN: list[float] = []


def look_at_the_clock() -> None:
    SHOWN.append(time.time())


def test_the_clock_is_right_again_once_nothing_goes_wrong_any_more() -> None:
    text = """scenario: A clock is wrong for a while
version: 1
steps:
  - create: {as: a, id: a}
  - call: "faults.test_clocks:look_at_the_clock"
faults:
  - {clock_skew: 30m}
after_fault:
  - advance: 1m
  - call: "faults.test_clocks:look_at_the_clock"
"""
    from faults import test_clocks

    test_clocks.SHOWN.clear()
    (plan,) = cells(scenario_files.load("clock.session.yaml", text))
    assert Runner(a_profile(by_wall)).run(plan).violations == ()
    wrong, right = test_clocks.SHOWN
    assert wrong - right == 29 * 60
