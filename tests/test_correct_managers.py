"""Correct managers with habits of their own: every story that fits holds, and none of them is accused."""

from __future__ import annotations

from functools import cache

import pytest
from zoo.stories import ONLY_IN_THE_ZOO, STORIES, TOLD_EVERYTHING, correct, held, tell, troubles

from pytest_sessionguard.core.result import CaseResult
from pytest_sessionguard.run.runner import Runner

pytestmark = pytest.mark.unmeasured

NAMES = TOLD_EVERYTHING


@cache
def told(name: str) -> dict[str, tuple[CaseResult, ...]]:
    """Return what becomes of all stories when they are told to one manager."""
    runner = Runner(correct(name))
    return {title: tell(title, runner) for title in STORIES}


def test_there_are_ten_of_them() -> None:
    assert len(NAMES) >= 10


@pytest.mark.parametrize("name", NAMES)
def test_a_correct_manager_is_not_accused(name: str) -> None:
    assert [trouble for cases in told(name).values() for trouble in troubles(cases)] == []


@pytest.mark.parametrize("name", NAMES)
def test_many_stories_are_really_told_to_it(name: str) -> None:
    assert sum(held(cases) for cases in told(name).values()) >= 15


@pytest.mark.parametrize("name", NAMES)
def test_what_it_skips_is_skipped_for_a_named_reason(name: str) -> None:
    skipped = [case for cases in told(name).values() for case in cases if case.status == "skipped"]
    assert skipped
    assert all(case.reason.startswith("needs ") and len(case.reason) > len("needs ") for case in skipped)


@pytest.mark.parametrize(("title", "name"), ONLY_IN_THE_ZOO.items())
def test_a_promise_that_the_reference_does_not_make_is_told_to_one_that_does(title: str, name: str) -> None:
    assert held(told(name)[title])
