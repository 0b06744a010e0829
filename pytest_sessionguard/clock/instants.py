"""Instants in the waiting rooms of the standard library, which are reckoned with in whole microseconds.

A room adds a timeout to the time, and waits for the difference between the sum and the time until none is left.  Floats
would leave it a ten-billionth of a second where nothing is left: no time passes in a wait for so little, and the room
would ask again and again.
"""

from __future__ import annotations

from math import ceil


class Instant(float):
    """Seconds on the monotonic clock, a whole number of microseconds."""

    __slots__ = ()

    def __add__(self, span_s: float) -> float:
        """Return the instant so much later; less than a microsecond is rounded up, as a sleep is."""
        try:
            return Instant((round(float(self) * 1e6) + ceil(span_s * 1e6 - 1e-3)) / 1e6)
        except (OverflowError, ValueError, TypeError):
            return float(self) + span_s

    __radd__ = __add__

    def __sub__(self, other: float) -> float:
        """Return the seconds between two instants."""
        if isinstance(other, Instant):
            return (round(float(self) * 1e6) - round(float(other) * 1e6)) / 1e6
        return float(self) - other
