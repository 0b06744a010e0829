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

import sys
import time
import warnings
from _thread import allocate_lock, start_new_thread
from pathlib import Path
from typing import Final

from pytest_sessionguard.clock.readings import real_monotonic
from pytest_sessionguard.clock.stacks import lines_of
from pytest_sessionguard.clock.turns import MU, Runner, Turns

LOOK_S: Final = 0.002
# Looks in a row at which a thread must be asleep in the kernel without having used the processor.
BLOCKED_LOOKS: Final = 3
# Looks in a row at which a thread must be busy without passing the turn on, and the part of them spent polling.
BUSY_LOOKS: Final = 40
POLLING_PART: Final = 0.3

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
        self._started = False
        self._switches = -1
        self._looks = 0
        self._polls = 0
        self._asleep = 0
        self._used_ns = -1
        self._told: set[int] = set()
        self._looked_s = 0.0

    def call(self) -> None:
        """Start to watch; called again, do nothing."""
        if not self._started:
            self._started = True
            start_new_thread(self._watch, ())

    def dismiss(self) -> None:
        """Stop to watch."""
        if self._started and self._bell.locked():
            self._bell.release()

    def _watch(self) -> None:
        turns = self.turns
        while not turns.over and not self._bell.acquire(True, LOOK_S):
            try:
                self._look()
            except Exception:  # noqa: BLE001 - a thread may end while it is being looked at; the next look knows
                continue

    def _look(self) -> None:
        turns = self.turns
        if turns.away:
            self._look_after_the_away()
        holder = turns.holder
        if holder is None:
            turns.resume()
        elif turns.switches != self._switches:
            self._switches = turns.switches
            self._looks = self._polls = self._asleep = 0
            self._used_ns = -1
        elif holder.ident and len(turns.runners) + len(turns.ready) > 1:
            self._look_at(holder)

    def _look_at(self, holder: Runner) -> None:
        """See whether the thread that has the turn is blocked, or polls."""
        used_ns = processor_ns(holder)
        same, self._used_ns = used_ns == self._used_ns, used_ns
        if same and _asleep(holder):
            self._asleep += 1
            if self._asleep >= BLOCKED_LOOKS:
                holder.used_ns, holder.quiet_since_s = used_ns, real_monotonic()
                self.turns.let_away(holder)
            return
        self._asleep = 0
        self._looks += 1
        self._polls += _polls(holder)
        if self._looks < BUSY_LOOKS:
            self._looked_s = real_monotonic()
            return
        if self._polls < POLLING_PART * self._looks:
            if self.turns.ready:
                # Busy without end: let the others run beside it, as an operating system would.
                self.turns.let_away(holder)
            return
        self._serve_polling(holder)

    def _serve_polling(self, holder: Runner) -> None:
        turns = self.turns
        if holder.ident not in self._told:
            self._told.add(holder.ident)
            _warn(
                BusyWait,
                f"{holder.name} polls instead of waiting; virtual time passes for it only as fast as real time",
                holder,
            )
        now_s = real_monotonic()
        passed_us = int((now_s - self._looked_s) * 1e6)
        self._looked_s = now_s
        with MU:
            if turns.holder is not holder:
                return
            until_us = turns.clock.monotonic_us + passed_us
            first = turns._first_deadline()
            if first is not None and first[0] <= until_us:
                turns.ready.append(turns._expire())
            else:
                turns.clock.monotonic_us = until_us
            if not turns.ready:
                return
            # It goes on after the others, if they come to rest, or beside them.
            turns.switches += 1
        turns.let_away(holder)

    def _look_after_the_away(self) -> None:
        turns = self.turns
        now_s = real_monotonic()
        for runner in list(turns.away):
            used_ns = processor_ns(runner)
            if used_ns != runner.used_ns:
                runner.used_ns, runner.quiet_since_s = used_ns, now_s
                runner.declared = False
            elif not runner.declared and now_s - runner.quiet_since_s >= turns.clock.patience_us / 1e6:
                runner.declared = True
                if turns.holder is None and runner.ident not in self._told:
                    self._told.add(runner.ident)
                    _warn(
                        ExternalThread,
                        f"{runner.name} has been blocked in the real world for {turns.clock.patience_us / 1e6:g} s: "
                        "virtual time goes on without it",
                        runner,
                    )


def _warn(kind: type[Warning], message: str, runner: Runner) -> None:
    stack = "".join(f"\n  {line}" for line in lines_of(runner.ident))
    warnings.warn(f"{message}{stack}", kind, stacklevel=1)


def processor_ns(runner: Runner) -> int:
    """Return the processor time that a live thread has used: the one thing that a blocked thread cannot do."""
    if not runner.ident or runner.done or not hasattr(time, "pthread_getcpuclockid"):
        return 0
    try:
        return time.clock_gettime_ns(time.pthread_getcpuclockid(runner.ident))
    except OSError:
        return 0


def _asleep(runner: Runner) -> bool:
    """Say whether the kernel has a thread waiting; true where it cannot be asked."""
    native_id = runner.thread.native_id
    try:
        with open(f"/proc/self/task/{native_id}/stat", "rb") as facts:
            return facts.read().rpartition(b")")[2].split()[0] in (b"S", b"D")
    except (OSError, IndexError):
        return True


def _polls(runner: Runner) -> bool:
    """Say whether a thread is asking for the time, or after a flag, at this moment."""
    frame = sys._current_frames().get(runner.ident)
    if frame is None:
        return False
    file = frame.f_code.co_filename
    return file.startswith(_HERE) or file.endswith(_POLLED)
