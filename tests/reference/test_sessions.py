"""The life of a session, as its table tells it."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sessionguard.errors import IllegalTransition
from pytest_sessionguard.reference import sessions
from pytest_sessionguard.reference.sessions import Action, Session, Status


def a_session(status: Status = Status.ACTIVE, **fields: Any) -> Session:
    session = sessions.born(
        "s1",
        serial=1,
        now_us=0,
        idle_us=fields.pop("idle_us", 10),
        lifetime_us=fields.pop("lifetime_us", None),
        grace_us=fields.pop("grace_us", None),
        client_id=None,
        capabilities=(),
        data={},
    )
    return replace(session, status=status, **fields)


@pytest.mark.parametrize(("status", "action"), list(itertools.product(Status, Action)))
def test_step_refuses_exactly_the_pairs_without_a_row(status: Status, action: Action) -> None:
    try:
        after = sessions.step(a_session(status), action, now_us=9).status
    except IllegalTransition:
        after = None
    assert after is sessions.TRANSITIONS.get((status, action))


@pytest.mark.parametrize(("status", "action"), sorted(sessions.TRANSITIONS, key=str))
def test_no_action_brings_the_dead_back(status: Status, action: Action) -> None:
    after = sessions.TRANSITIONS[status, action]
    assert after is status or status is Status.ACTIVE


@pytest.mark.parametrize("action", list(Action))
def test_every_action_at_the_expiry_instant_finds_the_session_dead(action: Action) -> None:
    allowed = (Status.EXPIRED, action) in sessions.TRANSITIONS
    if allowed:
        assert sessions.step(a_session(), action, now_us=10).status is Status.EXPIRED
    else:
        with pytest.raises(IllegalTransition, match=f"'s1' is expired: cannot {action.value} it"):
            sessions.step(a_session(), action, now_us=10)


@pytest.mark.parametrize("action", sorted(sessions.RENEWING, key=str))
def test_activity_one_microsecond_before_the_end_starts_the_span_anew(action: Action) -> None:
    after = sessions.step(a_session(), action, now_us=9)
    assert (after.last_active_us, after.expires_us) == (9, 19)


@pytest.mark.parametrize("action", sorted(set(Action) - sessions.RENEWING - {Action.SUCCEED}, key=str))
def test_what_is_no_activity_leaves_the_last_activity_where_it_was(action: Action) -> None:
    assert sessions.step(a_session(), action, now_us=9).last_active_us == 0


def test_no_activity_moves_the_end_of_an_absolute_lifetime() -> None:
    session = a_session(lifetime_us=12)
    assert session.expires_us == 10
    session = sessions.step(session, Action.TOUCH, now_us=9)
    assert session.expires_us == 12
    assert sessions.is_expired(session, now_us=12)
    assert not sessions.is_expired(session, now_us=11)


def test_an_endless_session_never_expires() -> None:
    session = a_session(idle_us=None)
    assert session.expires_us is None
    assert sessions.remaining_us(session, now_us=10**18) is None
    assert not sessions.is_stale(session, now_us=10**18)
    assert sessions.aged(session, now_us=10**18) is session


def test_a_disconnect_shortens_life_to_the_grace_period_and_a_second_one_does_not_lengthen_it() -> None:
    left = sessions.step(a_session(grace_us=3), Action.LEAVE, now_us=2)
    assert (left.expires_us, left.is_connected) == (5, False)
    assert sessions.step(left, Action.LEAVE, now_us=4) == left
    back = sessions.step(left, Action.RETURN, now_us=4)
    assert (back.expires_us, back.is_connected) == (14, True)


def test_a_grace_period_longer_than_what_is_left_gives_nothing() -> None:
    assert sessions.step(a_session(grace_us=100), Action.LEAVE, now_us=2).expires_us == 10


def test_an_endless_session_left_alone_ends_with_its_grace_period() -> None:
    assert sessions.step(a_session(idle_us=None, grace_us=3), Action.LEAVE, now_us=2).expires_us == 5


def test_a_disconnect_without_a_grace_period_shortens_nothing() -> None:
    assert sessions.step(a_session(), Action.LEAVE, now_us=2).expires_us == 10


def test_a_closed_session_is_stale_at_any_time_but_never_expired() -> None:
    closed = sessions.step(a_session(), Action.CLOSE, now_us=3)
    assert sessions.is_stale(closed, now_us=0)
    assert not sessions.is_expired(closed, now_us=99)
    assert sessions.remaining_us(closed, now_us=0) == 0
    assert closed.expires_us == 3


def test_an_expired_session_stays_expired_when_the_clock_is_set_back() -> None:
    expired = sessions.aged(a_session(), now_us=10)
    assert sessions.is_expired(expired, now_us=0)
    assert sessions.step(expired, Action.EXPIRE, now_us=0).expires_us == 10


def test_a_write_gives_other_data_under_the_next_version() -> None:
    session = a_session()
    after = sessions.written(session, {"a": 1}, now_us=5)
    assert (after.data, after.version, after.expires_us) == ({"a": 1}, 2, 15)
    assert (session.data, session.version) == ({}, 1)


def test_a_rename_keeps_everything_but_the_name() -> None:
    session = a_session(lifetime_us=50)
    assert sessions.renamed(session, "s2", now_us=5) == replace(session, session_id="s2")


def test_changed_equals_replace_and_leaves_the_original() -> None:
    session = a_session()
    assert sessions.changed(session, version=9) == replace(session, version=9)
    assert session.version == 1
    with pytest.raises(AttributeError):
        sessions.changed(session, no_such_field=1)


@given(
    idle_us=st.none() | st.integers(1, 9),
    lifetime_us=st.none() | st.integers(1, 20),
    grace_us=st.none() | st.integers(1, 5),
    program=st.lists(st.tuples(st.sampled_from(Action), st.integers(0, 6)), max_size=12),
)
def test_no_program_makes_a_session_outlive_its_bounds(
    idle_us: int | None, lifetime_us: int | None, grace_us: int | None, program: list[tuple[Action, int]]
) -> None:
    session = a_session(idle_us=idle_us, lifetime_us=lifetime_us, grace_us=grace_us)
    now_us = 0
    for action, wait_us in program:
        now_us += wait_us
        was_dead = sessions.is_stale(session, now_us=now_us)
        try:
            session = sessions.step(session, action, now_us=now_us)
        except IllegalTransition:
            continue
        assert sessions.is_stale(session, now_us=now_us) or not was_dead
        if session.status is Status.ACTIVE:
            bounds = [
                None if idle_us is None else session.last_active_us + idle_us,
                lifetime_us,
                None if grace_us is None or session.left_us is None else session.left_us + grace_us,
            ]
            assert session.expires_us == min((bound for bound in bounds if bound is not None), default=None)
