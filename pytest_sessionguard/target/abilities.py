"""What a profile's operations can be handed, must be handed, and can tell.

Pure.  These are asked for every operation of every case, so that what follows from templates alone is worked out once.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from pytest_sessionguard.core.values import FrozenMap
from pytest_sessionguard.target.shape import Profile, SessionShape
from pytest_sessionguard.target.templates import SESSION, Template

# A result word -> the facets that an answer then has; a session's depend on its shape.
_TOLD: Final[Mapping[str, tuple[str, ...]]] = {
    "id": ("id", "absent"),
    "data": ("data", "absent"),
    "found": ("found",),
    "flag": ("flag",),
    "version": ("version", "absent"),
    "versions": ("versions", "count", "absent"),
    "count": ("count", "absent"),
    "ids": ("ids", "count", "absent"),
    "seconds": ("seconds_us", "absent"),
    "status": ("status", "absent"),
    "metrics": ("metrics", "absent"),
    "value": ("value", "absent"),
    "session": ("absent",),
    "nothing": (),
}

_PARTS: Final = ("id", "owner", "data", "version", "status")


def templates_of(profile: Profile, verb: str) -> tuple[Template, ...]:
    """Return the templates of an operation; none where it is not offered."""
    return _templates(profile.operations, verb)


def _templates(operations: FrozenMap, verb: str) -> tuple[Template, ...]:
    found: Any = operations.get(verb, ())
    return tuple(found)


def tells(profile: Profile, verb: str) -> frozenset[str]:
    """Return the facets that an answer of the operation may have."""
    return _tells(profile.operations, profile.session, verb)


@lru_cache(maxsize=512)
def _tells(operations: FrozenMap, shape: SessionShape, verb: str) -> frozenset[str]:
    templates = _templates(operations, verb)
    if not templates:
        return frozenset()
    found = set(_TOLD[templates[-1].result])
    if templates[-1].result == "session":
        found |= {name for name in _PARTS if getattr(shape, name) is not None}
    if verb in ("create", "use", "rotate", "resume"):
        given = {template.result for template in templates}
        named = verb == "create" and any("id" in template.names for template in templates)
        if named or "id" in given or ("session" in given and shape.id is not None):
            found.add("id")
    return frozenset(found)


def takes(profile: Profile, verb: str) -> frozenset[str]:
    """Return the arguments that the operation's templates hand over; a session object's data can be edited."""
    return _takes(profile.operations, verb)


@lru_cache(maxsize=512)
def _takes(operations: FrozenMap, verb: str) -> frozenset[str]:
    names: set[str] = set()
    for template in _templates(operations, verb):
        names |= template.names
        if template.root == SESSION:
            names.add("session")
    return frozenset(names)


def must_be_given(profile: Profile, verb: str) -> frozenset[str]:
    """Return the arguments that the operation's templates hand over in every call."""
    return _must_be_given(profile.operations, verb)


@lru_cache(maxsize=512)
def _must_be_given(operations: FrozenMap, verb: str) -> frozenset[str]:
    return frozenset(
        argument.name
        for template in _templates(operations, verb)
        for argument in template.handed_over
        if argument.name is not None and not argument.optional
    )
