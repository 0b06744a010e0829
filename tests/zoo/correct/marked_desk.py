"""A help desk: a ticket left alone for longer than allowed is marked as lapsed, can still be read, but not worked on.

At exactly the timeout a ticket is still open.  Times are timedeltas.
"""

from __future__ import annotations

import copy
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any


class State(Enum):
    """What a ticket is."""

    OPEN = "open"
    LAPSED = "lapsed"


@dataclass
class Ticket:
    """One ticket, as its callers see it."""

    number: str
    customer: str
    notes: dict[str, Any]
    seen: datetime
    state: State = State.OPEN
    allowed: timedelta = field(default=timedelta(0))


class MarkedDesk:
    """Keeps tickets."""

    def __init__(self, allowed: timedelta) -> None:
        self.allowed = allowed
        self.tickets: dict[str, Ticket] = {}

    def _current(self, number: str) -> Ticket | None:
        ticket = self.tickets.get(number)
        if ticket is not None and datetime.now(UTC) - ticket.seen > ticket.allowed:
            ticket.state = State.LAPSED
        return ticket

    def open(self, customer: str, notes: dict[str, Any] | None = None, allowed: timedelta | None = None) -> str:
        """Begin a ticket and return its number."""
        number = secrets.token_hex(16)
        span = self.allowed if allowed is None else allowed
        self.tickets[number] = Ticket(number, customer, copy.deepcopy(notes or {}), datetime.now(UTC), allowed=span)
        return number

    def read(self, number: str) -> Ticket | None:
        """Return a copy of the ticket, lapsed or not."""
        ticket = self._current(number)
        if ticket is None:
            return None
        return copy.deepcopy(ticket)

    def left(self, number: str) -> timedelta | None:
        """Return the time that the ticket has left."""
        ticket = self._current(number)
        if ticket is None or ticket.state is State.LAPSED:
            return None
        return ticket.allowed - (datetime.now(UTC) - ticket.seen)

    def answer(self, number: str, notes: dict[str, Any]) -> bool:
        """Add notes to an open ticket; False when it is none."""
        ticket = self._current(number)
        if ticket is None or ticket.state is State.LAPSED:
            return False
        ticket.notes |= copy.deepcopy(notes)
        ticket.seen = datetime.now(UTC)
        return True

    def nudge(self, number: str) -> bool:
        """Keep an open ticket open; False when it is none."""
        return self.answer(number, {})

    def close(self, number: str) -> bool:
        """Forget the ticket; False when there was none."""
        return self.tickets.pop(number, None) is not None

    def tidy(self) -> int:
        """Forget the lapsed and return how many they were."""
        lapsed = [number for number in self.tickets if (t := self._current(number)) and t.state is State.LAPSED]
        for number in lapsed:
            del self.tickets[number]
        return len(lapsed)

    def of(self, customer: str | None = None) -> list[str]:
        """Return the numbers of a customer's tickets, or of all, lapsed ones too."""
        return [one.number for one in self.tickets.values() if customer is None or one.customer == customer]
