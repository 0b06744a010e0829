"""The table of policy keys: what each takes and refuses, and how a policy is shown."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_sessionguard.core import policy as policies
from pytest_sessionguard.core.operations import VERBS
from pytest_sessionguard.core.policy import KEYS, Key, Policy, policy
from pytest_sessionguard.core.values import FrozenMap

WORDS = [key for key in KEYS.values() if key.takes == "word"]
# What each kind of key takes, as written and as held; and what it refuses.
TAKEN: dict[str, list[tuple[Any, Any]]] = {
    "duration": [(90, 90_000_000), ("90s", 90_000_000), ("1h30m", 5_400_000_000), (0.5, 500_000), ("0s", 0)],
    "number": [(0, 0), (7, 7)],
    "flag": [(True, True), (False, False)],
    "verbs": [([], ()), (["get", "touch"], ("get", "touch")), (("create",), ("create",))],
    "pattern": [("[a-z]+", "[a-z]+")],
}
REFUSED: dict[str, list[Any]] = {
    "word": ["no such word", 3, None, True, ["error"]],
    "duration": ["soon", "-1s", -1, True, None, [], "0.1us"],
    "number": [-1, 1.5, "5", True, None],
    "flag": ["true", 1, 0, None],
    "verbs": ["get", ["fetch"], [1], None, {"get": True}],
    "pattern": ["[", 3, None],
}


def test_every_field_of_a_policy_that_is_written_has_a_key() -> None:
    fields = set(Policy.__dataclass_fields__) - {"granularity_us", "expired_status", "written"}
    assert fields == set(KEYS)


@pytest.mark.parametrize("key", KEYS.values(), ids=lambda key: key.name)
def test_the_default_of_a_key_is_the_policy_s_own(key: Key) -> None:
    assert getattr(policy(), key.name) == key.default
    assert key.summary
    assert key.expects


@pytest.mark.parametrize(("key", "word"), [(key, word) for key in WORDS for word in key.values])
def test_a_key_takes_each_of_its_words(key: Key, word: str) -> None:
    made = policy(**{key.name: word})
    assert getattr(made, key.name) == word
    assert made.written == {key.name}


@pytest.mark.parametrize(
    ("key", "written", "held"),
    [(key, *pair) for key in KEYS.values() for pair in TAKEN.get(key.takes, ())],
)
def test_a_key_holds_what_was_written(key: Key, written: Any, held: Any) -> None:
    assert getattr(policy(**{key.name: written}), key.name) == held


@pytest.mark.parametrize(
    ("key", "written"), [(key, value) for key in KEYS.values() for value in REFUSED[key.takes]], ids=str
)
def test_a_key_refuses_anything_else(key: Key, written: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        policy(**{key.name: written})


def test_a_wrong_word_is_answered_with_the_nearest_right_one() -> None:
    with pytest.raises(ValueError, match="'evict-oldes' is no value of at_limit, did you mean 'evict-oldest'"):
        policy(at_limit="evict-oldes")
    with pytest.raises(ValueError, match="unknown policy key 'idle_timout', did you mean 'idle_timeout'"):
        policy(idle_timout="30m")
    with pytest.raises(ValueError, match="unknown operation 'tuch', did you mean 'touch'"):
        policy(activity=["tuch"])


@pytest.mark.parametrize("key", [key for key in WORDS if key.by_verb], ids=lambda key: key.name)
def test_a_table_by_operation_leaves_the_default_to_the_others(key: Key) -> None:
    last = key.values[-1]
    made = policy(**{key.name: {"get": last}})
    assert made.of(key.name, "get") == last
    assert made.of(key.name, "touch") == key.default
    assert made.named_for(key.name, "get")
    assert not made.named_for(key.name, "touch")


@pytest.mark.parametrize("table", [{"fetch": "none"}, {"get": "nothing at all"}, {3: "none"}])
def test_a_table_by_operation_refuses_what_is_none(table: dict[Any, str]) -> None:
    with pytest.raises(ValueError, match=r"unknown operation|is no value of missing"):
        policy(missing=table)


def test_a_table_is_refused_where_the_key_takes_none() -> None:
    with pytest.raises(ValueError, match="is no value of existing"):
        policy(existing={"create": "false"})


def test_a_word_written_for_all_operations_is_named_for_none() -> None:
    assert not policy(missing="error").named_for("missing", "get")
    assert policy(missing="error").of("missing", "get") == "error"


@pytest.mark.parametrize("verb", VERBS)
def test_an_operation_renews_when_it_is_listed(verb: str) -> None:
    assert policy().renews(verb) == (verb in policies.ACTIVITY)
    assert policy(activity=[verb]).renews(verb)
    assert not policy(activity=[]).renews(verb)


@pytest.mark.parametrize(
    ("written", "key", "line"),
    [
        ({}, "at_timeout", 'at_timeout = "expired" (the default)'),
        ({"at_timeout": "alive"}, "at_timeout", 'at_timeout = "alive"'),
        ({"idle_timeout": 1800}, "idle_timeout", 'idle_timeout = "30m"'),
        ({}, "idle_timeout", "idle_timeout (not written)"),
        ({"limit": 5}, "limit", "limit = 5"),
        ({"limit": 0}, "limit", "limit = 0"),
        ({"revivable": True}, "revivable", "revivable = true"),
        ({}, "revivable", "revivable = false (the default)"),
        ({"activity": ["get", "touch"]}, "activity", 'activity = ["get", "touch"]'),
        ({"missing": {"get": "none", "put": "error"}}, "missing", 'missing = { get = "none", put = "error" }'),
    ],
)
def test_a_line_reads_as_the_profile_has_it(written: dict[str, Any], key: str, line: str) -> None:
    assert policy(**written).line(key) == line


def test_other_values_of_a_key_are_those_that_it_does_not_have() -> None:
    assert policies.other_values(policy(), "at_timeout") == ("alive",)
    assert policies.other_values(policy(existing="false"), "existing") == ("error", "return", "replace")
    assert policies.other_values(policy(), "revivable") == (True,)
    assert policies.other_values(policy(), "idle_timeout") == ()
    assert policies.other_values(policy(missing={"get": "none"}), "missing") == KEYS["missing"].values


def test_a_policy_with_another_value_remembers_what_was_written() -> None:
    made = policy(limit=3)
    changed = policies.with_value(made, "missing", FrozenMap({"get": "error"}))
    assert changed.of("missing", "get") == "error"
    assert changed.written == {"limit"}
    assert made.of("missing", "get") == "none"
