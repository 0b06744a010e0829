"""The sync face of the reference system: for threads, which may all call it at once.

No lock is held while resources are closed or the hook runs, so both may call the manager.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Final

from pytest_sessionguard.errors import InvalidSession, InvalidSetting, VersionConflict
from pytest_sessionguard.reference import book, resources
from pytest_sessionguard.reference.book import Ended
from pytest_sessionguard.reference.engine import BATCH, Engine
from pytest_sessionguard.reference.locks import ThreadLocks
from pytest_sessionguard.reference.metrics import Metrics
from pytest_sessionguard.reference.sessions import Session
from pytest_sessionguard.reference.stores import EVERYONE, Store

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from pytest_sessionguard.reference.prometheus import Collector

log = logging.getLogger(__name__)

EDIT_ATTEMPTS: Final = 100  # other processes may overtake an edit; this often in a row means something else is wrong
STOP_WITHIN_SECS: Final = 5.0

CloseHook = Callable[[Session], object]
Change = Callable[[dict[str, object]], Mapping[str, object]]


class SessionManager:
    """Keeps sessions.

    `None` for `timeout_secs` (3600), `max_concurrent` (100) and `cleanup_interval_secs` (300) asks the environment
    first: SESSION_TIMEOUT_SECS, SESSION_MAX_CONCURRENT, SESSION_CLEANUP_INTERVAL; `math.inf` means no timeout, no
    limit, no cleaner.

        absolute_timeout_secs   the longest life whatever the activity; None: no bound
        resume_secs             the grace period after a disconnect; None: a disconnect shortens nothing
        at_timeout              "expired": idle >= timeout is dead; "alive": idle > timeout is
        limit_scope, at_limit   "manager" or "owner"; "error" or "evict-oldest" (by creation); expired ones never count
        expired                 "marked": get shows them with status expired until they are swept; "gone": as if deleted
        at_stop                 "ends" or "keeps" the sessions; None: a durable store keeps them
        store, path             "memory", "sqlite" with the path of its file, or a store
        on_close                called once for every session that has ended, after its resources were closed
        clock                   seconds since 1970; None: `time.time`, whatever it is at the moment of asking

    Raises:
        InvalidSetting: a value that cannot be.
    """

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
        on_close: CloseHook | None = None,
        clock: Callable[[], float] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        if on_close is not None and (not callable(on_close) or resources.is_async(on_close)):
            raise InvalidSetting("on_close", on_close, "a plain function; AsyncSessionManager takes async ones")
        self._engine = Engine(
            timeout_secs=timeout_secs,
            max_concurrent=max_concurrent,
            cleanup_interval_secs=cleanup_interval_secs,
            absolute_timeout_secs=absolute_timeout_secs,
            resume_secs=resume_secs,
            at_timeout=at_timeout,
            limit_scope=limit_scope,
            at_limit=at_limit,
            expired=expired,
            at_stop=at_stop,
            store=store,
            path=path,
            clock=clock,
            environ=environ,
        )
        self._on_close = on_close
        self._locks = ThreadLocks()
        self._life = threading.Lock()
        self._cleaner: threading.Thread | None = None
        self._wake = threading.Event()

    # -- life -------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Open the manager and start its cleaner; twice does no harm.

        Operations work without it, sweeps then by hand.
        """
        with self._life:
            self._engine.open()
            interval_secs = self._engine.cleanup_interval_secs
            if self._cleaner is not None or interval_secs is None:
                return
            self._wake = threading.Event()
            self._cleaner = threading.Thread(
                target=self._clean, args=(self._wake, interval_secs), name="session-cleaner", daemon=True
            )
            self._cleaner.start()

    def stop(self) -> None:
        """Stop the cleaner, end the sessions unless the store keeps them, close every resource; twice does no harm."""
        with self._life:
            cleaner, self._cleaner = self._cleaner, None
            self._wake.set()
        ended = self._engine.shut()
        if cleaner is not None and cleaner is not threading.current_thread():
            cleaner.join(STOP_WITHIN_SECS)  # a close hook that hangs does not keep us: the thread is a daemon
        self._settle(ended)
        for serial in self._engine.resources.serials():
            self._release(serial)

    def __enter__(self) -> SessionManager:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _clean(self, wake: threading.Event, interval_secs: float) -> None:
        while not wake.wait(interval_secs):
            try:
                self.sweep()
            except Exception:  # whatever a sweep meets, the next one must still come
                if wake.is_set():
                    return
                log.exception("the sweep of expired sessions failed; the next comes in %s s", interval_secs)

    # -- beginning --------------------------------------------------------------------------------------------------

    def create(
        self,
        client_id: str | None = None,
        data: Mapping[str, object] | None = None,
        *,
        session_id: str | None = None,
        timeout_secs: float | None = None,
        capabilities: Iterable[str] = (),
    ) -> Session:
        """Begin a session of a client; its id is random unless one is given.

        Raises:
            InvalidSession: something that cannot be kept.
            SessionExists: the id given is live.
            SessionLimitExceeded: the limit is reached and the policy evicts nobody.
        """
        session, ended = self._engine.create(
            self._engine.draft(session_id, client_id, data, timeout_secs, capabilities)
        )
        self._settle(ended)
        return session

    def ensure(
        self,
        session_id: str,
        client_id: str | None = None,
        data: Mapping[str, object] | None = None,
        *,
        timeout_secs: float | None = None,
        capabilities: Iterable[str] = (),
    ) -> Session:
        """Return the live session of this id, renewed and otherwise as it is, or begin one."""
        session, ended = self._engine.ensure(
            self._engine.draft(session_id, client_id, data, timeout_secs, capabilities)
        )
        self._settle(ended)
        return session

    # -- looking: renews nothing ------------------------------------------------------------------------------------

    def get(self, session_id: str) -> Session | None:
        """Return a copy of the session, with status expired when it is, or None."""
        return self._engine.get(session_id)

    def exists(self, session_id: str) -> bool:
        """Tell whether the session is live."""
        return self._engine.exists(session_id)

    def ttl(self, session_id: str) -> float | None:
        """Return the seconds left: 0.0 for an expired session, infinity for an endless one, None for none."""
        return self._engine.ttl(session_id)

    def list_ids(self, owner: str | None = None) -> list[str]:
        """Return the ids of the live sessions, of one client or all, the oldest first."""
        return self._engine.list_ids(EVERYONE if owner is None else owner)

    def count(self, owner: str | None = None) -> int:
        """Count the live sessions of one client, or all."""
        return self._engine.count(EVERYONE if owner is None else owner)

    def metrics(self) -> Metrics:
        """Return the figures of this instant."""
        return self._engine.measure()

    def export(self, registry: CollectorRegistry | None = None) -> Collector:
        """Export the metrics through prometheus-client (extra `prometheus`)."""
        from pytest_sessionguard.reference import prometheus

        return prometheus.register(self._engine.measure, registry)

    def snapshot(self) -> list[Session]:
        """Return copies of all live sessions at one instant, the oldest first."""
        return self._engine.snapshot()

    def restore(self, kept: Iterable[Session]) -> None:
        """Put sessions back as they were; one whose id is live here is left as it is, so twice does no harm."""
        self._engine.restore(kept)

    # -- working ----------------------------------------------------------------------------------------------------

    def touch(self, session_id: str) -> bool:
        """Renew the session; False when there is none or it has expired."""
        return self._engine.touch(session_id)

    def update(self, session_id: str, changes: Mapping[str, object]) -> int:
        """Put these keys over the session's data and return the new version.

        Raises:
            SessionNotFound, SessionExpired: nothing to change.
        """
        with self._locks.holding(session_id):
            return self._engine.update(session_id, changes)

    def save(self, session_id: str, data: Mapping[str, object], version: int | None = None) -> int:
        """Replace the session's data if it is still at `version` (None: whichever) and return the new version.

        Raises:
            SessionNotFound, SessionExpired: nothing to change.
            VersionConflict: somebody else changed it first.
        """
        with self._locks.holding(session_id):
            return self._engine.save(session_id, data, version)

    def edit(self, session_id: str, change: Change) -> int:
        """Replace the data by what `change` makes of a copy of it and return the new version; nobody writes in between.

        `change` may be called again, when another process was faster.
        """
        with self._locks.holding(session_id):
            for _ in range(EDIT_ATTEMPTS):
                session = self._engine.require_live(session_id)
                made = change(dict(session.data))
                try:
                    return self._engine.save(session_id, made, session.version)
                except VersionConflict as overtaken:
                    conflict = overtaken
            raise conflict

    def use(self, session_id: str) -> Session:
        """Return the session to work with, renewed: itself, or the one replacement of an expired one.

        Raises:
            SessionNotFound: there is no such session, not even an expired one.
            SessionLimitExceeded: there is no room for a replacement.
        """
        session, ended = self._engine.use(session_id)
        self._settle(ended)
        return session

    def disconnect(self, session_id: str) -> bool:
        """Note that the client went away; False when there is no live session."""
        return self._engine.disconnect(session_id)

    def resume(self, session_id: str) -> Session:
        """Return the session of a client that is back, renewed.

        Raises:
            SessionNotFound, SessionExpired: it came too late.
        """
        return self._engine.resume(session_id)

    def attach(self, session_id: str, resource: object) -> None:
        """Give the session something to own: it is closed once, when the session ends or the manager stops.

        Raises:
            InvalidSession: nothing that can be closed here, such as one whose close is async.
            SessionNotFound, SessionExpired: the resource stays the caller's.
        """
        if resources.is_async(resources.closer(resource)):
            raise InvalidSession("resource", resource, "a plain close(); AsyncSessionManager takes async ones")
        self._engine.attach(session_id, resource)

    def rotate(self, session_id: str) -> str:
        """Give the session a new random id and return it; the old one is dead."""
        return self._engine.rotate(session_id)

    # -- ending -----------------------------------------------------------------------------------------------------

    def close(self, session_id: str) -> bool:
        """End the session; False when there was none."""
        found, ended = self._engine.close(session_id)
        self._settle(ended)
        return found

    delete = close

    def expire(self, session_id: str) -> bool:
        """End the session as if its time had run out; False when there is no live one."""
        found, ended = self._engine.expire(session_id)
        self._settle(ended)
        return found

    def sweep(self) -> int:
        """Remove expired sessions and return how many; costs what they are, not what lives."""
        return self._in_batches(self._engine.sweep_some, self._engine.orphans())

    cleanup = sweep

    def clear(self) -> int:
        """End every session and return how many."""
        return self._in_batches(self._engine.clear_some, ())

    def _in_batches(self, some: Callable[[], tuple[int, Ended]], orphans: Iterable[int]) -> int:
        total, count = 0, BATCH
        while count == BATCH:
            count, ended = some()
            total += count
            self._settle(ended)
        for serial in orphans:
            self._release(serial)
        return total

    def _settle(self, ended: Ended) -> None:
        """Close what the ended owned and tell the hook; an error in one harms no other."""
        for session in ended:
            self._release(session.serial)
            if self._on_close is not None:
                self._guarded(self._on_close, book.for_caller(session))

    def _release(self, serial: int) -> None:
        for resource in self._engine.resources.take(serial):
            self._guarded(resources.closer(resource))

    def _guarded(self, function: Callable[..., object], *arguments: object) -> None:
        try:
            function(*arguments)
        except Exception:  # a stranger's code: whatever it raises, the other sessions must still be closed
            self._engine.tally.count_close_error()
            log.exception("closing a session: %r failed", function)
