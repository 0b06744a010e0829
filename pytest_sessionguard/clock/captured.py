"""References to the real time functions that modules captured before the clock was put in force.

Functions, locks, bound methods such as `datetime.now`; the classes `datetime` and `date` seldom, see `classes`.

Replaced, and put back exactly, in every module that does not keep real time: global names.  In modules outside the
standard library also what their global names lead to (see `holders`): defaults of functions and methods, closures,
class attributes, `staticmethod` and `property` objects, attributes and slots of instances, keys and items of
dictionaries, lists and tuples, each within three steps; there a value may be the function or class itself, a `partial`
or `staticmethod` of it, a tuple with it, or a bound `datetime.now`.  Not replaced: what no module leads to (variables
of functions that are running, objects that only a fixture holds), what C or Rust code keeps inside, sets, members of
an `Enum`, containers longer than a thousand.

Reads each module's own dictionary, never `dir()` or `getattr`: a lazy module would import half the world.  What a walk
found is kept.  It is repeated when `sys.modules` has changed, and then only modules that are new or have grown are read
again; a module of the user's own, not installed, also when one of its global names holds another object than before.

What was handed out inside the span and is still held afterwards, where nobody can find it, does no harm: every
stand-in answers as the real one while no clock is in force.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from itertools import chain
from typing import Any, Final, NamedTuple

from pytest_sessionguard.clock.counterparts import Counterparts
from pytest_sessionguard.clock.exempt import KEEPS_REAL_TIME
from pytest_sessionguard.clock.holders import (
    NO_CLOCK,
    Holders,
    attributes_or_items,
    is_standard,
    may_change,
    mutable_globals,
)
from pytest_sessionguard.clock.places import Name, Reference

# The C modules behind datetime and threading keep the real things: C code and the import system find them there.
_NEVER: Final = frozenset({"_datetime", "_pydatetime", "_thread", "_queue", "_threading_local"})

# Whoever imports a fake by its own name means the fake.
_MEANT: Final = frozenset({"FakeDatetime", "FakeDate"})

# The one module of the standard library that keeps the time functions as defaults.
_DEEP_ALTHOUGH_STANDARD: Final = frozenset({"sched"})


# Where installers put packages: what stands elsewhere is the user's own.
_INSTALLED: Final = ("site-packages", "dist-packages")

# A captured name of some dictionary, in the order in which it is used: the most frequent place by far.
_NameOf = tuple[dict[Any, Any], Any, Any, Any, bool]


class Watched(NamedTuple):
    """A global name of a user's own module that may come to hold another object, or one that may grow."""

    name: str
    known: Callable[[], Any]
    sized: Any
    size: int


class Reading(NamedTuple):
    """One module, what it looked like when it was read, and what was found in it."""

    module: Any
    namespace: dict[str, Any]
    size: int
    spec: Any
    references: list[Reference]
    # None: nothing is watched, an installed module stays as it is.
    watched: list[Watched] | None


class Captured:
    """Know every captured reference, replace them all and put them back."""

    def __init__(self, stand_ins: dict[Any, Any]) -> None:
        self._counterpart = Counterparts(stand_ins).of
        self._holders = Holders(self._counterpart)
        self._seen: dict[str, Reading] = {}
        # What is looked at before every span: the user's own modules, and those of their names that are watched.
        self._own: list[tuple[str, Any, dict[str, Any], int, Any]] = []
        self._watched: list[tuple[str, dict[str, Any], Watched]] = []
        self._modules = 0
        self._last_module: Any = None
        self._names: list[_NameOf] = []
        self._others: list[Reference] = []
        self._applied_names: list[_NameOf] = []
        self._applied_others: list[Reference] = []

    def apply(self, *, shared: bool = False) -> None:
        """Replace every captured real object by its stand-in.

        `shared`: an outer freeze has put the same fake classes into modules, and will take them out itself.  Where
        none did, a stand-in found in a module was brought back by a late undo, and is ours to take out.
        """
        stale = self._stale()
        if stale or self._have_modules_changed():
            self._walk(stale)
        names, others = self._names, self._others
        if shared:
            names = [(at, name, *pair) for at, name, *pair in names if not (pair[2] and at.get(name) is pair[1])]
            others = [each for each in others if not (each.pair.of_classes and each.place.held() is each.pair.fake)]
        # Noted first: whatever interrupts us, what was replaced is known.
        self._applied_names, self._applied_others = names, others
        for namespace, name, real, fake, _ in names:
            if namespace.get(name) is real:
                namespace[name] = fake
        for place, (real, fake, _) in others:
            if place.held() is real:
                place.put(fake)

    def restore(self, *, shared: bool = False) -> None:
        """Put every real object back, also into modules that were imported meanwhile; may be called again."""
        for namespace, name, real, fake, _ in self._applied_names:
            if namespace.get(name) is fake:
                namespace[name] = real
        _put_back(self._applied_others)
        if self._have_modules_changed():
            before = self._seen
            self._walk(set())
            for module_name, reading in self._seen.items():
                if before.get(module_name) is not reading:
                    _put_back([each for each in reading.references if not (shared and each.pair.of_classes)])
        self._applied_names, self._applied_others = [], []

    def _have_modules_changed(self) -> bool:
        modules = sys.modules
        return len(modules) != self._modules or next(reversed(modules.values()), None) is not self._last_module

    def _stale(self) -> set[str]:
        """Return which of the user's own modules are others than before, or hold others."""
        stale: set[str] = set()
        modules = sys.modules
        for module_name, module, namespace, size, spec in self._own:
            if (
                modules.get(module_name) is not module
                or len(namespace) != size
                or namespace.get("__spec__") is not spec
            ):
                stale.add(module_name)
        for module_name, namespace, (name, known, sized, size) in self._watched:
            if namespace.get(name) is not known() or (sized is not None and len(sized) != size):
                stale.add(module_name)
        return stale

    def _walk(self, stale: set[str]) -> None:
        """Read the modules that are new or have changed, the stale ones included."""
        modules = sys.modules
        count, last = len(modules), next(reversed(modules.values()), None)
        grown = count != self._modules or last is not self._last_module
        seen = {} if grown else {name: reading for name, reading in self._seen.items() if name not in stale}
        unread: list[tuple[str, Any, dict[str, Any]]] = []
        for module_name in list(modules) if grown else stale:
            module = modules.get(module_name)
            try:
                # Not `module.__dict__`: a lazy module answers any attribute by loading itself.
                namespace = object.__getattribute__(module, "__dict__")
            except (AttributeError, TypeError):
                continue
            known = None if module_name in stale else self._seen.get(module_name)
            if known is not None and known.module is module and known.size == len(namespace):
                seen[module_name] = known
            elif isinstance(namespace, dict):
                unread.append((module_name, module, namespace))
        self._read(unread, seen)
        self._seen = seen
        own = [(name, reading) for name, reading in seen.items() if reading.watched is not None]
        self._own = [(name, *reading[:4]) for name, reading in own]
        self._watched = [(name, reading.namespace, each) for name, reading in own for each in reading.watched or ()]
        found = list(chain.from_iterable(reading.references for reading in seen.values()))
        self._names = [(*place, *pair) for place, pair in found if isinstance(place, Name)]
        self._others = [each for each in found if not isinstance(each.place, Name)]
        self._modules, self._last_module = count, last

    def _read(self, unread: list[tuple[str, Any, dict[str, Any]]], seen: dict[str, Reading]) -> None:
        """Add a reading of each module to those `seen`."""
        for module_name, module, namespace in unread:
            if KEEPS_REAL_TIME[module_name] or module_name in _NEVER:
                seen[module_name] = Reading(module, namespace, len(namespace), namespace.get("__spec__"), [], None)
                # Known before any other module is read, which may have been given what is theirs.
                self._holders.exempt.update(mutable_globals(namespace))
        for module_name, module, namespace in unread:
            if module_name in seen:
                continue
            size, standard = len(namespace), is_standard(module_name)
            deep = not standard or module_name in _DEEP_ALTHOUGH_STANDARD
            found = [
                Reference(Name(namespace, name), pair)
                for name, held in list(namespace.items())
                if id(type(held)) not in NO_CLOCK
                and (pair := self._counterpart(held, deep=deep)) is not None
                and name not in _MEANT
            ]
            if deep:
                found += self._holders.read(module_name, namespace)
            watched = None if standard or _is_installed(namespace) else _watched(namespace)
            spec = namespace.get("__spec__")
            seen[module_name] = Reading(module, namespace, size, spec, found, watched)
        self._holders.forget_classes()


def _put_back(references: list[Reference]) -> None:
    for place, (real, fake, _) in references:
        if place.held() is fake:
            place.put(real)


def _is_installed(namespace: dict[str, Any]) -> bool:
    file = namespace.get("__file__")
    return isinstance(file, str) and any(place in file for place in _INSTALLED)


def _watched(namespace: dict[str, Any]) -> list[Watched]:
    """Watch the names that hold nothing yet, a container, or an instance: functions and classes stay as they are."""
    return [
        Watched(name, _remembered(value), sized, 0 if sized is None else len(sized))
        for name, value in list(namespace.items())
        if may_change(value) and str(name)[:2] != "__"
        for sized in [attributes_or_items(value)]
    ]


def _remembered(value: Any) -> Callable[[], Any]:
    """Return what gives the value back without keeping it alive, where that can be done."""
    try:
        return weakref.ref(value)
    except TypeError:
        return lambda: value
