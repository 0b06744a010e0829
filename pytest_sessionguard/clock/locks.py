"""Locks and queues whose waits take virtual time.

One lock that is free costs what a real one costs and a call; only a wait asks the scheduler.  Whoever waited longest
gets a lock from the hands of the one that releases it.  In a thread that keeps real time, and while no clock is in
force, all of them wait in real time, so that what was made inside a span works after it, and the other way round.
"""

from __future__ import annotations

import queue
import threading
from _thread import allocate_lock, get_ident
from collections import deque
from contextlib import suppress
from types import GenericAlias, TracebackType
from typing import Any, Final

from pytest_sessionguard.clock.waits import CURRENT, MU, ForeignWaiter, Waiter, waiter_for

_TIMEOUT_MAX: Final = threading.TIMEOUT_MAX


class VirtualLock:
    """What stands for `threading.Lock()`."""

    __slots__ = ("__weakref__", "_real", "_waiters")

    def __init__(self) -> None:
        self._real = allocate_lock()
        self._waiters: deque[Waiter | ForeignWaiter] = deque()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take the lock; wait for it, at most `timeout` seconds, if `blocking`."""
        if CURRENT.offer is not None:
            CURRENT.offer()
        if timeout == -1:
            if self._real.acquire(False):
                return True
            return self._wait(None) if blocking else False
        # The real lock knows what to refuse, and in which words.
        if not blocking or timeout <= 0 or timeout > _TIMEOUT_MAX:
            return self._real.acquire(blocking, timeout)
        return self._real.acquire(False) or self._wait(timeout)

    def release(self) -> None:
        """Give the lock to who waited longest, or leave it free."""
        if not self._waiters:
            self._real.release()
            if not self._waiters or not self._real.acquire(False):
                return
        with MU:
            while self._waiters:
                if self._waiters.popleft().wake():
                    return
            self._real.release()

    def locked(self) -> bool:
        """Say whether somebody holds the lock."""
        return self._real.locked()

    def __enter__(self) -> bool:
        if CURRENT.offer is not None:
            CURRENT.offer()
        return self._real.acquire(False) or self._wait(None)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def __repr__(self) -> str:
        return f"<{'locked' if self._real.locked() else 'unlocked'} Lock at {id(self):#x}>"

    acquire_lock = acquire
    release_lock = release
    locked_lock = locked

    def _wait(self, timeout: float | None) -> bool:
        waiter = waiter_for(self)
        with MU:
            # In this order: whoever releases the lock in between finds the waiter, or the lock is found free.
            self._waiters.append(waiter)
            if self._real.acquire(False):
                self._waiters.remove(waiter)
                return True
        try:
            if waiter.wait(timeout):
                return True
        except BaseException:
            with MU:
                woken = waiter.woken
                waiter.done = True
            if woken:
                self.release()
            raise
        with MU:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
        return False

    def _at_fork_reinit(self) -> None:
        self._real = allocate_lock()
        self._waiters.clear()


class VirtualRLock:
    """What stands for `threading.RLock()`."""

    __slots__ = ("__weakref__", "_block", "_count", "_owner")

    def __init__(self) -> None:
        self._block = VirtualLock()
        self._owner = 0
        self._count = 0

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take the lock, once more if this thread has it already."""
        me = get_ident()
        if self._owner == me:
            self._count += 1
            return True
        if not self._block.acquire(blocking, timeout):
            return False
        self._owner, self._count = me, 1
        return True

    __enter__ = acquire

    def release(self) -> None:
        """Undo one `acquire`."""
        if self._owner != get_ident():
            raise RuntimeError("cannot release un-acquired lock")
        self._count -= 1
        if not self._count:
            self._owner = 0
            self._block.release()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def __repr__(self) -> str:
        state = "locked" if self._block.locked() else "unlocked"
        return f"<{state} RLock owner={self._owner} count={self._count} at {id(self):#x}>"

    def locked(self) -> bool:
        """Say whether somebody holds the lock."""
        return self._block.locked()

    # What a condition asks of its lock.

    def _release_save(self) -> tuple[int, int]:
        if not self._count:
            raise RuntimeError("cannot release un-acquired lock")
        saved = self._count, self._owner
        self._count = self._owner = 0
        self._block.release()
        return saved

    def _acquire_restore(self, saved: tuple[int, int]) -> None:
        self._block.acquire()
        self._count, self._owner = saved

    def _is_owned(self) -> bool:
        return self._owner == get_ident()

    def _recursion_count(self) -> int:
        return self._count if self._owner == get_ident() else 0

    def _at_fork_reinit(self) -> None:
        self._block._at_fork_reinit()
        self._owner = self._count = 0


class VirtualSimpleQueue:
    """What stands for `queue.SimpleQueue()`; like it, a finalizer may put in the middle of a put."""

    __slots__ = ("__weakref__", "_items", "_waiters")

    def __init__(self) -> None:
        self._items: deque[Any] = deque()
        self._waiters: deque[Waiter | ForeignWaiter] = deque()

    __class_getitem__: Any = classmethod(GenericAlias)

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Add an item; never waits."""
        self._items.append(item)
        if self._waiters:
            with MU:
                while self._waiters:
                    if self._waiters.popleft().wake():
                        return

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Take the first item; wait for one, at most `timeout` seconds, if `block`."""
        if timeout is not None and timeout < 0 and block:
            raise ValueError("'timeout' must be a non-negative number")
        while True:
            try:
                return self._items.popleft()
            except IndexError:
                if not block:
                    raise queue.Empty from None
            waiter = waiter_for(self)
            with MU:
                # In this order: whoever puts in between finds the waiter, or the item is found.
                self._waiters.append(waiter)
                if self._items:
                    with suppress(ValueError):
                        self._waiters.remove(waiter)
                    continue
            began_us = _now_us()
            try:
                woken = waiter.wait(timeout)
            finally:
                with MU:
                    if waiter in self._waiters:
                        self._waiters.remove(waiter)
            if not woken and not self._items:
                raise queue.Empty
            if timeout is not None:
                timeout = max(0.0, timeout - (_now_us() - began_us) / 1e6)

    def put_nowait(self, item: Any) -> None:
        """Add an item."""
        self.put(item, False)

    def get_nowait(self) -> Any:
        """Take the first item."""
        return self.get(False)

    def empty(self) -> bool:
        """Say whether there is nothing to get."""
        return not self._items

    def qsize(self) -> int:
        """Return how many items there are."""
        return len(self._items)


def _now_us() -> int:
    turns = CURRENT.turns
    return 0 if turns is None else turns.clock.monotonic_us


_condition_wait = threading.Condition.wait


def condition_wait(self: Any, timeout: float | None = None) -> bool:
    """Wait on a condition, whenever it was made: in virtual time in a virtual thread."""
    turns = CURRENT.turns
    me = None if turns is None else turns.runners.get(get_ident())
    if turns is None or me is None or (timeout is not None and timeout <= 0):
        return _condition_wait(self, timeout)
    if not self._is_owned():
        raise RuntimeError("cannot wait on un-acquired lock")
    waiter = Waiter(turns, me, self)
    self._waiters.append(waiter)
    saved = self._release_save()
    woken = False
    try:
        woken = waiter.wait(timeout)
        return woken
    finally:
        self._acquire_restore(saved)
        if not woken:
            with suppress(ValueError):
                self._waiters.remove(waiter)
