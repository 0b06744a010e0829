"""Cancels an operation at one of its suspensions, as a caller does who is gone before the answer.

The operation runs in a task of its own, so that whatever it leaves behind is left by a task that is no more.  It is
cancelled when it has come to its k-th suspension and before what it waits for there has come.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import Coroutine, Generator, Iterable
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, TypeVar

from pytest_sessionguard.core.behaviour import FRAMING
from pytest_sessionguard.core.operations import VERBS
from pytest_sessionguard.core.scenario import AnyStep, Parallel, Repeat, Scenario, Step, walk
from pytest_sessionguard.core.values import EMPTY

T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class Cancellation:
    """One operation that is to be cancelled, and how far it has come.

    Attributes:
        at: the suspension, counted from 1.
        suspensions: how often it has been suspended by now.
    """

    at: int
    suspensions: int = 0

    @property
    def fired(self) -> bool:
        """Whether it came that far."""
        return self.suspensions >= self.at


async def cut_off(work: Coroutine[Any, Any, T], cancellation: Cancellation) -> T | None:
    """Run the work in a task of its own and cancel it when it comes that far; None where it ended by that.

    Raises:
        CancelledError: the caller was cancelled; so is the work.
        BaseException: whatever the work raised.
    """
    # Never eager: the work must run in a task that is its own from the first step on.
    task = asyncio.Task(_counted(work, cancellation), loop=asyncio.get_running_loop(), name="cancelled operation")
    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        task.cancel()
        raise
    return None if task.cancelled() else task.result()


@types.coroutine
def _counted(work: Coroutine[Any, Any, T], cancellation: Cancellation) -> Generator[Any, Any, T]:
    """Run the work, counting its suspensions; cancel the running task at the one that was asked for."""
    step: Any = work.send
    given: Any = None
    while True:
        try:
            awaited = step(given)
        except StopIteration as end:
            result: T = end.value
            return result
        cancellation.suspensions += 1
        if cancellation.suspensions == cancellation.at:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
        try:
            given = yield awaited
            step = work.send
        except BaseException as error:  # noqa: BLE001 - handed on to the work, whatever it is.
            given, step = error, work.throw


# -- in a plan -------------------------------------------------------------------------------------------------------


def may_be_cancelled(steps: Iterable[AnyStep]) -> int:
    """Return how many operations among the steps may be cancelled: all but those that frame a case."""
    return sum(_is_operation(step) for step in walk(steps))


def with_cancellation(scenario: Scenario, number: int, at: int) -> Scenario:
    """Return the scenario with its operation of this number, from 0 in the order of the file, cancelled."""
    turn = count()

    def changed(step: AnyStep) -> AnyStep:
        match step:
            case Parallel(branches=branches):
                return replace(step, branches=tuple(tuple(map(changed, branch)) for branch in branches))
            case Repeat(steps=steps):
                return replace(step, steps=tuple(map(changed, steps)))
            case Step() if _is_operation(step) and next(turn) == number:
                return replace(step, cancel_at=at, refused=None, answer=EMPTY, capture=EMPTY)
            case _:
                return step

    return replace(scenario, steps=tuple(map(changed, scenario.steps)))


def _is_operation(step: AnyStep) -> bool:
    return step.verb in VERBS and step.verb not in FRAMING
