"""Reading, editing and spoiling session objects of every shape."""

from __future__ import annotations

from collections import UserDict
from dataclasses import dataclass, field
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest

from pytest_sessionguard.core.findings import SCRIBBLE, is_scribbled
from pytest_sessionguard.core.operations import Operation
from pytest_sessionguard.core.values import FrozenMap, freeze
from pytest_sessionguard.target import session_objects
from pytest_sessionguard.target.session_objects import NoSuchPart, conform, edit, frozen_data, live_data, part, smallest
from pytest_sessionguard.target.shape import SessionShape


@dataclass
class Bag:
    """A type of data that a target makes of a dict."""

    entries: dict[str, Any] = field(default_factory=dict)


class Lookalike:
    """Has keys and items and is no Mapping, as the sessions of some frameworks."""

    def __init__(self, **entries: Any) -> None:
        self._entries = entries

    def keys(self) -> list[str]:
        return list(self._entries)

    def __getitem__(self, key: str) -> Any:
        return self._entries[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._entries[key] = value

    def __delitem__(self, key: str) -> None:
        del self._entries[key]


@pytest.mark.parametrize(
    ("session", "path", "expected"),
    [
        (SimpleNamespace(data=1), "data", 1),
        ({"data": 1}, "data", 1),
        (SimpleNamespace(meta={"v": 3}), "meta.v", 3),
        ({"items": 2}, "items", 2),  # A key goes before a method of the same name.
        (("a", "b"), "1", "b"),
        (Lookalike(id=4), "id", 4),
        ("whole", ".", "whole"),
    ],
)
def test_a_part_is_an_attribute_a_key_a_dotted_path_or_the_object(session: Any, path: str, expected: Any) -> None:
    assert part(session, path) == expected


@pytest.mark.parametrize("session", [SimpleNamespace(), {}, 5, None, [], Lookalike()])
def test_a_part_that_is_not_there_is_named(session: Any) -> None:
    with pytest.raises(NoSuchPart, match=f"{type(session).__name__} has no (key )?'data'"):
        part(session, "data")


def test_data_is_frozen_from_whatever_holds_keys() -> None:
    shape = SessionShape()
    assert frozen_data({"a": [1]}, shape) == FrozenMap({"a": (1,)})
    assert frozen_data(UserDict(a=1), shape) == FrozenMap({"a": 1})
    assert frozen_data(Lookalike(a=1), shape) == FrozenMap({"a": 1})
    assert frozen_data("text", shape) == "text"


@pytest.mark.parametrize(("kind", "empty"), [("dict", FrozenMap({})), ("str", ""), ("bytes", b""), ("list", ())])
def test_no_data_is_empty_data(kind: str, empty: Any) -> None:
    assert frozen_data(None, SessionShape(data_type=kind)) == empty


def test_live_data_is_fresh_every_time_and_of_the_targets_type() -> None:
    frozen = freeze({"a": [1]})
    first, second = live_data(frozen, SessionShape()), live_data(frozen, SessionShape())
    assert first == second == {"a": [1]}
    assert first is not second
    assert live_data(frozen, SessionShape(data_type=f"{__name__}:Bag")).entries == {"a": [1]}


@pytest.mark.parametrize(
    ("kind", "written", "expected"),
    [
        ("dict", {"a": 1}, FrozenMap({"a": 1})),
        ("flat", {"a": 1, "b": "x", "c": [1]}, FrozenMap({"a": "1", "b": "x", "c": "[1]"})),
        ("str", {"a": 1}, '{"a": 1}'),
        ("str", "x", "x"),
        ("bytes", "x", b"x"),
        ("bytes", {"a": 1}, b'{"a": 1}'),
        ("bytes", b"x", b"x"),
        ("list", [1], (1,)),
    ],
)
def test_a_storys_data_is_made_to_fit_the_profiles_type(kind: str, written: Any, expected: Any) -> None:
    assert conform(freeze(written), SessionShape(data_type=kind)) == expected


@pytest.mark.parametrize(("kind", "written"), [("dict", "x"), ("list", {"a": 1}), ("flat", 5)])
def test_data_that_the_type_cannot_hold_is_refused(kind: str, written: Any) -> None:
    with pytest.raises(ValueError, match=f"type '{kind}'"):
        conform(freeze(written), SessionShape(data_type=kind))


def test_the_smallest_data_is_empty_only_where_that_is_allowed() -> None:
    assert smallest(SessionShape()) == FrozenMap({})
    for kind in ("dict", "flat", "str", "bytes", "list"):
        assert smallest(SessionShape(data_type=kind, data_empty=False))


@pytest.mark.parametrize(
    ("operation", "before", "after"),
    [
        (Operation(verb="save", id=1, data=FrozenMap({"b": 2})), {"a": 1}, {"b": 2}),
        (Operation(verb="update", id=1, changes=FrozenMap({"b": 2})), {"a": 1}, {"a": 1, "b": 2}),
        (Operation(verb="put", id=1, key="a", value=5), {"a": 1}, {"a": 5}),
        (Operation(verb="append", id=1, key="a", value=5), {"a": [1]}, {"a": [1, 5]}),
        (Operation(verb="append", id=1, key="a", value=5), {}, {"a": [5]}),
        (Operation(verb="pop", id=1, key="a"), {"a": 1, "b": 2}, {"b": 2}),
        (Operation(verb="touch", id=1), {"a": 1}, {"a": 1}),
    ],
)
@pytest.mark.parametrize("make", [lambda data: SimpleNamespace(data=data), lambda data: {"data": data}])
def test_a_held_session_is_changed_as_its_user_would(operation: Operation, before: Any, after: Any, make: Any) -> None:
    session = make(dict(before))
    edit(session, operation, SessionShape(data="data"))
    assert part(session, "data") == after


def test_the_change_reaches_a_session_that_is_its_own_data() -> None:
    session = Lookalike(a=1, c=3)
    edit(session, Operation(verb="save", id=1, data=FrozenMap({"b": 2})), SessionShape(data="."))
    assert frozen_data(session, SessionShape()) == FrozenMap({"b": 2})
    lines = ["x"]
    edit(lines, Operation(verb="append", id=1, value="y"), SessionShape(data=".", data_type="list"))
    assert lines == ["x", "y"]


def test_data_that_cannot_be_changed_in_place_is_put_anew() -> None:
    session = SimpleNamespace(meta={"text": "old"})
    edit(session, Operation(verb="save", id=1, data="new"), SessionShape(data="meta.text", data_type="str"))
    assert session.meta == {"text": "new"}
    with pytest.raises(NoSuchPart, match="str is itself the data"):
        edit("old", Operation(verb="save", id=1, data="new"), SessionShape(data=".", data_type="str"))


def test_an_update_of_data_that_has_no_keys_replaces_it() -> None:
    session = SimpleNamespace(data="old")
    edit(session, Operation(verb="update", id=1, changes=FrozenMap({"a": 1})), SessionShape(data="data"))
    assert session.data == {"a": 1}


def test_scribbling_reaches_every_level_and_is_recognised() -> None:
    data = {"a": [1, {"b": 2}]}
    assert session_objects.scribble(data)
    assert is_scribbled(freeze(data))
    assert is_scribbled(freeze(data["a"][1]))
    assert not is_scribbled(freeze({"a": [1, {"b": {2}}]}))


@pytest.mark.parametrize("data", [None, "text", b"bytes", 5, (1, 2), frozenset({1})])
def test_what_cannot_be_changed_is_not_scribbled(data: Any) -> None:
    assert not session_objects.scribble(data)


@pytest.mark.parametrize("view", [MappingProxyType, lambda own: tuple(own.values())], ids=["a view", "a tuple"])
def test_what_lies_within_a_part_that_cannot_be_written_is_scribbled_into(view: Any) -> None:
    own: dict[str, Any] = {"items": [1], "more": {"b": 2}}
    assert session_objects.scribble(view(own))
    assert own["items"] == [1, SCRIBBLE]
    assert SCRIBBLE in own["more"]
    assert SCRIBBLE not in own
    assert not session_objects.scribble(view({"items": (1, 2)}))
