"""What is wrong in one profile: faults at their places, collected so that all are told at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from pytest_sessionguard.errors import Fault, UsageError
from pytest_sessionguard.target.templates import TemplateError
from pytest_sessionguard.target.toml_positions import KeyPath, Place, Positions

FAULTY: Final = object()


@dataclass(slots=True, kw_only=True)
class Findings:
    """Collects the faults and warnings of one profile.

    Attributes:
        source: the file as its user named it; for a Python mapping, what the profile is called.
        positions: None for a Python mapping: its faults are named by their key.
        prefix: the table of the file that holds the profile.
    """

    source: str
    positions: Positions | None = None
    prefix: KeyPath = ()
    faults: list[Fault] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def at_key(self, path: KeyPath, message: str) -> None:
        """Note a fault of the key itself."""
        self._note(path, message, self.positions.key((*self.prefix, *path)) if self.positions else None)

    def at_value(self, path: KeyPath, message: str) -> None:
        """Note a fault of the value."""
        self._note(path, message, self.positions.value((*self.prefix, *path)) if self.positions else None)

    def inside(self, path: KeyPath, column: int, message: str) -> None:
        """Note a fault within a string, at its character `column` (from 1)."""
        if self.positions is None:
            self._note(path, f"column {column}: {message}", None)
        else:
            self._note(path, message, self.positions.inside((*self.prefix, *path), column - 1))

    def warn(self, path: KeyPath, message: str) -> None:
        """Note what the user should know but need not change."""
        if self.positions is None:
            self.warnings.append(f"{self.source}: {_dotted(path)}: {message}")
        else:
            place = self.positions.key((*self.prefix, *path))
            self.warnings.append(f"{self.source}:{place.line}:{place.column}: {message}")

    def characters(self, path: KeyPath) -> tuple[Place, ...]:
        """Return the place of every character of a string; empty where there are no places."""
        return self.positions.characters((*self.prefix, *path)) if self.positions else ()

    def read(self, path: KeyPath, parse: Callable[[Any], Any], value: Any) -> Any:
        """Return the parsed value; FAULTY, with a fault noted, where it cannot be parsed."""
        try:
            return parse(value)
        except TemplateError as error:
            self.inside(path, error.column, error.message)
        except ValueError as error:
            self.at_value(path, str(error))
        return FAULTY

    def raise_all(self) -> None:
        """Raise every fault together.

        Raises:
            UsageError: if there is any.
        """
        if self.faults:
            raise UsageError(self.faults)

    def _note(self, path: KeyPath, message: str, place: Place | None) -> None:
        if place is None:
            self.faults.append(Fault(f"{self.source}: {_dotted(path)}", 0, 0, message))
        else:
            self.faults.append(Fault(self.source, place.line, place.column, message))


def _dotted(path: KeyPath) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".") or "the profile"
