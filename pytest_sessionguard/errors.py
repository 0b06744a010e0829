"""Every error of the package, grouped by whose fault it is.

Errors take facts and build their own message: what, where, what was expected, what to do next.

    UsageError      the user's: a scenario, a profile, an argument (exit status 2)
    SessionError    nobody's: a session system's legal refusal
    Violation       the target's: an answer that its policy does not allow (exit status 1)
    HarnessError    ours (exit status 4)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches


class SessionguardError(Exception):
    """The root: catch it to catch whatever this package raises on purpose."""


# -- the user's fault -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing that is wrong in a user's file, at its place.

    Units: `line` and `column` count from 1; 0 where the place is not known.
    """

    path: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        if not self.line:
            return f"{self.path}: {self.message}"
        return f"{self.path}:{self.line}:{self.column}: {self.message}"


class UsageError(SessionguardError):
    """The user's mistake: nothing was run.  Carries every fault found, in the order of the file."""

    def __init__(self, faults: Iterable[Fault] | str) -> None:
        if isinstance(faults, str):
            self.faults: tuple[Fault, ...] = ()
            super().__init__(faults)
        else:
            self.faults = tuple(sorted(set(faults)))
            super().__init__("\n".join(str(fault) for fault in self.faults))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `, did you mean 'x'?` for the nearest known word, or the list of known ones where none is near."""
    names = sorted(known)
    near = get_close_matches(word, names, n=1, cutoff=0.6)
    if near:
        return f", did you mean {near[0]!r}?"
    return f"; expected one of: {', '.join(names)}" if names else ""


# -- nobody's fault: what a session system may answer ---------------------------------------------------------------


class SessionError(SessionguardError):
    """A session system's legal refusal."""


# -- the target's fault ---------------------------------------------------------------------------------------------


class Violation(SessionguardError, AssertionError):
    """The target broke a property that its policy claims."""

    def __init__(self, property_name: str, message: str) -> None:
        self.property_name = property_name
        super().__init__(message)


# -- our fault ------------------------------------------------------------------------------------------------------


class HarnessError(SessionguardError):
    """Sessionguard itself is at fault; please report it."""
