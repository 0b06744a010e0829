"""What strands touch: told by whatever they share, heard by the scheduler in force.

A scheduler that leaves out orders hears everything that strands share, or nothing: a store that tells half of it would
have orders left out that differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Final, TypeVar

Listener = Callable[[object, bool], None]

KeyT = TypeVar("KeyT")
ValueT = TypeVar("ValueT")

# What is touched where something is told of a store as a whole: how many it holds, and which.
_WHICH: Final = "which"

_listener: Listener | None = None


@contextmanager
def heard_by(listener: Listener) -> Iterator[None]:
    """Let everything that is touched be told to the listener."""
    global _listener
    before, _listener = _listener, listener
    try:
        yield
    finally:
        _listener = before


def touched(key: object, *, is_write: bool) -> None:
    """Tell that the strand that runs touches something; without a listener, nothing happens."""
    if _listener is not None:
        _listener(key, is_write)


class Observed(MutableMapping[KeyT, ValueT]):
    """A dict that tells what of it is touched.

    To put in a key that was not there, or to take one out, writes what the dict holds as a whole too.
    """

    def __init__(self, name: str = "store") -> None:
        self._name = name
        self._held: dict[KeyT, ValueT] = {}

    def __getitem__(self, key: KeyT) -> ValueT:
        touched((self._name, key), is_write=False)
        return self._held[key]

    def __setitem__(self, key: KeyT, value: ValueT) -> None:
        touched((self._name, key), is_write=True)
        if key not in self._held:
            touched((self._name, _WHICH), is_write=True)
        self._held[key] = value

    def __delitem__(self, key: KeyT) -> None:
        touched((self._name, key), is_write=True)
        touched((self._name, _WHICH), is_write=True)
        del self._held[key]

    def __iter__(self) -> Iterator[KeyT]:
        touched((self._name, _WHICH), is_write=False)
        return iter(self._held)

    def __len__(self) -> int:
        touched((self._name, _WHICH), is_write=False)
        return len(self._held)
