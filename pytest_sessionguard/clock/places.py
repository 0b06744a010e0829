"""The places that can hold a captured value, besides a name in a dictionary: each can be read and written.

Writing goes past whatever a user's class does on assignment, and never calls a user's code.
"""

from __future__ import annotations

from collections import defaultdict
from types import CellType, FunctionType, MemberDescriptorType
from typing import Any, NamedTuple, Protocol

from pytest_sessionguard.clock.counterparts import Pair


class Place(Protocol):
    """Somewhere that a value is held."""

    def held(self) -> Any:
        """Return what is held there now."""

    def put(self, value: Any) -> None:
        """Hold `value` there."""


class Name(NamedTuple):
    """One name, or one key, in one dictionary."""

    namespace: dict[Any, Any]
    name: Any

    def held(self) -> Any:
        return dict.get(self.namespace, self.name)

    def put(self, value: Any) -> None:
        dict.__setitem__(self.namespace, self.name, value)


class ClassAttribute(NamedTuple):
    """One attribute in one class's own dictionary."""

    owner: type
    name: str

    def held(self) -> Any:
        return type.__getattribute__(self.owner, "__dict__").get(self.name)

    def put(self, value: Any) -> None:
        type.__setattr__(self.owner, self.name, value)


class Defaults(NamedTuple):
    """The defaults of a function's positional parameters: one tuple."""

    function: FunctionType

    def held(self) -> Any:
        return self.function.__defaults__

    def put(self, value: Any) -> None:
        self.function.__defaults__ = value  # type: ignore[misc]  # mypy takes a function's for a method's


class Cell(NamedTuple):
    """One variable of a closure."""

    cell: CellType

    def held(self) -> Any:
        try:
            return self.cell.cell_contents
        except ValueError:  # not assigned yet, or deleted
            return None

    def put(self, value: Any) -> None:
        self.cell.cell_contents = value


class Item(NamedTuple):
    """One position in a list."""

    owner: list[Any]
    position: int

    def held(self) -> Any:
        return list.__getitem__(self.owner, self.position) if self.position < list.__len__(self.owner) else None

    def put(self, value: Any) -> None:
        list.__setitem__(self.owner, self.position, value)


class Slot(NamedTuple):
    """One slot of one instance."""

    member: MemberDescriptorType
    owner: Any

    def held(self) -> Any:
        try:
            return self.member.__get__(self.owner)
        except AttributeError:  # not assigned yet, or deleted
            return None

    def put(self, value: Any) -> None:
        self.member.__set__(self.owner, value)


class Factory(NamedTuple):
    """What a `defaultdict` calls for a missing key."""

    owner: defaultdict[Any, Any]

    def held(self) -> Any:
        return self.owner.default_factory

    def put(self, value: Any) -> None:
        self.owner.default_factory = value


class Reference(NamedTuple):
    """A place that was found to hold one side of a pair."""

    place: Place
    pair: Pair
