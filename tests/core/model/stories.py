"""Short histories for tests: who did what when, and what was answered."""

from __future__ import annotations

from typing import Any

from pytest_sessionguard.core import judging
from pytest_sessionguard.core.history import Entry, Event, History, Note, Stamp, history
from pytest_sessionguard.core.judging import Examination, Finding
from pytest_sessionguard.core.model import Model
from pytest_sessionguard.core.model.moments import EXACT_STEP_US
from pytest_sessionguard.core.operations import Answer, Failed, Ok, Operation, Outcome, Refused, Unknown
from pytest_sessionguard.core.policy import Policy
from pytest_sessionguard.core.values import freeze

# One step of the clock on which a double is exact, and an instant to begin at.
TICK_US = EXACT_STEP_US
START_US = 1_700_000_000_000_000
SECOND_US = 1_000_000

EVERYTHING = frozenset(
    {"create", "get", "exists", "ttl", "touch", "update", "save", "put", "pop", "delete", "expire", "use", "rotate"}
    | {"list", "count", "sweep", "clear", "metrics", "history", "stop", "close", "attach", "disconnect", "resume"}
)


def ok(**told: Any) -> Ok:
    frozen: dict[str, Any] = {name: freeze(value) for name, value in told.items()}
    return Ok(Answer(**frozen))


def refused(*kinds: str) -> Refused:
    return Refused(frozenset(kinds))


def failed(error: str = "ValueError: boom") -> Failed:
    return Failed(error)


CUT_OFF = Unknown("cancelled")


def operation(verb: str, session_id: Any = None, **given: Any) -> Operation:
    named = {} if session_id is None else {"id": session_id}
    for name, value in given.items():
        named[name] = freeze(value) if isinstance(value, dict) else value
    return Operation(verb=verb, **named)


class Story:
    """A history as it is written down, with clocks that move when told."""

    def __init__(self, policy: Policy, **model: Any) -> None:
        self.model = Model(policy=policy, operations=EVERYTHING, **model)
        self.wall_us, self.mono_us, self.order = START_US, 1_000_000, 0
        self.entries: list[Entry] = []

    def stamp(self) -> Stamp:
        return Stamp(self.wall_us, self.mono_us)

    def next_order(self) -> int:
        self.order += 1
        return self.order

    def advance(self, seconds: float = 0, *, us: int = 0) -> Story:
        span_us = round(seconds * SECOND_US) + us
        self.wall_us += span_us
        self.mono_us += span_us
        return self

    def set_clock(self, seconds: float, *, told: bool = True) -> Story:
        """Set the wall clock; `told`: what it showed before is noted."""
        if told:
            self.note("clock")
        self.wall_us += round(seconds * SECOND_US)
        return self

    def did(
        self, verb: str, session_id: Any = None, outcome: Outcome | None = None, *, took_us: int = 0, **given: Any
    ) -> Story:
        """One operation after the other; without an outcome it was answered that it is done."""
        called, call = self.stamp(), self.next_order()
        self.advance(us=took_us)
        self.entries.append(
            Event(
                client="A",
                operation=operation(verb, session_id, **given),
                outcome=outcome or Ok(Answer()),
                called=called,
                returned=self.stamp(),
                call_order=call,
                return_order=self.next_order(),
            )
        )
        return self

    def together(self, *calls: tuple[Operation, Outcome]) -> Story:
        """Operations that all overlap, each by another client."""
        orders = [self.next_order() for _ in calls]
        for place, (asked, outcome) in enumerate(calls):
            self.entries.append(
                Event(
                    client=chr(ord("A") + place),
                    operation=asked,
                    outcome=outcome,
                    called=self.stamp(),
                    returned=self.stamp(),
                    call_order=orders[place],
                    return_order=self.next_order(),
                )
            )
        return self

    def note(self, kind: str, subject: str = "", **more: Any) -> Story:
        self.entries.append(Note(kind=kind, at=self.stamp(), order=self.next_order(), subject=subject, **more))
        return self

    @property
    def history(self) -> History:
        return history(self.entries)

    def judged(self) -> Examination:
        return judging.judge(self.history, self.model)

    @property
    def finding(self) -> Finding | None:
        return self.judged().finding

    @property
    def broken(self) -> str | None:
        """The property that it breaks, or None."""
        found = self.judged()
        assert not found.undecided
        return None if found.finding is None else found.finding.property
