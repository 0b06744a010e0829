"""Session data as values: frozen, thawed, compared, shown."""

from __future__ import annotations

import dataclasses
import enum
import math
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sessionguard.core.values import DEPTH_MAX, EMPTY, UNSET, FrozenMap, freeze, show, thaw

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


@dataclasses.dataclass
class Cart:
    items: list[int]


class Plain:
    """An object known by its fields alone."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)


class Slotted:
    """An object that has neither fields nor equality."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<slotted>"


@given(JSON)
def test_what_is_thawed_equals_what_was_frozen(value: Any) -> None:
    assert thaw(freeze(value)) == value


@given(JSON)
def test_freezing_twice_changes_nothing(value: Any) -> None:
    once = freeze(value)
    assert freeze(once) == once
    assert hash(once) == hash(freeze(thaw(once)))


def test_a_later_change_of_the_original_does_not_reach_the_frozen_value() -> None:
    live: dict[str, Any] = {"items": [1], "cart": {"a": 1}}
    frozen = freeze(live)
    live["items"].append(2)
    live["cart"]["a"] = 2
    assert frozen == freeze({"items": [1], "cart": {"a": 1}})


def test_a_thawed_copy_is_fresh_each_time() -> None:
    frozen = freeze({"items": [1]})
    thaw(frozen)["items"].append(2)
    assert thaw(frozen) == {"items": [1]}


def test_mappings_are_equal_in_any_order_and_hash_alike() -> None:
    one, other = FrozenMap({"a": 1, "b": 2}), FrozenMap({"b": 2, "a": 1})
    assert one == other
    assert hash(one) == hash(other)
    assert one != FrozenMap({"a": 1})
    assert one != {"a": 1, "b": 2}
    assert len({one, other, EMPTY}) == 2


def test_a_mapping_with_changes_leaves_the_old_one_as_it_was() -> None:
    old = FrozenMap({"a": 1, "b": 2})
    assert old.merged({"b": 3, "c": 4}) == FrozenMap({"a": 1, "b": 3, "c": 4})
    assert old.without("a") == FrozenMap({"b": 2})
    assert old.without("z") == old
    assert old == FrozenMap({"a": 1, "b": 2})
    assert (list(old), len(old), old["a"], old.get("z")) == (["a", "b"], 2, 1, None)


@pytest.mark.parametrize(
    ("given_value", "frozen"),
    [
        ((1, [2, 3]), (1, (2, 3))),
        ({1, 2}, frozenset({1, 2})),
        (bytearray(b"x"), b"x"),
        (memoryview(b"x"), b"x"),
        (Cart([1]), FrozenMap({"items": (1,)})),
        (Plain(a=[1], _private=2), FrozenMap({"a": (1,)})),
        (SimpleNamespace(a={}), FrozenMap({"a": EMPTY})),
        (Slotted(), "<slotted>"),
        (Decimal("1.5"), Decimal("1.5")),
        (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)),
        (Colour.RED, Colour.RED),
        (Cart, Cart),
    ],
)
def test_an_object_is_known_by_its_value_its_fields_or_its_text(given_value: Any, frozen: Any) -> None:
    assert freeze(given_value) == frozen
    hash(freeze(given_value))


def test_members_of_an_enumeration_stay_apart() -> None:
    assert freeze({"colour": Colour.RED}) != freeze({"colour": Colour.BLUE})


def test_objects_that_hide_their_fields_stay_apart() -> None:
    assert freeze(Plain(_hidden=1)) != freeze(Plain(_hidden=2))


def test_what_is_not_a_number_equals_itself_once_frozen() -> None:
    assert freeze({"x": float("nan")}) == freeze({"x": math.nan})
    assert hash(freeze({"x": float("nan")})) == hash(freeze({"x": math.nan}))


def test_a_structure_that_contains_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(ValueError, match=f"deeper than {DEPTH_MAX} levels"):
        freeze(loop)


def test_unset_is_falsy_and_not_none() -> None:
    assert not UNSET
    assert UNSET is not None
    assert repr(UNSET) == "UNSET"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "'a'"),
        ((1, "b"), "[1, 'b']"),
        (FrozenMap({"a": (1, 2)}), "{'a': [1, 2]}"),
        (frozenset({"c", "a", "b"}), "{'a', 'b', 'c'}"),
        (frozenset(), "set()"),
        ("x" * 200, "'" + "x" * 116 + "..."),
    ],
)
def test_a_value_is_shown_as_a_person_would_write_it(value: Any, text: str) -> None:
    assert show(value) == text
