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
        InvalidSession: not a JSON object; the message names the key and the value.
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise InvalidSession("data", given, _EXPECTED)
    document: Document = {}
    key: object = None
    try:
        for key, value in given.items():
            document[_key(key)] = value if type(value) in _ATOMS else _value(value, 1)
    except _Refused as refused:
        raise InvalidSession(f"data[{key!r}]", refused.given, refused.expected) from None
    return document


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


class _Refused(Exception):
    """Carries what was refused from the depth of a walk to the one who knows the key."""

    def __init__(self, given: object, expected: str = _EXPECTED) -> None:
        self.given = given
        self.expected = expected


# Exactly these types need no look inside; their subclasses become the plain type.
_ATOMS: Final = frozenset({str, bool, type(None)})


def _key(key: object) -> str:
    if type(key) is str:
        return key
    if isinstance(key, str):
        return str.__str__(key)
    raise _Refused(key, "text for a key")


def _value(value: object, depth: int) -> Json:
    """Copy one value; subclasses of the JSON types become the plain type."""
    if depth > DEPTH_MAX:
        raise _Refused("...", f"at most {DEPTH_MAX} levels")
    if isinstance(value, str):
        return str.__str__(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        if value.bit_length() > INT_BITS_MAX:
            raise _Refused("a number", f"an integer of at most {INT_BITS_MAX} bits")
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    if isinstance(value, Mapping):
        return {_key(key): _value(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list):
        return [_value(inner, depth + 1) for inner in value]
    raise _Refused(value)
