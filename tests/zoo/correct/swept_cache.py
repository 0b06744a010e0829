"""A cache that a thread sweeps: an entry is there until it is swept, and whoever uses it before that keeps it.

Who is over is decided and taken out under the same lock, so that nobody is swept who was used in between; the ones who
want to know are told outside of it, so that they may take their time and may fail.
"""

from __future__ import annotations

import contextlib
import copy
import threading
import time
from collections.abc import Callable
from typing import Any


class SweptCache:
    """Keeps entries under keys of the caller's choice."""

    def __init__(self, idle_s: float, every_s: float, on_close: Callable[[str], object]) -> None:
        self.idle_s = idle_s
        self.every_s = every_s
        self.on_close = on_close
        self.entries: dict[str, tuple[float, dict[str, Any]]] = {}
        self.lock = threading.Lock()
        self.stopped = threading.Event()
        self.sweeper: threading.Thread | None = None

    def start(self) -> None:
        """Begin to sweep."""
        self.stopped.clear()
        self.sweeper = threading.Thread(target=self._sweep_for_ever, name="sweeper", daemon=True)
        self.sweeper.start()

    def stop(self) -> None:
        """Sweep no more."""
        self.stopped.set()
        if self.sweeper is not None:
            self.sweeper.join()
            self.sweeper = None

    def _sweep_for_ever(self) -> None:
        while not self.stopped.wait(self.every_s):
            self.sweep()

    def _tell(self, keys: list[str]) -> None:
        for key in keys:
            with contextlib.suppress(Exception):
                self.on_close(key)

    def add(self, key: str, value: dict[str, Any]) -> bool:
        """Make an entry; False where there is one."""
        with self.lock:
            if key in self.entries:
                return False
            self.entries[key] = (time.monotonic(), copy.deepcopy(value))
            return True

    def get(self, key: str) -> dict[str, Any] | None:
        """Return the value, or None."""
        with self.lock:
            return copy.deepcopy(self.entries[key][1]) if key in self.entries else None

    def touch(self, key: str) -> bool:
        """Renew an entry; False when there is none."""
        with self.lock:
            if key not in self.entries:
                return False
            self.entries[key] = (time.monotonic(), self.entries[key][1])
            return True

    def update(self, key: str, changes: dict[str, Any]) -> bool:
        """Merge changes into the value; False when there is none."""
        with self.lock:
            if key not in self.entries:
                return False
            self.entries[key] = (time.monotonic(), {**self.entries[key][1], **copy.deepcopy(changes)})
            return True

    def remove(self, key: str) -> bool:
        """Forget an entry; False when there was none."""
        with self.lock:
            found = self.entries.pop(key, None)
        if found is not None:
            self._tell([key])
        return found is not None

    def sweep(self) -> int:
        """Forget what is over and return how much that was."""
        with self.lock:
            now = time.monotonic()
            over = [key for key, (used, _) in self.entries.items() if now - used >= self.idle_s]
            for key in over:
                del self.entries[key]
        self._tell(over)
        return len(over)

    def count(self) -> int:
        """Return how many entries there are."""
        with self.lock:
            return len(self.entries)
