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


class ScheduleMisfit(UsageError):
    """A schedule was made for another program, or for another state of the target."""

    def __init__(self, schedule: str, *, decision: int, wanted: str, able: Iterable[str]) -> None:
        self.schedule = schedule
        self.decision = decision
        super().__init__(
            f"schedule {schedule} no longer fits: its decision {decision} lets {wanted} run, but only "
            f"{', '.join(able)} can; the target or the program has changed since it was recorded: explore anew"
        )


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


class SessionNotFound(SessionError):
    """No session has this id: it was never made, or it has ended and is gone."""

    def __init__(self, session_id: object) -> None:
        self.session_id = session_id
        super().__init__(f"no session {session_id!r}: create one, or ensure it")


class SessionExpired(SessionError):
    """The session ran out of time; it stays visible, marked, until it is swept."""

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        super().__init__(f"session {session_id!r} has expired: use() gives its replacement")


class SessionExists(SessionError):
    """A live session already has this id."""

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        super().__init__(f"session {session_id!r} is live already: ensure() returns it, another id makes a new one")


class SessionLimitExceeded(SessionError):
    """As many sessions are live as the limit allows."""

    def __init__(self, limit: int, *, owner: str | None = None, per_owner: bool = False) -> None:
        self.limit = limit
        self.owner = owner
        whose = f" of owner {owner!r}" if per_owner else ""
        super().__init__(f"the limit of {limit} live sessions{whose} is reached: close one, or wait until one expires")


class VersionConflict(SessionError):
    """Somebody else changed the session since the caller read it; nothing was written."""

    def __init__(self, session_id: str, *, expected: int, actual: int) -> None:
        self.session_id = session_id
        self.expected = expected
        self.actual = actual
        super().__init__(f"session {session_id!r} is at version {actual}, not {expected}: read it again, then save")


class IllegalTransition(SessionError):
    """The table of a session's life has no row for this action in this status."""

    def __init__(self, session_id: str, status: str, action: str) -> None:
        self.session_id = session_id
        self.status = status
        self.action = action
        super().__init__(f"session {session_id!r} is {status}: cannot {action} it")


class InvalidSession(SessionError, ValueError):
    """What a session was to be made of, or changed to, cannot be kept; nothing was written."""

    def __init__(self, what: str, given: object, expected: str) -> None:
        self.what = what
        self.given = given
        shown = repr(given)
        super().__init__(f"{what} {shown if len(shown) <= 80 else shown[:77] + '...'} refused: expected {expected}")


class InvalidSetting(SessionError, ValueError):
    """A session manager was given a setting that it cannot work with; it was not made."""

    def __init__(self, name: str, given: object, expected: str, *, source: str = "argument") -> None:
        self.name = name
        self.given = given
        super().__init__(f"{source} {name} = {given!r}: expected {expected}")


class ManagerClosed(SessionError):
    """The session manager was stopped and answers no more."""

    def __init__(self) -> None:
        super().__init__("the session manager is stopped: start() opens it again")


class StoreBusy(SessionError):
    """Another process kept the store locked for too long; nothing was written."""

    def __init__(self, place: str) -> None:
        self.place = place
        super().__init__(f"session store {place} is locked by another process: nothing was changed, try again")


class StoreAway(SessionError):
    """The store's server could not be reached for too long; the change may have been made, or not."""

    def __init__(self, place: str, why: str) -> None:
        self.place = place
        super().__init__(f"session store {place} cannot be reached ({why}); ask again what is there, then try again")


class StoreDamaged(SessionError):
    """What the store holds can no longer be read."""

    def __init__(self, place: str, what: str) -> None:
        self.place = place
        self.what = what
        super().__init__(f"session store {place} is damaged: {what}; restore it from a backup")


class RecoveryBusy(SessionError):
    """Somebody else owns the folder, or recovers it; nothing was changed."""

    def __init__(self, folder: str, why: str) -> None:
        self.folder = folder
        super().__init__(f"{folder}: {why}; nothing was changed")


class RecoveryFailed(SessionError):
    """Nothing can be brought back; the record says so."""

    def __init__(self, folder: str, why: str, problems: Iterable[str]) -> None:
        self.folder = folder
        self.problems = tuple(problems)
        told = f" ({'; '.join(self.problems)})" if self.problems else ""
        super().__init__(f"{folder} cannot be recovered: {why}{told}; restore it from a backup")


# -- the target's fault ---------------------------------------------------------------------------------------------


class Violation(SessionguardError, AssertionError):
    """The target broke a property that its policy claims."""

    def __init__(self, property_name: str, message: str) -> None:
        self.property_name = property_name
        super().__init__(message)


class NotDeterministic(SessionguardError):
    """The target answered the same calls in another way than before, although time, order and input were the same."""

    def __init__(self, before: str, now: str) -> None:
        super().__init__(
            "the manager is not deterministic: the same steps, at the same times and in the same order, came to "
            f"another end.\nbefore: {before}\nnow: {now}\nWhat it draws at random, or keeps from one case to the next, "
            "must be left out of the case: seed it, or make it anew in the factory."
        )


class VirtualDeadlock(Violation):
    """Nothing can run, no timer is set and nothing real is under way: in real time this would hang for ever."""

    def __init__(self, waiting: Iterable[str]) -> None:
        self.waiting: tuple[str, ...] = tuple(waiting)
        tasks = "".join(f"\n  {line}" for line in self.waiting) or "\n  (no task: a loop runs with nothing to do)"
        super().__init__("concurrency.deadlock-free", f"{self.what}{tasks}")

    @property
    def what(self) -> str:
        """Say what was seen, before the tasks that wait are listed."""
        return "nothing can run any more and no timer is set; these wait for each other or for nobody:"


class VirtualLivelock(VirtualDeadlock):
    """Everybody runs and nobody gets on, however fair their turns: in real time this would spin for ever."""

    def __init__(self, steps: int, waiting: Iterable[str]) -> None:
        self.steps = steps
        super().__init__(waiting)

    @property
    def what(self) -> str:
        return f"after {self.steps} steps, everybody's turn having come again and again, these still have not ended:"


# -- our fault ------------------------------------------------------------------------------------------------------


class HarnessError(SessionguardError):
    """Sessionguard itself is at fault; please report it."""
