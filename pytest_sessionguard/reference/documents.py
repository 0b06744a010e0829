"""What a session may hold: one JSON object, copied at every border.

Pure.  Callers and sessions never share a dict or a list: what comes in is copied and checked in one walk, what goes
out is copied again.  Inside, a document is never changed in place; a change makes a new one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, TypeAlias

from pytest_sessionguard.errors import InvalidSession

Json: TypeAlias = bool | int | float | str | list["Json"] | dict[str, "Json"] | None
Document: TypeAlias = dict[str, Json]

DEPTH_MAX: Final = 100  # deeper ones, and those that contain themselves, would exhaust the stack of a JSON writer
INT_BITS_MAX: Final = 14_000  # CPython refuses to write integers of more than 4300 digits

_EXPECTED: Final = "a JSON object: dict with text keys, list, text, finite number, true, false, none"


def accepted(given: object) -> Document:
    """Return a copy of `given` that shares nothing with it.

    Raises:
        InvalidSession: not a JSON object; the message names the place.
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise InvalidSession("data", given, _EXPECTED)
    return {_key(key, "data"): _value(value, f"data[{key!r}]", 1) for key, value in given.items()}


def copied(document: Document) -> Document:
    """Return a copy of a document that was accepted earlier."""
    return {key: _copy(value) if type(value) in _NESTED else value for key, value in document.items()}


def merged(document: Document, changes: object) -> Document:
    """Return the document with the keys of `changes` put over it; keys that it leaves out stay as they are."""
    return {**document, **accepted(changes)}


def is_name(text: object) -> bool:
    """Tell whether `text` can name a session or a client: 1 to 256 printable characters."""
    return isinstance(text, str) and 0 < len(text) <= 256 and text.isprintable()


_NESTED: Final = (dict, list)


def _copy(value: Json) -> Json:
    if isinstance(value, dict):
        return {key: _copy(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_copy(inner) for inner in value]
    return value


def _key(key: object, place: str) -> str:
    if not isinstance(key, str):
        raise InvalidSession(f"key of {place}", key, "text")
    return str.__str__(key)


def _value(value: object, place: str, depth: int) -> Json:
    """Copy one value; subclasses of the JSON types become the plain type."""
    if depth > DEPTH_MAX:
        raise InvalidSession(place[:60], "...", f"at most {DEPTH_MAX} levels")
    match value:
        case None | bool():
            return value
        case str():
            return str.__str__(value)
        case int() if int(value).bit_length() <= INT_BITS_MAX:
            return int(value)
        case float() if math.isfinite(value):
            return float(value)
        case Mapping():
            return {_key(key, place): _value(inner, f"{place}[{key!r}]", depth + 1) for key, inner in value.items()}
        case list():
            return [_value(inner, f"{place}[{index}]", depth + 1) for index, inner in enumerate(value)]
        case _:
            raise InvalidSession(place, value, _EXPECTED)
