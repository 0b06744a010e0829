"""Tasks of one event loop, run one step at a time in an order that a scheduler chooses.

While it is controlled the running loop takes one handle where asyncio takes all that are ready: every await that waits
is a switch point.  What asyncio itself puts between two tasks (futures coming true, timeouts) runs at once; the strands
are the clients, the tasks that they start, and callbacks of the target.  Time stands still while a strand can run.
"""

from __future__ import annotations

import asyncio
import heapq
from bisect import insort
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from pytest_sessionguard.clock.deadlock import waiting_tasks
from pytest_sessionguard.core.schedule import NOBODY, Scheduler, letter
from pytest_sessionguard.errors import UsageError, VirtualDeadlock, VirtualLivelock
from pytest_sessionguard.explore import accesses

Client = Callable[[], Coroutine[Any, Any, None]]

STEPS_MAX: Final = 100_000

# Steps between two looks at what needs none at every step: fairness, the limit of steps, what has come from outside.
BATCH: Final = 256

# Strands that are none: asyncio's own callbacks, and the task that waits for the clients.
_NONE: Final = -2


async def at_once(
    clients: Sequence[Client], scheduler: Scheduler, *, trace: list[int], steps_max: int = STEPS_MAX
) -> None:
    """Run the clients to their end under the scheduler, which has begun; what it decides is added to `trace`.

    Raises:
        VirtualDeadlock: nobody can run any more and no timer is set.
        VirtualLivelock: after `steps_max` steps, everybody's turn having come again and again, they still run.
        ScheduleMisfit: the scheduler follows a schedule that does not fit.
        BaseException: whatever a client raised first, by number; the others are waited for.
    """
    loop: Any = asyncio.get_running_loop()
    control = _Control(loop, scheduler, trace, steps_max)
    tasks = [control.start(client, f"client {letter(number)}") for number, client in enumerate(clients)]
    control.take_over()
    try:
        observe = getattr(scheduler, "observe", None)
        if observe is None:
            await control.over
        else:
            with accesses.heard_by(lambda key, is_write: observe(control.current, key, is_write)):
                await control.over
    except BaseException:
        control.give_back()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
    control.give_back()
    # Every task is asked, or asyncio would complain of those that were not.
    errors = [asyncio.CancelledError() if task.cancelled() else task.exception() for task in tasks]
    for error in errors:
        if error is not None:
            raise error


class _Control:
    """One loop under one scheduler."""

    def __init__(self, loop: Any, scheduler: Scheduler, trace: list[int], steps_max: int) -> None:
        self.over: asyncio.Future[None] = loop.create_future()
        self._loop = loop
        self._scheduler = scheduler
        self._trace = trace
        self._batches_left = -(-steps_max // BATCH)
        self._driver = asyncio.current_task()
        self._clients_left = 0
        # Whoever can run, sorted, and the handle that each waits to have run.
        self._enabled: list[int] = []
        self._handles: dict[int, Any] = {}
        # Task -> its number.  Numbers are given in the order in which tasks are first seen.
        self._strands: dict[Any, int] = {self._driver: _NONE}
        self._next_strand = 0
        self._current = self._kept = NOBODY
        self._unfair_to = NOBODY
        self._steps_max = steps_max
        self._in_force = False

    @property
    def current(self) -> int:
        """The strand that runs, or ran last."""
        return self._current

    def start(self, client: Client, name: str) -> asyncio.Task[None]:
        # Never eager: that a client starts is a decision too.
        task = asyncio.Task(client(), loop=self._loop, name=name)
        task.add_done_callback(self._ended)
        self._strands[task] = self._next_strand
        self._next_strand += 1
        self._clients_left += 1
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._clients_left -= 1
        if not self._clients_left and not self.over.done():
            self.over.set_result(None)

    def take_over(self) -> None:
        self._in_force = True
        self._loop._run_once = self._run_once

    def give_back(self) -> None:
        """Let the loop go on in asyncio's own way."""
        if self._in_force:
            self._in_force = False
            del self._loop._run_once
            waiting = (self._handles[strand] for strand in reversed(self._enabled))
            self._loop._ready.extendleft(handle for handle in waiting if handle is not None)
            self._handles.clear()
            self._enabled.clear()

    def _run_once(self) -> None:
        """Run up to a batch of steps."""
        try:
            self._steps()
        except (VirtualDeadlock, UsageError) as verdict:
            # Told where the clients are waited for: the loop itself is well.
            self.give_back()
            if not self.over.done():
                self.over.set_exception(verdict)
        except BaseException:
            self.give_back()
            raise

    def _steps(self) -> None:
        loop, enabled, handles, strands = self._loop, self._enabled, self._handles, self._strands
        ready, choose, note = loop._ready, self._scheduler.choose, self._trace.append
        current, kept = self._current, self._kept
        try:
            for _ in range(BATCH):
                while ready:
                    handle = ready.popleft()
                    try:
                        strand = strands[handle._callback.__self__]
                    except (AttributeError, KeyError, TypeError):
                        strand = self._strand_of(handle)
                    if strand >= 0:
                        handles[strand] = handle
                        if strand != kept:
                            insort(enabled, strand)
                    elif not handle._cancelled:
                        handle._run()
                        if not self._in_force:
                            return
                # Who ran last has kept its place until now: most can go on at once.
                if kept != NOBODY and handles[kept] is None:
                    enabled.remove(kept)
                if len(enabled) > 1:
                    if self._unfair_to == NOBODY:
                        current = choose(enabled, current)
                        note(current)
                    else:
                        current, self._unfair_to = self._unfair_to, NOBODY
                elif enabled:
                    current = enabled[0]
                else:
                    kept = NOBODY
                    self._idle(None)
                    if loop._stopping:
                        return
                    continue
                kept = self._current = current
                handle = handles[current]
                handles[current] = None
                if not handle._cancelled:
                    handle._run()
        finally:
            self._current, self._kept = current, kept
        self._between()

    def _strand_of(self, handle: Any) -> int:
        """Return the number of whoever has this handle, a new one for whoever is new; none for asyncio's own."""
        callback = handle._callback
        owner = getattr(callback, "__self__", None)
        if not isinstance(owner, asyncio.Task):
            inner = getattr(callback, "func", callback)
            if isinstance(owner, asyncio.Future) or str(getattr(inner, "__module__", None) or "asyncio").startswith(
                ("asyncio", "pytest_sessionguard.")
            ):
                return _NONE
        strand = self._next_strand
        self._next_strand += 1
        if isinstance(owner, asyncio.Task):
            self._strands[owner] = strand
        return strand

    def _idle(self, timeout: float | None) -> None:
        """Have the loop wait as it always does: for its next timer, or for what comes from outside."""
        loop = self._loop
        scheduled = loop._scheduled
        while scheduled and scheduled[0]._cancelled:
            loop._timer_cancelled_count -= 1
            heapq.heappop(scheduled)._scheduled = False
        if loop._stopping:
            timeout = 0
        elif timeout is None and scheduled:
            timeout = max(0.0, scheduled[0]._when - loop.time())
        loop._process_events(loop._selector.select(timeout))
        end = loop.time() + loop._clock_resolution
        while scheduled and scheduled[0]._when < end:
            handle = heapq.heappop(scheduled)
            handle._scheduled = False
            if handle._cancelled:
                loop._timer_cancelled_count -= 1
            else:
                loop._ready.append(handle)

    def _between(self) -> None:
        """Look after what needs no look at every step."""
        self._batches_left -= 1
        if self._batches_left < 0:
            raise VirtualLivelock(self._steps_max, waiting_tasks(self._loop))
        if len(self._loop._selector.get_map()) > 1:
            self._idle(0)
        # Whoever spins until another has done something is let go on for a while only: even an unfair order comes to
        # an end, and to the same one when it is repeated.
        tail = self._trace[-BATCH:]
        others = [strand for strand in self._enabled if strand != self._current]
        if others and len(tail) == BATCH and len(set(tail)) == 1:
            self._unfair_to = next((strand for strand in others if strand > self._current), others[0])
