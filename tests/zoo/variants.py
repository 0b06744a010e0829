"""Variants of correct managers: the same source with a change, beside a profile that names it.

A variant is a file of its own, under a module name of its own, so that it can be read, imported by any process, and
never taken for the original; its profile is the original's with the original's module replaced by it everywhere.
"""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path
from typing import Final

ZOO: Final = Path(__file__).parent
CORRECT: Final = ZOO / "correct"

# What only a search can read -> lines that are added to the profile that a search is given.
FOR_SEARCH: Final = {"keyed_desk": '\n[probes]\nturns = "len:turns"\n'}


def source_of(base: str) -> str:
    """Return the source of a correct manager."""
    return (CORRECT / f"{base}.py").read_text(encoding="utf-8")


def module_name(name: str) -> str:
    """Return the module name of a variant: its own name as an identifier."""
    return "variant_" + re.sub(r"\W+", "_", name)


def write(name: str, base: str, source: str, folder: Path) -> Path:
    """Write a variant and its profile into a folder and return the profile's path."""
    module = module_name(name)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{module}.py").write_text(source, encoding="utf-8")
    told = (CORRECT / f"{base}.sessionguard.toml").read_text(encoding="utf-8")
    told = told.replace(f"zoo.correct.{base}:", f"{module}:").replace('path = ["../.."]', 'path = ["."]')
    path = folder / f"{module}.sessionguard.toml"
    path.write_text(told + FOR_SEARCH.get(base, ""), encoding="utf-8")
    return path


def loaded(name: str, source: str) -> types.ModuleType:
    """Return a fresh module made of a source: what is changed in it is changed nowhere else."""
    module = types.ModuleType(module_name(name))
    sys.modules[module.__name__] = module  # Dataclasses look there for the names in their annotations.
    try:
        exec(compile(source, f"<{name}>", "exec"), module.__dict__)
    finally:
        del sys.modules[module.__name__]
    return module
