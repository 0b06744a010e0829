"""Libraries that need something done to them while a clock is in force, whenever they are imported.

What is loaded already is seen to when the span begins; for the others a finder stands first in line until it ends.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any


class Late(MetaPathFinder):
    """Do, for each of the named packages, what is to be done as soon as it is there.

    `then`: name -> what to do; done again in every span.
    """

    def __init__(self, then: Mapping[str, Callable[[], None]]) -> None:
        self._then = then

    def enter(self) -> None:
        """Do it to those that are there, and stand in line for the others."""
        missing = False
        for name, act in self._then.items():
            if name in sys.modules:
                act()
            else:
                missing = True
        if missing:
            sys.meta_path.insert(0, self)

    def leave(self) -> None:
        """Step out of the line; may be called again."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(self, fullname: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        """Find one of the named packages, so that it is seen to when it has been loaded."""
        act = self._then.get(fullname)
        spec = None if act is None else PathFinder.find_spec(fullname, path, target)
        if act is None or spec is None or spec.loader is None:
            return None
        load = spec.loader.exec_module

        def load_and_act(module: ModuleType) -> None:
            load(module)
            if self in sys.meta_path:
                act()

        spec.loader.exec_module = load_and_act  # type: ignore[method-assign]  # each spec has a loader of its own
        return spec
