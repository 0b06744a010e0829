"""What sessions own beside their data: live objects of this process, each to be closed exactly once.

They are filed under the session's serial, which a rotation leaves as it is.  Taking a session's resources out is
atomic, so of all the ways in which it may end at once, one alone gets them.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable

from pytest_sessionguard.errors import InvalidSession


class Resources:
    """The resources of every session of one manager, in the order they were attached."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_serial: dict[int, list[object]] = {}

    def __len__(self) -> int:
        with self._lock:
            return sum(map(len, self._by_serial.values()))

    def add(self, serial: int, resource: object) -> None:
        """File a resource; the same object twice is one."""
        with self._lock:
            owned = self._by_serial.setdefault(serial, [])
            if not any(one is resource for one in owned):
                owned.append(resource)

    def discard(self, serial: int, resource: object) -> bool:
        """Give a resource back; False when an end took it already."""
        with self._lock:
            owned = self._by_serial.get(serial, [])
            for index, one in enumerate(owned):
                if one is resource:
                    del owned[index]
                    if not owned:
                        del self._by_serial[serial]
                    return True
            return False

    def take(self, serial: int) -> list[object]:
        """Take out what a session owned, the last attached first, as it may lean on the others."""
        with self._lock:
            return self._by_serial.pop(serial, [])[::-1]

    def serials(self) -> list[int]:
        """Return the sessions that own something."""
        with self._lock:
            return list(self._by_serial)


def closer(resource: object) -> Callable[[], object]:
    """Return what closes a resource: its `close`, its `aclose`, or itself.

    Raises:
        InvalidSession: it has none of them.
    """
    for name in ("close", "aclose"):
        method = getattr(resource, name, None)
        if callable(method):
            return method  # type: ignore[no-any-return]  # getattr knows no type; called without arguments
    if callable(resource):
        return resource
    raise InvalidSession("resource", resource, "an object with close() or aclose(), or a function")


def is_async(function: object) -> bool:
    """Tell whether calling `function` gives something to await."""
    called = function.__call__ if callable(function) else function
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called)
