"""The operations that were cancelled in one case, and what that makes of whatever goes wrong after them.

Cancelled, an operation has happened or has not: the model follows both.  What no legal run explains afterwards was done
by the cancellation: something was left behind, or the operation was neither done nor undone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from pytest_sessionguard.core.history import Event
from pytest_sessionguard.core.operations import Refused
from pytest_sessionguard.core.properties import PROPERTIES
from pytest_sessionguard.core.violation import ViolationFound
from pytest_sessionguard.explore.cancelling import Cancellation
from pytest_sessionguard.run.stage import HARNESS

ATOMIC: Final = "cancel.atomic"
NO_LEAK: Final = "cancel.no-leak"

# Of these a broken one shows that something was kept which nobody will ever give back.
_LEAKS: Final = (
    "limit.",
    "resources.",
    "concurrency.deadlock-free",
    "concurrency.limit",
    "lifecycle.id-reuse",
    "lifecycle.create",
)


class Cancellations:
    """What was cancelled."""

    def __init__(self) -> None:
        self._cut: list[tuple[Event, Cancellation]] = []
        self._missed: list[str] = []

    def note(self, event: Event, cancellation: Cancellation) -> None:
        """Note how an operation that was to be cancelled has ended."""
        if cancellation.fired:
            self._cut.append((event, cancellation))
        else:
            times = f"{cancellation.suspensions} suspension{'s'[: cancellation.suspensions != 1]}"
            self._missed.append(f"{event.operation.verb} has {times}: it was not cancelled at the {cancellation.at}.")

    @property
    def fired(self) -> int:
        """How many operations were cancelled."""
        return len(self._cut)

    def blamed(self, violation: ViolationFound, events: Iterable[Event]) -> ViolationFound:
        """Return the violation as one of the cancellation that came before it, if one did."""
        if not self._cut or violation.property not in PROPERTIES:
            return violation
        event, cancellation = self._cut[-1]
        after = [one for one in events if one.call_order > event.return_order]
        name = NO_LEAK if shows_a_leak(violation, after) else ATOMIC
        told = f"after {event.operation.verb} was cancelled at its suspension {cancellation.at}: {violation.summary}"
        return replace(violation, property=name, summary=told)

    def exercised(self, events: Iterable[Event]) -> Counter[str]:
        """Return how often a cancellation was put to the test: it was if somebody asked for anything after it."""
        if not self._cut:
            return Counter()
        first = min(event.return_order for event, _ in self._cut)
        after = any(event.call_order > first and event.client != HARNESS for event in events)
        return Counter({ATOMIC: self.fired, NO_LEAK: self.fired}) if after else Counter()

    def unjudged(self) -> dict[str, str]:
        """Return what could not be shown, since an operation never came as far as it was to be cancelled."""
        return {ATOMIC: "; ".join(self._missed)} if self._missed else {}


def shows_a_leak(violation: ViolationFound, after: Iterable[Event]) -> bool:
    """Say whether something was kept that nobody will ever give back.

    A session that takes up room and is not there is a slot that was kept, whichever of the two was seen last.
    """
    full = any(isinstance(one.outcome, Refused) and "limit" in one.outcome.kinds for one in after)
    return full or violation.property.startswith(_LEAKS)
