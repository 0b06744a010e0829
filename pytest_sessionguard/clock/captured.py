"""References to the real time functions that modules captured: `from time import sleep`, `from datetime import
datetime`.

Reads each module's own dictionary, never `dir()` or `getattr`: a lazy module would import half the world.  What a walk
found is kept, and the walk is repeated only when `sys.modules` has changed; then only modules that are new or have
grown are read again.
"""

from __future__ import annotations

import sys
from typing import Any, Final, NamedTuple

from pytest_sessionguard.clock.exempt import KEEPS_REAL_TIME

# The C module behind datetime keeps the real types: C code finds them there.
_NEVER: Final = frozenset({"_datetime", "_pydatetime"})

# Whoever imports a fake by its own name means the fake.
_MEANT: Final = frozenset({"FakeDatetime", "FakeDate"})


class Reference(NamedTuple):
    """One name in one module that stands for a real object."""

    namespace: dict[str, Any]
    name: str
    real: Any
    fake: Any


class Captured:
    """Know every captured reference, replace them all and put them back."""

    def __init__(self, stand_ins: dict[Any, Any]) -> None:
        # By identity: equality would ask strangers' __eq__ for their opinion.
        self._by_id = {id(each): (real, fake) for real, fake in stand_ins.items() for each in (real, fake)}
        self._seen: dict[str, tuple[Any, int, list[Reference]]] = {}
        self._references: list[Reference] = []
        self._extent: tuple[int, str | None] = (0, None)
        self._applied: list[Reference] = []

    def apply(self, *, shared: bool) -> None:
        """Replace every captured real object by its stand-in.

        `shared`: an outer freeze has put the same fake classes into modules, and will take them out itself.  Where
        none did, a stand-in found in a module was brought back by a late undo, and is ours to take out.
        """
        self._walk_if_grown()
        applied = self._applied
        for reference in self._references:
            namespace, name, real, fake = reference
            held = namespace.get(name)
            if held is real:
                # Noted first: whatever interrupts us, what was replaced is known.
                applied.append(reference)
                namespace[name] = fake
            elif held is fake and not (shared and isinstance(fake, type)):
                applied.append(reference)

    def restore(self, *, shared: bool) -> None:
        """Put every real object back, also into modules that were imported meanwhile; may be called again."""
        for namespace, name, real, fake in self._applied:
            if namespace.get(name) is fake:
                namespace[name] = real
        before = self._seen
        if self._walk_if_grown():
            for module_name, entry in self._seen.items():
                if before.get(module_name) is not entry:
                    for namespace, name, real, fake in entry[2]:
                        if namespace.get(name) is fake and not (shared and isinstance(fake, type)):
                            namespace[name] = real
        self._applied.clear()

    def _walk_if_grown(self) -> bool:
        """Read the modules that are new or have grown; say whether there was any change."""
        modules = sys.modules
        extent = (len(modules), next(reversed(modules), None))
        if extent == self._extent:
            return False
        seen: dict[str, tuple[Any, int, list[Reference]]] = {}
        for module_name, module in list(modules.items()):
            try:
                # Not `module.__dict__`: a lazy module answers any attribute by loading itself.
                namespace = object.__getattribute__(module, "__dict__")
            except (AttributeError, TypeError):
                continue
            known = self._seen.get(module_name)
            if known is None or known[0] is not module or known[1] != len(namespace):
                known = (module, len(namespace), self._read(module_name, namespace))
            seen[module_name] = known
        self._seen = seen
        self._references = [reference for _, _, found in seen.values() for reference in found]
        self._extent = extent
        return True

    def _read(self, module_name: str, namespace: Any) -> list[Reference]:
        if KEEPS_REAL_TIME[module_name] or module_name in _NEVER or not isinstance(namespace, dict):
            return []
        by_id = self._by_id
        return [
            Reference(namespace, name, *by_id[id(held)])
            for name, held in list(namespace.items())
            if id(held) in by_id and name not in _MEANT
        ]
