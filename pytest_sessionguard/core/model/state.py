"""What the model knows of a manager at one point of a history.

A state is one of the worlds that the answers so far allow; the judge keeps all of them.  Two worlds that differ only in
what is noted for the reader (`Record.since`, `Record.renewed`) are one world.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pytest_sessionguard.core.history import Event
from pytest_sessionguard.core.model import moments
from pytest_sessionguard.core.model.moments import ALIVE, DEAD, EITHER, Moment
from pytest_sessionguard.core.operations import SessionId
from pytest_sessionguard.core.policy import Policy
from pytest_sessionguard.core.quick import quick, replace
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


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One session that was made, whatever became of it.

    Units: `timeout_us` microseconds; None: never; UNSET: the policy's own.
    Attributes:
        data, version: UNSET while no answer has told them.
        past: versions that are over, each with the data that it stood for.
        phase: LIVE (by the clock it may have expired since), EXPIRED, GONE.
        how: why it is dead: "deleted", "expired", "evicted", "cleared", "swept", "purged", "rotated", "alias" ...
        names: other ids under which it answers.
        doubt: it may not be there at all, since an outcome is unknown or the policy does not say.
        unjudged: its timeout is not declared, so its expiry is not judged.
        by_hand: its deadline was set by `expire`; what activity makes of it is not declared.
        anew: since when its absolute timeout counts where a timeout was given later; None: since it was made.
        loose: its data is not judged.
        saved: its id, data, version and last activity as a checkpoint has acknowledged them; None: none has.
        vetoed: it is what an operation has made of it whose `commit` hook has failed.
        renewed: activity since it was made.
        since: what happened since it was last seen alive, for the blame.
        wrote: the operation that last wrote its data.
        resources: what it owns; `faulty` when closing one of them fails.
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
    names: frozenset[SessionId] = frozenset()
    doubt: bool = False
    unjudged: bool = False
    by_hand: bool = False
    anew: Moment | None = None
    loose: bool = False
    saved: tuple[Any, ...] | None = None
    vetoed: bool = False
    renewed: bool = field(default=False, compare=False)
    since: frozenset[str] = field(default=frozenset(), compare=False)
    wrote: str = "create"
    replaced_by: SessionId | Unset = UNSET
    resources: tuple[str, ...] = ()
    faulty: bool = False

    def answers_to(self, session_id: SessionId) -> bool:
        """Say whether the id is one of the session's own."""
        return session_id == self.id or session_id in self.names


@quick
@dataclass(frozen=True, slots=True)
class State:
    """All sessions ever made, by id, and what the manager itself is at.

    Attributes:
        running: its background work is under way; `begun`: since when, or None where it is since the beginning.
        closed: it was closed or stopped: it may refuse.
        last: when the last operation was, or None before the first.
    """

    records: Mapping[SessionId, Record]
    running: bool = False
    closed: bool = False
    last: Moment | None = None
    begun: Moment | None = None

    def __hash__(self) -> int:
        known = frozenset((one.id, one.phase, one.active, one.version, one.data) for one in self.records.values())
        return hash((known, self.running, self.closed, self.last))

    def having(self, *records: Record) -> State:
        """Return the state with these records put over those of the same ids."""
        if not records:
            return self
        merged = dict(self.records)
        for record in records:
            merged[record.id] = record
        return State(merged, self.running, self.closed, self.last, self.begun)

    def renamed(self, old: SessionId, record: Record) -> State:
        """Return the state in which the session known as `old` is `record`."""
        merged = {key: value for key, value in self.records.items() if key != old}
        merged[record.id] = record
        return State(merged, self.running, self.closed, self.last, self.begun)

    def after(self, now: Moment, *, running: bool) -> State:
        """Return the state after an operation at `now`: `last` is the latest that any operation may have been."""
        last = now if self.last is None or now[-1][1] >= self.last[-1][1] else self.last
        if last == self.last and running == self.running:
            return self
        return State(self.records, running, self.closed, last, self.begun)

    def find(self, session_id: SessionId) -> Record | None:
        """Return the session that answers to the id, or None where there never was one."""
        record = self.records.get(session_id)
        while record is not None and record.how == "alias" and not isinstance(record.replaced_by, Unset):
            record = self.records[record.replaced_by]
        return record

    def fresh_phantom(self) -> Phantom:
        """Return an id for a session whose own is not known."""
        return Phantom(len(self.records))


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One operation as the rules see it.

    Attributes:
        event: the call and, for the blame alone, its answer.
        now: when it read the clock.
        overlapped: another operation was under way.
        in_flight: creations under way at the same time.
        about: the sessions that this part of a view of all is about; None: all.
        undisturbed_us: the time since the wall clock was last set; None: it never was.
    """

    event: Event
    now: Moment
    policy: Policy
    operations: frozenset[str]
    overlapped: bool = False
    in_flight: int = 0
    about: frozenset[SessionId] | None = None
    undisturbed_us: int | None = None

    @property
    def verb(self) -> str:
        """What was asked."""
        return self.event.operation.verb


def limits(record: Record, policy: Policy) -> list[tuple[str, Moment, int]]:
    """Return each deadline of a session: its name, since when it counts, and the timeout in microseconds.

    A session's own timeout stands in the place of the idle timeout or, where there is none, of the absolute one.
    """
    own = record.timeout_us
    idle_us, absolute_us = policy.idle_timeout, policy.absolute_timeout
    if own is not UNSET:
        if idle_us is None and absolute_us is not None:
            absolute_us = own
        else:
            idle_us = own
    found = [] if idle_us is None else [("idle", record.active, idle_us)]
    if absolute_us is not None:
        found.append(("absolute", record.created if record.anew is None else record.anew, absolute_us))
    return found


def standing(record: Record, now: Moment, policy: Policy) -> int:
    """Say what the session may be now: ALIVE, DEAD or EITHER."""
    if record.phase != LIVE:
        return DEAD
    if record.unjudged:
        return EITHER
    found = by_deadlines(record, now, policy)
    return found | DEAD if record.doubt else found


def by_deadlines(record: Record, now: Moment, policy: Policy) -> int:
    """Say what a session that was not ended may be now by its deadlines alone."""
    found = ALIVE
    dead_at_timeout = policy.at_timeout == "expired"
    for _, since, timeout_us in limits(record, policy):
        if policy.clock_back == "undeclared" and len(now) > len(since):
            one = EITHER
        else:
            one = moments.standing(
                since, now, timeout_us, dead_at_timeout=dead_at_timeout, unit_us=policy.granularity_us
            )
        # Alive only where both deadlines may be ahead, dead where either may be over.
        found = (found & one & ALIVE) | ((found | one) & DEAD)
    return found


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
    least: int | None = None
    for _, since, timeout_us in limits(record, policy):
        left = since[0][1] + timeout_us - now[0][0]
        least = left if least is None or left < least else least
    return least


def left_between_us(record: Record, now: Moment, policy: Policy) -> tuple[int, int] | None:
    """Return the least and the most time that may be left to the first deadline, on any scale; None: no deadline.

    Units: microseconds.
    """
    lows, highs = [], []
    for scale, (low, high) in enumerate(now):
        ends = [(moments.reading_of(since, scale), timeout_us) for _, since, timeout_us in limits(record, policy)]
        if not ends:
            return None
        lows.append(min(since[0] + timeout_us - high for since, timeout_us in ends))
        highs.append(min(since[1] + timeout_us - low for since, timeout_us in ends))
    return min(lows), max(highs)


def tagged(state: State, tag: str) -> State:
    """Return the state with a word put on every live session, for the blame."""
    changed = [
        replace(record, since=record.since | {tag})
        for record in state.records.values()
        if record.phase == LIVE and tag not in record.since
    ]
    return state.having(*changed)
