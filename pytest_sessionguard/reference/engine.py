"""What the sync and the async face share: everything but waiting.

Every operation is one short transaction that is never awaited in the middle.  So the async face calls the engine
directly, SQLite included: a commit takes a few milliseconds of the loop's time, and in return a cancellation can hit
only before an operation or after it, never a thread that goes on writing for a caller who has gone.

Methods whose answer ends with `Ended` leave announcing those ends (closing resources, calling the hook) to the face.
"""

from __future__ import annotations

import math
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Final, TypeVar

from pytest_sessionguard.errors import InvalidSession, ManagerClosed, SessionNotFound
from pytest_sessionguard.reference import book, documents, sessions, settings, stores
from pytest_sessionguard.reference.book import Draft, Ended
from pytest_sessionguard.reference.metrics import Metrics, Tally
from pytest_sessionguard.reference.resources import Resources
from pytest_sessionguard.reference.sessions import Session, Status
from pytest_sessionguard.reference.stores import Ledger, Scope, Store

T = TypeVar("T")

BATCH: Final = 500  # sessions that one transaction of a sweep may hold others up for
_ID_BYTES: Final = 32
_NAME: Final = "1 to 256 printable characters"


class Engine:
    """A store, its rules, and the world around them: clock, randomness, counters."""

    def __init__(
        self,
        *,
        timeout_secs: float | None = None,
        max_concurrent: int | None = None,
        cleanup_interval_secs: float | None = None,
        absolute_timeout_secs: float | None = None,
        resume_secs: float | None = None,
        at_timeout: str = "expired",
        limit_scope: str = "manager",
        at_limit: str = "error",
        expired: str = "marked",
        at_stop: str | None = None,
        store: Store | str = "memory",
        path: str | os.PathLike[str] | None = None,
        clock: Callable[[], float] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        given = settings.read(
            timeout_secs=timeout_secs,
            absolute_timeout_secs=absolute_timeout_secs,
            resume_secs=resume_secs,
            max_concurrent=max_concurrent,
            cleanup_interval_secs=cleanup_interval_secs,
            at_timeout=at_timeout,
            limit_scope=limit_scope,
            at_limit=at_limit,
            expired=expired,
            at_stop=at_stop,
            environ=environ,
        )
        self.rules = given.rules
        self.cleanup_interval_secs = given.cleanup_interval_secs
        self.store = stores.build(store, path)
        self.ends_at_stop = not self.store.durable if given.at_stop is None else given.at_stop == "ends"
        self.tally = Tally()
        self.resources = Resources()
        self._clock = clock
        self._stopped = False
        self._opening = threading.Lock()
        self.store.open()

    # -- time and life ----------------------------------------------------------------------------------------------

    def now_us(self) -> int:
        """Read the clock.

        The wall clock, since sessions outlive processes.  `time.time` is looked up now, not when this module was
        imported: whoever replaces it moves this manager's time.  A float of this size is exact to a quarter of a
        microsecond, so rounding gives every microsecond back.
        """
        seconds = time.time() if self._clock is None else self._clock()
        return round(seconds * 1_000_000)

    def open(self) -> None:
        """Answer again after a stop."""
        with self._opening:
            self.store.open()
            self._stopped = False

    def shut(self) -> Ended:
        """Answer no more; returns whose end is to be announced.  Whoever was let in before is finished first."""
        ended: Ended = ()
        with self._opening:
            if self._stopped:
                return ended
            self._stopped = True
            if self.ends_at_stop:
                while True:
                    count, some = self.store.transact(lambda ledger: book.clear(ledger, BATCH), self.now_us())
                    ended += some
                    if count < BATCH:
                        break
            self.store.close()
        self.tally.count_ended(ended)
        return ended

    def _run(self, work: Callable[[Ledger], T]) -> T:
        def unless_stopped(ledger: Ledger) -> T:
            # Asked inside the transaction: a creation that is let in comes before the last clearing, never after it.
            if self._stopped:
                raise ManagerClosed
            return work(ledger)

        if self._stopped:
            raise ManagerClosed
        return self.store.transact(unless_stopped, self.now_us())

    # -- beginning --------------------------------------------------------------------------------------------------

    def create(self, draft: Draft) -> tuple[Session, Ended]:
        """Begin a session; refused at the limit or when its id is live."""
        session, ended = self._run(lambda ledger: book.create(ledger, self.rules, draft))
        self.tally.count_created()
        self.tally.count_ended(ended)
        return book.for_caller(session), ended

    def ensure(self, draft: Draft) -> tuple[Session, Ended]:
        """Get, renewed, or begin."""
        session, is_new, ended = self._run(lambda ledger: book.ensure(ledger, self.rules, draft))
        if is_new:
            self.tally.count_created()
            self.tally.count_ended(ended)
        return book.for_caller(session), ended

    def draft(
        self,
        session_id: str | None,
        client_id: str | None,
        data: Mapping[str, object] | None,
        timeout_secs: float | None,
        capabilities: Iterable[str],
    ) -> Draft:
        """Check what a new session is to be made of.

        Raises:
            InvalidSession: an id, a capability, a timeout or data that cannot be kept.
        """
        if session_id is not None and not documents.is_name(session_id):
            raise InvalidSession("session_id", session_id, _NAME)
        if client_id is not None and not documents.is_name(client_id):
            raise InvalidSession("client_id", client_id, _NAME)
        abilities = tuple(capabilities)
        for ability in abilities:
            if not documents.is_name(ability):
                raise InvalidSession("capability", ability, _NAME)
        return Draft(
            session_id=secrets.token_urlsafe(_ID_BYTES) if session_id is None else session_id,
            client_id=client_id,
            capabilities=abilities,
            data={} if data is None else documents.accepted(data),
            timeout_us=settings.timeout_of(timeout_secs, self.rules),
        )

    # -- looking ----------------------------------------------------------------------------------------------------

    def _peek(self, session_id: str) -> tuple[Session | None, int]:
        """Return what callers may see of a session, and the instant; a transaction is run only to mark an expiry."""
        if self._stopped:
            raise ManagerClosed
        now_us = self.store.instant(self.now_us())
        session = self.store.look(session_id) if documents.is_name(session_id) else None
        if session is not None and session.status is Status.ACTIVE and sessions.is_expired(session, now_us=now_us):
            session = self._run(lambda ledger: book.peek(ledger, session_id))
        return book.shown(session, self.rules), now_us

    def get(self, session_id: str) -> Session | None:
        """Return a copy, or None."""
        session, _ = self._peek(session_id)
        return None if session is None else book.for_caller(session)

    def exists(self, session_id: str) -> bool:
        """Tell whether the session is live."""
        session, _ = self._peek(session_id)
        return session is not None and session.status is Status.ACTIVE

    def ttl(self, session_id: str) -> float | None:
        """Return the seconds left to live: 0.0 for an expired one, infinity for an endless one, None for none."""
        session, now_us = self._peek(session_id)
        if session is None:
            return None
        left_us = sessions.remaining_us(session, now_us=now_us)
        return math.inf if left_us is None else left_us / 1e6

    def list_ids(self, scope: Scope) -> list[str]:
        """Return the ids of the live sessions, the oldest first."""
        return self._run(lambda ledger: ledger.ids(scope))

    def count(self, scope: Scope) -> int:
        """Count the live sessions."""
        return self._run(lambda ledger: ledger.count(scope))

    def measure(self) -> Metrics:
        """Count everything."""
        census, now_us = self._run(lambda ledger: (ledger.census(), ledger.now_us))
        return self.tally.at(census, now_us=now_us)

    def snapshot(self) -> list[Session]:
        """Return copies of all live sessions, the oldest first."""

        def all_live(ledger: Ledger) -> list[Session]:
            found = (ledger.find(session_id) for session_id in ledger.ids(stores.EVERYONE))
            return [book.for_caller(session) for session in found if session is not None]

        return self._run(all_live)

    def restore(self, kept: Iterable[Session]) -> None:
        """Put live sessions back, under serials of this store; those whose id is stored here are left alone."""
        for session in kept:
            self._run(partial(_put_back, session=session))

    # -- working ----------------------------------------------------------------------------------------------------

    def touch(self, session_id: str) -> bool:
        """Renew; False when there is nothing left to renew."""
        return documents.is_name(session_id) and self._run(lambda ledger: book.touch(ledger, session_id))

    def update(self, session_id: str, changes: Mapping[str, object]) -> int:
        """Put keys over the data; returns the new version."""
        checked = documents.accepted(changes)
        known = _known(session_id)
        return self._run(lambda ledger: book.update(ledger, self.rules, known, checked))

    def save(self, session_id: str, data: Mapping[str, object], version: int | None) -> int:
        """Replace the data, if the version is still this one; returns the new version."""
        checked = documents.accepted(data)
        known = _known(session_id)
        return self._run(lambda ledger: book.save(ledger, self.rules, known, checked, version))

    def require_live(self, session_id: str) -> Session:
        """Return a copy of a live session, or refuse."""
        known = _known(session_id)
        return book.for_caller(self._run(lambda ledger: book.require_live(ledger, self.rules, known)))

    def use(self, session_id: str) -> tuple[Session, Ended]:
        """Return the session to work with: itself, or the replacement of an expired one."""
        known, fresh_id = _known(session_id), secrets.token_urlsafe(_ID_BYTES)
        session, is_new, ended = self._run(lambda ledger: book.use(ledger, self.rules, known, fresh_id))
        if is_new:
            self.tally.count_created()
            self.tally.count_ended(ended)
        return book.for_caller(session), ended

    def disconnect(self, session_id: str) -> bool:
        """Note that the client went away."""
        return documents.is_name(session_id) and self._run(lambda ledger: book.disconnect(ledger, session_id))

    def resume(self, session_id: str) -> Session:
        """Note that the client is back."""
        known = _known(session_id)
        return book.for_caller(self._run(lambda ledger: book.resume(ledger, self.rules, known)))

    def rotate(self, session_id: str) -> str:
        """Give the session a new id and return it."""
        known, fresh_id = _known(session_id), secrets.token_urlsafe(_ID_BYTES)
        self._run(lambda ledger: book.rotate(ledger, self.rules, known, fresh_id))
        return fresh_id

    def attach(self, session_id: str, resource: object) -> None:
        """Give the session a resource to own.

        It is put down first and the session asked for afterwards: whichever way an end comes in between, either the end
        finds the resource and closes it, or the caller is refused and keeps it.
        """
        serial = self.require_live(session_id).serial
        self.resources.add(serial, resource)
        try:
            is_owned = self._run(lambda ledger: book.require_live(ledger, self.rules, session_id)).serial == serial
        except BaseException:
            if self.resources.discard(serial, resource):
                raise
            return
        if not is_owned and self.resources.discard(serial, resource):
            raise SessionNotFound(session_id)

    # -- ending -----------------------------------------------------------------------------------------------------

    def expire(self, session_id: str) -> tuple[bool, Ended]:
        """End it as if its time had run out."""
        if not documents.is_name(session_id):
            return False, ()
        return self._counted(self._run(lambda ledger: book.expire(ledger, session_id)))

    def close(self, session_id: str) -> tuple[bool, Ended]:
        """End it and forget it."""
        if not documents.is_name(session_id):
            return False, ()
        return self._counted(self._run(lambda ledger: book.close(ledger, self.rules, session_id)))

    def sweep_some(self) -> tuple[int, Ended]:
        """Forget a batch of expired sessions; less than a whole batch was the last."""
        return self._counted(self._run(lambda ledger: book.sweep(ledger, BATCH)))

    def orphans(self) -> list[int]:
        """Return the serials whose sessions another process ended while this one holds their resources."""
        if not self.store.durable:
            return []
        held = self.resources.serials()
        return self._run(lambda ledger: [serial for serial in held if not ledger.holds(serial)])

    def clear_some(self) -> tuple[int, Ended]:
        """Forget a batch of sessions, live or dead; less than a whole batch was the last."""
        return self._counted(self._run(lambda ledger: book.clear(ledger, BATCH)))

    def _counted(self, answer: tuple[T, Ended]) -> tuple[T, Ended]:
        self.tally.count_ended(answer[1])
        return answer


def _put_back(ledger: Ledger, session: Session) -> None:
    if ledger.find(session.session_id) is None:
        ledger.add(replace(session, serial=ledger.next_serial(), data=documents.copied(session.data)))


def _known(session_id: str) -> str:
    """Return the id; what cannot be one is the id of no session."""
    if not documents.is_name(session_id):
        raise SessionNotFound(session_id)
    return session_id
