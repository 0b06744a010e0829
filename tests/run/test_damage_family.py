"""Damaged files in a search: what is shown that was never written is found, and what a sound store tells is spared."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from zoo.durable import bases, files, logs
from zoo.durable.catalogue import SOUND, Durable

from pytest_sessionguard.core.plan import cells
from pytest_sessionguard.core.result import Result
from pytest_sessionguard.crash.effects import Item
from pytest_sessionguard.run import damage_cases, scenario_files
from pytest_sessionguard.run.bench import Bench
from pytest_sessionguard.run.checker import Settings, check
from pytest_sessionguard.run.families import families
from pytest_sessionguard.run.runner import Runner
from pytest_sessionguard.target.shape import Profile


def searched(profile: Profile, cases: int) -> Result:
    only, kinds = ("durability.damage",), ("damage",)
    return check(profile, Settings(seed=1, budget_s=None, cases=cases, only=only, kinds=kinds, first=True))


DECLARING = [store for store in SOUND if store.profile().policy.damage != "undeclared"]


@pytest.mark.parametrize("store", DECLARING, ids=lambda store: store.name)
def test_a_sound_store_is_spared(store: Durable) -> None:
    result = searched(store.profile(), 2)
    assert [violation.message for violation in result.violations] == []
    (status,) = [one.status for one in result.properties if one.name == "durability.damage"]
    assert status == "held"


class ListsTheReadable(files.Files):
    """A damaged session without a backup is told where it is asked for, and is in no list."""

    def list(self) -> list[str]:
        found = []
        for id in self.every():
            with suppress(files.Damaged):
                if self.read(id) is not None:
                    found.append(id)
        return found


class ListsTheReadableInSilence(ListsTheReadable):
    """The same, and who asks for the damaged one is told that there is none."""

    def get(self, id: str) -> Any:
        with suppress(files.Damaged):
            return super().get(id)
        return None


def as_files(factory: type) -> Profile:
    """Return the profile of the files of the zoo, of another class."""
    return replace(Durable(files.Files).profile(), factory=factory)


def test_a_list_may_leave_out_what_is_told_to_be_damaged_when_asked_for() -> None:
    assert [violation.message for violation in searched(as_files(ListsTheReadable), 8).violations] == []
    (violation,) = searched(as_files(ListsTheReadableInSilence), 8).violations
    assert violation.property == "durability.damage"


RENEWED = """scenario: A session is renewed
version: 1
steps:
  - create: {as: cart, data: {n: 1}}
  - advance: 5m
  - touch: cart
  - advance: 8m
  - expect: {session: cart, alive: true}
"""


def test_what_is_repaired_may_be_a_version_that_has_run_out_by_now() -> None:
    (plan,) = cells(scenario_files.load("renewed.session.yaml", RENEWED))
    case = damage_cases.damage_case(Runner(Durable(files.Files).profile()), plan)
    assert [violation.message for violation in case.violations] == []
    assert dict(case.exercised)["durability.damage"] > 10


@pytest.mark.parametrize(
    "factory",
    [
        files.NoChecksum,
        files.DamageUntyped,
        files.DamageEmptied,
        files.DamageHidden,
        files.BackupUnused,
        logs.NoLineChecksum,
        bases.RowUnsealed,
    ],
    ids=lambda factory: factory.__name__,
)
def test_what_is_made_of_damage_is_found(factory: type) -> None:
    result = searched(Durable(factory).profile(), 8)
    (violation,) = result.violations
    assert violation.property == "durability.damage"
    assert violation.fault.startswith("damage of ")


def test_files_take_turns_in_being_damaged_and_the_empty_ones_are_left_alone() -> None:
    image = {"a": Item(data=b"abcd"), "b": Item(data=b"x"), "empty": Item(data=b"")}
    every = list(damage_cases.damages(image))
    assert [one.path for one in every[:4]] == ["a", "b", "a", "b"]
    assert {one.path for one in every} == {"a", "b"}
    assert "a" not in every[0].image
    assert str(every[0]) == "a: removed"
    assert all(one.image != image for one in every)


def test_what_has_no_files_or_wants_processes_is_not_damaged_and_says_why() -> None:
    family = families()["damage"]

    def told(**manager: object) -> str:
        parts = {"manager": {"factory": files.Files, **manager}, "operations": {"create": "create() -> id"}}
        return family.applies(Bench(Profile.of(parts, name="one"), seed=1))

    assert "no file" in told(args={"root": "/nowhere"})
    assert "isolation" in told(args={"root": "{dir}"}, isolation="process")
    assert told(args={"root": "{dir}"}) == ""
