"""What third-party stores keep when they are killed, and lose when the power fails, as docs/third-party.md tells."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_sessionguard.core.plan import cells
from pytest_sessionguard.crash import traced
from pytest_sessionguard.run import scenario_files
from pytest_sessionguard.run.crash_cases import CrashCase, crash_case
from pytest_sessionguard.target import loading

STORY = """
scenario: Two sessions, one of them saved, the other deleted
version: 1
steps:
  - create: {as: a, data: {n: 1}}
  - create: {as: b, data: {n: 2}}
  - save: {session: a, data: {n: 3}}
  - delete: b
"""

NO_TRACE = traced.unavailable() if sys.platform.startswith("linux") else "needs Linux"
SYSTEMS = [
    "cachelib-file",
    "litestar-file",
    pytest.param("diskcache", marks=pytest.mark.skipif(bool(NO_TRACE), reason=NO_TRACE)),
]


def crashed(name: str, model: str, survives: str, budget: int) -> CrashCase:
    profile = loading.load(Path(__file__).parent / f"{name}.sessionguard.toml")
    policy = replace(profile.policy, survives=survives, written=profile.policy.written | {"survives"})
    (plan,) = cells(scenario_files.load("a.session.yaml", STORY))
    return crash_case(replace(profile, policy=policy), plan, model, budget)


@pytest.mark.unmeasured
@pytest.mark.parametrize("name", SYSTEMS)
def test_a_kill_takes_nothing_acknowledged(name: str) -> None:
    case = crashed(name, "kill", "kill", 30)
    assert (case.result.status, case.result.reason) == ("held", "")


@pytest.mark.unmeasured
@pytest.mark.parametrize("name", SYSTEMS)
def test_a_loss_of_power_may(name: str) -> None:
    case = crashed(name, "ordered", "power-loss", 100)
    assert [found.property for found in case.result.violations] == ["durability.power-loss"]
