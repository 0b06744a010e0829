"""A desk answers whoever asks with the ticket that was opened last."""

from __future__ import annotations

from zoo.correct.marked_desk import MarkedDesk, Ticket


class MuddledDesk(MarkedDesk):
    """Remembers one ticket only."""

    def read(self, number: str) -> Ticket | None:
        return super().read([*self.tickets, number][-2] if number in self.tickets else number)
