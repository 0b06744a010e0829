"""A desk hands out its own notes: what one reader writes into them is there for all."""

from __future__ import annotations

import copy

from zoo.correct.marked_desk import MarkedDesk, Ticket


class OpenDesk(MarkedDesk):
    """Copies the ticket, but not what is in it."""

    def read(self, number: str) -> Ticket | None:
        return copy.copy(self._current(number))
