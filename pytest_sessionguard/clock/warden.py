"""Looks after what a scheduler cannot see: threads blocked in the real world, and loops that never wait.

A real thread beside the virtual ones, from the first of them to the end of the span; it decides nothing while turns are
passed on.  Three things it does:
- The thread that has the turn is blocked outside our reach (a socket, a child process, a lock made before the span):
  its turn goes to the next.  Time does not jump before it has been silent for the clock's patience; then it is declared
  external, with a warning that shows its stack.
- The thread that has the turn polls the time or a flag and never waits: a warning names it, the others get their
  turns, and if there are none, time passes for it as fast as real time does.
- Nobody has the turn because something real was under way: it asks again.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import warnings
from _thread import allocate_lock, start_new_thread
from contextlib import suppress
from pathlib import Path
from typing import Final

from pytest_sessionguard.clock.children import Children
from pytest_sessionguard.clock.readings import real_monotonic, real_sleep
from pytest_sessionguard.clock.stacks import lines_of
from pytest_sessionguard.clock.turns import Turns
from pytest_sessionguard.clock.waits import MU, Runner

LOOK_S: Final = 0.002
# Looks in a row at which a thread must be asleep in the kernel without having used the processor.
BLOCKED_LOOKS: Final = 3
# Seconds that a thread must be busy without passing the turn on, and the part of its looks at which it polls.  They are
# of processor time: on a machine with much to do, a thread that computes for a moment may take as long as any.
BUSY_S: Final = 0.08
POLLING_PART: Final = 0.3

_EARLY: Final = "before the clock was in force: virtual time goes on, and it gets the lock late"
# Threads that wait for child processes on behalf of others: of asyncio, of process pools.
_BLOCKERS: Final = ("concurrent", "multiprocessing")
_BLOCKER_NAMES: Final = ("asyncio-waitpid", "waitpid-", "QueueFeederThread")

_HERE: Final = str(Path(__file__).parent)
_POLLED: Final = ("threading.py", "queue.py", "freezegun/api.py")


class ExternalThread(RuntimeWarning):
    """A virtual thread is blocked in the real world; virtual time goes on without it."""


class BusyWait(RuntimeWarning):
    """A virtual thread polls the time or a flag instead of waiting."""


class Warden:
    """Watch over the threads of one span."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self._bell = allocate_lock()
        self._bell.acquire()
        self._started = self._watches = False
        self._switches = -1
        self._looks = 0
        self._busy_s = 0.0
        self._polls = 0
        self._asleep = 0
        self._used_ns = self._last_us = -1
        self._told: set[tuple[object, ...]] = set()
        self._children = Children()
        self._served_s = 0.0
        self._now_s = 0.0

    def call(self) -> None:
        """Start to watch; called again, do nothing."""
        if not self._started:
            self._started = True
            start_new_thread(self._watch, ())
            while threading.gettrace() is not None and not self._watches:
                real_sleep(0)  # of two threads that are given trace functions at once, one is refused

    def dismiss(self) -> None:
        """Stop to watch."""
        if self._started and self._bell.locked():
            self._bell.release()

    def _watch(self) -> None:
        # As every thread of `threading` does: for debuggers and for coverage.
        with suppress(RuntimeError):  # another thread is being given its own
            sys.settrace(threading.gettrace())
        self._watches = True
        turns = self.turns
        while not turns.over and not self._bell.acquire(True, LOOK_S):
            try:
                self._look()
            except Exception:  # noqa: BLE001 - a thread may end while it is being looked at; the next look knows
                continue

    def _look(self) -> None:
        turns = self.turns
        self._now_s = real_monotonic()
        if turns.away:
            self._look_after_the_away()
        holder = turns.holder
        if holder is None:
            turns.resume()
            # Nobody waits for a thread that keeps busy without a turn: it may be polling the time.
            busy = next((runner for runner in turns.away if runner.quiet_since_s >= self._now_s), None)
            if busy is not None and turns.holder is None:
                self._look_at_busy(busy, LOOK_S)
        elif turns.switches != self._switches or turns.runners.get(holder.ident) is not holder:
            # It has just got its turn, or is starting a thread, which takes as long as the system takes.
            self._switches = turns.switches
            self._forget()
        elif turns.runners.get(holder.ident) is holder and len(turns.runners) + len(turns.ready) > 1:
            # One that is starting another waits for the system meanwhile, and is no virtual thread for so long.
            self._look_at(holder)
        elif turns.runners.get(holder.ident) is holder:
            # Nobody waits for its turn: it is of interest only whether it polls, and no time passes.
            if turns.clock.monotonic_us != self._last_us:
                self._last_us = turns.clock.monotonic_us
                self._forget()
            used_ns, before_ns = processor_ns(holder), self._used_ns
            self._used_ns = used_ns
            self._look_at_busy(holder, (used_ns - before_ns) / 1e9 if used_ns and before_ns >= 0 else LOOK_S)

    def _forget(self) -> None:
        self._looks = self._polls = self._asleep = 0
        self._busy_s = 0.0
        self._used_ns = -1

    def _look_at(self, holder: Runner) -> None:
        """See whether the thread that has the turn is blocked, or polls."""
        used_ns, before_ns = processor_ns(holder), self._used_ns
        same, self._used_ns = used_ns == before_ns, used_ns
        if same and _asleep(holder):
            self._asleep += 1
            if self._asleep >= BLOCKED_LOOKS * self.turns.slack:
                holder.used_ns, holder.quiet_since_s = used_ns, self._now_s
                self.turns.let_away(holder)
            return
        self._asleep = 0
        # Where processor time cannot be asked for, every look counts.
        self._look_at_busy(holder, (used_ns - before_ns) / 1e9 if used_ns and before_ns >= 0 else LOOK_S)

    def _look_at_busy(self, runner: Runner, busy_s: float) -> None:
        """See whether a thread that has been busy for so much longer polls."""
        self._looks += 1
        self._busy_s += busy_s
        self._polls += _polls(runner)
        if self._busy_s < BUSY_S * self.turns.slack:
            self._served_s = self._now_s
        elif self._polls >= POLLING_PART * self._looks:
            self._serve_polling(runner)
        elif self.turns.ready and runner is self.turns.holder:
            # Busy without end: let the others run beside it, as an operating system would.
            self.turns.let_away(runner)

    def _serve_polling(self, holder: Runner) -> None:
        turns = self.turns
        said = f"{holder.name} polls instead of waiting"
        self._tell(holder, BusyWait, f"{said}; virtual time passes for it only as fast as real time")
        passed_us = int((self._now_s - self._served_s) * 1e6)
        self._served_s = self._now_s
        with MU:
            if turns.holder not in (holder, None) or turns.over:
                return
            turns.pass_by(passed_us)
            self._last_us = turns.clock.monotonic_us
            if turns.holder is None:
                turns.resume()
            elif turns.ready:
                turns.let_away(holder)

    def _look_after_the_away(self) -> None:
        turns = self.turns
        patience_s = turns.clock.patience_us / 1e6
        # A thread that Python knows nothing of, or that has no turns, may be at work and release a lock.
        alone = not turns.others() and _all_are_pythons()
        children_at_work = self._children.at_work()
        for runner in list(turns.away):
            used_ns = processor_ns(runner)
            if used_ns != runner.used_ns:
                runner.used_ns, runner.quiet_since_s = used_ns, self._now_s
                runner.declared = runner.locked = False
                continue
            if runner.declared:
                continue
            if children_at_work and not _asleep(runner, b"futex"):
                # It may wait for a child: that one is busy, not this one.
                runner.quiet_since_s = self._now_s - LOOK_S
            quiet_s = self._now_s - runner.quiet_since_s
            if quiet_s >= (LOOK_S * BLOCKED_LOOKS if alone else patience_s) and _asleep(runner, b"futex"):
                # Only another thread can release a lock, and none that runs does: this is no work under way.
                runner.declared = runner.locked = True
                self._tell(runner, ExternalThread, f"{runner.name} waits for a lock that was made {_EARLY}")
            elif quiet_s >= patience_s:
                runner.declared = True
                said = f"{runner.name} has been blocked in the real world for {patience_s:g} s"
                self._tell(runner, ExternalThread, f"{said}: virtual time goes on without it")

    def _tell(self, runner: Runner, kind: type[Warning], message: str) -> None:
        """Warn, once for each place."""
        lines = lines_of(runner.ident)
        if (kind, *lines[-1:]) in self._told or is_tool(runner) or self.turns.over:
            return
        self._told.add((kind, *lines[-1:]))
        stack = "".join(f"\n  {line}" for line in lines)
        warnings.warn(f"{message}{stack}", kind, stacklevel=1)


def processor_ns(runner: Runner) -> int:
    """Return the processor time that a live thread has used: the one thing that a blocked thread cannot do."""
    if runner.thread.native_id is None or runner.done or not hasattr(time, "pthread_getcpuclockid"):
        return 0
    try:
        return time.clock_gettime_ns(time.pthread_getcpuclockid(runner.ident))
    except OSError:
        return 0


def stirs(runner: Runner) -> bool:
    """Say whether a thread that was declared external has come back to life: then it counts again."""
    if processor_ns(runner) == runner.used_ns and _asleep(runner):
        return False
    runner.declared = False
    runner.quiet_since_s = real_monotonic()
    return True


def _all_are_pythons() -> bool:
    """Say whether every thread of the process runs code of Python; also where that cannot be asked."""
    try:
        return len(os.listdir("/proc/self/task")) <= len(sys._current_frames())
    except OSError:
        return True


def _asleep(runner: Runner, place: bytes = b"") -> bool:
    """Say whether the kernel has a thread waiting, at a certain place if one is named."""
    try:
        with open(f"/proc/self/task/{runner.thread.native_id}/{'wchan' if place else 'stat'}", "rb") as file:
            facts = file.read()
    except OSError:
        return not place  # cannot be asked here: by its processor time alone, it sleeps
    return place in facts if place else facts.rpartition(b")")[2].split()[0] in (b"S", b"D")


def is_tool(runner: Runner) -> bool:
    """Say whether a thread is one of the standard library's own, whose business is to block."""
    return type(runner.thread).__module__.partition(".")[0] in _BLOCKERS or any(
        runner.name.startswith(name) for name in _BLOCKER_NAMES
    )


def _polls(runner: Runner) -> bool:
    """Say whether a thread is asking for the time, or after a flag, at this moment."""
    frame = sys._current_frames().get(runner.ident)
    if frame is None:
        return False
    file = frame.f_code.co_filename
    return file.startswith(_HERE) or file.endswith(_POLLED)
