"""The mutants of the zoo."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """One mutant of a correct manager."""

    name: str
    properties: frozenset[str]
    difficulty: str
    about: str

    @property
    def base(self) -> str:
        """The correct manager that it is made from."""
        return self.name.partition(":")[0]


MUTANTS: dict[str, Mutant] = {}
