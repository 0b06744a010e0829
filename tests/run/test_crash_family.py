"""Crashes in a search: each loss is found under its own name, a sound store is spared, the rest is told."""

from __future__ import annotations

import shlex
from typing import Any

import durable_toys as toys
import pytest
from zoo.durable import logs
from zoo.durable.catalogue import BUGS

from pytest_sessionguard.core import replay_token
from pytest_sessionguard.core.plan import cells
from pytest_sessionguard.core.result import Result
from pytest_sessionguard.run import found as found_ones
from pytest_sessionguard.run import scenario_files
from pytest_sessionguard.run.bench import Bench
from pytest_sessionguard.run.checker import Settings, check
from pytest_sessionguard.run.families import families
from pytest_sessionguard.run.runner import Runner
from pytest_sessionguard.target.shape import Profile

RECOVER = {"recover": "recover()"}


@pytest.fixture(autouse=True)
def few_runs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Do without making things small, but in the one test that looks for that."""
    if "small" not in request.node.name:
        monkeypatch.setattr(found_ones, "CRASHED_RUNS_MAX", 2)


CRASHES = ("durability.kill", "durability.power-loss", "recovery")


def searched(profile: Profile, *, cases: int = 30, only: tuple[str, ...] = CRASHES) -> Result:
    kinds = ("crashes",)
    return check(profile, Settings(seed=1, budget_s=None, cases=cases, only=only, kinds=kinds, first=True))


def statuses(result: Result) -> dict[str, str]:
    return {one.name: one.status for one in result.properties if one.name.startswith(("durability", "recovery"))}


def test_a_sound_store_with_a_recovery_is_held_under_every_kind_of_crash() -> None:
    result = searched(toys.a_profile(toys.Recovering, operations=RECOVER), cases=12)
    assert result.violations == ()
    shown = {name for name, status in statuses(result).items() if status == "held"}
    assert shown == {
        "durability.kill",
        "durability.power-loss",
        "recovery.complete",
        "recovery.idempotent",
        "recovery.crash-during",
    }


@pytest.mark.parametrize(
    ("factory", "names"),
    [
        (toys.InPlace, {"durability.kill", "durability.power-loss"}),
        (toys.Unflushed, {"durability.power-loss"}),
        (toys.Lazy, {"durability.kill", "durability.power-loss"}),
        (toys.Undeleted, {"durability.power-loss"}),
        (toys.CrashedRecovery, {"recovery.crash-during"}),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_a_loss_is_found_under_its_name(factory: Any, names: set[str]) -> None:
    operations = RECOVER if hasattr(factory, "recover") else ()
    result = searched(toys.a_profile(factory, operations=operations))
    assert result.verdict == "violated"
    assert {violation.property for violation in result.violations} <= names
    assert all(violation.fault.startswith(("kill", "power loss")) for violation in result.violations)


def test_only_what_is_promised_is_crashed() -> None:
    result = searched(toys.a_profile(toys.Unflushed, survives="kill"), cases=3)
    assert result.violations == ()
    assert statuses(result)["durability.kill"] == "held"
    assert statuses(result)["durability.power-loss"] == "not-applicable"


def test_what_cannot_be_crashed_is_unproven_and_says_why() -> None:
    family = families()["crashes"]
    sound = toys.a_profile(toys.FileSessions, survives="restart")
    assert "nothing of it" in family.applies(Bench(sound, seed=1))
    alone = toys.a_profile(toys.FileSessions)
    told = Profile.of(
        {
            "manager": {"factory": toys.FileSessions, "args": {"root": "{dir}"}, "isolation": "process"},
            "operations": toys.OPERATIONS,
            "policy": {"survives": "kill", "missing": {"get": "none"}},
        },
        name="alone",
    )
    assert "isolation" in family.applies(Bench(told, seed=1))
    result = searched(told, cases=4)
    assert statuses(result)["durability.kill"] == "unproven"
    elsewhere = Profile.of(
        {
            "manager": {"factory": toys.FileSessions, "args": {"root": "/nowhere"}},
            "operations": toys.OPERATIONS,
            "policy": {"survives": "kill", "missing": {"get": "none"}},
        },
        name="elsewhere",
    )
    assert "no folder" in family.applies(Bench(elsewhere, seed=1))
    assert not family.applies(Bench(alone, seed=1))


def test_a_loss_is_made_small_and_its_token_shows_it_again() -> None:
    profile = toys.a_profile(toys.Lazy)
    (found,) = searched(profile).violations
    token = shlex.split(found.replay)[2]
    story = replay_token.decode(token)
    assert "crash: " in story
    assert story.count("  - ") <= 4
    (plan,) = cells(scenario_files.load("again.session.yaml", story))
    again = Runner(profile).run(plan)
    assert [one.property for one in again.violations] == [found.property]
    assert again.violations[0].fault == found.fault


def test_what_is_written_behind_a_torn_end_before_anybody_recovers_is_found() -> None:
    (store,) = [store for store in BUGS if store.factory is logs.TornTailKept]
    (found,) = searched(store.profile(), cases=8).violations
    assert found.property in store.properties
    assert found.operations[-1].operation.startswith("get(")


def test_what_a_crash_during_recovery_does_not_bring_about_is_not_blamed_on_it() -> None:
    (store,) = [store for store in BUGS if store.factory is logs.Buffered]
    (found,) = searched(store.profile(), cases=8, only=("durability", "recovery")).violations
    assert found.property in store.properties
    assert "during recovery" not in found.fault
