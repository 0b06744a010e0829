"""Clock, target and recorder, wired for one case.

The clock is in force before the factory is called, every call is recorded with the instants of both clocks, and
whatever happens the manager is ended, its folder removed and what it printed kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import Hashable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_sessionguard.clock import eventloop, threads
from pytest_sessionguard.clock.filetimes import following
from pytest_sessionguard.clock.virtual import VirtualClock
from pytest_sessionguard.core import durations
from pytest_sessionguard.core.history import Event
from pytest_sessionguard.core.operations import Answer, Failed, Ok, Operation, Outcome, Unknown
from pytest_sessionguard.core.policy import Policy
from pytest_sessionguard.core.values import UNSET, Unset
from pytest_sessionguard.crash.folders import new_folder, write_folder
from pytest_sessionguard.errors import HarnessError, UsageError, VirtualDeadlock
from pytest_sessionguard.explore.cancelling import Cancellation, cut_off
from pytest_sessionguard.faults.proxy import Proxy
from pytest_sessionguard.run.output import Output
from pytest_sessionguard.run.patience import PATIENCE_US, Patience
from pytest_sessionguard.run.recorder import Recorder
from pytest_sessionguard.run.zone import Zone
from pytest_sessionguard.target.binding import Binding
from pytest_sessionguard.target.endpoints import endpoint_of, host_and_port
from pytest_sessionguard.target.shape import Profile

if TYPE_CHECKING:
    from pytest_sessionguard.run.injections import Injections

# Who starts and ends the manager in the record.
HARNESS: Final = "harness"

# After these a session object that was held before is as good as before.
_HARMLESS: Final = frozenset(
    {"get", "exists", "ttl", "list", "count", "metrics", "history", "is_expired", "health", "start", "checkpoint"}
)


class Stage:
    """One manager under virtual time, and the record of what it did.

    `in_loop`: whether the coroutines are driven by an event loop.  `proven`: the templates that have fitted before.
    `folder`: the folder that the manager is told of, where it is not to get a new one; then it is not removed.
    `behind_proxy`: the manager is told of a proxy in the place of its server.

    Attributes:
        ended_by_story: the story itself has stopped or closed the manager.
        injections: what is made to go wrong; None where nothing is.
        network: the proxy between the manager and its server, if there is one.
        zone: the local time zone.
    """

    def __init__(
        self,
        profile: Profile,
        policy: Policy,
        clock: VirtualClock,
        *,
        in_loop: bool,
        scribble: bool = False,
        proven: set[str] | None = None,
        folder: Path | None = None,
        behind_proxy: bool = False,
    ) -> None:
        self.profile = profile
        self.policy = policy
        self.clock = clock
        self.in_loop = in_loop
        self.recorder = Recorder(clock)
        self.output = Output()
        # Only a manager that is told of its folder gets one: making and removing it costs more than a short case.
        wanted = "dir" in profile.placeholders and folder is None
        made = new_folder() if wanted else Path("no-folder")
        self.folder = folder if folder is not None else made
        self._has_folder = wanted
        server = endpoint_of(profile) if behind_proxy else None
        self.network = None if server is None else Proxy(*host_and_port(server))
        self.binding = Binding(
            profile,
            policy=policy,
            folder=self.folder,
            endpoint=None if self.network is None else self.network.endpoint,
            noted=self._note,
            in_loop=in_loop,
            scribble=scribble,
            proven=proven,
        )
        self.injections: Injections | None = None
        self._running = False
        self._closed = True
        self._is_dead = False
        self.ended_by_story = False
        self.zone = Zone()
        self._tick = 0
        self._held_at: dict[tuple[str, Hashable], int] = {}
        self._holding: dict[str, bool] = {}
        self._changed: dict[Hashable, int] = {}
        self._all_changed = 0

    # -- the life of the manager ------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Make the manager and start it.

        Raises:
            UsageError: the profile does not fit it.
            NeedsLoop: it is async and there is no loop.
        """
        self.output.__enter__()
        if self.network is not None:
            self.network.start()
        await self.binding.reset()
        await self._begin("")

    async def _begin(self, place: str) -> None:
        self.recorder.place = place
        await self.binding.make()
        self._closed = False
        self.ended_by_story = False
        if self.binding.offers("start"):
            if self.binding.framed:  # Entering it has started it.
                self._record(Operation(verb="start"), Ok(Answer()), place)
            else:
                await self.perform(HARNESS, Operation(verb="start"), place)
        self._running = True

    async def end(self, place: str = "") -> tuple[Failed, ...]:
        """End the manager as its user would; return what went wrong and stands in no event.

        Stopped and closed at most once: what the story did itself is not done again, and what was entered is left.
        """
        self.recorder.place = place
        if self.binding.framed:
            return await self._leave(place)
        if self._running and self.binding.offers("stop"):
            await self.perform(HARNESS, Operation(verb="stop"), place)
        if not self._closed and self.binding.offers("close"):
            await self.perform(HARNESS, Operation(verb="close"), place)
        self._running, self._closed = False, True
        return ()

    async def _leave(self, place: str) -> tuple[Failed, ...]:
        verb = next((verb for verb in ("stop", "close") if self.binding.offers(verb)), None)
        by_story = self.ended_by_story
        begun = None
        if verb is not None and not by_story:
            begun = self.recorder.begin(HARNESS, Operation(verb=verb), place)
        try:
            failed = await self.binding.leave()
        except BaseException:
            if begun is not None:
                self.recorder.forget(begun)
            raise
        finally:
            self._running, self._closed = False, True
        if begun is not None:
            self.recorder.end(begun, failed if failed is not None else Ok(Answer()))
            return ()
        return (failed,) if failed is not None and not by_story else ()

    async def reopen(self) -> None:
        """Make the manager on what an earlier one has left in the folder.

        Raises:
            UsageError: see `open`.
        """
        self.output.__enter__()
        await self._begin("")

    async def restart(self, place: str) -> tuple[Failed, ...]:
        """End the manager and make it anew in the same folder; return what went wrong and stands in no event."""
        problems = await self.end(place)
        self.recorder.note(kind="restarted")
        self._staled()
        try:
            await self._begin(place)
        except UsageError as error:
            return (*problems, Failed(str(error)))
        return problems

    async def crash(self, place: str, *, power: bool) -> tuple[Failed, ...]:
        """End the manager as a kill or a loss of power would and make it anew on what is left; return what went wrong.

        What is left is read first.  The old manager is then ended to get rid of its threads, tasks and locks, and what
        it does to its folder meanwhile is undone.
        """
        assert self.injections is not None  # A story with such a step has them.
        image = self.injections.left_by_crash(power=power)
        self.recorder.note(kind="power-lost" if power else "killed")
        await self._abandon()
        write_folder(image, self.folder)
        self.injections.begin_anew()
        self._staled()
        try:
            await self._begin(place)
        except UsageError as error:
            return (Failed(str(error)),)
        return ()

    async def _abandon(self) -> None:
        """End the manager without a trace in the record."""
        self._is_dead = True
        try:
            for verb in ("stop", "close"):
                if not self.binding.framed and self.binding.offers(verb):
                    with contextlib.suppress(Exception):
                        await self.binding.perform(HARNESS, Operation(verb=verb))
            await self.binding.leave()
        finally:
            self._is_dead = False
            self._running, self._closed = False, True

    def _note(self, *, kind: str, subject: str = "", id: Hashable | Unset = UNSET) -> None:
        if not self._is_dead:
            self.recorder.note(kind=kind, subject=subject, id=id)

    async def close(self) -> tuple[Failed, ...]:
        """End the manager and clear up; return what went wrong and stands in no event."""
        try:
            return await self.end()
        finally:
            self.clear()

    def dated(self) -> AbstractContextManager[None]:
        """Return a block in which the files of the manager's own folder show virtual times."""
        return following(self.clock, self.folder) if self._has_folder else nullcontext()

    def clear(self) -> None:
        """Remove the folder, end the proxy and give the terminal back; may be called again."""
        if self.network is not None:
            self.network.stop()
        self.output.__exit__(None, None, None)
        self.zone.restore()
        if self._has_folder:
            self._has_folder = False
            shutil.rmtree(self.folder, ignore_errors=True)

    # -- operations -------------------------------------------------------------------------------------------------

    async def perform(
        self, client: str, operation: Operation, place: str, cancellation: Cancellation | None = None
    ) -> Event:
        """Do one operation and record it; where it is to be cancelled, that needs a loop."""
        self.recorder.place = place
        injections = self.injections
        if injections is not None:
            await injections.ahead(operation)
        begun = self.recorder.begin(client, operation, place)
        patience = Patience()
        if self.in_loop:
            patience.begin()
        try:
            outcome: Outcome
            if not self.in_loop:
                with threads.Limit(PATIENCE_US):
                    outcome = await self.binding.perform(client, operation)
            elif cancellation is not None:
                outcome = await self._cut_off(client, operation, cancellation)
            else:
                outcome = await self.binding.perform(client, operation)
        except VirtualDeadlock:
            self.recorder.end(begun, Unknown("the run was cut off"))
            raise
        except asyncio.CancelledError:
            self.recorder.end(begun, Unknown("the run was cut off"))
            if patience.waiting is not None:
                raise VirtualDeadlock(patience.waiting) from None
            raise
        except BaseException:
            self.recorder.forget(begun)
            raise
        finally:
            patience.end()
        if injections is not None:
            outcome = injections.answered(begun, outcome)
        event = self.recorder.end(begun, outcome)
        if injections is not None:
            injections.note(event)
        self._note_life(operation.verb, outcome)
        self._note_holders(client, operation, outcome)
        if injections is not None and injections.repeats():
            await self.perform(client, operation, place)
        return event

    async def _cut_off(self, client: str, operation: Operation, cancellation: Cancellation) -> Outcome:
        """Do one operation and cancel it; only an answer that comes all the same says what has become of it."""
        outcome = await cut_off(self.binding.perform(client, operation), cancellation)
        if outcome is None or (cancellation.fired and not isinstance(outcome, Ok)):
            return Unknown(f"cancelled at its suspension {cancellation.at}")
        return outcome

    def _record(self, operation: Operation, outcome: Outcome, place: str) -> Event:
        return self.recorder.end(self.recorder.begin(HARNESS, operation, place), outcome)

    def _note_life(self, verb: str, outcome: Outcome) -> None:
        if not isinstance(outcome, Ok):
            return
        if verb == "start":
            self._running, self._closed, self.ended_by_story = True, False, False
        elif verb == "stop":
            self._running, self.ended_by_story = False, True
        elif verb == "close":
            self._running, self._closed, self.ended_by_story = False, True, True

    # -- session objects that clients hold --------------------------------------------------------------------------

    def lacks_holder(self, client: str, verb: str, session_id: Hashable | Unset) -> bool:
        """Say whether the operation works on a session object and the client holds no fresh one."""
        if session_id is UNSET or not self.binding.wants_session(verb):
            return False
        return not self._is_fresh(client, session_id)

    async def fresh_holder(self, client: str, verb: str, session_id: Hashable | Unset, place: str) -> Event | None:
        """See to it that the client holds a fresh object of the session, by a recorded `get` where it must be.

        Returns the `get` where it gave no session: then there is nothing to work with.

        Raises:
            UsageError: the profile has no operation that gives a session object.
        """
        if session_id is UNSET or not self.lacks_holder(client, verb, session_id):
            return None
        if not self.gives_session("get"):
            if self.binding.holds(client, session_id):
                return None  # What create gave is all that there is.
            raise UsageError(
                f"{self.profile.name}: {verb} works on a session object, and no operation gives client {client} one: "
                "expected `get` with `-> session`"
            )
        event = await self.perform(client, Operation(verb="get", id=session_id), place)
        return None if self.binding.holds(client, session_id) and self._is_fresh(client, session_id) else event

    def gives_session(self, verb: str) -> bool:
        """Say whether the operation answers a session object."""
        templates = self.profile.operations.get(verb)
        return bool(templates) and templates[-1].result == "session"

    def _is_fresh(self, client: str, session_id: Hashable) -> bool:
        held_at = self._held_at.get((client, session_id), -1)
        held = self.binding.holds(client, session_id)
        return held and held_at >= max(self._changed.get(session_id, 0), self._all_changed)

    def _note_holders(self, client: str, operation: Operation, outcome: Outcome) -> None:
        self._tick += 1
        told = outcome.answer.id if isinstance(outcome, Ok) else UNSET
        if operation.verb not in _HARMLESS:
            if operation.id is UNSET and (operation.verb != "create" or self.policy.limit is not None):
                self._all_changed = self._tick
            for one in (operation.id, told):
                if one is not UNSET:
                    self._changed[one] = self._tick
        holding = self._holding.get(operation.verb)
        if holding is None:
            holding = self.gives_session(operation.verb) or self.binding.wants_session(operation.verb)
            self._holding[operation.verb] = holding
        if holding:
            for one in (operation.id, told):
                if one is not UNSET and self.binding.holds(client, one):
                    self._held_at[client, one] = self._tick
        if isinstance(outcome, Ok) and operation.verb == "get" and outcome.answer.absent in ("none", "false"):
            self.binding.drop(operation.id)

    def _staled(self) -> None:
        self._tick += 1
        self._all_changed = self._tick

    # -- time -------------------------------------------------------------------------------------------------------

    async def advance(self, span_us: int) -> None:
        """Let virtual time pass; timers due by then run before this returns."""
        if span_us < 0:
            raise HarnessError(f"time cannot pass by {span_us} us")
        self._staled()
        if self.in_loop:
            await eventloop.advance(self.clock, span_us)
        else:
            self.clock.advance(span_us)  # Threads that are due by then come first, see `clock.turns`.

    def set_zone(self, name: str) -> None:
        """Let local time be another zone's until the case is over."""
        self.zone.set(name)

    async def set_clock(self, wall_us: int) -> None:
        """Set the wall clock; the monotonic clock does not notice."""
        self._staled()
        span_us = wall_us - self.clock.wall_us
        word = "back" if span_us < 0 else "forward"
        # Before it is set: what it showed last tells what had expired by then.
        self.recorder.note(kind="clock", subject=f"set {word} by {durations.show(abs(span_us))}")
        self.clock.set_wall(wall_us)
