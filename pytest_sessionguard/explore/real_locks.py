"""What stands in for a lock that was made before the clock came into force, wherever a target's own code uses it.

The lock itself stays what tells who has it; only the wait for it is a virtual one, so that a strand that waits can be
told from one that runs.
"""

from __future__ import annotations

import _thread
from _thread import allocate_lock
from types import TracebackType
from typing import Any, Final

from pytest_sessionguard.clock.waits import MU, ForeignWaiter, Waiter, waiter_for

REAL_LOCKS: Final = frozenset({type(allocate_lock()), _thread.RLock})

# Lock -> those that wait for it.
_waiting: Final[dict[int, list[Waiter | ForeignWaiter]]] = {}


class RealLock:
    """A real lock whose waits are virtual."""

    __slots__ = ("_real",)

    def __init__(self, real: Any) -> None:
        self._real = real

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take the lock; wait for it, at most `timeout` seconds, if `blocking`."""
        real = self._real
        if real.acquire(False):
            return True
        if not blocking or timeout == 0:
            return bool(real.acquire(blocking, timeout) if blocking else False)
        while True:
            waiter = waiter_for(self)
            if isinstance(waiter, ForeignWaiter):
                return bool(real.acquire(blocking, timeout))
            # Code that is not the target's may release it too.
            waiter.poll = self._is_free
            waiter.what = real
            with MU:
                _waiting.setdefault(id(real), []).append(waiter)
            try:
                woken = waiter.wait(None if timeout < 0 else timeout)
            finally:
                with MU:
                    waiting = _waiting[id(real)]
                    waiting.remove(waiter)
                    if not waiting:
                        del _waiting[id(real)]
            if real.acquire(False):
                return True
            if not woken:
                return False

    def release(self) -> None:
        """Give the lock back; all that wait for it may try again."""
        self._real.release()
        with MU:
            for waiter in list(_waiting.get(id(self._real), ())):
                waiter.wake()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def _is_free(self) -> bool:
        if not self._real.acquire(False):
            return False
        self._real.release()
        return True
