"""What the harness does with a session object: reads it, changes it as its user would, spoils what should be a copy.

A session object is whatever the manager gives: an object with attributes, a mapping, a plain value.  Where its parts
are is the profile's to say.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping, MutableMapping, MutableSequence
from typing import Any, Final

from pytest_sessionguard.core.findings import SCRIBBLE
from pytest_sessionguard.core.operations import Operation
from pytest_sessionguard.core.values import EMPTY, UNSET, FrozenMap, freeze, thaw
from pytest_sessionguard.target.imports import resolve
from pytest_sessionguard.target.shape import SessionShape

# What is written into data that its owner should have copied; it must never be seen again.

_EMPTY: Final[Mapping[str, Hashable]] = {"dict": EMPTY, "flat": EMPTY, "str": "", "bytes": b"", "list": ()}


class NoSuchPart(Exception):
    """A session object lacks what its profile says is there."""


def part(session: Any, path: str) -> Any:
    """Return the part of a session object that the path leads to; "." is the object itself.

    Raises:
        NoSuchPart: it is not there.
    """
    found = session
    if path == ".":
        return found
    for name in path.split("."):
        if isinstance(found, Mapping) and name in found:
            found = found[name]
        elif hasattr(found, name):
            found = getattr(found, name)
        elif isinstance(found, Mapping):
            raise NoSuchPart(f"{type(session).__name__} has no key {name!r} ([session] {path!r})")
        else:
            found = _item(session, found, name, path)
    return found


def _item(session: Any, found: Any, name: str, path: str) -> Any:
    """Return `found[name]` of an object that is no Mapping but may be read like one."""
    try:
        return found[int(name) if name.isdecimal() else name]
    except (KeyError, IndexError, TypeError, AttributeError):
        raise NoSuchPart(f"{type(session).__name__} has no {name!r} ([session] {path!r})") from None


# -- data, between the target's type and the harness's values --------------------------------------------------------


def frozen_data(raw: Any, shape: SessionShape) -> Hashable:
    """Return session data as a value; no data at all is empty data."""
    if raw is None:
        return _EMPTY.get(shape.data_type, EMPTY)
    if not isinstance(raw, Mapping) and hasattr(raw, "keys") and hasattr(raw, "__getitem__"):
        return freeze({key: raw[key] for key in raw.keys()})  # noqa: SIM118 - it is no Mapping: it may iterate otherwise
    return freeze(raw)


def live_data(data: Any, shape: SessionShape) -> Any:
    """Return fresh, changeable data of the type that the manager takes."""
    thawed = thaw(data)
    if ":" in shape.data_type:
        return resolve(shape.data_type)(thawed)
    return thawed


def conform(data: Any, shape: SessionShape) -> Hashable:
    """Return data that a story wrote as a value of the profile's data type; data that fits is left as it is.

    Raises:
        ValueError: the type cannot hold it.
    """
    kind = shape.data_type
    if kind == "flat" and isinstance(data, FrozenMap):
        return FrozenMap({str(key): item if isinstance(item, str) else _text(item) for key, item in data.items()})
    if kind == "str" and not isinstance(data, str):
        return _text(data)
    if kind == "bytes" and not isinstance(data, bytes):
        return data.encode() if isinstance(data, str) else _text(data).encode()
    fits: Any = {"list": tuple, "str": str, "bytes": bytes}.get(kind, FrozenMap)
    if not isinstance(data, fits):
        raise ValueError(f"the profile's sessions hold data of type {kind!r}, which {data!r} is not")
    held: Hashable = data
    return held


def _text(data: Any) -> str:
    return json.dumps(thaw(data), sort_keys=True, default=str)


def smallest(shape: SessionShape) -> Hashable:
    """Return the data of a session of which a story says nothing, where the manager must be given some."""
    if shape.data_empty:
        return _EMPTY.get(shape.data_type, EMPTY)
    if shape.data_type == "list":
        return ("first",)
    return conform(FrozenMap({"made": "first"}), shape)


# -- changes, as the session's user would make them ------------------------------------------------------------------


def changed(data: Any, operation: Operation) -> Any:
    """Return what the operation makes of the data; frozen in, frozen out."""
    if operation.data is not UNSET:
        return operation.data
    if operation.changes is not UNSET:
        return data.merged(operation.changes) if isinstance(data, FrozenMap) else operation.changes
    if operation.verb == "put":
        return data.merged({operation.key: operation.value})
    if operation.verb == "append":
        if operation.key is UNSET:
            return (*data, operation.value)
        return data.merged({operation.key: (*data.get(operation.key, ()), operation.value)})
    if operation.verb == "pop" and operation.key is not UNSET:
        return data.without(operation.key)
    return data


def edit(session: Any, operation: Operation, shape: SessionShape) -> None:
    """Change a held session's data as its user would before saving it.

    Raises:
        NoSuchPart: the session has no data where the profile says.
    """
    path = shape.data if shape.data is not None else "."
    held = part(session, path)
    wanted = live_data(changed(frozen_data(held, shape), operation), shape)
    if isinstance(wanted, Mapping) and hasattr(held, "__setitem__") and hasattr(held, "keys"):
        for key in [key for key in held.keys() if key not in wanted]:  # noqa: SIM118 - it may iterate otherwise
            del held[key]
        for key, value in wanted.items():
            held[key] = value
    elif isinstance(wanted, list) and isinstance(held, MutableSequence):
        held[:] = wanted
    else:
        _put_part(session, path, wanted)


def _put_part(session: Any, path: str, wanted: Any) -> None:
    """Set the part of a session object that the path leads to."""
    where, _, name = path.rpartition(".")
    owner = part(session, where) if where else session
    if not name:
        raise NoSuchPart(f"{type(session).__name__} is itself the data and cannot be changed in its place")
    if isinstance(owner, MutableMapping):
        owner[name] = wanted
    else:
        setattr(owner, name, wanted)


# -- spoiling what should be a copy ----------------------------------------------------------------------------------


def scribble(data: Any) -> bool:
    """Write into every changeable part of the data; say whether there was any."""
    done = False
    if isinstance(data, MutableMapping):
        for value in list(data.values()):
            done |= scribble(value)
        data[SCRIBBLE] = SCRIBBLE
        return True
    if isinstance(data, MutableSequence) and not isinstance(data, (bytearray, memoryview)):
        for value in list(data):
            done |= scribble(value)
        data.append(SCRIBBLE)
        return True
    # What cannot be written itself, such as a view of a dictionary, may hold what can.
    if isinstance(data, Mapping):
        for value in list(data.values()):
            done |= scribble(value)
    elif isinstance(data, tuple):
        for value in data:
            done |= scribble(value)
    return done
