"""asyncio under the clock: when a loop has nothing to do, time jumps to its next timer.

One mechanism for every loop of a virtual thread, made before or inside the span: the selector.  A loop that is idle
calls `select` with the time until its next timer; there, if nothing is readable and no real work is under way (see
`underway`), the clock is moved and the loop goes on.  While the owner is the only virtual thread, its loops move the
clock themselves; among others they take their turn (see `loopturns`).  `advance` waits there too: a client is let go
only when every timer of its instant has run and all that they set off has come to rest.
"""

from __future__ import annotations

import asyncio
import asyncio.selector_events
import heapq
import selectors
import sys
from _thread import get_ident
from asyncio import TimerHandle, base_events
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from functools import cached_property
from math import ceil
from types import FrameType
from typing import Any, Final, TypeVar

from pytest_sessionguard.clock import loopturns, process_pools, select_turns, threads
from pytest_sessionguard.clock.deadlock import waiting_tasks
from pytest_sessionguard.clock.late import Late
from pytest_sessionguard.clock.patches import Patch, Patches
from pytest_sessionguard.clock.readings import READINGS, RESOLUTION_S, real_get_clock_info, real_monotonic
from pytest_sessionguard.clock.underway import LOOK_AGAIN_S, UnderWay, live_threads
from pytest_sessionguard.clock.virtual import VirtualClock
from pytest_sessionguard.clock.waits import CURRENT
from pytest_sessionguard.errors import UsageError, VirtualDeadlock

T = TypeVar("T")

# Microseconds, a little less than the loop's own resolution: what the loop would run now is not waited for.
TOLERANCE: Final = RESOLUTION_S * 1e6 * 0.9

# How many of them it may take without looking for signals; a part of the number above.
TURNS_BLIND: Final = 20

# What lies between two timers that are set at one instant: as little as floats know, until that instant; and in all at
# most so much that it is within the tolerance.
APART_S: Final = 2.0**-33
EXACT_US: Final = 2**20 * 1_000_000
LATER_S: Final = 2.0**-24

# Turns that a loop may take without rest before it is asked whether it waits for time by spinning.
SPIN_TURNS: Final = 1000


class Span:
    """What the loops of one span share."""

    spinning_since_s = 0.0

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.owner = READINGS.owner
        # Where threads are virtual, their work is known by their turns.
        self._there_before = None if clock.threads else live_threads()
        # The same for loops of other virtual threads.
        self.works: dict[Any, UnderWay] = {}
        # Loop -> its clock's resolution before we changed it.
        self.loops: dict[base_events.BaseEventLoop, float] = {}
        # Selector -> the loop that waits on it.
        self.followed: dict[Any, Any] = {}
        # Clients in `advance`, by target instant and then by turn of coming.
        self.clients: list[tuple[int, int, asyncio.Future[None]]] = []
        self.arrivals = 0
        # The instant at which timers are being set, and how much later than the first of them the next one is due.
        self.set_at_us = 0
        self.later_s = 0.0
        self.turns = 0

    @cached_property
    def work(self) -> UnderWay:
        """Return what knows the real work outside the loops of the owner."""
        return UnderWay(self.clock.patience_us, self._there_before)

    def next_client_us(self) -> int | None:
        clients = self.clients
        while clients and clients[0][2].done():
            heapq.heappop(clients)
        return clients[0][0] if clients else None

    def first_client(self, loop: Any) -> tuple[int, int, asyncio.Future[None]] | None:
        """Return the first client of one loop."""
        of_loop = (each for each in self.clients if not each[2].done() and each[2].get_loop() is loop)
        return min(of_loop, default=None, key=lambda each: each[:2])

    def work_of(self, loop: Any) -> UnderWay:
        """Return what knows the real work outside a loop."""
        if get_ident() == self.owner:
            return self.work
        if loop not in self.works:
            self.works[loop] = UnderWay(self.clock.patience_us)
        return self.works[loop]


_span: Span | None = None


# -- the public face -------------------------------------------------------------------------------------------------


def run(clock: VirtualClock, main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run `main()` to its end in a new event loop whose timers follow the clock; install the clock if it is not.

    Raises:
        UsageError: another clock is in force.
        VirtualDeadlock: nothing can run and no timer is set.
    """
    if READINGS.clock is clock:
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            return runner.run(main())
    with clock.installed():
        return run(clock, main)


async def advance(clock: VirtualClock, span_us: int) -> None:
    """Let `span_us` pass: everything due by then runs, in order of deadlines, before this returns.

    That includes every timer due at the target instant itself and all that it sets off, until nothing is left to do
    but wait.  A span of 0 lets what is due now come to rest.

    Raises:
        UsageError: the clock is not in force, or not in this thread.
        ValueError: the span is negative.
    """
    span = _span
    if span is None or span.clock is not clock or not _is_virtual(span, get_ident()):
        raise UsageError(
            "advance(clock, ...) waits for the loops of an installed clock: enter `with clock.installed()` first"
        )
    if span_us < 0:
        raise ValueError(f"virtual time cannot advance by {span_us} us")
    arrived = asyncio.get_running_loop().create_future()
    span.arrivals += 1
    heapq.heappush(span.clients, (clock.monotonic_us + span_us, span.arrivals, arrived))
    await arrived


# -- in and out ------------------------------------------------------------------------------------------------------


def enter(clock: VirtualClock) -> None:
    """Start a span; the loop that runs already takes part at once.

    Raises:
        UsageError: the running loop is not built on asyncio's selectors, as uvloop's are not: its timers are out of
            reach.
    """
    global _span
    loop = asyncio._get_running_loop()
    if loop is not None and not isinstance(loop, base_events.BaseEventLoop):
        raise _foreign(loop)
    _span = Span(clock)
    if loop is not None:
        _adopt(_span, loop)
    _LATE.enter()


def _refuse_uvloop() -> None:
    for name in ("run_forever", "run_until_complete"):
        setattr(sys.modules["uvloop"].Loop, name, _refuse_to_run)


def _enter_trio() -> None:
    # Runs of trio need turns to wait in.
    if _span is not None and _span.clock.threads:
        from pytest_sessionguard.clock import trio_runs

        trio_runs.enter()


_LATE: Final = Late({"uvloop": _refuse_uvloop, "trio": _enter_trio, **process_pools.THEN})


def leave() -> None:
    """End the span; timers that are left keep their distance from now, in real time.  May be called again."""
    global _span
    span = _span
    _LATE.leave()
    process_pools.leave()
    trio_runs = sys.modules.get("pytest_sessionguard.clock.trio_runs")
    if trio_runs is not None:
        trio_runs.leave()
    uvloop = sys.modules.get("uvloop")
    if uvloop is not None:
        for name in ("run_forever", "run_until_complete"):
            if uvloop.Loop.__dict__.get(name) is _refuse_to_run:
                delattr(uvloop.Loop, name)
    _FOR_LOOPS.take_out()
    if span is None:
        return
    if span.loops:
        shift_s = real_monotonic() - span.clock.monotonic_us / 1e6
        while span.loops:
            loop, resolution_s = span.loops.popitem()
            loop._clock_resolution = resolution_s  # type: ignore[attr-defined]  # not in typeshed
            _shift(loop, shift_s)
    for _, _, arrived in span.clients:
        if not arrived.get_loop().is_closed():
            arrived.cancel()
    _span = None


def _follow(span: Span, selector: Any) -> Any:
    """Return the loop that is running on this selector, having it follow the clock; none if nobody's loop is."""
    loop: Any = asyncio._get_running_loop()
    if loop is None or loop._selector is not selector:
        return None
    if loop not in span.loops:
        _adopt(span, loop)
    span.followed[selector] = loop
    return loop


def _adopt(span: Span, loop: Any) -> None:
    """Let a loop follow the clock; timers set before the span keep their distance from now."""
    if not span.loops:
        _FOR_LOOPS.put_once()
    made_inside = loop._clock_resolution == RESOLUTION_S
    span.loops[loop] = real_get_clock_info("monotonic").resolution if made_inside else loop._clock_resolution
    loop._clock_resolution = RESOLUTION_S
    if not made_inside:
        _shift(loop, span.clock.monotonic_us / 1e6 - real_monotonic())


def _shift(loop: Any, shift_s: float) -> None:
    # All by the same span: the heap stays a heap.
    for handle in loop._scheduled:
        handle._when += shift_s


def _foreign(loop: object) -> UsageError:
    return UsageError(
        f"{type(loop).__module__}.{type(loop).__name__} keeps its timers out of reach of a virtual clock: "
        "run this test on asyncio's own event loop (for uvloop: do not install its policy in tests), or in real time"
    )


def _refuse_to_run(self: object, *_: Any) -> Any:
    raise _foreign(self)


# -- what is put in place of asyncio's own ---------------------------------------------------------------------------


def _followed(real: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    """Return a selector's `select` that serves idle loops of the owner's thread by moving the clock."""

    def select(self: Any, timeout: float | None = None) -> list[Any]:
        span = _span
        if span is None or get_ident() != READINGS.owner:
            return real(self, timeout) if span is None else _select_in_turn(span, self, real, timeout, sys._getframe(1))
        loop = span.followed.get(self)
        if loop is None:
            loop = _follow(span, self)
            if loop is None:
                return select_turns.selector_select(real, self, timeout, sys._getframe(1))
            # The loop computed this timeout from the time before it followed the clock: let it compute anew.
            timeout = timeout and 0.0
        # A loop that has nothing but its pipe need not look: who calls in has left his call already, and signals wait.
        blind = len(self._fd_to_key) == 1
        if timeout == 0:
            span.turns += 1
            if blind and span.turns % TURNS_BLIND:
                return []
        elif blind and loop._ready:
            return []
        elif (
            blind
            and timeout
            and not (span.clients or getattr(loop, "_signal_handlers", None))
            and span.work.none_at_all(1)
        ):
            span.turns = 0
            span.clock.monotonic_us += max(0, ceil(timeout * 1e6 - TOLERANCE)) + span.clock.late_us
            return []
        ready = real(self, 0)
        if ready:
            if len(self._fd_to_key) > 1:
                span.work.stirred(ready)
            return ready
        if timeout == 0:
            if span.turns % SPIN_TURNS == 0:
                _spin(span, loop)
            return ready
        span.turns = 0
        return _idle(span, loop, self, real, timeout)

    return select


def _select_in_turn(
    span: Span, selector: Any, real: Callable[..., list[Any]], timeout: float | None, caller: FrameType
) -> list[Any]:
    """Serve a virtual thread that is not alone; in other threads, select really."""
    if not _is_virtual(span, get_ident()):
        return real(selector, timeout)
    followed = selector in span.followed
    loop = _follow(span, selector)
    if loop is None:
        return select_turns.selector_select(real, selector, timeout, caller)
    work = span.work_of(loop)
    if not followed:
        timeout = timeout and 0.0
    ready = real(selector, 0)
    if ready:
        work.stirred(ready)
        return ready
    if timeout == 0:
        span.turns += 1
        if span.turns % SPIN_TURNS == 0:
            _spin(span, loop)
        threads.give_way()
        return real(selector, 0)
    span.turns = 0
    if timeout is not None:
        timeout = max(0, ceil(timeout * 1e6 - TOLERANCE)) / 1e6
    return loopturns.select(work, loop, selector, real, timeout, span.first_client(loop))


def _idle(span: Span, loop: Any, selector: Any, real: Callable[..., list[Any]], timeout: float | None) -> list[Any]:
    """Wait for real events while work is under way; then move the clock to the next timer or client.

    Raises:
        VirtualDeadlock: there is neither, and nothing real that could bring one.
    """
    clock, work = span.clock, span.work
    timer_us = None
    if timeout is not None:
        timer_us = clock.monotonic_us + max(0, ceil(timeout * 1e6 - TOLERANCE)) + clock.late_us
    client_us = span.next_client_us()
    client_first = client_us is not None and (timer_us is None or client_us < timer_us)
    target_us = client_us if client_first else timer_us
    keys = selector.get_map()
    if not work.none_at_all(len(keys)):
        ready = _hold(span, loop, selector, real, None if target_us is None else target_us - clock.monotonic_us)
        if ready:
            return ready
    if target_us is None:
        if _could_wake(span, loop, keys):
            return real(selector, LOOK_AGAIN_S)
        raise VirtualDeadlock(waiting_tasks(loop))
    if target_us > clock.monotonic_us:
        clock.monotonic_us = target_us
    if client_first:
        heapq.heappop(span.clients)[2].set_result(None)
    return []


def _hold(span: Span, loop: Any, selector: Any, real: Callable[..., list[Any]], span_us: int | None) -> list[Any]:
    """Let real time pass, at most `span_us`, while real work is under way; return what it brings."""
    since_s: float | None = None
    work = span.work
    while True:
        look_again_s = work.look_again_s(list(selector.get_map().values()), loop._ssock.fileno())
        now_s = real_monotonic()
        since_s = now_s if since_s is None else since_s
        if look_again_s and span_us is not None:
            look_again_s = min(look_again_s, max(0.0, since_s + span_us / 1e6 - now_s))
        # Asked once more also when nothing is under way: it may have come to its end between the last question and
        # this one.
        ready = real(selector, look_again_s)
        if ready:
            work.stirred(ready)
            return ready
        if not look_again_s:
            return []


def _could_wake(span: Span, loop: Any, keys: Any) -> bool:
    """Say whether anything but a timer could still wake the loop: a channel, a signal, another thread."""
    return len(keys) > 1 or bool(getattr(loop, "_signal_handlers", None)) or bool(span.work.threads())


def _spin(span: Span, loop: Any) -> None:
    """Serve a task that waits for time by yielding: once the real time has passed that it waits for, so has the
    virtual."""
    now_s = real_monotonic()
    if span.turns == SPIN_TURNS:
        span.spinning_since_s = now_s
    due_us = [round(loop._scheduled[0]._when * 1e6)] if loop._scheduled else []
    client_us = span.next_client_us()
    if client_us is not None:
        due_us.append(client_us)
    if due_us and (now_s - span.spinning_since_s) * 1e6 >= min(due_us) - span.clock.monotonic_us:
        span.clock.monotonic_us = max(span.clock.monotonic_us, min(due_us))
        span.turns = 0
        if client_us is not None and client_us <= span.clock.monotonic_us:
            heapq.heappop(span.clients)[2].set_result(None)


def _is_virtual(span: Span, ident: int) -> bool:
    if ident == span.owner:
        return True
    turns = CURRENT.turns
    return turns is not None and ident in turns.runners


def _loop_time(self: Any) -> float:
    """Return virtual time to the loops of virtual threads, real time to those of others, which wait really."""
    span = _span
    if span is None:
        return real_monotonic()
    ident = self._thread_id or get_ident()
    if ident == span.owner or _is_virtual(span, ident):
        return span.clock.monotonic_us / 1_000_000
    return real_monotonic()


_call_at = base_events.BaseEventLoop.call_at


def _call_at_in_order(self: Any, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
    """Set a timer; of those that are due together, what was set first comes first.

    In reality it is due first, by the moment that lies between the two; a heap of equals is in no order.
    """
    span = _span
    if span is None or when is None or self._debug or self._closed:
        return _call_at(self, when, callback, *args, context=context)
    now_us = span.clock.monotonic_us
    if now_us != span.set_at_us:
        span.set_at_us, span.later_s = now_us, 0.0
    elif span.later_s < LATER_S:
        span.later_s += APART_S if now_us < EXACT_US else LATER_S / 64
    # What the original does from here on; asking it costs a tenth of a sleep.
    timer = TimerHandle(when + span.later_s, callback, args, self, context)
    heapq.heappush(self._scheduled, timer)
    timer._scheduled = True  # type: ignore[attr-defined]  # not in typeshed
    return timer


_wrap_future = asyncio.futures.wrap_future


def _noted_wrap_future(future: Any, *, loop: Any = None) -> Any:
    wrapped = _wrap_future(future, loop=loop)
    # Where threads are virtual, their work is known by their turns.
    if _span is not None and not _span.clock.threads and isinstance(future, Future) and get_ident() == _span.owner:
        _span.work.futures.append((future, wrapped))
    return wrapped


_shutdown_default_executor = base_events.BaseEventLoop.shutdown_default_executor


async def _noted_shutdown(self: Any, *args: Any, **kwargs: Any) -> None:
    span = _span
    if span is None or span.clock.threads or get_ident() != span.owner:
        return await _shutdown_default_executor(self, *args, **kwargs)
    span.work.closing += 1
    try:
        return await _shutdown_default_executor(self, *args, **kwargs)
    finally:
        span.work.closing -= 1


def _noted_write(real: Callable[..., Any]) -> Callable[..., Any]:
    def write(self: Any, *args: Any, **kwargs: Any) -> Any:
        if _span is not None:
            for work in (_span.work, *_span.works.values()):
                work.wrote()
        return real(self, *args, **kwargs)

    return write


def _patches() -> list[Patch]:
    """Return what is replaced while a clock is in force."""
    names = ("EpollSelector", "KqueueSelector", "DevpollSelector", "PollSelector", "SelectSelector")
    found = [getattr(selectors, name) for name in names if hasattr(selectors, name)]
    families = {kind: None for each in found for kind in each.__mro__ if kind is not selectors.BaseSelector}
    return [
        *((kind, "select", _followed(kind.__dict__["select"])) for kind in families if "select" in kind.__dict__),
        (base_events.BaseEventLoop, "time", _loop_time),
    ]


def _patches_for_loops() -> list[Patch]:
    """Return what is replaced once a loop runs while a clock is in force."""
    writers = [
        ("asyncio.selector_events", "_SelectorDatagramTransport", "sendto"),
        ("asyncio.unix_events", "_UnixWritePipeTransport", "write"),
    ]
    return [
        *(
            (kind, name, _noted_write(kind.__dict__[name]))
            for module, transport, name in writers
            # Windows has no pipes of this kind, nor the module.
            if (kind := vars(sys.modules.get(module, object)).get(transport)) is not None
        ),
        (base_events.BaseEventLoop, "shutdown_default_executor", _noted_shutdown),
        (base_events.BaseEventLoop, "call_at", _call_at_in_order),
        (asyncio.futures, "wrap_future", _noted_wrap_future),
        (asyncio, "wrap_future", _noted_wrap_future),
    ]


PATCHES: Final = _patches()
_FOR_LOOPS: Final = Patches(_patches_for_loops())
