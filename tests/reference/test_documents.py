"""What a session may hold."""

from __future__ import annotations

import enum
import json
import math
from collections import OrderedDict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sessionguard.errors import InvalidSession
from pytest_sessionguard.reference import documents

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
OBJECTS = st.dictionaries(st.text(), VALUES, max_size=4)


class Word(enum.StrEnum):
    ONE = "one"


class Number(enum.IntEnum):
    TWO = 2


@given(OBJECTS)
def test_what_is_accepted_is_equal_and_survives_json(given_: dict[str, Any]) -> None:
    accepted = documents.accepted(given_)
    assert accepted == given_
    assert json.loads(json.dumps(accepted)) == accepted
    assert documents.copied(accepted) == accepted


@pytest.mark.parametrize("copy", [documents.accepted, documents.copied])
def test_a_copy_shares_no_dict_and_no_list(copy: Any) -> None:
    original = {"list": [{"deep": [1]}], "dict": {"inner": {}}}
    copy_ = copy(original)
    copy_["list"][0]["deep"].append(2)
    copy_["dict"]["inner"]["x"] = 1
    assert original == {"list": [{"deep": [1]}], "dict": {"inner": {}}}


def test_subclasses_become_the_plain_types() -> None:
    accepted = documents.accepted(OrderedDict({Word.ONE: [Word.ONE, Number.TWO, True], "od": OrderedDict(a=1)}))
    assert accepted == {"one": ["one", 2, True], "od": {"a": 1}}
    assert [type(value) for value in accepted["one"]] == [str, int, bool]  # type: ignore[union-attr]
    assert [type(key) for key in accepted] == [str, str]
    assert type(accepted["od"]) is dict


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, -math.inf, (1,), {1}, b"x", object(), 1j, 1 << 14_001, {1: 2}, [{"a": [set()]}]],
    ids=lambda value: type(value).__name__,
)
def test_what_json_cannot_keep_is_refused_with_its_key(value: object) -> None:
    with pytest.raises(InvalidSession, match=r"data\['key'\]"):
        documents.accepted({"key": value})


@pytest.mark.parametrize("given_", [[], "text", 5, [("a", 1)]])
def test_what_is_no_object_is_refused(given_: object) -> None:
    with pytest.raises(InvalidSession, match="JSON object"):
        documents.accepted(given_)


def test_a_key_that_is_no_text_is_refused() -> None:
    with pytest.raises(InvalidSession, match="text for a key"):
        documents.accepted({3: 4})


def test_the_deepest_document_is_kept_and_one_level_more_is_refused() -> None:
    def nested(levels: int) -> dict[str, Any]:
        value: Any = 1
        for _ in range(levels):
            value = [value]
        return {"a": value}

    assert documents.accepted(nested(documents.DEPTH_MAX - 1)) == nested(documents.DEPTH_MAX - 1)
    with pytest.raises(InvalidSession, match="levels"):
        documents.accepted(nested(documents.DEPTH_MAX))


def test_a_document_that_contains_itself_is_refused() -> None:
    circle: dict[str, Any] = {}
    circle["again"] = circle
    with pytest.raises(InvalidSession):
        documents.accepted(circle)


def test_nothing_is_the_empty_document() -> None:
    assert documents.accepted(None) == {}


@pytest.mark.parametrize("text", ["a", "a" * 256, "ümlaut", "with space", "../x", "日本"])
def test_printable_text_is_a_name(text: str) -> None:
    assert documents.is_name(text)


@pytest.mark.parametrize("text", ["", "a" * 257, "a\n", "nul\0", "\ud800", None, 7, b"a", ["a"]])
def test_anything_else_is_no_name(text: object) -> None:
    assert not documents.is_name(text)
