"""Threads under the clock: what stands in for `threading` and its neighbours while a clock is in force.

A thread that a virtual thread starts is virtual.  Its waits on anything built of conditions (`Event`, `Semaphore`,
`Barrier`, `Timer`, `Queue`, futures, pools) are virtual whenever the object was made; its waits on a plain `Lock` or
`RLock` are virtual if the lock was made inside the span or while the factories were in place (see `keep_locks`).
Waits on a lock made before are seen by the `warden`, which lets the others go on.

A thread from before the span keeps real time, with one exception: the worker of a pool is virtual while it does
something that was submitted inside the span.
"""

from __future__ import annotations

import _thread
import queue
import sys
import threading
import time
from _thread import allocate_lock, get_ident
from collections.abc import Iterator
from concurrent.futures import Future, _base
from concurrent.futures import thread as pool
from contextlib import contextmanager, suppress
from functools import partial
from types import SimpleNamespace, TracebackType
from typing import Any, Final

from pytest_sessionguard.clock.instants import Instant
from pytest_sessionguard.clock.locks import VirtualLock, VirtualRLock, VirtualSimpleQueue, condition_wait
from pytest_sessionguard.clock.patches import Patch, Patches
from pytest_sessionguard.clock.readings import READINGS, real_monotonic, real_sleep
from pytest_sessionguard.clock.turns import Turns, by_seed
from pytest_sessionguard.clock.virtual import VirtualClock
from pytest_sessionguard.clock.waits import CURRENT, MU, Abandoned, Runner, Waiter
from pytest_sessionguard.clock.waits import me as me
from pytest_sessionguard.clock.warden import Warden, stirs

_RUNNER: Final = "_sessionguard_runner"
# So often is a thread that waits again told to end.
_TELLINGS_MAX: Final = 100
# The identity that a runner has until its thread has begun.
_NOT_ARRIVED: Final = 0


class _OtherRLock(VirtualRLock):
    """What stands for the lock class of C, which some modules take instead of the factory."""

    __slots__ = ()


# Real factory -> what stands in for it, for the references that modules captured.
STAND_INS: Final[dict[Any, Any]] = {
    threading.Lock: VirtualLock,
    threading.RLock: VirtualRLock,
    **({} if _thread.RLock is threading.RLock else {_thread.RLock: _OtherRLock}),
    **({} if allocate_lock is threading.Lock else {allocate_lock: VirtualLock}),
    queue.SimpleQueue: VirtualSimpleQueue,
}

# What `threading.enumerate` lists, without its lock.
_live_threads: Final[dict[int, threading.Thread]] = vars(threading)["_active"]


# -- in and out ------------------------------------------------------------------------------------------------------


def enter(clock: VirtualClock) -> None:
    """Start to pass turns; the current thread has the first one."""
    clock.passed_on = _pass_on
    CURRENT.promise(partial(_turns, clock, threading.current_thread(), [*_live_threads.values()]))


def _turns(clock: VirtualClock, owner: threading.Thread, there_before: list[threading.Thread]) -> Turns:
    turns = Turns(clock, owner, None if clock.seed is None else by_seed(clock.seed))
    turns.call_warden = partial(_call_warden, turns)
    turns.stirs = stirs
    turns.others = partial(_others, there_before)
    return turns


def watch() -> None:
    """Have the thread that owns the clock watched while it is alone: one that polls the time would poll for ever."""
    turns = CURRENT.turns
    if turns is not None:
        turns.call_warden()


def _call_warden(turns: Turns) -> None:
    # Made only now: most spans never need one.
    if turns.warden is None:
        turns.warden = Warden(turns)
    turns.warden.call()


def _others(there_before: list[threading.Thread]) -> bool:
    """Say whether a thread lives that came with the span and has no turns: it may still do something for us."""
    return any(each not in there_before and _RUNNER not in vars(each) for each in list(_live_threads.values()))


def _pass_on(span_us: int) -> bool:
    """Let a span pass for the current thread, if it is a virtual one: all that is due comes first."""
    here = me()
    if here is None:
        return False
    turns, runner = here
    turns.advance(runner, span_us)
    return True


def leave(clock: VirtualClock) -> None:
    """Let every thread go on in real time.  May be called again."""
    turns = CURRENT.end()
    clock.passed_on = None
    _FOR_STARTED.take_out()
    _FOR_POOLS.take_out()
    if turns is not None:
        turns.let_go()
        if turns.warden is not None:
            turns.warden.dismiss()


def leave_in_child() -> None:
    """Forget all turns in a child process that was forked: none of the threads but the current one is there."""
    turns = CURRENT.end()
    if turns is not None:
        turns.over = True
        for runner in [*turns.runners.values(), *turns.ready]:
            if runner.waiter is not None:
                runner.waiter.done = True


def sleep(seconds: Any) -> None:
    """Sleep: in virtual time in a virtual thread."""
    turns = CURRENT.turns
    runner = None if turns is None else turns.runners.get(get_ident())
    if turns is None or runner is None:
        real_sleep(seconds)
    else:
        turns.sleep(runner, seconds)


def give_way() -> None:
    """Let the other virtual threads run that can."""
    here = me()
    if here is not None:
        here[0].give_way(here[1])


class Limit:
    """While entered, cut the current thread off that waits for longer than `span_us` in all, if it is a virtual one.

    A cleaner that wakes for ever keeps "nothing can run" from ever coming true: this tells who never answers.
    """

    __slots__ = ("_before_us", "_deadlock", "_runner", "_turns", "span_us")

    def __init__(self, span_us: int) -> None:
        self.span_us = span_us
        self._turns: Turns | None = None

    def __enter__(self) -> Limit:
        here = me()
        if here is not None:
            self._turns, self._runner = here
            self._before_us, self._deadlock = self._runner.limit_us, self._turns.deadlock
            self._runner.limit_us = self._turns.clock.monotonic_us + self.span_us
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave.

        Raises:
            VirtualDeadlock: one was told meanwhile, whoever caught it.
        """
        turns, self._turns = self._turns, None
        if turns is None:
            return
        self._runner.limit_us = self._before_us
        if turns.deadlock is not self._deadlock and turns.deadlock is not None and error is not turns.deadlock:
            raise turns.deadlock


@contextmanager
def mixed(seed: int) -> Iterator[None]:
    """Have it picked by the seed who runs next, and let every lock be a switch point; nothing for real threads."""
    here = me()
    if here is None or here[0].choose is not None:
        yield
        return
    turns = here[0]
    turns.choose = by_seed(seed)
    CURRENT.offer = turns.offer
    try:
        yield
    finally:
        CURRENT.offer = turns.choose = None


def _monotonic() -> float:
    """Tell the waiting rooms of the standard library the time that the current thread's waits take."""
    turns = CURRENT.turns
    if turns is None or get_ident() not in turns.runners:
        return real_monotonic()
    return Instant(turns.clock.monotonic_us / 1_000_000)


def rest() -> None:
    """Let the clock rest: the owner waits in real time, and because it keeps its turn, no other thread runs."""
    turns = CURRENT.turns
    if turns is not None:
        turns.runners.pop(turns.owner.ident, None)
        READINGS.owner = 0


def work_on() -> None:
    """End the rest."""
    turns = CURRENT.turns
    if turns is not None:
        turns.work_on()


def end_stuck() -> None:
    """Have the threads end that a deadlock left waiting for ever, and that the end of the process would wait for.

    The current thread is the owner of the clock.
    """
    turns = CURRENT.turns
    if turns is None or turns.deadlock is None:
        return
    turns.work_on()
    for _ in range(_TELLINGS_MAX):
        with MU:
            stuck = [each for each in turns.runners.values() if each is not turns.owner and _is_stuck(each)]
            for runner in stuck:
                assert runner.waiter is not None
                runner.waiter.done, runner.waiter.error = True, Abandoned()
                turns.ready.append(runner)
        if not stuck:
            return
        turns.give_way(turns.owner)


def _is_stuck(runner: Runner) -> bool:
    waiter, work = runner.waiter, getattr(runner.thread, "_target", None)
    # Pools end their workers themselves.
    is_pools = getattr(work, "__module__", "").startswith("concurrent.")
    return waiter is not None and not (waiter.done or waiter.deadline_us or runner.thread.daemon or is_pools)


# -- locks -----------------------------------------------------------------------------------------------------------

_kept: list[tuple[Any, str, Any]] = []


def keep_locks() -> None:
    """Put the lock factories in place for all that is imported from now on, a clock in force or not."""
    if not _kept:
        for owner, name, stand_in in PATCHES:
            if (owner, name) in _LOCK_PLACES:
                _kept.append((owner, name, owner.__dict__[name]))
                setattr(owner, name, stand_in)


def give_locks_back() -> None:
    """Put the real factories back; locks that were made meanwhile work on."""
    while _kept:
        setattr(*_kept.pop())


def are_locks_kept() -> bool:
    """Say whether the factories are in place without a clock."""
    return bool(_kept)


# -- threads ---------------------------------------------------------------------------------------------------------

_start, _join, _is_alive = threading.Thread.start, threading.Thread.join, threading.Thread.is_alive
_bootstrap_inner = threading.Thread._bootstrap_inner  # type: ignore[attr-defined]  # not in typeshed


def thread_start(self: threading.Thread) -> None:
    """Start a thread; started by a virtual one, it is virtual, and its first turn comes after those who can run.

    What a tool starts, as pytest-timeout does, is real.
    """
    here = me()
    if here is None or not getattr(self, "_initialized", False) or self._started.is_set():  # type: ignore[attr-defined]
        return _start(self)
    is_tool = READINGS.keeps_real_time[sys._getframe(1).f_globals.get("__name__", "")]
    return _start_here(self, *here, is_virtual=not is_tool)


def start_virtual(thread: threading.Thread) -> Runner:
    """Start a thread of the harness as a virtual one; the current thread must be one."""
    here = me()
    assert here is not None
    _start_here(thread, *here, is_virtual=True)
    started: Runner = vars(thread)[_RUNNER]
    return started


def stand_for(thread: threading.Thread, runner: Runner) -> None:
    """Let a thread that was never started stand for what runs in its name."""
    _FOR_STARTED.put_once()
    vars(thread)[_RUNNER] = runner


def _start_here(self: threading.Thread, turns: Turns, runner: Runner, *, is_virtual: bool) -> None:
    _FOR_STARTED.put_once()
    child = None
    attributes = vars(self)
    if is_virtual:
        child = turns.newcomer(self)
        attributes[_RUNNER] = child
        attributes["run"] = partial(_first_turn, self, turns, child, attributes.get("run"))
    # The system's part of starting takes real time: for that long this thread waits as a real one.
    del turns.runners[runner.ident]
    try:
        _start(self)
        if child is not None and (threading.gettrace() or threading.getprofile()) is not None:
            # Of two threads that are given trace functions at once, Python 3.11 refuses one, which ends unbegun.
            while child.ident == _NOT_ARRIVED and not child.done:
                real_sleep(0)
    except BaseException:
        if child is not None:
            turns.withdraw(child)
            attributes.pop("run", None)
        raise
    finally:
        turns.runners[runner.ident] = runner


_start_new_thread = _thread.start_new_thread


def start_new_thread(function: Any, args: Any, kwargs: Any = None, /) -> int:
    """Start a thread by way of `_thread`; a virtual thread starts a virtual one."""
    if me() is None or READINGS.keeps_real_time[sys._getframe(1).f_globals.get("__name__", "")]:
        return _start_new_thread(function, args, {} if kwargs is None else kwargs)
    thread = threading.Thread(target=function, args=args, kwargs=kwargs, daemon=True)
    start_virtual(thread)
    assert thread.ident is not None
    return thread.ident


def _first_turn(self: threading.Thread, turns: Turns, runner: Runner, own_run: Any) -> None:
    """Run a thread's `run`, as it was before the start, from its first turn on."""
    attributes = vars(self)
    attributes.pop("run", None)
    if own_run is not None:
        attributes["run"] = own_run
    turns.arrive(runner)
    with suppress(Abandoned):
        self.run()


def thread_bootstrap_inner(self: threading.Thread) -> None:
    """Do all that a thread does; after that, pass its turn on."""
    try:
        _bootstrap_inner(self)
    finally:
        runner = vars(self).get(_RUNNER)
        # One that could not begin, as where its trace function is refused, has no turn and is waited for all the same.
        if runner is not None and runner.ident in (_NOT_ARRIVED, get_ident()):
            runner.turns.withdraw(runner)
            runner.turns.retire(runner)


def thread_join(self: threading.Thread, timeout: float | None = None) -> None:
    """Wait for a thread's end, in virtual time between virtual threads."""
    runner = vars(self).get(_RUNNER)
    here = me()
    if here is None or runner is None or runner is here[1] or (runner.turns is not here[0] and not runner.done):
        return _join(self, timeout)
    if not runner.done:
        turns = here[0]
        waiter = Waiter(turns, here[1], f"the end of {self.name}")
        runner.leavers.append(waiter)
        if not waiter.wait(None if timeout is None else max(timeout, 0)) and not runner.done:
            return None
    return _join(self)


def thread_is_alive(self: threading.Thread) -> bool:
    """Say whether a thread lives: one that has passed its last turn on does not, although it may still be at its last
    steps."""
    runner = vars(self).get(_RUNNER)
    if runner is not None and runner.done and me() is not None:
        _join(self)
    return _is_alive(self)


# -- pools -----------------------------------------------------------------------------------------------------------

_run_item, _submit = pool._WorkItem.run, pool.ThreadPoolExecutor.submit


def run_item(self: Any) -> None:
    """Do what was submitted; a worker from before the span is virtual for so long."""
    turns = CURRENT.turns
    if turns is None or get_ident() in turns.runners:
        return _run_item(self)
    runner = turns.newcomer(threading.current_thread())
    turns.arrive(runner)
    try:
        _run_item(self)
    finally:
        turns.retire(runner)


def submit(self: pool.ThreadPoolExecutor, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
    """Submit; if a worker from before the span may take it, no time passes until one has begun it."""
    turns = CURRENT.turns
    if turns is not None:
        _FOR_POOLS.put_once()
    future = _submit(self, fn, *args, **kwargs)
    if turns is not None and any(vars(each).get(_RUNNER) is None for each in self._threads):
        turns.hand_out(lambda: future.running() or future.done())
    return future


def _patches() -> list[Patch]:
    """Return what is replaced while a clock with threads is in force."""
    base_time = SimpleNamespace(**{**vars(time), "monotonic": _monotonic})
    return [
        (_thread, "start_new_thread", start_new_thread),
        (threading, "Lock", VirtualLock),
        (threading, "_allocate_lock", VirtualLock),
        (threading, "RLock", VirtualRLock),
        (threading, "_time", _monotonic),
        (threading.Condition, "wait", condition_wait),
        (threading.Thread, "start", thread_start),
        (queue, "time", _monotonic),
        (queue, "SimpleQueue", VirtualSimpleQueue),
        (_base, "time", base_time),
        (pool.ThreadPoolExecutor, "submit", submit),
    ]


PATCHES: Final = _patches()
# What is replaced besides, once a thread has been started in virtual time, and once a pool has been given work.
_FOR_STARTED: Final = Patches(
    [
        (threading.Thread, "join", thread_join),
        (threading.Thread, "is_alive", thread_is_alive),
        (threading.Thread, "_bootstrap_inner", thread_bootstrap_inner),
    ]
)
_FOR_POOLS: Final = Patches([(pool._WorkItem, "run", run_item)])
_LOCK_PLACES: Final = (
    (_thread, "start_new_thread"),
    (threading, "Lock"),
    (threading, "_allocate_lock"),
    (threading, "RLock"),
    (queue, "SimpleQueue"),
)
