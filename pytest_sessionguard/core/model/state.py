"""What the model knows of a manager at one point of a history.

A state is one of the worlds that the answers so far allow; the judge keeps all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from pytest_sessionguard.core.history import Event
from pytest_sessionguard.core.model import moments
from pytest_sessionguard.core.model.moments import ALIVE, DEAD, EITHER, Moment
from pytest_sessionguard.core.operations import SessionId
from pytest_sessionguard.core.policy import Policy
from pytest_sessionguard.core.values import UNSET, Unset

LIVE: Final = "live"
EXPIRED: Final = "expired"  # dead, perhaps still stored
GONE: Final = "gone"  # not stored any more


@dataclass(frozen=True, slots=True)
class Phantom:
    """The id of a session that an operation with an unknown outcome may have made."""

    number: int

    def __repr__(self) -> str:
        return f"<unknown id {self.number}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One session that was made, whatever became of it.

    Units: `timeout_us` microseconds; None: never; UNSET: the policy's own.
    Attributes:
        data, version: UNSET while no answer has told them.
        past: versions that are over.
        phase: LIVE (by the clock it may have expired since), EXPIRED, GONE.
        how: why it is dead: "idle", "absolute", "deleted", "expired", "evicted", "cleared", "swept", "rotated" ...
        doubt: it may not be there at all, since an outcome is unknown or the policy does not say.
        unjudged: its timeout is not declared, so its expiry is not judged.
        loose: its data is not judged.
        renewed: activity since it was made.
        since: what happened since it was last seen alive, for the blame.
        wrote: the operation that last wrote its data.
        resources: what it owns; `faulty` those whose closing fails.
    """

    id: SessionId
    created: Moment
    active: Moment
    owner: Any = UNSET
    data: Any = UNSET
    version: Any = UNSET
    past: frozenset[Any] = frozenset()
    timeout_us: int | Unset | None = UNSET
    phase: str = LIVE
    how: str = ""
    doubt: bool = False
    unjudged: bool = False
    loose: bool = False
    renewed: bool = False
    since: frozenset[str] = frozenset()
    wrote: str = "create"
    replaced_by: SessionId | Unset = UNSET
    resources: tuple[str, ...] = ()
    faulty: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """All sessions ever made, by id, and what the manager itself is at.

    Attributes:
        running: its background work is under way.
        closed: it was closed or stopped: it may refuse.
        last: when the last operation was, or None before the first.
    """

    records: Mapping[SessionId, Record]
    running: bool = False
    closed: bool = False
    last: Moment | None = None

    def __hash__(self) -> int:
        return hash((frozenset(self.records), self.running, self.closed, self.last))

    def having(self, *records: Record) -> State:
        """Return the state with these records put over those of the same ids."""
        merged = dict(self.records)
        for record in records:
            merged[record.id] = record
        return replace(self, records=merged)

    def renamed(self, old: SessionId, record: Record) -> State:
        """Return the state in which the session known as `old` is `record`."""
        merged = {key: value for key, value in self.records.items() if key != old}
        merged[record.id] = record
        return replace(self, records=merged)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One operation as the rules see it.

    Attributes:
        event: the call and, for the blame alone, its answer.
        now: when it read the clock.
        backs: how often the clock had been set back by then.
        overlapped: another operation was under way.
        in_flight: creations under way at the same time.
    """

    event: Event
    now: Moment
    policy: Policy
    operations: frozenset[str]
    backs: int = 0
    overlapped: bool = False
    in_flight: int = 0

    @property
    def verb(self) -> str:
        """What was asked."""
        return self.event.operation.verb


def limits(record: Record, policy: Policy) -> Iterator[tuple[str, Moment, int]]:
    """Give each deadline of a session: its name, since when it counts, and the timeout in microseconds.

    A session's own timeout stands in the place of the idle timeout or, where there is none, of the absolute one.
    """
    own = record.timeout_us
    idle_us, absolute_us = policy.idle_timeout, policy.absolute_timeout
    if not isinstance(own, Unset):
        if idle_us is None and absolute_us is not None:
            absolute_us = own
        else:
            idle_us = own
    if idle_us is not None:
        yield "idle", record.active, idle_us
    if absolute_us is not None:
        yield "absolute", record.created, absolute_us


def standing(record: Record, now: Moment, policy: Policy) -> int:
    """Say what the session may be now: ALIVE, DEAD or EITHER."""
    if record.phase != LIVE:
        return DEAD
    if record.unjudged:
        return EITHER
    found = ALIVE
    for _, since, timeout_us in limits(record, policy):
        found = _worse(
            found,
            moments.standing(
                since,
                now,
                timeout_us,
                dead_at_timeout=policy.at_timeout == "expired",
                unit_us=policy.granularity_us,
            ),
        )
        if policy.clock_back == "undeclared" and len(now) > len(since):
            found = EITHER
    return found | DEAD if record.doubt else found


def _worse(one: int, other: int) -> int:
    """Join two deadlines: alive only where both may be, dead where either may be."""
    return (one & other & ALIVE) | ((one | other) & DEAD)


def cause(record: Record, now: Moment, policy: Policy) -> str:
    """Return which deadline ended the session: the first that may have passed."""
    if record.how:
        return record.how
    for name, since, timeout_us in limits(record, policy):
        reached = moments.standing(
            since, now, timeout_us, dead_at_timeout=policy.at_timeout == "expired", unit_us=policy.granularity_us
        )
        if reached & DEAD:
            return name
    return "idle"


def left_us(record: Record, now: Moment, policy: Policy) -> int | None:
    """Return the time to the session's first deadline as the clock shows it, or None where it has none.

    Units: microseconds; negative once it is over.
    """
    spans = [
        moments.reading_of(since, 0)[1] + timeout_us - moments.reading_of(now, 0)[0]
        for _, since, timeout_us in limits(record, policy)
    ]
    return min(spans, default=None)
