"""What a story says of an answer."""

from __future__ import annotations

from typing import Any

import pytest
import toys

from pytest_sessionguard.core.history import Event, Stamp
from pytest_sessionguard.core.operations import Answer, Failed, Ok, Operation, Outcome, Refused
from pytest_sessionguard.core.policy import policy
from pytest_sessionguard.core.scenario import Place, Step
from pytest_sessionguard.core.values import FrozenMap, freeze
from pytest_sessionguard.run.replies import answer_mismatch, captured, refusal_mismatch

NOW = Stamp(0, 0)
MISSING = Refused(frozenset({"missing"}))


def event(outcome: Outcome, verb: str = "touch") -> Event:
    return Event(client="A", operation=Operation(verb=verb, id="s1"), outcome=outcome, called=NOW, returned=NOW,
                 call_order=1, return_order=2)  # fmt: skip


def refusing(*kinds: str) -> Step:
    return Step(verb="touch", arguments=FrozenMap({}), place=Place("a", 1, 1), refused=frozenset(kinds))


@pytest.mark.parametrize(
    ("kinds", "outcome", "missing", "right"),
    [
        ((), MISSING, "error", True),
        (("missing",), MISSING, "error", True),
        (("limit", "missing"), MISSING, "error", True),
        (("limit",), MISSING, "error", False),
        ((), Ok(Answer(absent="none")), "none", True),
        (("missing",), Ok(Answer(absent="false")), "false", True),
        ((), Ok(Answer(found=False)), "false", True),
        ((), Ok(Answer(flag=False)), "false", True),
        ((), Ok(Answer(found=True)), "false", False),
        ((), Ok(Answer()), "none", True),  # It answers nothing, whatever happens.
        ((), Ok(Answer()), "error", False),
        ((), Failed("RuntimeError"), "none", False),
    ],
)
def test_a_refusal_is_an_error_of_the_kind_or_what_the_policy_says(
    kinds: tuple[str, ...], outcome: Outcome, missing: str, right: bool
) -> None:
    found = refusal_mismatch(refusing(*kinds), event(outcome), policy(missing=missing), performed=True)
    assert (found is None) is right
    if found is not None:
        assert found.expected == ("refused (limit)" if kinds == ("limit",) else "refused")


def test_an_operation_that_could_not_even_be_done_was_refused() -> None:
    found = refusal_mismatch(refusing(), event(Ok(Answer(data=FrozenMap({})))), policy(), performed=False)
    assert found is None


@pytest.mark.parametrize(
    ("facet", "wanted", "answer", "right"),
    [
        ("count", 2, Answer(count=2), True),
        ("count", 2, Answer(count=3), False),
        ("count", 2, Answer(), False),
        ("ids", ("b", "a"), Answer(ids=("a", "b")), True),
        ("ids", ("a", "a"), Answer(ids=("a",)), False),
        ("ids", (), Answer(absent="none"), True),
        ("ids", ("a",), Answer(absent="none"), False),
        ("seconds_us", 1_500_000, Answer(seconds_us=1_500_000), True),
        ("seconds_us", 1_500_000, Answer(seconds_us=2_000_000), True),  # Told in whole seconds.
        ("seconds_us", 1_500_000, Answer(seconds_us=1_600_000), False),
        ("seconds_us", None, Answer(seconds_us=None), True),
        ("seconds_us", None, Answer(seconds_us=5), False),
        ("metrics", {"total": 1}, Answer(metrics=FrozenMap({"total": 1, "more": 2})), True),
        ("metrics", {"total": 1}, Answer(metrics=FrozenMap({"total": 2})), False),
        ("data", {"a": 1}, Answer(data=FrozenMap({"a": 1})), True),
        ("data", {"a": 1}, Answer(data=FrozenMap({"a": 1, "b": 2})), False),
        ("value", {"a": [1]}, Answer(value=freeze({"a": [1]})), True),
        ("value", {"a": 1}, Answer(value=freeze({"a": 1, "b": 2})), False),
        ("found", True, Answer(found=True), True),
        ("absent", "none", Answer(absent="none"), True),
    ],
)
def test_a_facet_of_an_answer_is_as_wanted_or_told(facet: str, wanted: Any, answer: Answer, right: bool) -> None:
    profile = toys.a_profile()
    found = answer_mismatch(facet, freeze(wanted), event(Ok(answer)), profile, profile.policy)
    assert (found is None) is right
    if found is not None:
        assert found.expected.startswith(facet.removesuffix("_us"))


def test_an_operation_that_failed_has_no_facets() -> None:
    found = answer_mismatch("count", 1, event(Failed("x")), toys.a_profile(), policy())
    assert found is not None
    assert found.given == "failed: x"


@pytest.mark.parametrize(
    ("path", "expected"),
    [(("data",), freeze({"a": [{"b": 5}]})), (("data", "a"), (freeze({"b": 5}),)), (("data", "a", "0", "b"), 5)],
)
def test_what_is_captured_is_found_by_keys_and_positions(path: tuple[str, ...], expected: Any) -> None:
    assert captured(path, Ok(Answer(data=freeze({"a": [{"b": 5}]})))) == expected


@pytest.mark.parametrize(
    ("path", "shown"), [(("id",), "id"), (("data", "x"), "data.x"), (("data", "a", "7"), "data.a.7")]
)
def test_what_cannot_be_captured_is_named(path: tuple[str, ...], shown: str) -> None:
    with pytest.raises(LookupError, match=shown):
        captured(path, Ok(Answer(data=freeze({"a": [1]}))))
    with pytest.raises(LookupError, match=path[0]):
        captured(path, Failed("x"))
