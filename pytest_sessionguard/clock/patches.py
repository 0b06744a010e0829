"""Attributes that are replaced while a clock is in force, and put back as they were found.

What is found is noted before anything is replaced, and putting back may be done twice; so an interrupt in the middle
leaves nothing behind.  All of it is paid for by every test: attributes go straight into the dictionaries of modules and
classes, and the interpreter is told once for each class.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import Any, Final, TypeAlias

# Owner, name, stand-in.  An owner that is neither a module nor a class can be written to, and is told by `tell`.
Patch: TypeAlias = tuple[Any, str, Any]

# What stands for an attribute that the owner itself has not.
_INHERITED: Final = object()
# What was found where nothing is replaced.
_NOTHING: Final[tuple[list[Any], list[Any]]] = [], []


class Patches:
    """Attributes that are replaced and put back together."""

    __slots__ = ("_assigned", "_found", "_tells", "_written")

    def __init__(self, patches: Iterable[Patch]) -> None:
        by_owner: dict[int, list[Patch]] = {}
        for patch in patches:
            by_owner.setdefault(id(patch[0]), []).append(patch)
        # By dictionary; by assignment to the class; what tells the interpreter of those of classes made in C.
        self._written: list[tuple[dict[str, Any], str, Any]] = []
        self._assigned: list[tuple[Any, Mapping[str, Any], str, Any]] = []
        opened: list[Any] = []
        for of_owner in by_owner.values():
            self._add(of_owner, opened)
        # What is told of a class goes for all that inherit from it.
        bases = [each for each in opened if not any(each.inherits_from(other) for other in opened)]
        self._tells: list[Callable[[], object]] = [each.tell for each in bases]
        self._found = _NOTHING

    def _add(self, of_owner: list[Patch], opened: list[Any]) -> None:
        owner = of_owner[0][0]
        names = _names_of(owner)
        if names is None:
            self._assigned += [(owner, owner.__dict__, name, stand_in) for _, name, stand_in in of_owner]
            return
        # The last one of a class is assigned: the interpreter forgets what it remembers of all.
        last = of_owner.pop() if isinstance(owner, type) else None
        self._written += [(names, name, stand_in) for _, name, stand_in in of_owner]
        if last is not None:
            self._assigned.append((owner, owner.__dict__, *last[1:]))
        elif not isinstance(owner, ModuleType):
            opened.append(owner)

    def put(self) -> None:
        """Replace them all."""
        self._found = (
            [names.get(name, _INHERITED) for names, name, _ in self._written],
            [shown.get(name, _INHERITED) for _, shown, name, _ in self._assigned],
        )
        for names, name, stand_in in self._written:
            names[name] = stand_in
        for owner, _, name, stand_in in self._assigned:
            setattr(owner, name, stand_in)
        for tell in self._tells:
            tell()

    def put_once(self) -> None:
        """Replace them all, if they are not."""
        if self._found is _NOTHING:
            self.put()

    def take_out(self) -> None:
        """Put back what was found, if they are replaced; may be called again."""
        if self._found is _NOTHING:
            return
        written, assigned = self._found
        for (names, name, _), found in zip(self._written, written, strict=False):
            if found is not _INHERITED:
                names[name] = found
            else:
                names.pop(name, None)
        for (owner, _, name, stand_in), found in zip(self._assigned, assigned, strict=False):
            # It is in place again before it goes, so that the interpreter is told in any case.
            setattr(owner, name, stand_in if found is _INHERITED else found)
            if found is _INHERITED:
                delattr(owner, name)
        for tell in self._tells:
            tell()
        self._found = _NOTHING


def _names_of(owner: Any) -> dict[str, Any] | None:
    """Return the dictionary of an owner itself; none where that of a class is out of reach."""
    if not isinstance(owner, type):
        own: dict[str, Any] = vars(owner)
        return own
    names = [found for found in gc.get_referents(owner.__dict__) if type(found) is dict]
    return names[0] if len(names) == 1 and names[0].keys() == owner.__dict__.keys() else None
