"""How the coroutines of a run are driven: by hand for a sync target, by an event loop in virtual time for an async one.

A sync target must not meet a running loop, for some frameworks refuse one; so its coroutines never wait, and one step
of a trampoline takes them from beginning to end.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import types
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from types import CodeType
from typing import Any, Final, TypeVar

from pytest_sessionguard.clock import eventloop
from pytest_sessionguard.clock.threads import me, mixed, start_virtual
from pytest_sessionguard.clock.virtual import VirtualClock
from pytest_sessionguard.core.history import History
from pytest_sessionguard.core.scenario import AnyStep
from pytest_sessionguard.core.schedule import Scheduler
from pytest_sessionguard.core.switches import Switch
from pytest_sessionguard.errors import HarnessError, VirtualDeadlock
from pytest_sessionguard.explore import tasks, threads

T = TypeVar("T")

Work = Callable[[], Coroutine[Any, Any, T]]

# Real time that branches in threads are given together where no clock is in force.
THREADS_PATIENCE_S: Final = 10.0


def drive(clock: VirtualClock, work: Work[T], *, in_loop: bool) -> T:
    """Run the work to its end with the clock in force."""
    if in_loop:
        return eventloop.run(clock, work)
    with clock.installed():
        try:
            return by_hand(work())
        finally:
            if clock.threads:
                threads.end_strays()


def by_hand(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never waits.

    Raises:
        HarnessError: it waits for something that only a loop could bring.
    """
    try:
        work.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    work.close()
    raise HarnessError("a run without an event loop waits for something: only a loop could bring it")


@types.coroutine
def _pause() -> Generator[None, None, None]:
    yield


class Feed:
    """The steps of a case that come one at a time, from whoever drives it.

    Attributes:
        history: what has happened so far; set by the case.
        operations: how many operations that were; set likewise.
        aside: entered while the case waits; set likewise.

    `crashes`: how steps may end the manager ("kill").
    """

    def __init__(self, crashes: frozenset[str] = frozenset()) -> None:
        self.crashes = crashes
        self.history: Callable[[], History] = lambda: History(())
        self.operations: Callable[[], int] = int
        self.aside: Callable[[], AbstractContextManager[None]] = nullcontext
        self._step: AnyStep | None = None
        self._resting: asyncio.Future[None] | None = None
        self._given: asyncio.Future[None] | None = None

    def give(self, step: AnyStep | None) -> None:
        """Let the case go on with a step; None: there are no more."""
        self._step = step
        if self._given is not None:
            self._given.set_result(None)

    def rests(self, loop: asyncio.AbstractEventLoop) -> asyncio.Future[None]:
        """Return what is done as soon as the case, in the loop, waits for its next step."""
        self._resting = loop.create_future()
        return self._resting

    def __aiter__(self) -> Feed:
        return self

    async def __anext__(self) -> AnyStep:
        if self._resting is None:
            await _pause()
        else:
            self._given = asyncio.get_running_loop().create_future()
            _set(self._resting)
            await self._given
        if self._step is None:
            raise StopAsyncIteration
        return self._step


def _set(future: asyncio.Future[None], _: object = None) -> None:
    if not future.done():
        future.set_result(None)


def drive_fed(
    clock: VirtualClock, work: Work[None], feed: Feed, *, in_loop: bool
) -> Generator[None, AnyStep | None, None]:
    """Run the work to its end with the clock in force, and wait wherever it needs a step that the feed does not have.

    Between the steps the loop, if there is one, stands still, and so does time.
    """
    with clock.installed():
        if in_loop:
            yield from _fed_in_loop(work, feed)
            return
        by_steps = work()
        try:
            while True:
                try:
                    by_steps.send(None)
                except StopIteration:
                    return
                with feed.aside():
                    step = yield
                feed.give(step)
        finally:
            by_steps.close()
            threads.end_strays()


def _fed_in_loop(work: Work[None], feed: Feed) -> Generator[None, AnyStep | None, None]:
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        loop = runner.get_loop()
        task = loop.create_task(work())
        while True:
            resting = feed.rests(loop)
            task.add_done_callback(partial(_set, resting))
            loop.run_until_complete(resting)
            if task.done():
                task.result()
                return
            with feed.aside():
                step = yield
            feed.give(step)


async def at_once(
    branches: Sequence[Work[None]],
    *,
    in_loop: bool,
    scheduler: Scheduler | None = None,
    trace: list[int] | None = None,
    switches: list[Switch] | None = None,
    light: bool = False,
    unmatched: frozenset[CodeType] = frozenset(),
) -> None:
    """Run the branches at the same time, started in their order: as tasks inside a loop, else as threads, whose waits
    take virtual time with a clock in force.

    A scheduler, which has begun, decides who runs next, and its decisions are added to `trace`; threads whom it stops
    are added to `switches`, and need a clock with threads in force; `light`: the threads may be greenlets;
    `unmatched`: codes of the target that are to be traced.

    Raises:
        VirtualDeadlock: no branch can run any more; without a clock, threads are under way after ten real seconds.
        BaseException: whatever a branch raised first; the others are waited for.
    """
    if in_loop and scheduler is not None:
        await tasks.at_once(branches, scheduler, trace=trace if trace is not None else [])
    elif in_loop:
        await _as_tasks(branches)
    elif scheduler is not None:
        threads.at_once(
            [partial(_client, branch) for branch in branches],
            scheduler,
            trace=trace if trace is not None else [],
            switches=switches,
            light=light,
            unmatched=unmatched,
        )
    else:
        _as_threads(branches)


async def give_way(*, in_loop: bool) -> None:
    """Let the other branches run, between two steps of one."""
    if in_loop:
        await asyncio.sleep(0)
    else:
        threads.offer_switch()


def _client(branch: Work[None]) -> None:
    by_hand(branch())


async def _as_tasks(branches: Sequence[Work[None]]) -> None:
    tasks = [asyncio.ensure_future(branch()) for branch in branches]
    try:
        results = await asyncio.gather(*tasks, return_exceptions=True)
    except asyncio.CancelledError:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
    for result in results:
        if isinstance(result, BaseException):
            raise result


def _as_threads(branches: Sequence[Work[None]]) -> None:
    ended: queue.Queue[tuple[int, BaseException | None]] = queue.Queue()

    def run(number: int, branch: Work[None]) -> None:
        error: BaseException | None = None
        try:
            by_hand(branch())
        except BaseException as raised:  # noqa: BLE001 - raised again in the thread that waits.
            error = raised
        ended.put((number, error))

    crew = [
        threading.Thread(target=run, args=(number, branch), name=f"client {number + 1}", daemon=True)
        for number, branch in enumerate(branches)
    ]
    with mixed(seed=len(crew)):
        for thread in crew:
            thread.start() if me() is None else start_virtual(thread)
        errors = _gathered(crew, ended)
    for thread in crew:
        thread.join()
    if errors:
        raise errors[min(errors)]


def _gathered(
    crew: Sequence[threading.Thread], ended: queue.Queue[tuple[int, BaseException | None]]
) -> dict[int, BaseException]:
    """Wait for every thread to say that it has ended; return what went wrong, by number."""
    patience_s = THREADS_PATIENCE_S if me() is None else None
    errors: dict[int, BaseException] = {}
    waiting = set(range(len(crew)))
    while waiting:
        try:
            number, error = ended.get(timeout=patience_s)
        except queue.Empty:
            raise VirtualDeadlock(f"{crew[number].name} (a thread)" for number in sorted(waiting)) from None
        waiting.discard(number)
        if error is not None:
            errors[number] = error
    return errors
