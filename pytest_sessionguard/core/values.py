"""Session data as values: hashable, comparable, printable.

Pure.  What a target is given and what it answers is frozen at once, so that a later change of the live object changes
no history.  Lists and tuples are one thing, as in JSON; an object that is none of the known kinds is known by its
fields or, failing that, by its text.  What is not a number equals itself, so that it can be stored and found again.
"""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Hashable, ItemsView, Iterator, KeysView, Mapping, ValuesView
from typing import Any, Final


class Unset(enum.Enum):
    """Says that nothing was given: None is a value."""

    UNSET = "unset"

    def __repr__(self) -> str:
        return "UNSET"

    def __bool__(self) -> bool:
        return False


UNSET: Final = Unset.UNSET

DEPTH_MAX: Final = 64


class FrozenMap(Mapping[Any, Any]):
    """A mapping that never changes and can be hashed; equal to another of the same entries, in any order."""

    __slots__ = ("_entries", "_hash")

    def __init__(self, entries: Mapping[Any, Hashable]) -> None:
        self._entries: dict[Any, Any] = dict(entries)
        self._hash: int | None = None

    def __getitem__(self, key: Any) -> Any:
        return self._entries[key]

    def __contains__(self, key: object) -> bool:
        return key in self._entries

    def get(self, key: Any, default: Any = None) -> Any:
        """Return the value of a key, or the default where it is not there."""
        return self._entries.get(key, default)

    def keys(self) -> KeysView[Any]:
        """Return the keys."""
        return self._entries.keys()

    def values(self) -> ValuesView[Any]:
        """Return the values."""
        return self._entries.values()

    def items(self) -> ItemsView[Any, Any]:
        """Return the keys with their values."""
        return self._entries.items()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(frozenset(self._entries.items()))
        return self._hash

    def __eq__(self, other: object) -> bool:
        if isinstance(other, FrozenMap):
            return self._entries == other._entries
        return NotImplemented

    def __repr__(self) -> str:
        return "{" + ", ".join(f"{key!r}: {show(value)}" for key, value in self._entries.items()) + "}"

    def merged(self, changes: Mapping[Any, Hashable]) -> FrozenMap:
        """Return this mapping with the entries of `changes` put over its own."""
        return FrozenMap({**self._entries, **changes})

    def without(self, key: Any) -> FrozenMap:
        """Return this mapping without `key`."""
        return FrozenMap({name: value for name, value in self._entries.items() if name != key})


EMPTY: Final = FrozenMap({})

# What is its own frozen value and its own copy, told by the class alone.
_PLAIN: Final[frozenset[type]] = frozenset({str, int, bool, bytes, type(None), FrozenMap})


def freeze(value: Any, *, depth: int = 0) -> Hashable:
    """Return the value as a hashable one that later changes of the original cannot reach.

    Raises:
        ValueError: nested deeper than 64 levels (most likely a structure that contains itself).
    """
    if type(value) in _PLAIN:
        plain: Hashable = value
        return plain
    if isinstance(value, float) and math.isnan(value):
        return math.nan  # Always the same object, since containers look at identity first.
    if value is None or isinstance(value, (str, int, float, bytes, enum.Enum, type)):
        return value
    if depth > DEPTH_MAX:
        raise ValueError(f"data is nested deeper than {DEPTH_MAX} levels: does it contain itself?")
    if type(value) is dict or isinstance(value, Mapping):
        return FrozenMap({freeze(key, depth=depth + 1): freeze(item, depth=depth + 1) for key, item in value.items()})
    if isinstance(value, (list, tuple)):
        return tuple(freeze(item, depth=depth + 1) for item in value)
    if isinstance(value, (set, frozenset)):
        return frozenset(freeze(item, depth=depth + 1) for item in value)
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return freeze(fields, depth=depth + 1)
    return _freeze_object(value, depth)


def _freeze_object(value: Any, depth: int) -> Hashable:
    """Return an object of an unknown kind by its own equality, its fields, or its text."""
    if isinstance(value, Hashable) and type(value).__eq__ is not object.__eq__:
        return value  # It compares and hashes by value: a date, a UUID, a Decimal.
    try:
        fields = vars(value)
    except TypeError:
        return repr(value)
    public = {name: item for name, item in fields.items() if not name.startswith("_")}
    return freeze(public or fields, depth=depth + 1)  # One that hides all its fields is known by what it hides.


def thaw(value: Any) -> Any:
    """Return a fresh, changeable copy of a frozen value: dicts and lists again."""
    if type(value) is FrozenMap:
        return {key: thaw(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [thaw(item) for item in value]
    if isinstance(value, frozenset):
        return {thaw(item) for item in value}
    return value


def show(value: Any, *, width_max: int = 120) -> str:
    """Return the value as a person would write it, cut at `width_max` characters."""
    if isinstance(value, tuple):
        text = "[" + ", ".join(show(item) for item in value) + "]"
    elif isinstance(value, frozenset) and value:
        text = "{" + ", ".join(sorted(show(item) for item in value)) + "}"  # The same in every process.
    elif isinstance(value, frozenset):
        text = "set()"
    else:
        text = repr(value)
    return text if len(text) <= width_max else text[: width_max - 3] + "..."
