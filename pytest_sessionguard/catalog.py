"""Finds the files of a folder that each add one thing, sorted by name.

Nothing is imported until it is asked for: a listing costs one look at the folder.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module
from types import ModuleType


def names(folder: str) -> tuple[str, ...]:
    """Return the names of the modules of a package, sorted."""
    package = import_module(folder)
    return tuple(sorted(module.name for module in pkgutil.iter_modules(package.__path__)))


def load(folder: str, name: str) -> ModuleType:
    """Return one module of a package.

    Raises:
        LookupError: the package has no such module.
    """
    if name not in names(folder):
        raise LookupError(f"{folder} has no {name!r}; it has {', '.join(names(folder))}")
    return import_module(f"{folder}.{name}")
