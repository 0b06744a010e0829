"""Errors of a target: which are refusals, and where the others come from."""

from __future__ import annotations

import json

import pytest

from pytest_sessionguard.core.operations import Failed, Refused
from pytest_sessionguard.target.refusals import Refusals, told, where


class Gone(KeyError):
    """A missing session."""


class TimedOut(Gone):
    """An expired session, which is a missing one too."""


def outcome_of(error: BaseException, **errors: object) -> Refused | Failed:
    try:
        raise error
    except BaseException as raised:
        return Refusals(errors).outcome(raised)


def test_a_declared_class_and_its_heirs_are_refusals() -> None:
    assert outcome_of(Gone("s1"), missing=("KeyError",)) == Refused(frozenset({"missing"}), "Gone: 's1'")
    assert outcome_of(TimedOut("s1"), missing=f"{__name__}:Gone").kinds == {"missing"}  # type: ignore[union-attr]


def test_the_nearest_declared_class_decides() -> None:
    found = outcome_of(TimedOut(), missing=("KeyError",), expired=(TimedOut,))
    assert isinstance(found, Refused)
    assert found.kinds == {"expired"}


def test_a_class_under_several_kinds_means_any_of_them() -> None:
    found = outcome_of(ValueError(), invalid=("ValueError",), exists=("ValueError",))
    assert isinstance(found, Refused)
    assert found.kinds == {"invalid", "exists"}


@pytest.mark.parametrize("name", ["nowhere:Gone", "nowhere.errors.Gone", "Gone"])
def test_a_class_that_cannot_be_imported_is_matched_by_its_name(name: str) -> None:
    found = outcome_of(TimedOut(), missing=(name,))
    assert isinstance(found, Refused)
    assert found.kinds == {"missing"}


def test_any_other_error_is_a_failure_with_its_place() -> None:
    found = outcome_of(RuntimeError("two\nlines"), missing=("KeyError",))
    assert isinstance(found, Failed)
    assert found.error == "RuntimeError: two lines"
    assert "test_refusals.py:" in found.where


def test_the_place_of_an_error_inside_the_standard_library_is_its_caller() -> None:
    try:
        json.loads("{")
    except ValueError as error:
        place = where(error.__traceback__)
    assert "test_refusals.py:" in place


def test_an_error_of_no_place_and_of_no_words_is_told_all_the_same() -> None:
    assert where(None) == ""
    assert told(ValueError()) == "ValueError"
    assert len(told(ValueError("x" * 1000))) < 330
