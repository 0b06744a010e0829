"""Crashes in a search: each loss is found under its own name, a sound store is spared, the rest is told."""

from __future__ import annotations

from typing import Any

import durable_toys as toys
import pytest

from pytest_sessionguard.core.result import Result
from pytest_sessionguard.run.bench import Bench
from pytest_sessionguard.run.checker import Settings, check
from pytest_sessionguard.run.families import families
from pytest_sessionguard.target.shape import Profile

RECOVER = {"recover": "recover()"}


def searched(profile: Profile, *, cases: int = 30) -> Result:
    kinds = ("crashes",)
    only = ("durability.kill", "durability.power-loss", "recovery")
    return check(profile, Settings(seed=1, budget_s=None, cases=cases, only=only, kinds=kinds, first=True))


def statuses(result: Result) -> dict[str, str]:
    return {one.name: one.status for one in result.properties if one.name.startswith(("durability", "recovery"))}


def test_a_sound_store_with_a_recovery_is_held_under_every_kind_of_crash() -> None:
    result = searched(toys.a_profile(toys.Recovering, operations=RECOVER), cases=6)
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
