"""The waits of threads under the clock: who waits, for what, and how a wait is ended.

Any object that threads wait for makes a wait by `waiter_for`, keeps it, and calls `wake` on it: that is all that a lock
or a queue needs to know of whose turn it is.
"""

from __future__ import annotations

import os
import threading
from _thread import RLock, allocate_lock, get_ident
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from pytest_sessionguard.clock.virtual import sleep_us

if TYPE_CHECKING:
    from pytest_sessionguard.clock.turns import Turns

# Guards every scheduler and every virtual lock.  Re-entrant: a finalizer may run in the middle and release a lock.
MU: Final = RLock()

# How many forks lie between this process and the one that imported us: whoever waited before one lives elsewhere.
_forks = 0


def _count_fork() -> None:
    global _forks
    _forks += 1
    MU._at_fork_reinit()  # type: ignore[attr-defined]  # not in typeshed


if hasattr(os, "register_at_fork"):
    # A child is born while nobody else is in the middle of anything.
    os.register_at_fork(before=MU.acquire, after_in_parent=MU.release, after_in_child=_count_fork)


class Abandoned(BaseException):
    """What ends a virtual thread that nobody waits for any more: no `except Exception` stops it, and nobody is told."""


class Runner:
    """One thread as its scheduler knows it.

    `number`: in order of creation, the owner's is 0.  `park` returns once `resume` has been called as often; who is not
    a thread of the system brings two functions of its own.
    """

    __slots__ = (
        "act",
        "away",
        "declared",
        "done",
        "ident",
        "leavers",
        "limit_us",
        "locked",
        "number",
        "park",
        "quiet_since_s",
        "resume",
        "thread",
        "turns",
        "used_ns",
        "waiter",
    )

    def __init__(self, turns: Turns, thread: threading.Thread, ident: int, number: int) -> None:
        self.turns = turns
        self.thread = thread
        self.ident = ident
        self.number = number
        # Held but for the moment in which a turn is given.
        gate = allocate_lock()
        gate.acquire()
        self.park: Callable[..., bool] = gate.acquire
        self.resume: Callable[[], object] = gate.release
        self.waiter: Waiter | None = None
        # What it is to do in the middle of its wait.
        self.act: Callable[[], object] | None = None
        # The instant at which it is cut off, whatever it waits for.
        self.limit_us: int | None = None
        self.away = False
        self.done = False
        # Those who join this thread.
        self.leavers: list[Waiter] = []
        # What the warden knows of one that is away: processor time, since when unchanged, whether that was told, and
        # whether it waits for a lock.
        self.used_ns = -1
        self.quiet_since_s = 0.0
        self.declared = self.locked = False

    @property
    def name(self) -> str:
        return self.thread.name


class Waiter:
    """One wait of one thread; whoever ends it calls `wake`."""

    __slots__ = (
        "deadline_us",
        "done",
        "error",
        "look_again_s",
        "parked",
        "poll",
        "reachable",
        "runner",
        "turns",
        "what",
        "woken",
    )

    def __init__(self, turns: Turns, runner: Runner, what: object) -> None:
        self.turns = turns
        self.runner = runner
        self.what = what
        self.deadline_us: int | None = None
        self.parked = self.done = self.woken = False
        self.error: BaseException | None = None
        # Asks whether something real has come; says how soon to ask again, 0.0 if nothing real can be under way.
        self.poll: Callable[[], Any] | None = None
        self.look_again_s: Callable[[], float] | None = None
        # Whether somebody outside could end the wait.
        self.reachable = False

    def wake(self) -> bool:
        """End the wait; false if it had ended."""
        return self.turns.wake(self)

    # What a condition calls on those that wait for it.
    release = wake

    def wait(self, timeout_s: float | None) -> bool:
        """Wait to be woken; false if the time was up first."""
        return self.turns.wait(self, None if timeout_s is None else self.turns.clock.monotonic_us + sleep_us(timeout_s))


class ForeignWaiter:
    """A wait of a thread that keeps real time, for an object that virtual threads use too."""

    __slots__ = ("done", "forks", "gate", "woken")

    def __init__(self) -> None:
        self.forks = _forks
        self.gate = allocate_lock()
        self.gate.acquire()
        self.done = self.woken = False

    def wake(self) -> bool:
        """End the wait; false if it had ended."""
        with MU:
            if self.done or self.forks != _forks:
                return False
            self.done = self.woken = True
        self.gate.release()
        return True

    def wait(self, timeout_s: float | None) -> bool:
        """Wait in real time to be woken; false if the time was up first."""
        if self.gate.acquire(True, -1 if timeout_s is None else min(timeout_s, threading.TIMEOUT_MAX)):
            return True
        with MU:
            self.done = True
            return self.woken


class Current:
    """The scheduler in force.

    `offer`: what a lock calls before it is taken, while every lock is a switch point.
    """

    __slots__ = ("make", "offer", "turns")

    def __init__(self) -> None:
        self.turns: Turns | None = None
        self.offer: Callable[[], None] | None = None
        self.make: Callable[[], Turns] | None = None

    def promise(self, make: Callable[[], Turns]) -> None:
        """Put a scheduler in force that is made when it is first asked for: most spans never have a second thread."""
        self.make = make
        del self.turns
        self.__class__ = _Promised

    def end(self) -> Turns | None:
        """Put none in force; return the one that was, if it has been made."""
        with MU:
            turns = None if isinstance(self, _Promised) else self.turns
            self.__class__ = Current
            self.turns = self.make = self.offer = None
            return turns


class _Promised(Current):
    """The same, while the scheduler is still to be made."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        if name != "turns":
            raise AttributeError(name)
        with MU:
            make, self.make = self.make, None
            if make is not None:
                try:
                    self.turns = make()
                except BaseException:
                    self.make = make
                    raise
                self.__class__ = Current  # type: ignore[assignment]  # they have the same slots
            # A finalizer may ask while it is being made.
            return None if isinstance(self, _Promised) else self.turns


CURRENT: Final = Current()


def waiter_for(what: object) -> Waiter | ForeignWaiter:
    """Return a wait of the current thread: virtual if the thread is."""
    turns = CURRENT.turns
    if turns is not None:
        me = turns.runners.get(get_ident())
        if me is not None:
            return Waiter(turns, me, what)
    return ForeignWaiter()


def me() -> tuple[Turns, Runner] | None:
    """Return the scheduler and the current thread's place in it; none for a thread that keeps real time."""
    turns = CURRENT.turns
    runner = None if turns is None else turns.runners.get(get_ident())
    return None if turns is None or runner is None else (turns, runner)
