"""Values made quickly are like those that are made slowly, but for the time it takes."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from dataclasses import dataclass, field
from typing import Any

import pytest

from pytest_sessionguard.core.quick import quick, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Slow:
    name: str
    size: int = 3
    parts: list[int] = field(default_factory=list)
    note: str = field(default="", compare=False)


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Quick:
    name: str
    size: int = 3
    parts: list[int] = field(default_factory=list)
    note: str = field(default="", compare=False)


@quick
@dataclass(frozen=True, slots=True)
class InOrder:
    first: int
    second: int = 2


def test_a_value_has_what_it_was_given_and_its_defaults() -> None:
    assert dataclasses.asdict(Quick(name="a", size=1)) == dataclasses.asdict(Slow(name="a", size=1))
    assert InOrder(1) == InOrder(first=1, second=2)
    assert repr(InOrder(1)) == "InOrder(first=1, second=2)"


def test_each_value_gets_a_default_of_its_own_where_a_factory_makes_it() -> None:
    assert Quick(name="a").parts is not Quick(name="a").parts


def test_nobody_can_change_a_value() -> None:
    made: Any = replace(Quick(name="a"), size=4)
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.size = 5
    assert type(made) is Quick
    assert made.size == 4


def test_equality_and_hash_are_those_of_the_dataclass() -> None:
    assert hash(InOrder(1)) == hash(InOrder(1, 2))
    assert Quick(name="a", note="x") == Quick(name="a", note="y")
    assert Quick(name="a") != Quick(name="b")


def test_values_can_be_copied_and_pickled() -> None:
    value = Quick(name="a", parts=[1])
    assert copy.deepcopy(value) == value == pickle.loads(pickle.dumps(value))
    assert dataclasses.replace(value, size=9) == replace(value, size=9)
    assert replace(value) == value


@pytest.mark.parametrize("value", [Quick(name="a"), Slow(name="a")])
def test_a_field_that_there_is_not_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="colour"):
        replace(value, colour="red")


@pytest.mark.parametrize("given", [{}, {"name": "a", "colour": "red"}])
def test_a_call_that_does_not_fit_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="__init__"):
        Quick(**given)


def test_a_class_that_does_something_of_its_own_is_refused() -> None:
    @dataclass(frozen=True, slots=True)
    class Busy:
        size: int

        def __post_init__(self) -> None:
            """Do something."""

    with pytest.raises(TypeError, match="Busy does something of its own"):
        quick(Busy)


def test_a_class_without_slots_is_refused() -> None:
    @dataclass(frozen=True)
    class Loose:
        size: int

    with pytest.raises(TypeError, match="Loose is no dataclass of its own with slots"):
        quick(Loose)
