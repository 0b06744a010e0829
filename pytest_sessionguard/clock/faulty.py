"""What can be wrong with a wall clock: plain values, which say what it shows at a right time.

Pure: reads no clock.  A value is put in force by `VirtualClock.faulty`, for one task or thread or for all.  The
monotonic clock has none of these faults: it counts what passes, whatever the wall clock shows.  Units: microseconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class ClockFault(Protocol):
    """Something wrong with a wall clock."""

    def shown_us(self, wall_us: int, elapsed_us: int) -> int:
        """Return what is shown at `wall_us`, `elapsed_us` after the fault began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skewed:
    """A clock that is off by as much all the time; negative: slow."""

    by_us: int

    def shown_us(self, wall_us: int, elapsed_us: int) -> int:
        """Return the right time and the error."""
        return wall_us + self.by_us


@dataclass(frozen=True, slots=True, kw_only=True)
class Jumping:
    """A clock that is right at first and then jumps, forwards or back."""

    by_us: int
    after_us: int = 0

    def __post_init__(self) -> None:
        _refuse_negative(after_us=self.after_us)

    def shown_us(self, wall_us: int, elapsed_us: int) -> int:
        """Return the right time until the jump, and the wrong one from its instant on."""
        return wall_us if elapsed_us < self.after_us else wall_us + self.by_us


@dataclass(frozen=True, slots=True, kw_only=True)
class Drifting:
    """A clock that is too fast, or too slow, by so many microseconds a second; at -1,000,000 it stands still."""

    ppm: int

    def __post_init__(self) -> None:
        if self.ppm < -1_000_000:
            raise ValueError(f"a clock that drifts by {self.ppm} ppm would run backwards: expected at least -1000000")

    def shown_us(self, wall_us: int, elapsed_us: int) -> int:
        """Return the right time and the error that has come together."""
        return wall_us + elapsed_us * self.ppm // 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """A clock that stands still, after a while or at once; for a while, and is then right again, or for good."""

    after_us: int = 0
    for_us: int | None = None

    def __post_init__(self) -> None:
        _refuse_negative(after_us=self.after_us, for_us=self.for_us or 0)

    def shown_us(self, wall_us: int, elapsed_us: int) -> int:
        """Return the right time less what has passed since it stopped."""
        still_us = max(0, elapsed_us - self.after_us)
        return wall_us if self.for_us is not None and still_us >= self.for_us else wall_us - still_us


@dataclass(frozen=True, slots=True, kw_only=True)
class Stepping:
    """A clock that moves by whole steps, such as one that counts seconds."""

    step_us: int = 1_000_000

    def __post_init__(self) -> None:
        if self.step_us < 1:
            raise ValueError(f"a clock cannot move by steps of {self.step_us} us: expected at least 1")

    def shown_us(self, wall_us: int, elapsed_us: int) -> int:
        """Return the last whole step."""
        return wall_us - wall_us % self.step_us


@dataclass(frozen=True, slots=True)
class Several:
    """Several faults of one clock; each is applied to what the one before it shows."""

    faults: tuple[ClockFault, ...]

    def shown_us(self, wall_us: int, elapsed_us: int) -> int:
        """Return what the last of them shows."""
        for fault in self.faults:
            wall_us = fault.shown_us(wall_us, elapsed_us)
        return wall_us


def _refuse_negative(**spans_us: int) -> None:
    for name, span_us in spans_us.items():
        if span_us < 0:
            raise ValueError(f"{name} cannot be {span_us}: nothing goes wrong before its fault begins")
