"""The life of one session, as a table.

Pure: reads no clock, touches no store; the caller says what time it is, and time passes first, then the action.
A session lives on the half-open span [created, expires): at `expires_us` itself it is already dead, so a session and
its successor never overlap.  A policy that keeps it alive at the timeout itself makes the span one microsecond longer.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from enum import Enum, StrEnum
from operator import attrgetter
from typing import Any, Final

from pytest_sessionguard.errors import IllegalTransition
from pytest_sessionguard.reference.documents import Document


class Status(StrEnum):
    """Where a session is in its life."""

    ACTIVE = "active"
    EXPIRED = "expired"
    CLOSED = "closed"


class Action(Enum):
    """What may be done to a session, beside waiting."""

    TOUCH = "touch"
    WRITE = "write"
    LEAVE = "disconnect"
    RETURN = "resume"
    RENAME = "rotate"
    SUCCEED = "replace"
    EXPIRE = "expire"
    CLOSE = "close"


# All that may happen.  A pair without a row is refused, never ignored.
# Closing the dead has a row: a client whose reply was lost will try again.
# Only the expired has a successor: the live needs none, the closed was not meant to go on.
TRANSITIONS: Final[dict[tuple[Status, Action], Status]] = {
    (Status.ACTIVE, Action.TOUCH): Status.ACTIVE,
    (Status.ACTIVE, Action.WRITE): Status.ACTIVE,
    (Status.ACTIVE, Action.LEAVE): Status.ACTIVE,
    (Status.ACTIVE, Action.RETURN): Status.ACTIVE,
    (Status.ACTIVE, Action.RENAME): Status.ACTIVE,
    (Status.ACTIVE, Action.EXPIRE): Status.EXPIRED,
    (Status.ACTIVE, Action.CLOSE): Status.CLOSED,
    (Status.EXPIRED, Action.SUCCEED): Status.EXPIRED,
    (Status.EXPIRED, Action.EXPIRE): Status.EXPIRED,
    (Status.EXPIRED, Action.CLOSE): Status.EXPIRED,
    (Status.CLOSED, Action.CLOSE): Status.CLOSED,
}

# Activity: what starts the idle span anew.
RENEWING: Final = frozenset({Action.TOUCH, Action.WRITE, Action.RETURN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One session.

    Units: `_us` instants are microseconds since 1970, `_us` spans microseconds.
    Shape: `idle_us` and `grace_us` are spans, None for endless; `dies_us` and `expires_us` instants, None for never;
        `left_us` is None while its client is connected.
    """

    session_id: str
    serial: int  # counts creations in a store: never used again, kept over a rotation
    created_us: int
    last_active_us: int
    expires_us: int | None
    idle_us: int | None = None
    dies_us: int | None = None
    grace_us: int | None = None
    left_us: int | None = None
    client_id: str | None = None
    capabilities: tuple[str, ...] = ()
    data: Document = field(default_factory=dict)
    status: Status = Status.ACTIVE
    version: int = 1
    replaced_by: str | None = None
    settled: bool = False  # its end was announced: resources closed, hook called, counted

    @property
    def id(self) -> str:
        """Name the session."""
        return self.session_id

    @property
    def owner(self) -> str | None:
        """Name the client it belongs to."""
        return self.client_id

    @property
    def is_connected(self) -> bool:
        """Tell whether its client has not disconnected."""
        return self.left_us is None


def born(
    session_id: str,
    *,
    serial: int,
    now_us: int,
    idle_us: int | None,
    lifetime_us: int | None,
    grace_us: int | None,
    client_id: str | None,
    capabilities: tuple[str, ...],
    data: Document,
) -> Session:
    """Return a session that begins at `now_us`."""
    dies_us = None if lifetime_us is None else now_us + lifetime_us
    return Session(
        session_id=session_id,
        serial=serial,
        created_us=now_us,
        last_active_us=now_us,
        expires_us=_deadline(now_us, idle_us, dies_us),
        idle_us=idle_us,
        dies_us=dies_us,
        grace_us=grace_us,
        client_id=client_id,
        capabilities=capabilities,
        data=data,
    )


def changed(session: Session, **changes: Any) -> Session:
    """Return the session with some fields changed: `dataclasses.replace` at half the price, for the hot paths.

    It fills the slots of a new object directly, as `replace` does by way of a constructor with sixteen keywords.
    """
    after: Session = _NEW(Session)
    for fill, value in zip(_FILL, _VALUES(session), strict=True):
        fill(after, value)
    for name, value in changes.items():
        _SET(after, name, value)
    return after


_NAMES: Final = tuple(one.name for one in fields(Session))
_VALUES: Final = attrgetter(*_NAMES)
_FILL: Final = tuple(getattr(Session, name).__set__ for name in _NAMES)
_NEW: Final = object.__new__
_SET: Final = object.__setattr__


def is_expired(session: Session, *, now_us: int) -> bool:
    """Tell whether it ran out of time; that it once did stays true whatever the clock says later."""
    if session.status is Status.ACTIVE:
        return session.expires_us is not None and now_us >= session.expires_us
    return session.status is Status.EXPIRED


def is_stale(session: Session, *, now_us: int) -> bool:
    """Tell whether it is of no more use: expired, or closed at whatever time."""
    return session.status is Status.CLOSED or is_expired(session, now_us=now_us)


def aged(session: Session, *, now_us: int) -> Session:
    """Return the session as it is at `now_us`: the same, or marked expired."""
    if session.status is Status.ACTIVE and session.expires_us is not None and now_us >= session.expires_us:
        return replace(session, status=Status.EXPIRED)
    return session


def remaining_us(session: Session, *, now_us: int) -> int | None:
    """Return the time left to live, None for endless; 0 when dead."""
    if is_stale(session, now_us=now_us):
        return 0
    return None if session.expires_us is None else session.expires_us - now_us


def step(session: Session, action: Action, *, now_us: int) -> Session:
    """Return the session after `action`; what the action carries (data, a name) is the caller's to add.

    Raises:
        IllegalTransition: the status at `now_us` has no row for `action`.
    """
    if session.status is Status.ACTIVE and session.expires_us is not None and now_us >= session.expires_us:
        session = replace(session, status=Status.EXPIRED)
    before = session.status
    after = TRANSITIONS.get((before, action))
    if after is None:
        raise IllegalTransition(session.session_id, before.value, action.value)
    if action in RENEWING:
        # An active client is a connected one: its grace period, if one ran, is over.
        expires_us = _deadline(now_us, session.idle_us, session.dies_us)
        return changed(session, last_active_us=now_us, expires_us=expires_us, left_us=None)
    if action is Action.LEAVE and session.left_us is None:
        if session.grace_us is None:
            return replace(session, left_us=now_us)
        return replace(session, left_us=now_us, expires_us=_soonest(session.expires_us, now_us + session.grace_us))
    if after is not before:
        return replace(session, status=after, expires_us=now_us)  # ended early: its span ends here
    return session


def written(session: Session, data: Document, *, now_us: int) -> Session:
    """Return the session with other data, one version on."""
    return changed(step(session, Action.WRITE, now_us=now_us), data=data, version=session.version + 1)


def renamed(session: Session, session_id: str, *, now_us: int) -> Session:
    """Return the session under another id; everything else stays, its deadline too."""
    return replace(step(session, Action.RENAME, now_us=now_us), session_id=session_id)


def succeeded(session: Session, successor_id: str, *, now_us: int) -> Session:
    """Return the expired session, pointing at the session that took its place."""
    return replace(step(session, Action.SUCCEED, now_us=now_us), replaced_by=successor_id)


def _deadline(now_us: int, idle_us: int | None, dies_us: int | None) -> int | None:
    return dies_us if idle_us is None else _soonest(dies_us, now_us + idle_us)


def _soonest(one_us: int | None, other_us: int) -> int:
    return other_us if one_us is None or other_us < one_us else one_us


def told(session: Session) -> dict[str, Any]:
    """Return the session as a JSON object."""
    return asdict(session) | {"status": session.status.value}


def read(document: dict[str, Any]) -> Session:
    """Return the session that an object tells of.

    Raises:
        KeyError, TypeError, ValueError: it tells of none.
    """
    status, capabilities = Status(document["status"]), tuple(document["capabilities"])
    return Session(**document | {"status": status, "capabilities": capabilities})
