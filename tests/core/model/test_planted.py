"""Wrong answers: each is found out, and told as the property that it breaks."""

from __future__ import annotations

import pytest

from pytest_sessionguard.core.properties import PROPERTIES

from .planted import HOUR, LIVES, PLANTED, a_session


@pytest.mark.parametrize("name", PLANTED)
def test_a_wrong_answer_is_told_as_the_property_that_it_breaks(name: str) -> None:
    planted = PLANTED[name]
    assert planted.property in PROPERTIES
    assert planted.wrong().broken == planted.property


@pytest.mark.parametrize("name", PLANTED)
def test_the_right_answer_in_its_place_breaks_nothing(name: str) -> None:
    planted = PLANTED[name]
    assert planted.right().finding is None


def test_a_finding_says_what_was_expected_and_by_which_line() -> None:
    found = a_session().advance(HOUR + 1).did("get", "s1", LIVES).finding
    assert found is not None
    assert found.expected == ("refused (expired)", "nothing there (none)")
    assert found.given == "ok: data={'a': 1}"
    assert 'missing = "none" (the default)' in found.policy_lines
