"""All sessions in memory with every index that a ledger needs; what a store does with it is the store's affair.

Every index is kept in step by `add`, `put` and `remove`, so no question walks over all sessions:

    order     serial -> id in the order of creation, of everyone and by owner: count, oldest and ids of the live
    idle      by idle span, serial -> id in the order of last activity.  Among sessions of one span that is the order
              of their deadlines, so a touch moves its session to the end and a sweep looks at fronts only: a million
              touches leave nothing behind for it to pay
    spans     a heap with at most one entry an idle span: no later than the deadline of its front
    fixed     a heap of deadlines that no activity moves (end of life, grace period); entries that no longer hold are
              dropped when they surface, or all at once when they outnumber the others
    expired   serial -> id of the dead that are still stored
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final

from pytest_sessionguard.reference.sessions import Session, Status, aged
from pytest_sessionguard.reference.stores import EVERYONE, Census, Scope

Queue = OrderedDict[int, str]

_ROT_MIN: Final = 1024  # below this many entries, stale ones are not worth a rebuild


class IndexedLedger:
    """The indexes.  Only one thread at a time may be inside."""

    def __init__(self) -> None:
        self.now_us = 0
        self.sessions: dict[str, Session] = {}
        self._serial = 0
        self._order: Queue = OrderedDict()
        self._order_by_owner: dict[str | None, Queue] = {}
        self._idle: dict[int, Queue] = {}
        self._spans: list[tuple[int, int]] = []
        self._fixed: list[tuple[int, int, str]] = []
        self._fixed_live = 0
        self._expired: Queue = OrderedDict()
        self._created_sum_us = 0
        self._unsettled = 0

    def load(self, stored: Iterable[Session], *, last_serial: int, now_us: int) -> None:
        """Begin with these sessions, live or dead; serials go on after `last_serial`, time after `now_us`."""
        by_serial = sorted(stored, key=lambda session: session.serial)
        self.now_us = now_us
        self._serial = max([last_serial, *(session.serial for session in by_serial)])
        live = [session for session in by_serial if session.status is Status.ACTIVE]
        for session in by_serial:
            self.sessions[session.session_id] = session
            if session.status is not Status.ACTIVE:
                self._bury(session)
        for session in live:
            self._enter(session)
        # Of one idle span those who end first stand in front.
        for session in sorted(live, key=lambda session: (session.expires_us or 0, session.serial)):
            self._watch(session)

    def find(self, session_id: str) -> Session | None:
        """Return the stored session, live or dead."""
        return self.sessions.get(session_id)

    def holds(self, serial: int) -> bool:
        """Tell whether a session of this serial is stored."""
        return serial in self._order or serial in self._expired

    @property
    def last_serial(self) -> int:
        """The last number that was given to a session."""
        return self._serial

    def next_serial(self) -> int:
        """Return a number that no session of this store ever had."""
        self._serial += 1
        return self._serial

    def add(self, session: Session) -> None:
        """Keep a new session; its id is free."""
        self.sessions[session.session_id] = session
        self._enter(session)
        self._watch(session)

    def put(self, before: Session, after: Session) -> None:
        """Keep `after` in the place of `before`: the same serial, perhaps another id."""
        if before.session_id != after.session_id:
            self._rename(before, after)
        elif before.status is not after.status:
            self._drop_live(before)
            self._bury(after)
        elif after.status is not Status.ACTIVE:
            self._unsettled += before.settled - after.settled
        elif _is_fixed(before) or _is_fixed(after):
            if before.expires_us != after.expires_us or _is_fixed(before) is not _is_fixed(after):
                self._unwatch(before)
                self._watch(after)
        elif before.expires_us != after.expires_us and after.idle_us is not None:
            self._idle[after.idle_us].move_to_end(after.serial)
        self.sessions[after.session_id] = after

    def remove(self, session: Session) -> None:
        """Forget a session."""
        del self.sessions[session.session_id]
        if session.status is Status.ACTIVE:
            self._drop_live(session)
        else:
            del self._expired[session.serial]
            self._unsettled -= not session.settled

    def count(self, scope: Scope) -> int:
        """Count the live sessions of an owner, or of everyone."""
        self._mark_due()
        return len(self._queue(scope))

    def oldest(self, scope: Scope) -> Session | None:
        """Return the live session that was created first."""
        self._mark_due()
        session_id = next(iter(self._queue(scope).values()), None)
        return None if session_id is None else self.sessions[session_id]

    def ids(self, scope: Scope) -> list[str]:
        """Return the ids of the live sessions in the order of their creation."""
        self._mark_due()
        return list(self._queue(scope).values())

    def dead(self, at_most: int) -> Sequence[Session]:
        """Return stored sessions that have run out of time."""
        self._mark_due()
        return [self.sessions[session_id] for session_id in islice(self._expired.values(), at_most)]

    def some(self, at_most: int) -> Sequence[Session]:
        """Return stored sessions, whichever."""
        return list(islice(self.sessions.values(), at_most))

    def census(self) -> Census:
        """Count."""
        self._mark_due()
        order = self._order
        first, last = next(iter(order.values()), None), next(reversed(order.values()), None)
        return Census(
            active=len(order),
            oldest_created_us=None if first is None else self.sessions[first].created_us,
            newest_created_us=None if last is None else self.sessions[last].created_us,
            age_sum_us=self.now_us * len(order) - self._created_sum_us,
            total=len(self.sessions),
            unsettled=self._unsettled,
        )

    def _rename(self, before: Session, after: Session) -> None:
        """Put another id at the same places: an assignment to a key that is there keeps every order."""
        serial, session_id = after.serial, after.session_id
        del self.sessions[before.session_id]
        self._order[serial] = session_id
        self._order_by_owner[after.client_id][serial] = session_id
        if _is_fixed(after):
            self._unwatch(before)
            self._watch(after)
        elif after.idle_us is not None:
            self._idle[after.idle_us][serial] = session_id

    def _enter(self, session: Session) -> None:
        """Put a live session in the order of creation."""
        self._order[session.serial] = session.session_id
        self._order_by_owner.setdefault(session.client_id, OrderedDict())[session.serial] = session.session_id
        self._created_sum_us += session.created_us

    def _queue(self, scope: Scope) -> Queue:
        return self._order if scope is EVERYONE else self._order_by_owner.get(scope, _NOBODY)

    def _bury(self, session: Session) -> None:
        self._expired[session.serial] = session.session_id
        self._unsettled += not session.settled

    def _drop_live(self, session: Session) -> None:
        del self._order[session.serial]
        queue = self._order_by_owner[session.client_id]
        del queue[session.serial]
        if not queue:
            del self._order_by_owner[session.client_id]
        self._created_sum_us -= session.created_us
        self._unwatch(session)

    def _watch(self, session: Session) -> None:
        """Put a live session where its deadline will be noticed."""
        if session.expires_us is None:
            return
        if _is_fixed(session):
            heapq.heappush(self._fixed, (session.expires_us, session.serial, session.session_id))
            self._fixed_live += 1
            return
        span_us = session.expires_us - session.last_active_us
        queue = self._idle.get(span_us)
        if queue is None:
            queue = self._idle[span_us] = OrderedDict()
            heapq.heappush(self._spans, (session.expires_us, span_us))
        queue[session.serial] = session.session_id

    def _unwatch(self, session: Session) -> None:
        if session.expires_us is None:
            return
        if _is_fixed(session):
            # Its entry stays behind: a heap has no cheap removal.
            self._fixed_live -= 1
            if len(self._fixed) > 2 * self._fixed_live + _ROT_MIN:
                self._fixed = [entry for entry in self._fixed if entry[1] != session.serial and self._holds(entry)]
                heapq.heapify(self._fixed)
            return
        del self._idle[session.expires_us - session.last_active_us][session.serial]

    def _holds(self, entry: tuple[int, int, str]) -> bool:
        due_us, serial, session_id = entry
        session = self.sessions.get(session_id)
        return (
            session is not None
            and session.serial == serial
            and session.status is Status.ACTIVE
            and session.expires_us == due_us
            and _is_fixed(session)
        )

    def _mark_due(self) -> None:
        """Mark every session whose deadline has come; each is marked once in its life, so the cost is amortised."""
        now_us = self.now_us
        while self._fixed and self._fixed[0][0] <= now_us:
            entry = heapq.heappop(self._fixed)
            if self._holds(entry):
                self._mark(entry[2])
        while self._spans and self._spans[0][0] <= now_us:
            _, span_us = heapq.heappop(self._spans)
            queue = self._idle[span_us]
            while queue:
                session_id = next(iter(queue.values()))
                expires_us = self.sessions[session_id].expires_us
                assert expires_us is not None  # a watched session has a deadline
                if expires_us > now_us:
                    heapq.heappush(self._spans, (expires_us, span_us))
                    break
                self._mark(session_id)
            else:
                del self._idle[span_us]

    def _mark(self, session_id: str) -> None:
        session = self.sessions[session_id]
        self.put(session, aged(session, now_us=self.now_us))


def _is_fixed(session: Session) -> bool:
    """Tell whether activity leaves the deadline where it is: idling alone would end the session later."""
    return session.idle_us is None or session.expires_us != session.last_active_us + session.idle_us


_NOBODY: Final[Queue] = OrderedDict()
