"""Pools of processes beside virtual threads: what runs in another process takes real time.

No virtual time passes for as long as a pool has work of the span in its hands, but for as much as really passes.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from typing import Any, Final

from pytest_sessionguard.clock import child_work
from pytest_sessionguard.clock.patches import Patches
from pytest_sessionguard.clock.waits import CURRENT

_ENDED: Final = "TERMINATE"


def _noted_submit(real: Callable[..., Any]) -> Callable[..., Any]:
    """Return `ProcessPoolExecutor.submit` that has no time pass until the future is done."""

    def submit(self: Any, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        future = real(self, fn, *args, **kwargs)
        turns = CURRENT.turns
        if turns is not None:
            turns.hand_out(future.done)
        return future

    return submit


def _noted_result(real: Callable[..., None], has_come: Callable[[Any], bool]) -> Callable[..., None]:
    """Return the `__init__` of a result of `multiprocessing.Pool` that has no time pass until it has come."""

    def __init__(self: Any, pool: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807 - it becomes the class's own
        real(self, pool, *args, **kwargs)
        turns = CURRENT.turns
        if turns is not None:
            found, owner = weakref.ref(self), weakref.ref(pool)

            def returned() -> bool:
                result, at_work = found(), owner()
                return result is None or at_work is None or at_work._state == _ENDED or has_come(result)

            turns.hand_out(returned)

    return __init__


def _of_futures() -> Patches:
    executor = sys.modules["concurrent.futures.process"].ProcessPoolExecutor
    return Patches([(executor, "submit", _noted_submit(executor.submit))])


def _of_multiprocessing() -> Patches:
    pool = sys.modules["multiprocessing.pool"]
    kinds: list[tuple[Any, Callable[[Any], bool]]] = [
        (pool.ApplyResult, lambda result: bool(result._event.is_set())),
        (pool.IMapIterator, lambda result: bool(result._index == result._length)),
    ]
    return Patches([(kind, "__init__", _noted_result(vars(kind)["__init__"], has_come)) for kind, has_come in kinds])


class _Library:
    """A library of pools, and what is replaced in it once it is there."""

    def __init__(self, make: Callable[[], Patches]) -> None:
        self._make = make
        self._patches: Patches | None = None

    def enter(self) -> None:
        if self._patches is None:
            self._patches = self._make()
        self._patches.put_once()

    def leave(self) -> None:
        if self._patches is not None:
            self._patches.take_out()


_LIBRARIES: Final = {
    "multiprocessing.process": _Library(child_work.of_multiprocessing),
    "concurrent.futures.process": _Library(_of_futures),
    "multiprocessing.pool": _Library(_of_multiprocessing),
}
# What is to be done as soon as one of them is there.
THEN: Final = {name: library.enter for name, library in _LIBRARIES.items()}


def leave() -> None:
    """Put back what was replaced; may be called again."""
    for library in _LIBRARIES.values():
        library.leave()
