"""When: the readings of a clock, and what they say of a deadline.

An operation reads the clock at some instant between its call and its answer, so a reading is a closed interval.  A
clock that was set back can be understood in three ways, all of them right: as it shows, as the time that really passed,
and as the latest time ever shown.  From the first set-back on, a moment holds one interval for each way; what all three
say is certain, and what they dispute is free.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from pytest_sessionguard.core.history import Stamp
from pytest_sessionguard.core.quick import quick, replace

Reading: TypeAlias = tuple[int, int]
Moment: TypeAlias = tuple[Reading, ...]

ALIVE: Final = 1
DEAD: Final = 2
EITHER: Final = ALIVE | DEAD

# A double holds every multiple of 1/64 s of this century exactly.  On other instants a manager that counts in float
# seconds may see a deadline up to half a microsecond early or late, so the deadline itself is not judged there.
EXACT_STEP_US: Final = 15_625

# Longer ago than any clock shows.
_AGES_US: Final = 1 << 62


def span(earlier: Moment, later: Moment) -> Moment:
    """Return the moment that may be any instant from `earlier` to `later`."""
    if len(earlier) == len(later):
        return tuple((first[0], last[1]) for first, last in zip(earlier, later, strict=True))
    return tuple((reading_of(earlier, scale)[0], last[1]) for scale, last in enumerate(later))


def reading_of(moment: Moment, scale: int) -> Reading:
    """Return the reading on one scale; before the first set-back all scales are the same."""
    return moment[scale] if scale < len(moment) else moment[0]


def surely_before(first: Moment, second: Moment) -> bool:
    """Say whether `first` is earlier than `second` on every scale."""
    scales = max(len(first), len(second))
    return all(reading_of(first, scale)[1] < reading_of(second, scale)[0] for scale in range(scales))


def standing(since: Moment, now: Moment, timeout_us: int, *, dead_at_timeout: bool, unit_us: int) -> int:
    """Say what a session that counts from `since` may be `now`: ALIVE, DEAD or EITHER, by one timeout.

    The life is the half-open span [since, since + timeout): at the timeout it is over (`at_timeout = "expired"`);
    or it is closed, and over one step later (`"alive"`).  One `unit_us` either side is not judged.
    """
    if len(now) == 1 and len(since) == 1 and not unit_us:
        # Most often the clock was never set back and the deadline is far off, whichever way it is counted.
        idle_min, idle_max = now[0][0] - since[0][1], now[0][1] - since[0][0]
        if idle_max < timeout_us:
            return ALIVE
        if idle_min > timeout_us:
            return DEAD
    found = 0
    for scale, (low, high) in enumerate(now):
        start_low, start_high = reading_of(since, scale)
        idle_min, idle_max = low - start_high, high - start_low
        if unit_us:
            alive, dead = idle_min <= timeout_us + unit_us, idle_max >= timeout_us - unit_us
        elif dead_at_timeout:
            alive, dead = idle_min < timeout_us, idle_max >= timeout_us
        else:
            alive, dead = idle_min <= timeout_us, idle_max > timeout_us
        if timeout_us in (idle_min, idle_max) and _is_blurred(start_low, start_high, timeout_us):
            alive = dead = True
        found |= (ALIVE if alive else 0) | (DEAD if dead else 0)
        if found == EITHER:
            return found
    return found


def _is_blurred(start_low: int, start_high: int, timeout_us: int) -> bool:
    """Say whether float seconds may miss the deadline itself."""
    return bool(start_low % EXACT_STEP_US or start_high % EXACT_STEP_US or timeout_us % EXACT_STEP_US)


@quick
@dataclass(frozen=True, slots=True)
class Timeline:
    """What is known of the policy's clock so far.

    Units: microseconds.
    Attributes:
        monotonic: which clock the policy counts on.
        last: the latest stamp seen.
        high_us: the latest time that the wall clock ever showed during an operation.
        shown_us: the latest time that it ever showed, which a manager that looks at it between operations has seen.
        lost_us: by how much it was set back, in all.
        backs: how often it was set back.
        set_us: what the monotonic clock showed when the wall clock was last seen to have been set; None: it never was.
    """

    monotonic: bool
    last: Stamp | None = None
    high_us: int = -_AGES_US
    shown_us: int = -_AGES_US
    lost_us: int = 0
    backs: int = 0
    set_us: int | None = None

    def seen(self, stamp: Stamp) -> Timeline:
        """Return the timeline after the clocks showed `stamp`."""
        if self.last is not None and stamp.mono_us < self.last.mono_us:
            return self  # Seen before, and told later.
        if self.monotonic:
            is_back = self.last is not None and stamp.wall_us - self.last.wall_us < stamp.mono_us - self.last.mono_us
            return replace(self, last=stamp, backs=self.backs + is_back)
        if self.last is None:
            return replace(self, last=stamp, high_us=stamp.wall_us, shown_us=stamp.wall_us)
        jump_us = (stamp.wall_us - self.last.wall_us) - (stamp.mono_us - self.last.mono_us)
        high_us, shown_us = max(self.high_us, stamp.wall_us), max(self.shown_us, stamp.wall_us)
        if not jump_us:
            return replace(self, last=stamp, high_us=high_us, shown_us=shown_us)
        later = replace(self, last=stamp, high_us=high_us, shown_us=shown_us, set_us=stamp.mono_us)
        return later if jump_us > 0 else replace(later, lost_us=self.lost_us - jump_us, backs=self.backs + 1)

    def about_to_be_set(self, stamp: Stamp) -> Timeline:
        """Return the timeline when the wall clock shows `stamp` and is to be set: who has looked meanwhile knows."""
        if self.monotonic:
            return self
        return replace(self, last=self.last or stamp, shown_us=max(self.shown_us, stamp.wall_us))

    def undisturbed_us(self, stamp: Stamp) -> int | None:
        """Return the time that has passed since the wall clock was last set; None: it never was."""
        return None if self.set_us is None else stamp.mono_us - self.set_us

    def restarted(self, stamp: Stamp) -> Timeline:
        """Return the timeline after the manager was made anew at `stamp`: the monotonic clock may count from zero."""
        if self.last is not None and stamp.mono_us < self.last.mono_us:
            return replace(self, last=replace(self.last, mono_us=stamp.mono_us)).seen(stamp)
        return self.seen(stamp)

    def moment(self, called: Stamp, returned: Stamp) -> Moment:
        """Return when an operation from `called` to `returned` read the clock; both must have been `seen`."""
        if self.monotonic:
            return ((called.mono_us, returned.mono_us),)
        low, high = called.wall_us, returned.wall_us
        if high < low:
            low, high = high, low
        if not self.backs:
            return ((low, high),)
        return (
            (low, high),
            (low + self.lost_us, high + self.lost_us),
            (max(low, self.high_us), max(high, self.shown_us)),
        )
