"""How long an operation is waited for in an event loop."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from pytest_sessionguard.clock.deadlock import waiting_tasks

# Virtual time after which an operation is taken to hang: no operation takes an hour of its own accord, and a background
# cleaner sets timers for ever, so that "no timer is set" alone would never tell.
PATIENCE_US: Final = 3_600_000_000


class Patience:
    """Cut the running task off whose operation has not answered after an hour of virtual time.

    Attributes:
        waiting: who was waiting for what when it was cut off; None before.
    """

    def __init__(self) -> None:
        self.waiting: tuple[str, ...] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Count from now; nothing where no task runs that could be cut off."""
        task = asyncio.current_task()
        if task is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(PATIENCE_US / 1_000_000, self._cut_off, loop, task)

    def end(self) -> None:
        """Count no longer."""
        if self._timer is not None:
            self._timer.cancel()

    def _cut_off(self, loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any]) -> None:
        self.waiting = tuple(waiting_tasks(loop))
        task.cancel()
