"""The async face of the reference system: for the tasks of one event loop.

What changes sessions is the engine's, called directly and never awaited in the middle.  Awaited are only session locks,
close hooks and resources; a cancellation there finds every session whole.  Ends are announced by tasks of their own, so
that a caller who is cancelled while a resource closes does not leave it half closed.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from pytest_sessionguard.errors import InvalidSetting, ManagerClosed, VersionConflict
from pytest_sessionguard.reference import book, resources
from pytest_sessionguard.reference.book import Ended
from pytest_sessionguard.reference.engine import BATCH, Engine
from pytest_sessionguard.reference.locks import TaskLocks
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
Change = Callable[[dict[str, object]], Mapping[str, object] | Awaitable[Mapping[str, object]]]


class AsyncSessionManager:
    """Keeps sessions; its arguments are those of `SessionManager`, and `on_close` may be async.

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
        if on_close is not None and not callable(on_close):
            raise InvalidSetting("on_close", on_close, "a function, async or plain")
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
        self._locks = TaskLocks()
        self._cleaner: asyncio.Task[None] | None = None
        self._settling: set[asyncio.Task[None]] = set()

    # -- life -------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the manager and start its cleaner; twice does no harm.

        Operations work without it, sweeps then by hand.
        """
        self._engine.open()
        interval_secs = self._engine.cleanup_interval_secs
        if self._cleaner is None and interval_secs is not None:
            self._cleaner = asyncio.create_task(self._clean(interval_secs), name="session-cleaner")

    async def stop(self) -> None:
        """Stop the cleaner, end the sessions unless the store keeps them, close every resource; twice does no harm."""
        cleaner, self._cleaner = self._cleaner, None
        if cleaner is not None and cleaner is not asyncio.current_task():
            cleaner.cancel()
        ended = self._engine.shut()
        self._announce(ended, self._engine.resources.serials())
        waited_for = {
            task for task in (cleaner, *self._settling) if task is not None and task is not asyncio.current_task()
        }
        if waited_for:
            # A close hook that hangs does not keep us; a second stop waits for what the first left behind.
            await asyncio.wait(waited_for, timeout=STOP_WITHIN_SECS)

    async def __aenter__(self) -> AsyncSessionManager:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _clean(self, interval_secs: float) -> None:
        while True:
            await asyncio.sleep(interval_secs)
            try:
                await self.sweep()
            except ManagerClosed:
                return
            except Exception:  # whatever a sweep meets, the next one must still come
                log.exception("the sweep of expired sessions failed; the next comes in %s s", interval_secs)

    # -- beginning --------------------------------------------------------------------------------------------------

    async def create(
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
        try:
            await self._settle(ended)
        except asyncio.CancelledError:
            # Nobody will ever learn this id: without a caller the session would hold its slot until it expired.
            with suppress(ManagerClosed):
                self._announce(self._engine.close(session.session_id)[1])
            raise
        return session

    async def ensure(
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
        await self._settle(ended)
        return session

    # -- looking: renews nothing ------------------------------------------------------------------------------------

    async def get(self, session_id: str) -> Session | None:
        """Return a copy of the session, with status expired when it is, or None."""
        return self._engine.get(session_id)

    async def exists(self, session_id: str) -> bool:
        """Tell whether the session is live."""
        return self._engine.exists(session_id)

    async def ttl(self, session_id: str) -> float | None:
        """Return the seconds left: 0.0 for an expired session, infinity for an endless one, None for none."""
        return self._engine.ttl(session_id)

    async def list_ids(self, owner: str | None = None) -> list[str]:
        """Return the ids of the live sessions, of one client or all, the oldest first."""
        return self._engine.list_ids(EVERYONE if owner is None else owner)

    async def count(self, owner: str | None = None) -> int:
        """Count the live sessions of one client, or all."""
        return self._engine.count(EVERYONE if owner is None else owner)

    async def metrics(self) -> Metrics:
        """Return the figures of this instant."""
        return self._engine.measure()

    def export(self, registry: CollectorRegistry | None = None) -> Collector:
        """Export the metrics through prometheus-client (extra `prometheus`)."""
        from pytest_sessionguard.reference import prometheus

        return prometheus.register(self._engine.measure, registry)

    # -- working ----------------------------------------------------------------------------------------------------

    async def touch(self, session_id: str) -> bool:
        """Renew the session; False when there is none or it has expired."""
        return self._engine.touch(session_id)

    async def update(self, session_id: str, changes: Mapping[str, object]) -> int:
        """Put these keys over the session's data and return the new version.

        Raises:
            SessionNotFound, SessionExpired: nothing to change.
        """
        async with self._locks.holding(session_id):
            return self._engine.update(session_id, changes)

    async def save(self, session_id: str, data: Mapping[str, object], version: int | None = None) -> int:
        """Replace the session's data if it is still at `version` (None: whichever) and return the new version.

        Raises:
            SessionNotFound, SessionExpired: nothing to change.
            VersionConflict: somebody else changed it first.
        """
        async with self._locks.holding(session_id):
            return self._engine.save(session_id, data, version)

    async def edit(self, session_id: str, change: Change) -> int:
        """Replace the data by what `change`, async or plain, makes of a copy of it; nobody writes in between.

        Returns the new version.  `change` may be called again, when another process was faster.
        """
        async with self._locks.holding(session_id):
            for _ in range(EDIT_ATTEMPTS):
                session = self._engine.require_live(session_id)
                made: Any = change(dict(session.data))
                if inspect.isawaitable(made):
                    made = await made
                try:
                    return self._engine.save(session_id, made, session.version)
                except VersionConflict as overtaken:
                    conflict = overtaken
            raise conflict

    async def use(self, session_id: str) -> Session:
        """Return the session to work with, renewed: itself, or the one replacement of an expired one.

        Raises:
            SessionNotFound: there is no such session, not even an expired one.
            SessionLimitExceeded: there is no room for a replacement.
        """
        session, ended = self._engine.use(session_id)
        await self._settle(ended)  # cancelled here, the replacement stays: using the same id again gives it
        return session

    async def disconnect(self, session_id: str) -> bool:
        """Note that the client went away; False when there is no live session."""
        return self._engine.disconnect(session_id)

    async def resume(self, session_id: str) -> Session:
        """Return the session of a client that is back, renewed.

        Raises:
            SessionNotFound, SessionExpired: it came too late.
        """
        return self._engine.resume(session_id)

    async def attach(self, session_id: str, resource: object) -> None:
        """Give the session something to own: it is closed once, when the session ends or the manager stops.

        Raises:
            InvalidSession: nothing that can be closed.
            SessionNotFound, SessionExpired: the resource stays the caller's.
        """
        resources.closer(resource)
        self._engine.attach(session_id, resource)

    async def rotate(self, session_id: str) -> str:
        """Give the session a new random id and return it; the old one is dead."""
        return self._engine.rotate(session_id)

    # -- ending -----------------------------------------------------------------------------------------------------

    async def close(self, session_id: str) -> bool:
        """End the session; False when there was none."""
        found, ended = self._engine.close(session_id)
        await self._settle(ended)
        return found

    delete = close

    async def expire(self, session_id: str) -> bool:
        """End the session as if its time had run out; False when there is no live one."""
        found, ended = self._engine.expire(session_id)
        await self._settle(ended)
        return found

    async def sweep(self) -> int:
        """Remove expired sessions and return how many; costs what they are, not what lives."""
        return await self._in_batches(self._engine.sweep_some, self._engine.orphans())

    cleanup = sweep

    async def clear(self) -> int:
        """End every session and return how many."""
        return await self._in_batches(self._engine.clear_some, ())

    async def _in_batches(self, some: Callable[[], tuple[int, Ended]], orphans: Iterable[int]) -> int:
        total, count = 0, BATCH
        while count == BATCH:
            count, ended = some()
            total += count
            if ended:
                await self._settle(ended)
        self._announce((), orphans)
        return total

    async def _settle(self, ended: Ended) -> None:
        """Announce ends and wait until that is done; a cancellation ends the wait alone."""
        task = self._announce(ended)
        if task is not None:
            await asyncio.shield(task)

    def _announce(self, ended: Ended, orphans: Iterable[int] = ()) -> asyncio.Task[None] | None:
        """Start a task that closes what the ended owned and tells the hook; None when there is nothing to do."""
        owned = [(session, self._engine.resources.take(session.serial)) for session in ended]
        forsaken = [resource for serial in orphans for resource in self._engine.resources.take(serial)]
        if not forsaken and not (owned if self._on_close is not None else any(things for _, things in owned)):
            return None
        task = asyncio.create_task(self._close_all(owned, forsaken), name="session-closer")
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)
        return task

    async def _close_all(self, owned: list[tuple[Session, list[object]]], forsaken: list[object]) -> None:
        """Close one after the other; an error in one harms no other."""
        for session, things in owned:
            for resource in things:
                await self._guarded(resources.closer(resource))
            if self._on_close is not None:
                await self._guarded(self._on_close, book.for_caller(session))
        for resource in forsaken:
            await self._guarded(resources.closer(resource))

    async def _guarded(self, function: Callable[..., object], *arguments: object) -> None:
        try:
            answer = function(*arguments)
            if inspect.isawaitable(answer):
                await answer
        except Exception:  # a stranger's code: whatever it raises, the other sessions must still be closed
            self._engine.tally.count_close_error()
            log.exception("closing a session: %r failed", function)
        except asyncio.CancelledError:
            # The loop is going down, or the resource cancelled itself: the others are still to be closed.
            self._engine.tally.count_close_error()
            log.warning("closing a session: %r was cancelled", function)
