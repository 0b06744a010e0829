"""What happens on a stage, noted as it happens.

Safe to use from several threads: hooks may be called from any of them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass

from pytest_sessionguard.clock.virtual import VirtualClock
from pytest_sessionguard.core.history import Entry, Event, History, Note, Stamp, history, order_of
from pytest_sessionguard.core.operations import Operation, Outcome
from pytest_sessionguard.core.quick import quick
from pytest_sessionguard.core.values import UNSET, Unset


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """An operation that was called and has not answered yet."""

    client: str
    operation: Operation
    called: Stamp
    order: int
    place: str


class Recorder:
    """Number and stamp what happens; one case each.

    Attributes:
        listener: is told of every call as it begins, and of every entry as it is noted.
    """

    def __init__(self, clock: VirtualClock) -> None:
        self.listener: Callable[[Begun | Entry], None] | None = None
        self._clock = clock
        self._lock = threading.Lock()
        self._last = 0
        self._entries: list[Entry] = []
        self._taken = 0
        self._under_way: dict[int, Begun] = {}
        self.began_us = clock.monotonic_us
        self._stamp = Stamp(wall_us=clock.wall_us, mono_us=clock.monotonic_us)
        self.place = ""
        self.operations = 0
        self._called: dict[str, tuple[int, Stamp]] = {}

    def stamp(self) -> Stamp:
        """Return this instant on both clocks; the same stamp while neither has moved."""
        wall_us, mono_us = self._clock.wall_us, self._clock.monotonic_us
        stamp = self._stamp
        if stamp.mono_us != mono_us or stamp.wall_us != wall_us:
            self._stamp = stamp = Stamp(wall_us=wall_us, mono_us=mono_us)
        return stamp

    def offset_us(self, stamp: Stamp) -> int:
        """Return how long after the beginning of the case the stamp was made, in virtual microseconds."""
        return stamp.mono_us - self.began_us

    def call(self, client: str) -> None:
        """Note that the client calls now, whatever it will turn out to ask once its turn has come."""
        with self._lock:
            self._last += 1
            self._called[client] = self._last, self.stamp()

    def take_back(self, client: str) -> None:
        """Note that the client has asked nothing after all."""
        self._called.pop(client, None)

    def begin(self, client: str, operation: Operation, place: str) -> Begun:
        """Note that an operation is called: now, or when its client said that it calls."""
        with self._lock:
            before = self._called.pop(client, None)
            if before is None:
                self._last += 1
                before = self._last, self.stamp()
            order, called = before
            begun = Begun(client=client, operation=operation, called=called, order=order, place=place)
            self._under_way[begun.order] = begun
            self._tell(begun)
            return begun

    def end(self, begun: Begun, outcome: Outcome) -> Event:
        """Note that it has answered."""
        with self._lock:
            self._last += 1
            del self._under_way[begun.order]
            event = Event(
                client=begun.client,
                operation=begun.operation,
                outcome=outcome,
                called=begun.called,
                returned=self.stamp(),
                call_order=begun.order,
                return_order=self._last,
                place=begun.place,
            )
            self._entries.append(event)
            self.operations += 1
            self._tell(event)
            return event

    def note(self, *, kind: str, subject: str = "", id: Hashable | Unset = UNSET) -> None:
        """Note something that happens beside the calls."""
        with self._lock:
            self._last += 1
            note = Note(kind=kind, subject=subject, id=id, at=self.stamp(), order=self._last, place=self.place)
            self._entries.append(note)
            self._tell(note)

    def _tell(self, what: Begun | Entry) -> None:
        if self.listener is not None:
            self.listener(what)

    def resume(self, entries: Iterable[Entry], *, began_us: int) -> None:
        """Take over what another recorder has noted since `began_us`; it counts as taken."""
        with self._lock:
            self.began_us = began_us
            self._entries = list(entries)
            self._taken = len(self._entries)
            self._last = max((order_of(entry) for entry in self._entries), default=0)

    def forget(self, begun: Begun) -> None:
        """Take back the beginning of an operation whose case starts over."""
        with self._lock:
            self._under_way.pop(begun.order, None)

    def latest(self) -> Entry | None:
        """Return what was noted last; None where nothing was."""
        with self._lock:
            return self._entries[-1] if self._entries else None

    def under_way(self) -> tuple[Begun, ...]:
        """Return the operations that have not answered yet, in the order of their calls."""
        with self._lock:
            return tuple(self._under_way.values())

    def take(self) -> tuple[Entry, ...]:
        """Return what was noted since the last time this was asked."""
        with self._lock:
            taken, self._taken = self._taken, len(self._entries)
            return tuple(self._entries[taken:])

    def history(self) -> History:
        """Return everything that was noted."""
        with self._lock:
            return history(self._entries)
