"""Bugs planted by hand, as small changes of correct managers' sources, each with a demonstration that needs no harness.

A demonstration is handed the module of a manager and returns whether the wrong behaviour shows: true of the variant and
false of the original.  It sets the clock by hand and makes every interleaving itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

Demonstration = Callable[[ModuleType], bool]


@dataclass(frozen=True)
class PlantedBug:
    """One bug.

    Attributes:
        name: `base:what-is-wrong`.
        properties: those that it may rightly be blamed on.
        difficulty: "easy", "medium", "hard" or "very hard": for whoever looks for it.
        edits: what is replaced in the source, by what; each stands there exactly once.
    """

    name: str
    properties: frozenset[str]
    difficulty: str
    about: str
    edits: tuple[tuple[str, str], ...]
    demonstrate: Demonstration

    @property
    def base(self) -> str:
        """The correct manager that it changes."""
        return self.name.partition(":")[0]

    def applied(self, source: str) -> str:
        """Return the source with the bug in it."""
        for old, new in self.edits:
            assert source.count(old) == 1, (self.name, source.count(old), old)
            source = source.replace(old, new)
        return source


PLANTED: dict[str, PlantedBug] = {}


def planted(
    name: str, properties: str, difficulty: str, *edits: tuple[str, str]
) -> Callable[[Demonstration], Demonstration]:
    """Note a bug with its demonstration, whose docstring says what it is about."""

    def note(demonstrate: Demonstration) -> Demonstration:
        about = demonstrate.__doc__
        assert about is not None, name
        assert name not in PLANTED, name
        PLANTED[name] = PlantedBug(name, frozenset(properties.split()), difficulty, about, edits, demonstrate)
        return demonstrate

    return note
