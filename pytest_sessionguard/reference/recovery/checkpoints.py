"""Checkpoints: all sessions at one instant, with the checksums of files that belong to them, one document each.

The newest few are kept.  One that is damaged is passed over, never removed: somebody may want to look at it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from pytest_sessionguard.reference import sealed, sessions
from pytest_sessionguard.reference.recovery.owner import Owner
from pytest_sessionguard.reference.sessions import Session

KEPT: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """All sessions at one instant.

    Units: `taken_us` microseconds since 1970.
    Shape: `files` path -> SHA-256 of its bytes, None where it could not be read.
    Attributes:
        number: counts the checkpoints of a folder; a later one is greater.
        owner: who took it, as a JSON object; None is no owner.
    """

    number: int
    taken_us: int
    owner: Mapping[str, Any] | None
    sessions: tuple[Session, ...]
    files: Mapping[str, str | None] = field(default_factory=dict)


class Checkpoints:
    """The checkpoints of one folder."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def numbers(self) -> list[int]:
        """Return the numbers of all, sound or damaged, the newest first."""
        try:
            names = os.listdir(self._folder)
        except FileNotFoundError:
            return []
        found = [name.partition(".json") for name in names if name.endswith(".json")]
        return sorted((int(number) for number, _, _ in found if number.isdigit()), reverse=True)

    def take(self, kept: Iterable[Session], files: Iterable[str], *, owner: Owner, now_us: int) -> Checkpoint:
        """Write a checkpoint; it is on the disk when this returns."""
        os.makedirs(self._folder, exist_ok=True)
        sealed.sync_folder(os.path.dirname(self._folder))
        made = Checkpoint(
            number=max(self.numbers(), default=0) + 1,
            taken_us=now_us,
            owner=owner.told(),
            sessions=tuple(kept),
            files={path: sealed.digest(path) for path in sorted(files)},
        )
        document = {
            "version": 1,
            "number": made.number,
            "taken_us": made.taken_us,
            "owner": made.owner,
            "sessions": [sessions.told(session) for session in made.sessions],
            "files": made.files,
        }
        sealed.write(self._place(made.number), document)
        sealed.sync_folder(self._folder)
        for number in self.numbers()[KEPT:]:
            with suppress(FileNotFoundError):
                os.unlink(self._place(number))
        return made

    def read(self, number: int) -> Checkpoint | str:
        """Return a checkpoint, or what is wrong with it."""
        found = sealed.read(self._place(number))
        if not isinstance(found, dict):
            return f"checkpoint {number}: {found or 'it is gone'}"
        try:
            return Checkpoint(
                number=found["number"],
                taken_us=found["taken_us"],
                owner=found["owner"],
                sessions=tuple(sessions.read(one) for one in found["sessions"]),
                files=found["files"],
            )
        except (KeyError, TypeError, ValueError) as problem:
            return f"checkpoint {number}: it cannot be read ({problem!r})"

    def newest_first(self, newest: Checkpoint | str | None = None) -> Iterator[Checkpoint | str]:
        """Give all, or what is wrong with each, the newest first; `newest`: that one, where it has been read."""
        for turn, number in enumerate(self.numbers()):
            yield self.read(number) if turn or newest is None else newest

    def _place(self, number: int) -> str:
        return os.path.join(self._folder, f"{number:010}.json")
