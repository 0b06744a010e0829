"""The clients of a sync target as threads of the system, run in an order that a scheduler chooses.

While they run, the target's own functions have a switch point before every access to what threads may share (see
`switch_points`), and locks, conditions, events, queues, pools, sleeps and timers are those of virtual time: a thread
that waits for another is not among those that can be chosen.
"""

from __future__ import annotations

import threading
from _thread import allocate_lock
from collections.abc import Callable, Sequence
from functools import partial
from types import CodeType
from typing import Any, Final

from pytest_sessionguard.clock import threads as virtual_threads
from pytest_sessionguard.clock.locks import VirtualLock
from pytest_sessionguard.clock.waits import Abandoned
from pytest_sessionguard.core.schedule import Scheduler, letter
from pytest_sessionguard.core.switches import Switch
from pytest_sessionguard.errors import HarnessError
from pytest_sessionguard.explore import strands
from pytest_sessionguard.explore.light_strands import LightStrands
from pytest_sessionguard.explore.real_locks import REAL_LOCKS, RealLock
from pytest_sessionguard.explore.strands import STEPS_MAX, Strands
from pytest_sessionguard.explore.switch_points import Hooks
from pytest_sessionguard.explore.tracing import traced
from pytest_sessionguard.explore.weaving import SwitchPoints

Client = Callable[[], object]


class _Here:
    """The run that is under way."""

    __slots__ = ("run",)

    def __init__(self) -> None:
        self.run: Strands | None = None


_HERE: Final = _Here()

# Locks that nobody can take twice.
_PLAIN_LOCKS: Final = frozenset({VirtualLock, type(allocate_lock())})


def offer_switch() -> None:
    """Let another strand run here, if a scheduler says so."""
    run = _HERE.run
    if run is not None:
        run.offer()


def _point(value: Any) -> Any:
    run = _HERE.run
    if run is not None:
        run.offer()
    return value


def _lock(value: Any) -> Any:
    run = _HERE.run
    if run is None:
        return value
    # Whoever would find the lock taken has nothing to do before.
    if not _is_taken(value):
        run.offer()
    if hasattr(value, "acquire"):
        run.asks_for(value)
    return RealLock(value) if type(value) in REAL_LOCKS else value


def _is_taken(value: Any) -> bool:
    return type(value) in _PLAIN_LOCKS and bool(value.locked())


HOOKS: Final = Hooks(point=_point, lock=_lock)


def switch_points() -> SwitchPoints:
    """Return what puts switch points into a target's functions; see `SwitchPoints`."""
    return SwitchPoints(HOOKS)


def end_strays() -> None:
    """Have every virtual thread end that the target has left behind; the current one is the owner of the clock."""
    here = virtual_threads.me()
    if here is not None and here[1] is here[0].owner:
        strands.end_strays(here[0])


def at_once(
    clients: Sequence[Client],
    scheduler: Scheduler,
    *,
    trace: list[int],
    switches: list[Switch] | None = None,
    light: bool = False,
    unmatched: frozenset[CodeType] = frozenset(),
    steps_max: int = STEPS_MAX,
) -> None:
    """Run the clients to their end under the scheduler, which has begun; what it decides is added to `trace`.

    Where it stops a client that could have gone on, where that stood is added to `switches`.  `light`: the clients are
    greenlets, see `light_strands`, unless there are other virtual threads already.  `unmatched`: codes that are to
    be traced, for want of their source.

    A clock with threads is in force, and the current thread is its owner.

    Raises:
        VirtualDeadlock: nobody can run any more and no timer is set.
        VirtualLivelock: after `steps_max` steps, everybody's turn having come again and again, they still run.
        ScheduleMisfit: the scheduler follows a schedule that does not fit.
        BaseException: whatever a client raised first, by number; the others are waited for.
    """
    here = virtual_threads.me()
    if here is None or here[1] is not here[0].owner:
        raise HarnessError("clients are run as threads by the owner of a clock with threads, and by nobody else")
    run = Strands(here[0], scheduler, trace, steps_max)
    errors: dict[int, BaseException] = {}
    run.settle()
    _HERE.run = run
    try:
        with run:
            if light and not unmatched and len(here[0].runners) == 1:
                with LightStrands(here[0]) as greenlets:
                    run.is_light, run.frame_of = True, greenlets.frame_of
                    for number, client in enumerate(clients):
                        run.announce(greenlets.start(number, partial(_run, run, number, client, errors, unmatched)))
                    run.run()
            else:
                for number, client in enumerate(clients):
                    work = partial(_run, run, number, client, errors, unmatched)
                    thread = threading.Thread(target=work, name=f"client {letter(number)}", daemon=True)
                    run.announce(virtual_threads.start_virtual(thread))
                run.run()
    finally:
        _HERE.run = None
        if switches is not None:
            switches += run.switches()
    if errors:
        raise errors[min(errors)]


def _run(
    run: Strands, number: int, client: Client, errors: dict[int, BaseException], unmatched: frozenset[CodeType]
) -> None:
    try:
        with traced(unmatched, run.offer):
            client()
    except Abandoned:
        raise
    except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits.
        errors[number] = error
    finally:
        run.ended()
