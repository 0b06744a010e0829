"""What only the memory store can be asked: that its indexes stay small and its sweeps cheap."""

from __future__ import annotations

from pytest_sessionguard.reference import sessions
from pytest_sessionguard.reference.indexes import IndexedLedger
from pytest_sessionguard.reference.sessions import Action, Session


def begin(ledger: IndexedLedger, name: str, *, idle_us: int | None = 100, grace_us: int | None = None) -> Session:
    session = sessions.born(
        name,
        serial=ledger.next_serial(),
        now_us=ledger.now_us,
        idle_us=idle_us,
        lifetime_us=None,
        grace_us=grace_us,
        client_id=name,
        capabilities=(),
        data={},
    )
    ledger.add(session)
    return session


def step(ledger: IndexedLedger, session: Session, action: Action) -> Session:
    after = sessions.step(session, action, now_us=ledger.now_us)
    ledger.put(session, after)
    return after


def entries(ledger: IndexedLedger) -> int:
    """Count everything that any index holds."""
    queues = [*ledger._idle.values(), *ledger._order_by_owner.values(), ledger._order, ledger._expired]
    return sum(map(len, queues)) + len(ledger._spans) + len(ledger._fixed) + len(ledger._idle)


def test_a_thousand_touches_leave_nothing_behind() -> None:
    ledger = IndexedLedger()
    session = begin(ledger, "s")
    before = entries(ledger)
    for _ in range(1000):
        ledger.now_us += 1
        session = step(ledger, session, Action.TOUCH)
    assert entries(ledger) == before


def test_comings_and_goings_leave_a_bounded_number_of_entries_behind() -> None:
    ledger = IndexedLedger()
    session = begin(ledger, "s", grace_us=10_000)
    session = begin(ledger, "t", idle_us=None, grace_us=10_000)
    for _ in range(5000):
        ledger.now_us += 1
        session = step(ledger, session, Action.LEAVE)
        session = step(ledger, session, Action.RETURN)
    assert len(ledger._fixed) <= 1100


def test_owners_and_spans_without_sessions_are_forgotten() -> None:
    ledger = IndexedLedger()
    for number in range(50):
        ledger.remove(begin(ledger, f"s{number}", idle_us=number + 1))
    ledger.now_us = 1000
    assert ledger.dead(9) == []
    assert entries(ledger) == 0
    assert ledger.sessions == {}


def test_a_sweep_among_many_touched_sessions_looks_at_those_that_died_alone() -> None:
    ledger = IndexedLedger()
    many = [begin(ledger, f"s{number}") for number in range(500)]
    ledger.now_us = 50
    for session in many:
        step(ledger, session, Action.TOUCH)
    dying = [begin(ledger, f"d{number}", idle_us=60) for number in range(3)]

    class Counted(dict[str, Session]):
        looks = 0

        def __getitem__(self, key: str) -> Session:
            Counted.looks += 1
            return super().__getitem__(key)

    ledger.sessions = Counted(ledger.sessions)
    ledger.now_us = 115
    assert {one.session_id for one in ledger.dead(10)} == {one.session_id for one in dying}
    assert Counted.looks < 20
