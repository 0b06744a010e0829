"""What happened: calls and answers in the order in which they were seen.

Pure.  `call_order` and `return_order` come from one sequence: one operation was over before another began exactly
when its return number is smaller than the other's call number.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

from pytest_sessionguard.core.operations import Operation, Outcome, SessionId
from pytest_sessionguard.core.quick import quick
from pytest_sessionguard.core.values import UNSET, Unset
from pytest_sessionguard.errors import did_you_mean


@quick
@dataclass(frozen=True, slots=True, order=True)
class Stamp:
    """One instant on both clocks.

    Units: microseconds; `wall_us` since the Unix epoch, `mono_us` since an arbitrary start.
    """

    wall_us: int
    mono_us: int


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One operation from its call to its answer.

    Attributes:
        client: who called.
        place: where in the user's file it stands ("cart.session.yaml:12:5"), or empty.
    """

    client: str
    operation: Operation
    outcome: Outcome
    called: Stamp
    returned: Stamp
    call_order: int
    return_order: int
    place: str = ""

    def overlaps(self, other: Event) -> bool:
        """Say whether neither was over before the other began."""
        return self.call_order < other.return_order and other.call_order < self.return_order


CRASHES: Final = {"killed": "kill", "power-lost": "power-loss"}
"""The kinds of note that tell of a crash, and what must survive it: the process's death, the machine's."""

NOTE_KINDS: Final = ("restarted", *CRASHES, "closed", "hook", "clock")


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something that happened beside the calls.

    Attributes:
        kind: "restarted" (the manager was closed and made anew), "killed" and "power-lost" (it was not closed, and made
            anew from what was left), "closed" (a resource was), "hook" (one was called),
            "clock" (a clock is about to be set, or was: what it showed just before tells what had expired by then).
        subject: the resource's or the hook's name.
        id: the session it was told about, where it was told of one.
    """

    kind: str
    at: Stamp
    order: int
    subject: str = ""
    id: SessionId | Unset = UNSET
    place: str = ""


Entry: TypeAlias = Event | Note


@dataclass(frozen=True, slots=True)
class History:
    """All that was recorded of one case, ordered by when it was over."""

    entries: tuple[Entry, ...]

    @property
    def events(self) -> tuple[Event, ...]:
        """The operations alone."""
        return tuple(entry for entry in self.entries if isinstance(entry, Event))


def order_of(entry: Entry) -> int:
    """Return when the entry was over, as a number of the one sequence."""
    return entry.return_order if isinstance(entry, Event) else entry.order


def _number(seen: set[int], *numbers: int) -> None:
    for number in numbers:
        if number in seen:
            raise ValueError(f"two entries of a history carry the number {number}")
        seen.add(number)


def history(entries: Iterable[Entry]) -> History:
    """Return the entries as a history.

    Raises:
        ValueError: an entry that returned before it was called, a number used twice, an unknown kind of note, or a
            monotonic clock that ran backwards.
    """
    ordered = sorted(entries, key=order_of)
    seen: set[int] = set()
    mono_us = None
    for entry in ordered:
        if isinstance(entry, Event):
            _number(seen, entry.call_order, entry.return_order)
            at = entry.returned
            if entry.return_order < entry.call_order:
                raise ValueError(f"{entry.operation} returned (number {entry.return_order}) before it was called")
            if entry.returned.mono_us < entry.called.mono_us:
                raise ValueError(f"the monotonic clock ran backwards during {entry.operation}")
        else:
            _number(seen, entry.order)
            at = entry.at
            if entry.kind not in NOTE_KINDS:
                raise ValueError(f"unknown kind of note {entry.kind!r}{did_you_mean(entry.kind, NOTE_KINDS)}")
            if entry.kind in ("restarted", *CRASHES):
                mono_us = None
        if mono_us is not None and at.mono_us < mono_us:
            raise ValueError(f"the monotonic clock ran backwards before entry {order_of(entry)}")
        mono_us = at.mono_us
    return History(tuple(ordered))
