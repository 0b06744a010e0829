"""A board of gauges, for threads: what it counts is kept while it changes, under the lock that the change has.

A gauge that is over takes up its name and its place until somebody wipes the board.
"""

from __future__ import annotations

import copy
import threading
import time
from dataclasses import dataclass
from typing import Any


class NameTaken(Exception):
    """There is a gauge of this name."""


class BoardFull(Exception):
    """There is no place left."""


@dataclass
class Gauge:
    """One gauge."""

    readings: dict[str, Any]
    born: float
    used: float


class GaugeBoard:
    """Keeps gauges, and how many were ever made and taken down."""

    def __init__(self, idle_s: float, places: int) -> None:
        self.idle_s = idle_s
        self.places = places
        self.gauges: dict[str, Gauge] = {}
        self.born_sum = 0.0
        self.lock = threading.Lock()

    def _live(self, name: str) -> Gauge | None:
        gauge = self.gauges.get(name)
        return gauge if gauge is not None and time.monotonic() - gauge.used < self.idle_s else None

    def _take_down(self, name: str) -> None:
        self.born_sum -= self.gauges.pop(name).born

    def hang(self, name: str, readings: dict[str, Any]) -> None:
        """Put a gauge up."""
        with self.lock:
            if name in self.gauges:
                raise NameTaken(name)
            if len(self.gauges) >= self.places:
                raise BoardFull(f"{self.places} gauges at most")
            now = time.monotonic()
            self.gauges[name] = Gauge(copy.deepcopy(readings), now, now)
            self.born_sum += now

    def read(self, name: str) -> dict[str, Any] | None:
        """Return the readings, or None."""
        with self.lock:
            gauge = self._live(name)
            return None if gauge is None else copy.deepcopy(gauge.readings)

    def tap(self, name: str) -> bool:
        """Renew a gauge; False when there is none."""
        return self.note(name, {})

    def note(self, name: str, readings: dict[str, Any]) -> bool:
        """Add readings; False when there is no such gauge."""
        with self.lock:
            gauge = self._live(name)
            if gauge is None:
                return False
            gauge.readings.update(copy.deepcopy(readings))
            gauge.used = time.monotonic()
            return True

    def unhang(self, name: str) -> bool:
        """Take a gauge down; False when there was none that lives."""
        with self.lock:
            if self._live(name) is None:
                return False
            self._take_down(name)
            return True

    def wipe(self) -> int:
        """Take down what is over and return how much that was."""
        with self.lock:
            over = [name for name in self.gauges if self._live(name) is None]
            for name in over:
                self._take_down(name)
            return len(over)

    def names(self) -> list[str]:
        """Return the names of the gauges that live."""
        with self.lock:
            return [name for name in self.gauges if self._live(name) is not None]

    def figures(self) -> dict[str, float]:
        """Return how many there are, how many of them live, and how old they are."""
        with self.lock:
            now = time.monotonic()
            born = [gauge.born for gauge in self.gauges.values()]
            return {
                "all": len(self.gauges),
                "live": sum(self._live(name) is not None for name in self.gauges),
                "oldest": now - min(born, default=now),
                "newest": now - max(born, default=now),
                "mean": now - self.born_sum / len(born) if born else 0.0,
            }
