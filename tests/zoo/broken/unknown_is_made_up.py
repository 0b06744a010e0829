"""A desk that is asked for a ticket that never was shows an empty one."""

from __future__ import annotations

from datetime import UTC, datetime

from zoo.correct.marked_desk import MarkedDesk, Ticket


class ObligingDesk(MarkedDesk):
    """Never says that there is no such ticket."""

    def read(self, number: str) -> Ticket | None:
        return super().read(number) or Ticket(number, "nobody", {}, datetime.now(UTC))
