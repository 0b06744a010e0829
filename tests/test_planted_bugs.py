"""Planted bugs: each breaks one thing in a correct manager, and one of the shipped stories finds it and names it.

The unbroken original, told the same story, is not accused.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Final

import pytest
from zoo.broken.catalogue import BUGS, Planted
from zoo.stories import STORIES, ZOO, correct, held, tell

from pytest_sessionguard.core.properties import PROPERTIES
from pytest_sessionguard.core.result import CaseResult
from pytest_sessionguard.run.runner import Runner
from pytest_sessionguard.target.loading import load
from pytest_sessionguard.target.shape import Profile

# Properties that no story reaches -> what it would take.
OUT_OF_REACH: Final[Mapping[str, str]] = {
    "resources.none-left": "a probe is read by search only",
    "security.id-entropy": "an estimate needs many more ids than a story makes",
    "durability.kill": "a process is killed by search only",
    "durability.power-loss": "crash states are explored by search only",
    "durability.damage": "records are damaged by search only",
}
ROOMS_OUT_OF_REACH: Final = ("cancel.", "fault.", "recovery.")


def profile_of(bug: Planted) -> Profile:
    """Return the profile of the original that a bug breaks."""
    return load(bug.original) if bug.original.startswith("reference-") else correct(bug.original)


def broken(bug: Planted) -> type:
    """Return the broken manager: the one class of its file."""
    module = importlib.import_module(f"zoo.broken.{bug.file}")
    (found,) = [one for _, one in inspect.getmembers(module, inspect.isclass) if one.__module__ == module.__name__]
    return found


@cache
def told_to_original(bug: Planted) -> tuple[CaseResult, ...]:
    return tell(bug.story, Runner(profile_of(bug)))


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.file)
def test_a_planted_bug_is_found_by_its_story_and_called_by_its_name(bug: Planted) -> None:
    cases = tell(bug.story, Runner(replace(profile_of(bug), factory=broken(bug))))
    found = [violation for case in cases for violation in case.violations]
    assert found, [(case.status, case.reason) for case in cases]
    assert found[0].property == bug.property, found[0].message
    assert found[0].message.startswith(f"{bug.property} violated: ")


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.file)
def test_the_unbroken_original_holds_the_same_story(bug: Planted) -> None:
    assert held(told_to_original(bug)), [case.reason for case in told_to_original(bug)]


def test_every_file_of_broken_managers_is_told_and_says_what_is_broken() -> None:
    files = {path.stem for path in (ZOO / "broken").glob("*.py")} - {"__init__", "catalogue"}
    assert files == {bug.file for bug in BUGS}
    for bug in BUGS:
        assert importlib.import_module(f"zoo.broken.{bug.file}").__doc__
        assert bug.story in STORIES


def test_every_property_within_reach_of_a_story_has_a_planted_bug() -> None:
    within = {name for name in PROPERTIES if name not in OUT_OF_REACH and not name.startswith(ROOMS_OUT_OF_REACH)}
    assert {bug.property for bug in BUGS} == within
