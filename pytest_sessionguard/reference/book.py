"""Every operation on sessions, decided over a ledger.

Pure: reads no clock, draws no randomness, takes no lock, awaits nothing.  A store runs each of these functions alone
and may run it anew, so all they do is read and write their ledger.  A refusal is raised before anything is written,
but for the mark of an expiry that was seen.

What became of an expired session: it is marked when somebody looks, and stays, dead, under its id until a sweep, a
delete or a creation with the same id removes it.  It counts to no limit.  `Ended` are the sessions whose end is to be
announced; each is handed out once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from pytest_sessionguard.errors import (
    SessionExists,
    SessionExpired,
    SessionLimitExceeded,
    SessionNotFound,
    VersionConflict,
)
from pytest_sessionguard.reference import documents, sessions
from pytest_sessionguard.reference.documents import Document
from pytest_sessionguard.reference.sessions import Action, Session, Status
from pytest_sessionguard.reference.settings import Rules
from pytest_sessionguard.reference.stores import EVERYONE, Ledger, Scope

Ended: TypeAlias = tuple[Session, ...]

NOBODY_ENDED: Final[Ended] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a new session is to be, checked already."""

    session_id: str
    client_id: str | None
    capabilities: tuple[str, ...]
    data: Document
    timeout_us: int | None


def create(ledger: Ledger, rules: Rules, draft: Draft) -> tuple[Session, Ended]:
    """Begin a session.

    Raises:
        SessionExists: its id is that of a live session.
        SessionLimitExceeded: no room, and the rules evict nobody.
    """
    namesake = _aged(ledger, draft.session_id)
    if namesake is not None and namesake.status is Status.ACTIVE:
        raise SessionExists(draft.session_id)
    ended = _make_room(ledger, rules, draft.client_id)
    if namesake is not None:
        ended += _forget(ledger, namesake)
    session = sessions.born(
        draft.session_id,
        serial=ledger.next_serial(),
        now_us=ledger.now_us,
        idle_us=rules.span(draft.timeout_us),
        lifetime_us=rules.span(rules.lifetime_us),
        grace_us=rules.span(rules.grace_us),
        client_id=draft.client_id,
        capabilities=draft.capabilities,
        data=draft.data,
    )
    ledger.add(session)
    return session, ended


def ensure(ledger: Ledger, rules: Rules, draft: Draft) -> tuple[Session, bool, Ended]:
    """Return the live session of this id, renewed, or begin one; and whether it is new."""
    session = _aged(ledger, draft.session_id)
    if session is not None and session.status is Status.ACTIVE:
        return _put(ledger, session, sessions.step(session, Action.TOUCH, now_us=ledger.now_us)), False, NOBODY_ENDED
    made, ended = create(ledger, rules, draft)
    return made, True, ended


def peek(ledger: Ledger, session_id: str) -> Session | None:
    """Return the session as it is now, marked in the ledger when it has expired; this renews nothing."""
    return _aged(ledger, session_id)


def touch(ledger: Ledger, session_id: str) -> bool:
    """Renew a session; False when there is none, or it is too late."""
    session = _aged(ledger, session_id)
    if session is None or session.status is not Status.ACTIVE:
        return False
    _put(ledger, session, sessions.step(session, Action.TOUCH, now_us=ledger.now_us))
    return True


def update(ledger: Ledger, rules: Rules, session_id: str, changes: Document) -> int:
    """Put keys over the session's data; returns the new version."""
    session = _live(ledger, rules, session_id)
    data = {**session.data, **changes}
    return _put(ledger, session, sessions.written(session, data, now_us=ledger.now_us)).version


def save(ledger: Ledger, rules: Rules, session_id: str, data: Document, version: int | None) -> int:
    """Replace the session's data if it is still at `version` (None: whichever); returns the new version.

    Raises:
        VersionConflict: it is at another version.
    """
    session = _live(ledger, rules, session_id)
    if version is not None and version != session.version:
        raise VersionConflict(session_id, expected=version, actual=session.version)
    return _put(ledger, session, sessions.written(session, data, now_us=ledger.now_us)).version


def disconnect(ledger: Ledger, session_id: str) -> bool:
    """Note that the client went away: a grace period begins, if the rules give one."""
    session = _aged(ledger, session_id)
    if session is None or session.status is not Status.ACTIVE:
        return False
    _put(ledger, session, sessions.step(session, Action.LEAVE, now_us=ledger.now_us))
    return True


def resume(ledger: Ledger, rules: Rules, session_id: str) -> Session:
    """Note that the client is back; also when nobody saw it leave."""
    session = _live(ledger, rules, session_id)
    return _put(ledger, session, sessions.step(session, Action.RETURN, now_us=ledger.now_us))


def rotate(ledger: Ledger, rules: Rules, session_id: str, new_id: str) -> None:
    """Give the session another id; the old one is dead at once."""
    session = _live(ledger, rules, session_id)
    _put(ledger, session, sessions.renamed(session, new_id, now_us=ledger.now_us))


def use(ledger: Ledger, rules: Rules, session_id: str, fresh_id: str) -> tuple[Session, bool, Ended]:
    """Return the session to work with, renewed, and whether it is new.

    A live one is itself.  An expired one has one replacement, the same for everybody who asks, as long as that lives:
    of the same client, with the same capabilities and timeout, without data.
    """
    session = _visible(ledger, rules, session_id)
    now_us = ledger.now_us
    if session.status is Status.ACTIVE:
        return _put(ledger, session, sessions.step(session, Action.TOUCH, now_us=now_us)), False, NOBODY_ENDED
    if session.replaced_by is not None:
        successor = _aged(ledger, session.replaced_by)
        # Of another client it cannot be, unless somebody took the id for himself after the replacement had gone.
        if successor is not None and successor.status is Status.ACTIVE and successor.client_id == session.client_id:
            return _put(ledger, successor, sessions.step(successor, Action.TOUCH, now_us=now_us)), False, NOBODY_ENDED
    ended = _make_room(ledger, rules, session.client_id)
    successor = sessions.born(
        fresh_id,
        serial=ledger.next_serial(),
        now_us=now_us,
        idle_us=session.idle_us,
        lifetime_us=rules.span(rules.lifetime_us),
        grace_us=rules.span(rules.grace_us),
        client_id=session.client_id,
        capabilities=session.capabilities,
        data={},
    )
    ledger.add(successor)
    replaced = sessions.succeeded(session, fresh_id, now_us=now_us)
    if not replaced.settled:
        ended += (replaced,)
    _put(ledger, session, replace(replaced, settled=True))
    return successor, True, ended


def expire(ledger: Ledger, session_id: str) -> tuple[bool, Ended]:
    """End a session as if its time had run out; False when there was none, or it had expired already."""
    session = _aged(ledger, session_id)
    if session is None or session.status is not Status.ACTIVE:
        return False, NOBODY_ENDED
    expired = sessions.step(session, Action.EXPIRE, now_us=ledger.now_us)
    _put(ledger, session, replace(expired, settled=True))
    return True, (expired,)


def close(ledger: Ledger, rules: Rules, session_id: str) -> tuple[bool, Ended]:
    """End a session and forget it, an expired one too; tell whether there was one to be seen."""
    session = _aged(ledger, session_id)
    if session is None:
        return False, NOBODY_ENDED
    found = session.status is Status.ACTIVE or rules.expired == "marked"
    return found, _forget(ledger, session)


def sweep(ledger: Ledger, at_most: int) -> tuple[int, Ended]:
    """Forget sessions that have expired; returns how many, less than `at_most` when none is left."""
    dead = ledger.dead(at_most)
    return len(dead), tuple(gone for session in dead for gone in _forget(ledger, session))


def clear(ledger: Ledger, at_most: int) -> tuple[int, Ended]:
    """Forget sessions, live or dead; returns how many, less than `at_most` when none is left."""
    stored = ledger.some(at_most)
    now_us = ledger.now_us
    return len(stored), tuple(
        gone for session in stored for gone in _forget(ledger, _mark(ledger, session, now_us=now_us))
    )


def require_live(ledger: Ledger, rules: Rules, session_id: str) -> Session:
    """Return the live session of this id, renewing nothing.

    Raises:
        SessionNotFound: there is none.
        SessionExpired: there was.
    """
    return _live(ledger, rules, session_id)


def shown(session: Session | None, rules: Rules) -> Session | None:
    """Return what a caller may see of a session: under the rule `gone`, nothing of an expired one."""
    if session is None or (rules.expired == "gone" and session.status is not Status.ACTIVE):
        return None
    return session


def for_caller(session: Session) -> Session:
    """Return a copy that shares no dict and no list with the stored one."""
    return sessions.changed(session, data=documents.copied(session.data))


def _aged(ledger: Ledger, session_id: str) -> Session | None:
    session = ledger.find(session_id)
    if session is None or session.status is not Status.ACTIVE:
        return session
    return _mark(ledger, session, now_us=ledger.now_us)


def _mark(ledger: Ledger, session: Session, *, now_us: int) -> Session:
    """Write down an expiry once it is seen, so that no clock set back can undo it."""
    now = sessions.aged(session, now_us=now_us)
    return session if now is session else _put(ledger, session, now)


def _put(ledger: Ledger, before: Session, after: Session) -> Session:
    ledger.put(before, after)
    return after


def _visible(ledger: Ledger, rules: Rules, session_id: str) -> Session:
    session = shown(_aged(ledger, session_id), rules)
    if session is None:
        raise SessionNotFound(session_id)
    return session


def _live(ledger: Ledger, rules: Rules, session_id: str) -> Session:
    session = _visible(ledger, rules, session_id)
    if session.status is not Status.ACTIVE:
        raise SessionExpired(session_id)
    return session


def _forget(ledger: Ledger, session: Session) -> Ended:
    """Remove a session; its end is announced unless that was done when it expired."""
    ledger.remove(session)
    if session.settled:
        return NOBODY_ENDED
    return (replace(sessions.step(session, Action.CLOSE, now_us=ledger.now_us), settled=True),)


def _make_room(ledger: Ledger, rules: Rules, client_id: str | None) -> Ended:
    """Return those who had to go so that one more may come: the oldest by creation."""
    if rules.limit is None:
        return NOBODY_ENDED
    scope: Scope = client_id if rules.limit_scope == "owner" else EVERYONE
    evicted: list[Session] = []
    while ledger.count(scope) >= rules.limit:  # more than one when the limit is lower than in an earlier life
        oldest = ledger.oldest(scope) if rules.at_limit == "evict-oldest" else None
        if oldest is None:
            raise SessionLimitExceeded(rules.limit, owner=client_id, per_owner=rules.limit_scope == "owner")
        evicted.extend(_forget(ledger, oldest))
    return tuple(evicted)
