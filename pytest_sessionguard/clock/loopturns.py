"""Event loops among virtual threads: a loop that is idle gives up its turn until its next timer, or something real.

Every loop of a virtual thread follows the clock.  What another thread sends to a loop comes by the loop's own pipe,
which the scheduler looks into before any time passes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from pytest_sessionguard.clock.select_turns import select_in_turn
from pytest_sessionguard.clock.underway import UnderWay
from pytest_sessionguard.clock.virtual import sleep_us
from pytest_sessionguard.clock.waits import me


def select(
    work: UnderWay,
    loop: Any,
    selector: Any,
    real: Callable[..., list[Any]],
    timeout: float | None,
    client: tuple[int, int, asyncio.Future[None]] | None,
) -> list[Any]:
    """Wait as an idle loop does; let a client go whose instant has come, after all that is due then."""
    here = me()
    assert here is not None
    turns, _ = here
    timer_us = None if timeout is None else turns.clock.monotonic_us + sleep_us(timeout)
    client_first = client is not None and (timer_us is None or client[0] < timer_us)
    ready, came = select_in_turn(
        lambda: real(selector, 0),
        client[0] if client is not None and client_first else timer_us,
        lambda: list(selector.get_map().values()),
        work,
        self_pipe_fd=loop._ssock.fileno(),
        # A signal comes by the self-pipe too, but when it does, nobody knows.
        reachable=bool(getattr(loop, "_signal_handlers", None)),
        what=f"the timers and events of {loop!r}",
        last=client_first,
    )
    if ready:
        work.stirred(ready)
    elif client is not None and client_first and not came and not client[2].done():
        client[2].set_result(None)
    return ready
