"""What a client asks of a session manager, and what it is answered.

Pure values.  An operation names the session by the id that the manager knows it by; an answer carries only what the
manager really said, each facet apart, so that the model judges what was said and nothing else.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, fields
from typing import Final, TypeAlias

from pytest_sessionguard.core.quick import quick
from pytest_sessionguard.core.values import UNSET, FrozenMap, Unset, show

SessionId: TypeAlias = Hashable


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """One operation that a manager may offer.

    Attributes:
        name: as users write it.
        summary: what it does, for the reference pages.
        addresses: "session" (works on one session), "manager" (on all of them), "new" (makes one).
        arguments: what a template may hand over, in the usual order.
        changes: whether it may change a session's data.
    """

    name: str
    summary: str
    addresses: str
    arguments: tuple[str, ...] = ()
    changes: bool = False


_ROWS: Final = (
    # name, addresses, arguments, changes data, summary
    ("create", "new", "id owner data timeout", True, 'makes a session; with `existing = "return"` it is get-or-create'),
    ("get", "session", "id", False, "reads a session"),
    ("exists", "session", "id", False, "says whether a session lives"),
    ("ttl", "session", "id", False, "says how long a session has to live"),
    ("touch", "session", "id timeout", False, "renews a session: activity and nothing else"),
    ("update", "session", "id changes version", True, "merges changes into a session's data"),
    (
        "save",
        "session",
        "id data version session",
        True,
        "replaces a session's data; compare-and-set when it takes `version`",
    ),
    ("put", "session", "id key value", True, "sets one key of a session's data"),
    ("append", "session", "id key value", True, "adds one value to a session's list, or to the list under a key"),
    (
        "pop",
        "session",
        "id key",
        True,
        "takes a session out and gives its data; with `key`, takes one key out of its data",
    ),
    ("pop_item", "manager", "", True, "takes any one live session out and gives it"),
    ("delete", "session", "id", True, "ends a session"),
    ("expire", "session", "id timeout", False, "makes a session expire now, or after `timeout`"),
    (
        "use",
        "session",
        "id",
        False,
        "gives the id to work with: its own while it lives, a replacement's once it has expired",
    ),
    ("rotate", "session", "id", False, "gives a session a new id"),
    ("disconnect", "session", "id", False, "tells that a session's client went away"),
    ("resume", "session", "id", False, "takes a session up again after its client went away"),
    ("attach", "session", "id resource", False, "gives a session a resource to own and to close"),
    ("list", "manager", "owner", False, "lists the ids of the sessions, or of one owner's"),
    ("count", "manager", "owner", False, "counts the sessions, or one owner's"),
    ("sweep", "manager", "n", False, "removes expired sessions"),
    ("clear", "manager", "owner", True, "ends all sessions, or one owner's"),
    ("metrics", "manager", "", False, "tells totals and ages"),
    ("history", "session", "id n", False, "lists the versions kept of a session"),
    ("is_expired", "session", "id", False, "says whether a session has expired"),
    ("health", "manager", "id", False, "says whether the manager, or a session, is sound"),
    ("start", "manager", "", False, "starts the manager and its background work"),
    ("stop", "manager", "", False, "stops the background work"),
    ("close", "manager", "", False, "closes the manager"),
    ("checkpoint", "manager", "id", False, "writes what recovery needs"),
    ("recover", "manager", "id", False, "brings back what a crash left"),
)

VERBS: Final[Mapping[str, Verb]] = {
    name: Verb(name=name, summary=summary, addresses=addresses, arguments=tuple(arguments.split()), changes=changes)
    for name, addresses, arguments, changes, summary in _ROWS
}

ARGUMENTS: Final = (
    "id", "owner", "data", "changes", "key", "value", "version", "timeout", "resource", "session", "n", "mutate",
)  # fmt: skip

RESULTS: Final = (
    "id", "session", "data", "found", "flag", "version", "versions", "count", "ids", "seconds", "status", "metrics",
    "value", "nothing",
)  # fmt: skip

KINDS: Final = ("missing", "exists", "limit", "conflict", "expired", "corrupt", "busy", "closed", "invalid")


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One call, as the client meant it: only what is given is handed over.

    Units: `timeout_us` microseconds (None and 0 are values of their own: see `zero_timeout`, `none_timeout`).
    Shape: `data` a frozen value of the profile's data type; `changes` a FrozenMap.
    Attributes:
        fails: whether the attached resource raises when it is closed.
        stale: whether it works on the session object that the client holds, however old that is.
    """

    verb: str
    id: SessionId | Unset = UNSET
    owner: Hashable | Unset = UNSET
    data: Hashable | Unset = UNSET
    changes: FrozenMap | Unset = UNSET
    key: Hashable | Unset = UNSET
    value: Hashable | Unset = UNSET
    version: Hashable | Unset = UNSET
    timeout_us: int | Unset | None = UNSET
    resource: str | Unset = UNSET
    fails: bool | Unset = UNSET
    stale: bool | Unset = UNSET
    n: int | Unset = UNSET

    def __str__(self) -> str:
        given = []
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name != "verb" and value is not UNSET:
                given.append(show(value) if field.name == "id" else f"{field.name}={show(value)}")
        return f"{self.verb}({', '.join(given)})"


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a manager said, facet by facet; UNSET where it said nothing of it.

    Attributes:
        absent: "none", "false" or "empty", where that came instead of what was asked for.
        seconds_us: time left; None: it never ends.
    """

    absent: str | Unset = UNSET
    id: SessionId | Unset = UNSET
    owner: Hashable | Unset = UNSET
    data: Hashable | Unset = UNSET
    version: Hashable | Unset = UNSET
    versions: tuple[Hashable, ...] | Unset = UNSET
    status: Hashable | Unset = UNSET
    found: bool | Unset = UNSET
    flag: bool | Unset = UNSET
    count: int | Unset = UNSET
    ids: tuple[SessionId, ...] | Unset = UNSET
    seconds_us: int | Unset | None = UNSET
    metrics: FrozenMap | Unset = UNSET
    value: Hashable | Unset = UNSET

    def __str__(self) -> str:
        given = [(field.name, getattr(self, field.name)) for field in fields(self)]
        told = [f"{name}={show(value)}" for name, value in given if value is not UNSET]
        return ", ".join(told) or "done"


@quick
@dataclass(frozen=True, slots=True)
class Ok:
    """The call came back with an answer."""

    answer: Answer

    def __str__(self) -> str:
        return f"ok: {self.answer}"


@quick
@dataclass(frozen=True, slots=True)
class Refused:
    """The manager refused in a way that its profile declares.

    Attributes:
        kinds: what the error may mean: one class may be declared under several kinds.
        error: the error as the target raised it, for the reader.
        answered: it came as a returned value that `[answers]` declares, not as an error.
    """

    kinds: frozenset[str]
    error: str = ""
    answered: bool = False

    def __str__(self) -> str:
        return f"refused ({' or '.join(sorted(self.kinds))})" + (f": {self.error}" if self.error else "")


@dataclass(frozen=True, slots=True)
class Failed:
    """An error that the profile does not declare."""

    error: str
    where: str = ""

    def __str__(self) -> str:
        return f"failed: {self.error}" + (f" at {self.where}" if self.where else "")


@dataclass(frozen=True, slots=True)
class Unknown:
    """The call was cut off: it may have happened, or not.

    Attributes:
        vetoed: its `commit` hook has failed: it may not have happened.
    """

    reason: str = ""
    vetoed: bool = False

    def __str__(self) -> str:
        return "unknown" + (f": {self.reason}" if self.reason else "")


Outcome: TypeAlias = Ok | Refused | Failed | Unknown
