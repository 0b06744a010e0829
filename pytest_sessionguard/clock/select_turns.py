"""Waiting for descriptors in virtual threads: whoever waits for something real gives up its turn until it comes.

No time passes before it is asked once more whether it has come, nor while the real work outside may be under way (see
`underway`).
"""

from __future__ import annotations

import select
import selectors
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

from pytest_sessionguard.clock.readings import READINGS
from pytest_sessionguard.clock.turns import Turns
from pytest_sessionguard.clock.underway import UnderWay
from pytest_sessionguard.clock.virtual import sleep_us
from pytest_sessionguard.clock.waits import Waiter, me

# Modules that wait in real time and measure it, so that a wait cut short would only be begun again.
_WAIT_FOR_REAL: Final = ("subprocess", "multiprocessing")


def select_in_turn(
    poll: Callable[[], list[Any]],
    deadline_us: int | None,
    keys: Callable[[], list[selectors.SelectorKey]],
    work: UnderWay,
    *,
    self_pipe_fd: int = -1,
    reachable: bool = False,
    what: object = "input",
    last: bool = False,
) -> tuple[list[Any], bool]:
    """Wait for something real until an instant of virtual time; also say whether it came.

    `reachable`: more than these keys may end the wait, such as a signal.  `last`: come after all others that are due at
    that instant.
    """
    here = me()
    assert here is not None
    turns, runner = here
    waiter = Waiter(turns, runner, what)
    waiter.poll = poll
    waiter.look_again_s = lambda: work.look_again_s(keys(), self_pipe_fd)
    waiter.reachable = reachable or any(key.fd != self_pipe_fd for key in keys())
    came = turns.wait(waiter, deadline_us, int(last))
    return poll(), came


_select = select.select


def virtual_select(rlist: Any, wlist: Any, xlist: Any, timeout: float | None = None, /) -> Any:
    """Wait for descriptors: in virtual time in a virtual thread."""
    here = me()
    if here is None or is_exempt(sys._getframe(1)) or (timeout is not None and timeout <= 0):
        return _select(rlist, wlist, xlist, timeout)
    rlist, wlist, xlist = list(rlist), list(wlist), list(xlist)
    ready = _select(rlist, wlist, xlist, 0)
    if any(ready):
        # Who never waits, because there is always something to read, must not keep the others from their turns.
        here[0].give_way(here[1])
        return ready
    found: list[Any] = []

    def poll() -> list[Any]:
        found[:] = _select(rlist, wlist, xlist, 0)
        return found if any(found) else []

    keys = [selectors.SelectorKey(each, _fd(each), 0, None) for each in {*rlist, *wlist, *xlist}]
    select_in_turn(poll, due_us(here[0], timeout), lambda: keys, work_beside(here[0]))
    return tuple(found)


def selector_select(
    real: Callable[..., list[Any]], selector: Any, timeout: float | None, caller: FrameType
) -> list[Any]:
    """Wait on a selector that is nobody's event loop: in virtual time in a virtual thread."""
    here = me()
    if here is None or (timeout is not None and timeout <= 0) or is_exempt(caller):
        return real(selector, timeout)
    ready = real(selector, 0)
    if ready:
        here[0].give_way(here[1])
        return ready
    return select_in_turn(
        lambda: real(selector, 0),
        due_us(here[0], timeout),
        lambda: list(selector.get_map().values()),
        work_beside(here[0]),
    )[0]


def due_us(turns: Turns, timeout: float | None) -> int | None:
    """Return the instant at which a timeout is over."""
    return None if timeout is None else turns.clock.monotonic_us + sleep_us(timeout)


def work_beside(turns: Turns) -> UnderWay:
    """Return what knows the real work outside a thread that waits for descriptors."""
    return UnderWay(turns.clock.patience_us)


def _fd(each: Any) -> int:
    return each if isinstance(each, int) else int(each.fileno())


def is_exempt(frame: FrameType) -> bool:
    """Say whether the code of a frame waits in real time."""
    name = frame.f_globals.get("__name__", "")
    return name.partition(".")[0] in _WAIT_FOR_REAL or READINGS.keeps_real_time[name]


PATCHES: Final[list[tuple[Any, str, Any]]] = [(select, "select", virtual_select)]
