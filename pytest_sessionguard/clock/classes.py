"""The real `datetime` and `date` under the clock: what reads a clock is replaced in the classes themselves.

A class made in C refuses to have its attributes set; its own dictionary can be written all the same, as long as the
interpreter is told.  So nobody ever meets another class: subclasses, values, references that no module leads to and
code in C or Rust see virtual time, and an extension that is imported while time is virtual finds the classes that it
was compiled for.  Where this cannot be done (no ctypes, another interpreter), freezegun's fake classes stand in, see
`frozen`.
"""

from __future__ import annotations

import gc
import sys
import warnings
from collections.abc import Callable
from datetime import date, datetime, timedelta
from types import MethodType
from typing import Any, Final

from pytest_sessionguard.clock.readings import READINGS, real_time_ns

_EPOCH: Final = datetime(1970, 1, 1)

# The methods that read a clock, by name: the class that has it, the real descriptor.
_REAL: Final[dict[str, tuple[type[date], Any]]] = {
    "now": (datetime, datetime.__dict__["now"]),
    "utcnow": (datetime, datetime.__dict__["utcnow"]),
    "today": (date, date.__dict__["today"]),
}

_fromtimestamp: Final = datetime.__dict__["fromtimestamp"].__get__
_combine: Final = datetime.__dict__["combine"].__get__

# From here on `datetime.utcnow` warns; so does ours.
_UTCNOW_WARNS: Final = sys.version_info >= (3, 12)


def _now(cls: Any, tz: Any = None) -> Any:
    """Return the current moment in a zone, or in the local one without telling it."""
    wall_us = READINGS.wall_us()
    if wall_us is None:
        return real_method("now", cls)(tz)
    return _fromtimestamp(None, cls)(wall_us / 1_000_000, tz)


def _utcnow(cls: Any) -> Any:
    """Return the current moment in UTC, without saying so."""
    wall_us = READINGS.wall_us()
    if _UTCNOW_WARNS:
        warnings.warn(
            "datetime.datetime.utcnow() is deprecated and scheduled for removal in a future version. Use "
            "timezone-aware objects to represent datetimes in UTC: datetime.datetime.now(datetime.UTC).",
            DeprecationWarning,
            stacklevel=2,
        )
    moment = _EPOCH + timedelta(microseconds=real_time_ns() // 1000 if wall_us is None else wall_us)
    return _combine(None, cls)(moment.date(), moment.time())


def _today(cls: Any) -> Any:
    """Return the local day, or the local moment."""
    wall_us = READINGS.wall_us()
    return real_method("today", cls)() if wall_us is None else cls.fromtimestamp(wall_us / 1_000_000)


_STAND_INS: Final[dict[str, Callable[..., Any]]] = {"now": _now, "utcnow": _utcnow, "today": _today}
for _name, _stand_in in _STAND_INS.items():
    _stand_in.__name__, _stand_in.__qualname__ = _name, f"{_REAL[_name][0].__name__}.{_name}"


def real_method(name: str, kind: type) -> Any:
    """Return the real method of a class, bound to it."""
    return _REAL[name][1].__get__(None, kind)


def bound_pair(value: Any) -> tuple[Any, Any] | None:
    """Return the real and the virtual form of a method that somebody captured from a class; none for any other."""
    name, kind = getattr(value, "__name__", None), value.__self__
    if name not in _REAL or not isinstance(kind, type) or not issubclass(kind, _REAL[name][0]):
        return None
    stand_in = _STAND_INS[name]
    if type(value) is MethodType:
        return (real_method(name, kind), value) if value.__func__ is stand_in else None
    return (value, MethodType(stand_in, kind)) if value == real_method(name, kind) else None


# -- writing into a class --------------------------------------------------------------------------------------------


class Opened:
    """A class made in C whose attributes can be set.

    Raises:
        LookupError: its dictionary is out of reach.
        ImportError: there is no way to tell the interpreter.
    """

    __slots__ = ("_kind", "_modified", "_names")

    _kind: type
    _names: dict[str, Any]
    _modified: Callable[[type], None]

    def __init__(self, kind: type) -> None:
        from ctypes import py_object, pythonapi

        names = [found for found in gc.get_referents(kind.__dict__) if type(found) is dict]
        if len(names) != 1 or names[0].keys() != kind.__dict__.keys():
            raise LookupError(kind)
        modified = pythonapi.PyType_Modified
        modified.argtypes, modified.restype = [py_object], None
        for name, value in (("_kind", kind), ("_names", names[0]), ("_modified", modified)):
            object.__setattr__(self, name, value)

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]  # the class's own, not that of an instance
        return self._names

    def __setattr__(self, name: str, value: Any) -> None:
        self._names[name] = value
        self.tell()

    def inherits_from(self, other: Opened) -> bool:
        """Say whether this class inherits from another one."""
        return self._kind is not other._kind and issubclass(self._kind, other._kind)

    def tell(self) -> None:
        """Have the interpreter forget what it remembers of the attributes."""
        self._modified(self._kind)

    def __repr__(self) -> str:
        return repr(self._kind)


def _patches() -> list[tuple[Any, str, Any]]:
    """Return what is replaced while a clock is in force (owner, name, stand-in); nothing where it cannot be done."""
    try:
        opened: dict[type[date], Any] = {kind: Opened(kind) for kind in (datetime, date)}
        patches = [(opened[_REAL[name][0]], name, classmethod(stand_in)) for name, stand_in in _STAND_INS.items()]
        return patches if all(_takes(*patch) for patch in patches) else []
    except (ImportError, LookupError, AttributeError, TypeError):
        return []


def _takes(owner: Any, name: str, stand_in: Any) -> bool:
    """Try it: say whether the class shows what was written into it, and the real method again afterwards."""
    kind, real = _REAL[name]
    try:
        setattr(owner, name, stand_in)
        shown = getattr(getattr(kind, name), "__func__", None) is _STAND_INS[name]
    finally:
        setattr(owner, name, real)
    return shown and getattr(kind, name) == real_method(name, kind)


PATCHES: Final = _patches()
