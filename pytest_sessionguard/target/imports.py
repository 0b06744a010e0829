"""`module:attribute` -> the object, with a message that helps where there is none.

Importing runs code of the user's: profiles are trusted as code is.
"""

from __future__ import annotations

import builtins
import importlib
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pytest_sessionguard.errors import did_you_mean


class ImportFault(Exception):
    """A `module:attribute` that leads nowhere; the text says why and what was expected."""


def resolve(reference: str) -> Any:
    """Return the object that `module:attribute` names; the attribute may be dotted.

    Raises:
        ImportFault: no such form, module or attribute, or the module raised.
    """
    module_name, colon, attribute = reference.partition(":")
    if not colon or not all(word.isidentifier() for word in (*module_name.split("."), *attribute.split("."))):
        raise ImportFault(f"{reference!r} names no object: expected `module:attribute`")
    value: Any = import_module(module_name)
    walked = module_name
    for name in attribute.split("."):
        if not hasattr(value, name):
            public = [known for known in dir(value) if not known.startswith("_")]
            near = did_you_mean(name, public) if "did you mean" in did_you_mean(name, public) else ""
            raise ImportFault(f"{walked} has no {name!r}{near}")
        value = getattr(value, name)
        walked += f".{name}"
    return value


def import_module(name: str) -> Any:
    """Return the module.

    Raises:
        ImportFault: there is none, or it raised while it was imported.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or name
        if name == missing or name.startswith(f"{missing}."):
            raise ImportFault(
                f"no module {missing!r} is to be found: expected one that is installed, or in a folder of "
                "`[manager] path`"
            ) from error
        raise ImportFault(
            f"module {name!r} cannot be imported: it needs {missing!r}, which is not installed"
        ) from error
    except Exception as error:  # The user's code may raise anything; the user is told what.
        raise ImportFault(f"module {name!r} cannot be imported: {type(error).__name__}: {error}") from error


def error_class(reference: str) -> type[BaseException] | None:
    """Return the exception class of a builtin name, `module:Class` or `module.Class`; None where it cannot be imported.

    Raises:
        ImportFault: it is there, but no exception class.
    """
    found: Any = None
    if ":" in reference:
        dotted = reference
    else:
        head, _, tail = reference.rpartition(".")
        dotted = f"{head}:{tail}"
    if dotted.startswith(":"):
        found = getattr(builtins, reference, None)
    else:
        try:
            found = resolve(dotted)
        except ImportFault:
            return None
    if found is None:
        return None
    if not isinstance(found, type) or not issubclass(found, BaseException):
        raise ImportFault(f"{reference!r} is no exception class")
    return found


def put_on_path(folders: Iterable[str | Path], *, last: bool = False) -> None:
    """Make modules of the folders importable: before all others in their order, or after all others."""
    new = [str(folder) for folder in folders if str(folder) not in sys.path]
    if last:
        sys.path.extend(new)
    else:
        sys.path[:0] = new
    if new:
        importlib.invalidate_caches()
