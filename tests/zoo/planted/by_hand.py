"""What demonstrations are made with: a clock that is set by hand, tasks that are stepped, a thread in between."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta, tzinfo
from types import ModuleType
from typing import Any


class HandClock:
    """Stands in the place of a module's `time`, or of its `datetime`."""

    def __init__(self, module: ModuleType) -> None:
        self.now_s = 1_000.0
        self.summer_time = False
        if hasattr(module, "time"):
            module.time = self
        if hasattr(module, "datetime"):
            module.datetime = type("HandDatetime", (datetime,), {"now": staticmethod(self._now)})

    def _now(self, zone: tzinfo | None = None) -> datetime:
        shown = datetime.fromtimestamp(self.now_s, zone or tzinfo_utc())
        if zone is None:  # What a wall shows, which has no zone and may jump by an hour.
            shown = shown.replace(tzinfo=None) + timedelta(hours=self.summer_time)
        return shown

    def time(self) -> float:
        """Return the seconds that the wall clock shows: not the monotonic one's."""
        return self.now_s + 1_000_000_000

    def time_ns(self) -> int:
        """Return the same in nanoseconds."""
        return round(self.time() * 1_000_000_000)

    def monotonic(self) -> float:
        """Return the seconds of the monotonic clock."""
        return self.now_s


def tzinfo_utc() -> tzinfo:
    """Return the zone that has no summer."""
    from datetime import UTC

    return UTC


def run(work: Coroutine[Any, Any, bool]) -> bool:
    """Run a demonstration that needs an event loop; one that waits for ever has shown that."""

    async def bounded() -> bool:
        task = asyncio.ensure_future(work)
        for _ in range(2_000):
            if task.done():
                return task.result()
            await asyncio.sleep(0)
        task.cancel()
        return True

    return asyncio.run(bounded())


async def steps(count: int) -> None:
    """Let the other tasks come to as many of their waits."""
    for _ in range(count):
        await asyncio.sleep(0)


async def cancelled_after(count: int, work: Coroutine[Any, Any, Any]) -> None:
    """Begin some work and cancel it after so many steps."""
    task = asyncio.ensure_future(work)
    await steps(count)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def outcome(work: Coroutine[Any, Any, Any]) -> Any:
    """Return what some work gives, or the name of what it raises."""
    try:
        return await work
    except Exception as error:
        return type(error).__name__


def answer(work: Callable[[], Any]) -> Any:
    """Return what a call gives, or the name of what it raises."""
    try:
        return work()
    except Exception as error:
        return type(error).__name__


class Between:
    """Lets another thread do something the first time that this is called, as far as it gets; then goes on.

    Where a lock keeps the other out, it gets nowhere until the caller has gone on: that is waited for briefly.
    """

    def __init__(self, action: Callable[[], Any]) -> None:
        self.action = action
        self.answer: Any = None
        self.thread: threading.Thread | None = None

    def __call__(self, *passed: Any) -> Any:
        if self.thread is None:
            self.thread = threading.Thread(target=self._act, daemon=True)
            self.thread.start()
            self.thread.join(0.02)
        return passed[0] if passed else None

    def _act(self) -> None:
        self.answer = answer(self.action)

    def result(self) -> Any:
        """Return what the other thread was answered in the end."""
        assert self.thread is not None
        self.thread.join(1)
        return "stuck" if self.thread.is_alive() else self.answer


def at_copy(module: ModuleType, between: Between) -> None:
    """Let the other thread in where the manager makes its next deep copy."""
    copying = module.copy.deepcopy
    module.copy = type("Copying", (), {"deepcopy": staticmethod(lambda value: between(copying(value)))})
