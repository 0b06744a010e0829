"""Where in one module captured values are held: everything that its global names lead to in a few steps.

A step goes from a name, class or instance to what it holds: attributes, slots, keys, items.  Functions cost no step:
defaults and closures, and those of the functions they wrap, are always read.  What belongs to another module is read
there, and what belongs to an exempt tool is left alone, whoever refers to it.  Nothing here calls a user's code: no
`getattr`, no `dir()`, no iteration by a user's `__iter__`.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from functools import partial
from types import (
    BuiltinFunctionType,
    CellType,
    CodeType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
    NoneType,
    WrapperDescriptorType,
)
from typing import Any, Final

from pytest_sessionguard.clock.counterparts import LONGEST, Pair
from pytest_sessionguard.clock.exempt import KEEPS_REAL_TIME
from pytest_sessionguard.clock.places import (
    Cell,
    ClassAttribute,
    Defaults,
    Factory,
    Item,
    Name,
    Place,
    Reference,
    Slot,
)

# A module's manager, its cache, the cache's timer.
STEPS: Final = 3

# What the names of one module may lead to; a larger structure is data.
MOST: Final = 20_000

# Lead nowhere: most of what modules hold.
# By identity, as all types here: a metaclass may make its classes unhashable.
_PLAIN: Final = frozenset(
    id(kind)
    for kind in (
        *(NoneType, bool, int, float, complex, str, bytes, bytearray, range, slice, set, frozenset, object),
        *(ModuleType, CodeType, BuiltinFunctionType, WrapperDescriptorType, GetSetDescriptorType, MemberDescriptorType),
    )
)
NO_CLOCK: Final = _PLAIN - {id(BuiltinFunctionType)}
_TAKES_NO_STEP: Final = frozenset(map(id, (FunctionType, MethodType, staticmethod, classmethod, property, partial)))

_METHODS: Final = frozenset(map(id, (FunctionType, staticmethod, classmethod, property)))
_CONTAINERS: Final = frozenset(map(id, (list, dict, defaultdict)))

# Where the instances of a class keep their attributes: in a dictionary, in slots.
_Descriptor = GetSetDescriptorType | MemberDescriptorType
_Shape = tuple[_Descriptor | None, list[MemberDescriptorType]]

# Flags of classes: most that C code made cannot be changed.
_IMMUTABLE: Final = 1 << 8
_MADE_BY_PYTHON: Final = 1 << 9


class Holders:
    """Find the references to captured values in one module after another."""

    def __init__(self, counterpart: Callable[[Any], Pair | None]) -> None:
        self._counterpart = counterpart
        self._readers: dict[int, Callable[[Any, int], None]] = {
            id(FunctionType): self._function,
            id(MethodType): self._method,
            id(staticmethod): self._wrapper,
            id(classmethod): self._wrapper,
            id(property): self._property,
            id(partial): self._partial,
            id(tuple): self._tuple,
            id(list): self._list,
            id(dict): self._dict,
            id(defaultdict): self._defaultdict,
        }
        # By class: the class itself, so that it lives, and how to read its instances.
        self._shapes: dict[int, tuple[type, _Shape | None, bool]] = {}
        self._namespace: dict[str, Any] = {}
        self._module_name = ""
        self._seen: dict[int, Any] = {}
        self._waiting: list[list[Any]] = [[] for _ in range(STEPS + 1)]
        self._found: list[Reference] = []
        # Lists and dictionaries of exempt modules, wherever they have been passed on to.
        self.exempt: set[int] = set()

    def read(self, module_name: str, namespace: dict[str, Any]) -> list[Reference]:
        """Return every reference that belongs to this module, its global names aside."""
        self._namespace, self._module_name = namespace, module_name
        self._found = found = list[Reference]()
        # Not left to the end of the last reading alone: an interrupt may have cut it short.
        self._seen, self._waiting = {}, [[] for _ in range(STEPS + 1)]
        for name, value in list(namespace.items()):
            if type(value) is not dict or str(name)[:2] != "__":
                self._visit(value, STEPS)
        # What is near first: whatever two ways lead to is read with as many steps left as can be.
        for steps in range(STEPS, -1, -1):
            waiting = self._waiting[steps]
            while waiting and len(self._seen) < MOST:
                value = waiting.pop()
                if id(value) not in self._seen:
                    # The object itself: a mere number would be given away again when its object is dead.
                    self._seen[id(value)] = value
                    self._reader_of(type(value))(value, steps)
            waiting.clear()
        self._seen.clear()
        return found

    def forget_classes(self) -> None:
        """Let go of the classes whose instances were read; their identities are good only while they are held."""
        self._shapes.clear()

    def _hold(self, value: Any, steps: int, place: Callable[..., Place], *where: Any) -> None:
        """Note the place if a clock is in it; else go on from what is."""
        kind = id(type(value))
        if kind in NO_CLOCK:
            return
        pair = self._counterpart(value)
        if pair is not None:
            # Made only now: hardly any of the places that are looked at holds a clock.
            self._found.append(Reference(place(*where), pair))
        elif kind not in _PLAIN and (steps or kind in _TAKES_NO_STEP):
            self._waiting[steps].append(value)

    def _visit(self, value: Any, steps: int) -> None:
        kind = id(type(value))
        if kind not in _PLAIN and (steps or kind in _TAKES_NO_STEP):
            self._waiting[steps].append(value)

    def _reader_of(self, kind: type) -> Callable[[Any, int], None]:
        reader = self._readers.get(id(kind))
        if reader is None:
            return self._class if issubclass(kind, type) else self._instance
        return reader

    # -- functions and what wraps them -------------------------------------------------------------------------------

    def _function(self, function: FunctionType, steps: int) -> None:
        own = function.__globals__
        owner = own.get("__name__", self._module_name)
        if not isinstance(owner, str) or KEEPS_REAL_TIME[owner]:
            self._visit(getattr(function, "__wrapped__", None), steps)
            return
        if own is not self._namespace:
            if owner == self._module_name:
                self._made_of_text(function, steps)
            elif not _is_local(function) and owner in sys.modules:
                return
        if function.__defaults__:
            self._hold(function.__defaults__, steps, Defaults, function)
        if function.__kwdefaults__:
            self._namespace_of(function.__kwdefaults__, steps)
        for cell in function.__closure__ or ():
            self._cell(cell, steps)
        self._visit(getattr(function, "__wrapped__", None), steps)

    def _made_of_text(self, function: FunctionType, steps: int) -> None:
        """Read what a library put in the globals of a function that it compiled, as attrs does for `__init__`."""
        for name in function.__code__.co_names:
            self._hold(function.__globals__.get(name), steps, Name, function.__globals__, name)

    def _cell(self, cell: CellType, steps: int) -> None:
        self._hold(Cell(cell).held(), steps, Cell, cell)

    def _method(self, method: MethodType, steps: int) -> None:
        self._visit(method.__func__, steps)
        self._visit(method.__self__, steps)

    def _wrapper(self, wrapper: Any, steps: int) -> None:
        self._visit(wrapper.__func__, steps)

    def _property(self, found: property, steps: int) -> None:
        for function in (found.fget, found.fset, found.fdel):
            self._visit(function, steps)

    def _partial(self, found: partial[Any], steps: int) -> None:
        for part in (found.func, *found.args, *found.keywords.values()):
            self._visit(part, steps)

    # -- containers --------------------------------------------------------------------------------------------------

    def _tuple(self, items: tuple[Any, ...], steps: int) -> None:
        if len(items) <= LONGEST:
            for value in items:
                self._visit(value, steps - 1)

    def _list(self, items: list[Any], steps: int) -> None:
        if len(items) <= LONGEST and id(items) not in self.exempt:
            for position, value in enumerate(items.copy()):
                self._hold(value, steps - 1, Item, items, position)

    def _dict(self, items: dict[Any, Any], steps: int) -> None:
        if len(items) <= LONGEST and id(items) not in self.exempt:
            self._namespace_of(items, steps - 1)

    def _defaultdict(self, items: defaultdict[Any, Any], steps: int) -> None:
        self._hold(items.default_factory, steps - 1, Factory, items)
        self._dict(items, steps)

    def _namespace_of(self, names: dict[Any, Any], steps: int) -> None:
        for name, value in list(names.items()):
            if id(type(value)) not in NO_CLOCK:  # asked here too: most are
                self._hold(value, steps, Name, names, name)

    # -- classes and instances ---------------------------------------------------------------------------------------

    def _class(self, kind: type, steps: int) -> None:
        own, owner = type.__getattribute__(kind, "__dict__"), _module_of(kind)
        if KEEPS_REAL_TIME[owner] or issubclass(kind, Enum):
            return
        if type.__getattribute__(kind, "__flags__") & (_MADE_BY_PYTHON | _IMMUTABLE) != _MADE_BY_PYTHON:
            return
        if owner != self._module_name and "<locals>" not in type.__getattribute__(kind, "__qualname__"):
            return
        for name, value in list(own.items()):
            # What Python and the libraries keep about a class under such names, they keep as data: annotations, fields.
            if name[:2] != "__" or id(type(value)) in _METHODS:
                self._hold(value, steps - 1, ClassAttribute, kind, name)

    def _instance(self, value: Any, steps: int) -> None:
        kind = type(value)
        known = self._shapes.get(id(kind))
        if known is None:
            known = self._shapes[id(kind)] = (kind, _shape(kind), is_standard(_module_of(kind)))
        _, shape, standard = known
        if shape is None:
            return
        if standard:
            steps = 1
        attributes, members = shape
        names = None if attributes is None else _attributes(attributes, value)
        if names is not None:
            self._namespace_of(names, steps - 1)
        for member in members:
            self._hold(Slot(member, value).held(), steps - 1, Slot, member, value)


def is_standard(module_name: str) -> bool:
    """Say whether a module belongs to the standard library."""
    return module_name.partition(".")[0] in sys.stdlib_module_names


def _is_local(function: FunctionType) -> bool:
    """Say whether a function was made within another; its own name may be that of the function that it wraps."""
    return "<locals>" in function.__code__.co_qualname


def mutable_globals(namespace: dict[str, Any]) -> Iterator[int]:
    """Give the identity of every list and dictionary that is a global name of a module, and of its own dictionary."""
    yield id(namespace)
    for value in list(namespace.values()):
        if id(type(value)) in _CONTAINERS:
            yield id(value)


def may_change(value: Any) -> bool:
    """Say whether a global name with this value may come to lead elsewhere: nothing yet, a container, an instance."""
    kind = type(value)
    if value is None or id(kind) in _CONTAINERS:
        return True
    if id(kind) in _PLAIN or id(kind) in _TAKES_NO_STEP or kind is tuple or issubclass(kind, type):
        return False
    owner = _module_of(kind)
    return not is_standard(owner) and not KEEPS_REAL_TIME[owner]


def attributes_or_items(value: Any) -> Any:
    """Return what tells by its length that a value has grown: its items or its attributes; none if neither does."""
    if id(type(value)) in _CONTAINERS:
        return value
    shape = None if value is None else _shape(type(value))
    return None if shape is None or shape[0] is None else _attributes(shape[0], value)


def _attributes(descriptor: _Descriptor, value: Any) -> dict[str, Any] | None:
    """Return an instance's own dictionary."""
    try:
        found = descriptor.__get__(value)
    except (AttributeError, TypeError):
        return None  # none in this one, whatever its class says
    return found if isinstance(found, dict) else None


def _shape(kind: type) -> _Shape | None:
    """Return how to get at the dictionary and the slots of a class's instances; none if there is nothing to read."""
    attributes: _Descriptor | None = None
    members: list[MemberDescriptorType] = []
    if issubclass(kind, Enum):
        return None
    for each in type.__getattribute__(kind, "__mro__"):
        own = type.__getattribute__(each, "__dict__")
        if KEEPS_REAL_TIME[_module_of(each)]:
            return None
        found = own.get("__dict__")
        if found is not None and attributes is None:
            if type(found) is not GetSetDescriptorType and type(found) is not MemberDescriptorType:
                return None  # a proxy: its dictionary is somebody else's
            attributes = found
        if "__slots__" in own:
            members += _members(own.values())
    return (attributes, members) if attributes is not None or members else None


def _module_of(kind: type) -> str:
    """Return the name of the module that made a class, without asking its metaclass."""
    owner = type.__getattribute__(kind, "__dict__").get("__module__")
    # C code leaves it out, and a class with a slot of that name has a descriptor there.
    return owner if isinstance(owner, str) else "builtins"


def _members(values: Iterable[Any]) -> list[MemberDescriptorType]:
    return [value for value in values if type(value) is MemberDescriptorType]
