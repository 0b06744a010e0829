"""What an error of the target means: a refusal that its profile declares, or a failure.

The nearest class decides: of the classes that the raised one descends from, the first that is declared at all gives the
kinds, so that an `Expired(KeyError)` declared as expired is not also missing.
"""

from __future__ import annotations

import os
import sysconfig
import traceback
from collections.abc import Mapping
from functools import lru_cache
from types import TracebackType
from typing import Any, Final

from pytest_sessionguard.core.operations import Failed, Refused
from pytest_sessionguard.core.values import FrozenMap
from pytest_sessionguard.target.imports import ImportFault, error_class

_STDLIB: Final = sysconfig.get_paths()["stdlib"]
_PACKAGE: Final = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_OURS: Final = tuple(os.path.join(_PACKAGE, room) + os.sep for room in ("target", "run", "clock", "core"))


class Refusals:
    """Know the classes of errors that a profile declares, by kind."""

    def __init__(self, errors: Mapping[str, Any]) -> None:
        self._classes: dict[type[BaseException], set[str]] = {}
        self._names: dict[str, set[str]] = {}
        for kind, declared in errors.items():
            for one in (declared,) if isinstance(declared, (str, type)) else declared:
                self._declare(kind, one)

    def _declare(self, kind: str, declared: str | type[BaseException]) -> None:
        if isinstance(declared, type):
            self._classes.setdefault(declared, set()).add(kind)
            return
        try:
            found = error_class(declared)
        except ImportFault:
            found = None
        if found is not None:
            self._classes.setdefault(found, set()).add(kind)
        else:
            self._names.setdefault(declared.rpartition(":")[2].rpartition(".")[2], set()).add(kind)

    def kinds(self, error: BaseException) -> frozenset[str]:
        """Return what the error may mean; empty where it is not declared."""
        for ancestor in type(error).__mro__:
            found = self._classes.get(ancestor, set()) | self._names.get(ancestor.__name__, set())
            if found:
                return frozenset(found)
        return frozenset()

    def outcome(self, error: BaseException) -> Refused | Failed:
        """Return the error as the answer of an operation."""
        kinds = self.kinds(error)
        if kinds:
            return Refused(kinds, told(error))
        return Failed(told(error), where(error.__traceback__))


@lru_cache(maxsize=64)
def refusals_of(errors: FrozenMap) -> Refusals:
    """Return what knows the errors that a profile declares; worked out once."""
    return Refusals(errors)


def told(error: BaseException) -> str:
    """Return the error in one line."""
    text = " ".join(str(error).split())
    shown = text if len(text) <= 300 else text[:297] + "..."
    return f"{type(error).__name__}: {shown}" if shown else type(error).__name__


def where(trace: TracebackType | None) -> str:
    """Return `file:line` of the innermost frame that is the target's own, or of the innermost at all."""
    frames = traceback.extract_tb(trace)
    outside = [frame for frame in frames if not frame.filename.startswith((*_OURS, "<"))]
    own = [frame for frame in outside if not _is_standard_library(frame.filename)]
    if not (own or outside):
        return ""
    frame = (own or outside)[-1]
    try:
        shown = os.path.relpath(frame.filename)
    except (ValueError, OSError):  # On another drive, or from a folder that is gone, there is no relative path.
        shown = frame.filename
    return f"{frame.filename if shown.startswith('..') else shown}:{frame.lineno}"


def _is_standard_library(path: str) -> bool:
    return path.startswith(_STDLIB + os.sep) and "site-packages" not in path
