"""Places: each gives back what it was given, and says nothing of what is not there."""

from __future__ import annotations

from collections import defaultdict
from types import CellType

import pytest

from pytest_sessionguard.clock.places import Cell, ClassAttribute, Defaults, Factory, Item, Name, Place, Slot


def function(now: object = 1) -> object:
    return now


class Refuses(type):
    def __setattr__(cls, name: str, value: object) -> None:
        raise TypeError(name)


class Owner(metaclass=Refuses):
    __slots__ = ("slot",)
    attribute = (1,)

    def __setattr__(self, name: str, value: object) -> None:
        raise TypeError(name)


PLACES = {
    "name": Name({"now": (1,)}, "now"),
    "class attribute": ClassAttribute(Owner, "attribute"),
    "defaults": Defaults(function),  # type: ignore[arg-type]  # mypy tells functions from their type
    "cell": Cell(CellType((1,))),
    "item": Item([(1,)], 0),
    "slot": Slot(Owner.__dict__["slot"], Owner()),
    "factory": Factory(defaultdict(int)),
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_a_place_holds_what_was_put_there(place: Place) -> None:
    value = ((2,),)
    place.put(value)
    assert place.held() is value


@pytest.mark.parametrize(
    "place",
    [
        Name({}, "now"),
        ClassAttribute(Owner, "no_such"),
        Cell(CellType()),
        Item([], 0),
        Slot(Owner.__dict__["slot"], Owner()),
    ],
    ids=lambda place: type(place).__name__,
)
def test_an_empty_place_holds_nothing(place: Place) -> None:
    assert place.held() is None
