"""What happens between a look at a lock and the wait for it is not lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pytest_sessionguard.clock.locks import VirtualLock, VirtualSimpleQueue
from pytest_sessionguard.clock.virtual import VirtualClock


class Looked:
    """A lock of the system that lets something happen right after it was found taken for the second time."""

    def __init__(self, real: Any, then: Callable[[], None]) -> None:
        self._real, self._then, self._refusals = real, then, 0

    def acquire(self, blocking: bool = True) -> bool:
        if self._real.acquire(blocking):
            return True
        self._refusals += 1
        if self._refusals == 2:
            self._then()
        return False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class Emptied:
    """The items of a queue; something happens right after they were found to be none for the second time."""

    def __init__(self, then: Callable[[], None]) -> None:
        self._items: list[Any] = []
        self._then, self._looks = then, 0

    def popleft(self) -> Any:
        if not self._items:
            self._look()
            raise IndexError
        return self._items.pop(0)

    def append(self, item: Any) -> None:
        self._items.append(item)

    def _look(self) -> None:
        self._looks += 1
        if self._looks == 2:
            self._then()

    def __len__(self) -> int:
        found = len(self._items)
        if not found:
            self._look()
        return found


@pytest.fixture
def clock() -> Iterator[VirtualClock]:
    with VirtualClock(threads=True).installed() as clock:
        yield clock


def test_a_lock_that_is_released_just_before_it_is_waited_for_is_had(clock: VirtualClock) -> None:
    lock = VirtualLock()
    lock.acquire()
    lock._real = Looked(lock._real, lock.release)
    assert lock.acquire(timeout=60)
    assert lock.locked()
    assert clock.virtual_elapsed_us == 0


def test_an_item_that_is_put_just_before_it_is_waited_for_is_got(clock: VirtualClock) -> None:
    queue = VirtualSimpleQueue()
    queue._items = Emptied(lambda: queue.put(7))  # type: ignore[assignment]
    assert queue.get(timeout=60) == 7
    assert clock.virtual_elapsed_us == 0
