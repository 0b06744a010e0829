"""trio under the clock: every run that brings no clock of its own is given one that asks ours.

trio asks its clock, whenever it is idle, how long to sleep until the next deadline.  Ours waits right there, as an idle
event loop of asyncio does: until the deadline in virtual time, or until trio's own poller has something to read.  So
one clock serves trio, its worker threads and everybody else, and no time jumps while one of them works.

The only file that knows trio; it is imported when somebody else has imported trio.
"""

from __future__ import annotations

import select
from _thread import RLock
from math import inf
from selectors import EVENT_READ, SelectorKey
from typing import Any, Final, NoReturn

import trio
import trio.abc
import trio.lowlevel

from pytest_sessionguard.clock.readings import READINGS, real_monotonic
from pytest_sessionguard.clock.select_turns import due_us, select_in_turn, work_beside
from pytest_sessionguard.clock.waits import me
from pytest_sessionguard.errors import HarnessError, VirtualDeadlock

_RUN: Final[Any] = trio._core._run  # not public: the one place that all runs come by


class RunClock(trio.abc.Clock):
    """The clock of one run: virtual while the clock that was in force at its start is; it never goes back or jumps."""

    def __init__(self) -> None:
        self._virtual = READINGS.clock if me() is not None else None
        self._in_virtual = self._virtual is not None
        self._shift_s = 0.0
        self._last_s = 0.0

    def start_clock(self) -> None:
        """Begin; there is nothing to begin."""

    def current_time(self) -> float:
        """Return the seconds of this clock."""
        virtual = self._virtual
        in_virtual = virtual is not None and READINGS.clock is virtual
        now_s = virtual.monotonic_us / 1e6 if virtual is not None and in_virtual else real_monotonic()
        if in_virtual is not self._in_virtual:
            self._in_virtual = in_virtual
            self._shift_s = self._last_s - now_s
        self._last_s = now_s + self._shift_s
        return self._last_s

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """Return how many real seconds to sleep until the deadline; in virtual time, wait for it here and return none.

        A deadlock is raised in the run's main task.
        """
        left_s = deadline - self.current_time()
        here = me()
        runner = _RUN.GLOBAL_RUN_CONTEXT.runner
        # A task that waits for all others to be blocked comes before any time passes.
        if left_s <= 0 or here is None or not self._in_virtual or runner.waiting_for_idle:
            return left_s
        poller, keys = _descriptors(runner.io_manager)
        turns, _ = here
        due = None if deadline == inf else due_us(turns, left_s)
        try:
            select_in_turn(
                lambda: poller.poll(0),
                due,
                lambda: keys,
                work_beside(turns),
                self_pipe_fd=runner.entry_queue.wakeup.wakeup_sock.fileno(),
                what="the events of trio",
            )
        except VirtualDeadlock as deadlock:
            _deliver(runner.main_task, deadlock)
        return 0.0


def _deliver(task: Any, deadlock: VirtualDeadlock) -> None:
    """Raise in a task that waits, as trio itself raises KeyboardInterrupt there."""

    def tell() -> NoReturn:
        raise deadlock

    if task is None or task._abort_func is None:
        raise deadlock
    task._attempt_abort(tell)


def _descriptors(io_manager: Any) -> tuple[Any, list[SelectorKey]]:
    """Return what tells whether trio has something to read, and what it waits for."""
    inner = getattr(io_manager, "_epoll", None) or getattr(io_manager, "_kqueue", None)
    if inner is None:
        raise HarnessError("trio runs in virtual time where it polls by epoll or kqueue: run this test in real time")
    poller = select.poll()
    poller.register(inner.fileno(), select.POLLIN)
    registered = getattr(io_manager, "_registered", {})
    keys = [SelectorKey(fd, fd, EVENT_READ, None) for fd in registered if isinstance(fd, int)]
    return poller, keys


_setup_runner: Final = _RUN.setup_runner


def setup_runner(clock: Any, *args: Any, **kwargs: Any) -> Any:
    """Set a run up with our clock, unless it brings its own."""
    runner = _setup_runner(RunClock() if clock is None else clock, *args, **kwargs)
    # Taken by signal handlers too, and never held across a wait: trio insists on the one of C.
    runner.entry_queue.lock = RLock()
    return runner


# Worker threads from before the span that idle until trio has work for them.
_idle_before: Final[dict[Any, None]] = {}


def enter() -> None:
    """Give a clock to every run from now on, and no run a worker thread from before."""
    _RUN.setup_runner = setup_runner
    idle = trio._core._thread_cache.THREAD_CACHE._idle_workers
    _idle_before.update(idle)
    idle.clear()


def leave() -> None:
    """Give none any more; a run that has one goes on by it.  May be called again."""
    _RUN.setup_runner = _setup_runner
    trio._core._thread_cache.THREAD_CACHE._idle_workers.update(_idle_before)
    _idle_before.clear()
