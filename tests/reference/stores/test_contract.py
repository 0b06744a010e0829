"""What every store promises: one test for all that the folder holds, beside a naive list of sessions."""

from __future__ import annotations

import tempfile
import threading
import uuid
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pytest_sessionguard.errors import InvalidSetting, SessionNotFound
from pytest_sessionguard.reference import sessions, stores
from pytest_sessionguard.reference.sessions import Action, Session, Status
from pytest_sessionguard.reference.stores import EVERYONE, Census, Ledger, Store


@pytest.fixture
def store(kind: stores.StoreKind, store_path: str | None) -> Iterator[Store]:
    store = kind.build(store_path)
    store.open()
    yield store
    store.close()


def begin(ledger: Ledger, name: str, **fields: Any) -> Session:
    fields = {"idle_us": 10, "lifetime_us": None, "grace_us": None, "client_id": None, "data": {}} | fields
    session = sessions.born(name, serial=ledger.next_serial(), now_us=ledger.now_us, capabilities=("a", "b"), **fields)
    ledger.add(session)
    return session


def apply(ledger: Ledger, before: Session, after: Session) -> Session:
    ledger.put(before, after)
    return after


def test_what_was_added_is_found_as_it_was(store: Store) -> None:
    data = {"text": "ä\ud800", "list": [1, 2.5, None, True, {"x": []}], "big": 10**30}
    made = store.transact(lambda ledger: begin(ledger, "s", client_id="c", grace_us=3, lifetime_us=99, data=data), 5)
    assert store.look("s") == made == store.transact(lambda ledger: ledger.find("s"), 5)
    assert store.look("other") is None


def test_what_was_put_takes_the_place_of_what_was(store: Store) -> None:
    made = store.transact(lambda ledger: begin(ledger, "s"), 5)
    other = replace(made, version=7, data={"a": 1}, left_us=6, replaced_by="t", settled=False)
    store.transact(lambda ledger: ledger.put(made, other), 6)
    assert store.look("s") == other


def test_a_renamed_session_keeps_its_place_in_the_order(store: Store) -> None:
    for name in "abc":
        store.transact(partial(begin, name=name, client_id="me"), 5)
    a = store.look("a")
    assert a is not None
    store.transact(lambda ledger: ledger.put(a, sessions.renamed(a, "z", now_us=5)), 5)
    assert store.look("a") is None
    assert store.transact(lambda ledger: ledger.ids(EVERYONE), 5) == ["z", "b", "c"]
    assert store.transact(lambda ledger: ledger.ids("me"), 5) == ["z", "b", "c"]
    assert [one.session_id for one in store.transact(lambda ledger: ledger.dead(9), 15)] == ["z", "b", "c"]


def test_who_was_touched_outlives_who_came_later_and_was_not(store: Store) -> None:
    for name in "abc":
        store.transact(partial(begin, name=name), 0)
    for now_us, name in ((4, "a"), (5, "b")):
        session = store.look(name)
        assert session is not None
        after = sessions.step(session, Action.TOUCH, now_us=now_us)
        store.transact(partial(apply, before=session, after=after), now_us)
    left = ["".join(store.transact(lambda ledger: ledger.ids(EVERYONE), now_us)) for now_us in (10, 13, 14, 15)]
    assert left == ["ab", "ab", "b", ""]


def test_a_deadline_that_stays_while_its_reason_changes_is_still_noticed(store: Store) -> None:
    """Idling would end it at 10 and so would its age; once touched, its age alone does."""
    session = store.transact(partial(begin, name="s", lifetime_us=10), 0)
    after = sessions.step(session, Action.TOUCH, now_us=3)
    assert after.expires_us == session.expires_us == 10
    store.transact(partial(apply, before=session, after=after), 3)
    assert store.transact(lambda ledger: ledger.count(EVERYONE), 9) == 1
    other = store.transact(partial(begin, name="t", lifetime_us=10), 9)
    store.transact(lambda ledger: ledger.remove(after), 9)
    assert store.transact(lambda ledger: list(ledger.dead(9)), 10) == []
    assert [one.session_id for one in store.transact(lambda ledger: ledger.dead(9), 19)] == [other.session_id]


def test_a_serial_is_never_given_twice(store: Store) -> None:
    def once(ledger: Ledger) -> int:
        session = begin(ledger, "s")
        assert ledger.holds(session.serial)
        ledger.remove(session)
        assert not ledger.holds(session.serial)
        return session.serial

    serials = [store.transact(once, 5) for _ in range(5)]
    assert sorted(set(serials)) == serials


def test_a_refusal_keeps_what_was_written_before_it(store: Store) -> None:
    def refuse(ledger: Ledger) -> None:
        begin(ledger, "s")
        raise SessionNotFound("t")

    with pytest.raises(SessionNotFound):
        store.transact(refuse, 5)
    assert store.look("s") is not None


def test_time_never_goes_backwards(store: Store) -> None:
    assert store.instant(100) == 100
    assert store.instant(40) == 100
    assert store.transact(lambda ledger: ledger.now_us, 50) == 100
    assert store.transact(lambda ledger: ledger.now_us, 120) == 120
    assert store.instant(119) == 120


def test_opening_and_closing_twice_does_no_harm(store: Store) -> None:
    store.open()
    store.transact(lambda ledger: begin(ledger, "s"), 5)
    store.close()
    store.close()
    store.open()
    assert (store.look("s") is not None) or not store.durable


def test_a_transaction_runs_alone(store: Store, eager_threads: None) -> None:
    store.transact(lambda ledger: begin(ledger, "s", idle_us=None), 5)

    def count_up(ledger: Ledger) -> None:
        session = ledger.find("s")
        assert session is not None
        ledger.put(session, sessions.written(session, {"n": session.data.get("n", 0) + 1}, now_us=5))  # type: ignore[operator]

    def work() -> None:
        for _ in range(25):
            store.transact(count_up, 5)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    session = store.look("s")
    assert session is not None
    assert (session.data, session.version) == ({"n": 100}, 101)


def test_the_census_of_nobody_is_all_zero(store: Store) -> None:
    nobody = Census(active=0, oldest_created_us=None, newest_created_us=None, age_sum_us=0, total=0, unsettled=0)
    assert store.transact(lambda ledger: ledger.census(), 5) == nobody


def test_ages_are_exact_for_instants_of_today(store: Store) -> None:
    today_us = 1_700_000_000_000_000
    for number in range(3):
        store.transact(lambda ledger: begin(ledger, str(ledger.now_us), idle_us=None), today_us + number)
    census = store.transact(lambda ledger: ledger.census(), today_us + 3)
    assert (census.active, census.age_sum_us) == (3, 3 + 2 + 1)


# A program of writes, each followed by every question; the answers are compared with those of a plain list.
Step = tuple[str, int, int]
PROGRAMS = st.lists(
    st.tuples(
        st.sampled_from(["new", "touch", "leave", "return", "rename", "expire", "close", "settle", "mark"]),
        st.integers(0, 3),
        st.integers(0, 4),
    ),
    max_size=30,
)
BOUNDS = st.tuples(st.none() | st.integers(2, 6), st.none() | st.integers(3, 12), st.none() | st.integers(1, 3))
ACTIONS = {"touch": Action.TOUCH, "leave": Action.LEAVE, "return": Action.RETURN}


def _play(store: Store, program: list[Step], bounds: list[tuple[int | None, int | None, int | None]]) -> None:
    naive: list[Session] = []
    now_us = names = 0
    for verb, which, wait_us in program:
        now_us += wait_us

        def turn(ledger: Ledger, verb: str = verb, which: int = which, now_us: int = now_us) -> None:
            nonlocal names
            if verb == "new":
                idle_us, lifetime_us, grace_us = bounds[which % len(bounds)]
                owner = [None, "a", "b"][which % 3]
                names += 1
                limits = {"idle_us": idle_us, "lifetime_us": lifetime_us, "grace_us": grace_us}
                naive.append(begin(ledger, f"n{names}", client_id=owner, **limits))
                return
            if not naive:
                return
            index = which % len(naive)
            before = ledger.find(naive[index].session_id)
            assert before is not None
            assert before in (naive[index], sessions.aged(naive[index], now_us=now_us))
            after = _changed(before, verb, now_us, ledger)
            if after is None:
                ledger.remove(before)
                del naive[index]
            elif after is not before:
                naive[index] = apply(ledger, before, after)

        store.transact(turn, now_us)
        store.transact(partial(_compare, naive=naive, now_us=now_us), now_us)


def _changed(session: Session, verb: str, now_us: int, ledger: Ledger) -> Session | None:
    if verb == "close":
        return None
    aged = sessions.aged(session, now_us=now_us)
    if verb == "mark":
        return aged
    if verb == "settle":
        return replace(aged, settled=True) if aged.status is Status.EXPIRED else session
    if sessions.is_stale(session, now_us=now_us):
        return session
    if verb == "rename":
        return sessions.renamed(session, session.session_id + "r", now_us=now_us)
    if verb == "expire":
        return sessions.step(session, Action.EXPIRE, now_us=now_us)
    return sessions.step(session, ACTIONS[verb], now_us=now_us)


def _compare(ledger: Ledger, naive: list[Session], now_us: int) -> None:
    live = [one for one in naive if not sessions.is_stale(one, now_us=now_us)]
    dead = [one for one in naive if sessions.is_stale(one, now_us=now_us)]
    for scope in (EVERYONE, None, "a", "b", "stranger"):
        theirs = [one for one in live if scope is EVERYONE or one.client_id == scope]
        assert ledger.count(scope) == len(theirs)
        assert ledger.ids(scope) == [one.session_id for one in theirs]
        assert ledger.oldest(scope) == (theirs[0] if theirs else None)
    found = ledger.dead(100)
    assert sorted(one.session_id for one in found) == sorted(one.session_id for one in dead)
    assert len(ledger.dead(1)) == min(1, len(dead))
    assert len(ledger.some(100)) == len(naive)
    assert ledger.census() == Census(
        active=len(live),
        oldest_created_us=live[0].created_us if live else None,
        newest_created_us=live[-1].created_us if live else None,
        age_sum_us=sum(now_us - one.created_us for one in live),
        total=len(naive),
        unsettled=sum(not one.settled for one in dead),
    )


@given(program=PROGRAMS, bounds=st.lists(BOUNDS, min_size=1, max_size=3))
@hypothesis_settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_question_is_answered_as_a_plain_list_would(
    kind: stores.StoreKind, store_path: str | None, program: list[Step], bounds: list[Any]
) -> None:
    # What is asked here is asked of the answers: nobody waits for a disk.
    with tempfile.TemporaryDirectory() as folder, mock.patch("os.fsync"):
        paths = {"sqlite": ":memory:", "file": f"{folder}/sessions", "redis": f"{store_path}{uuid.uuid4().hex}:"}
        store = kind.build(paths.get(kind.name))
        store.open()
        try:
            _play(store, program, bounds)
        finally:
            store.close()


def test_the_kinds_are_found_by_their_files_and_named_as_those() -> None:
    folder = Path(stores.__file__).parent
    assert list(stores.kinds()) == sorted(file.stem for file in folder.glob("*.py") if file.stem != "__init__")


def test_a_store_that_is_one_is_taken_as_it_is(store: Store) -> None:
    assert stores.build(store, None) is store


def test_a_name_that_is_no_store_is_refused_with_those_that_are() -> None:
    with pytest.raises(InvalidSetting, match="file, memory, redis, sqlite"):
        stores.build("papyrus", None)
