"""Plain scalars are read as YAML 1.2 has them, and what readers disagree about is refused."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sessionguard.core.values import FrozenMap
from pytest_sessionguard.run.scenario_nodes import Node, resolve


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("0", 0),
        ("010", 10),
        ("0o10", 8),
        ("0xFF", 255),
        ("-7", -7),
        ("+7", 7),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1.", 1.0),
        ("1e3", 1000.0),
        (".inf", math.inf),
        ("-.Inf", -math.inf),
    ],
)
def test_a_plain_scalar_is_what_yaml_1_2_says(text: str, value: Any) -> None:
    found = resolve(text)
    assert (type(found), found) == (type(value), value)


TEXT_AFTER_ALL = "no yes on off y n No ON 1:30 190:20:30 2026-03-29 1_000 0b1 0x 08:00 - . + 1.2.3 30m s$i"


@pytest.mark.parametrize("text", TEXT_AFTER_ALL.split())
def test_what_only_yaml_1_1_takes_for_something_else_is_text(text: str) -> None:
    assert resolve(text) == text


@pytest.mark.parametrize("text", ["True", "TRUE", "False", "FALSE", "Null", "NULL", ".nan", ".NaN", "1" * 1001])
def test_a_spelling_of_two_meanings_or_of_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        resolve(text)


@given(st.integers() | st.floats(allow_nan=False) | st.booleans() | st.none())
def test_a_scalar_written_as_json_is_read_back(value: Any) -> None:
    text = {True: "true", False: "false", None: "null"}.get(value) if not isinstance(value, (int, float)) else None
    if isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, float):
        text = repr(value).replace("inf", ".inf")
    found = resolve(text if text is not None else str(value))
    assert (type(found), found) == (type(value), value)


def test_a_node_gives_its_value_thawed_and_frozen() -> None:
    key = Node(1, 1, "k")
    node = Node(1, 1, {"k": (key, Node(1, 4, (Node(1, 5, 1), Node(1, 8, None))))})
    assert node.thawed() == {"k": [1, None]}
    assert node.frozen() == FrozenMap({"k": (1, None)})


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({}, "an empty mapping"),
        ({"k": (Node(1, 1, "k"), Node(1, 1, 1))}, "a mapping"),
        ((), "an empty list"),
        ((Node(1, 1, 1),), "a list"),
        (None, "nothing"),
        (True, "true"),
        (3, "3"),
        ("word", "'word'"),
        ("w" * 100, "'" + "w" * 56 + "..."),
    ],
)
def test_a_node_is_told_in_words(content: Any, told: str) -> None:
    assert Node(1, 1, content).told == told
