"""What a manager answers, asked of both faces on every store."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import freezegun
import pytest

from pytest_sessionguard.errors import (
    InvalidSession,
    ManagerClosed,
    SessionExists,
    SessionExpired,
    SessionLimitExceeded,
    SessionNotFound,
    VersionConflict,
)
from pytest_sessionguard.reference.sessions import Status

from .conftest import Clock

Make = Callable[..., Any]

HOUR = 3600


# -- create, get, ensure --------------------------------------------------------------------------------------------


def test_a_new_session_is_active_and_holds_what_it_was_given(manager: Any, clock: Clock) -> None:
    session = manager.create("ada", {"a": [1]}, capabilities=["read", "write"])
    assert manager.get(session.session_id) == session
    assert (session.client_id, session.owner, session.data) == ("ada", "ada", {"a": [1]})
    assert (session.capabilities, session.status, session.version) == (("read", "write"), "active", 1)
    assert session.created_us == session.last_active_us == clock.now_us
    assert session.id == session.session_id
    assert session.is_connected


def test_ids_are_256_bits_of_text_and_never_the_same(manager: Any) -> None:
    ids = {manager.create().session_id for _ in range(50)}
    assert len(ids) == 50
    assert {len(one) for one in ids} == {43}


def test_callers_and_sessions_share_nothing(manager: Any) -> None:
    given = {"list": [1]}
    session = manager.create(None, given)
    given["list"].append(2)
    session.data["list"].append(3)
    manager.get(session.id).data["list"].append(4)
    change = {"more": [5]}
    manager.update(session.id, change)
    change["more"].append(6)
    assert manager.get(session.id).data == {"list": [1], "more": [5]}


def test_sessions_share_nothing_with_each_other(manager: Any) -> None:
    data = {"list": [1]}
    one, other = manager.create("a", data), manager.create("b", data)
    manager.update(one.id, {"list": [2]})
    assert manager.get(other.id).data == {"list": [1]}


def test_a_live_id_is_not_given_again_and_a_dead_one_is(manager: Any, clock: Clock) -> None:
    manager.create("a", {"old": True}, session_id="mine")
    with pytest.raises(SessionExists, match="'mine' is live"):
        manager.create("b", session_id="mine")
    clock.advance(HOUR)
    again = manager.create("b", session_id="mine")
    assert (again.data, again.client_id) == ({}, "b")
    manager.close("mine")
    assert manager.create("c", session_id="mine").client_id == "c"
    assert manager.count() == 1


def test_ensure_begins_a_session_once_and_returns_it_renewed_afterwards(manager: Any, clock: Clock) -> None:
    made = manager.ensure("mine", "ada", {"a": 1})
    clock.advance(10)
    again = manager.ensure("mine", "bob", {"b": 2})
    assert (again.data, again.client_id, again.created_us) == ({"a": 1}, "ada", made.created_us)
    assert manager.ttl("mine") == HOUR
    clock.advance(HOUR)
    assert manager.ensure("mine", "bob", {"b": 2}).data == {"b": 2}
    assert manager.metrics().created == 2


@pytest.mark.parametrize(
    "given",
    [
        {"session_id": ""},
        {"session_id": "a\n"},
        {"client_id": 7},
        {"capabilities": ["ok", ""]},
        {"timeout_secs": 0},
        {"timeout_secs": -1},
        {"data": {"a": object}},
        {"data": [1]},
    ],
    ids=str,
)
def test_what_cannot_be_kept_is_refused_and_nothing_is_made(manager: Any, given: dict[str, Any]) -> None:
    with pytest.raises(InvalidSession):
        manager.create(**given)
    assert manager.count() == 0
    assert manager.metrics().created == 0


@pytest.mark.parametrize("unknown", ["never-issued", "", "\ud800", "nul\0", None, 7])
def test_an_unknown_id_is_absent_to_questions_and_refused_to_work(manager: Any, unknown: Any) -> None:
    assert manager.get(unknown) is None
    assert manager.ttl(unknown) is None
    for ask in (manager.exists, manager.touch, manager.close, manager.delete, manager.expire, manager.disconnect):
        assert ask(unknown) is False
    for work in (manager.use, manager.resume, manager.rotate):
        with pytest.raises(SessionNotFound):
            work(unknown)
    for write in (manager.update, manager.save):
        with pytest.raises(SessionNotFound):
            write(unknown, {})
    with pytest.raises(SessionNotFound):
        manager.edit(unknown, dict)
    with pytest.raises(SessionNotFound):
        manager.attach(unknown, lambda: None)


# -- time -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("at_timeout", "late_us", "lives"), [
    ("expired", -1, True), ("expired", 0, False), ("expired", 1, False),
    ("alive", -1, True), ("alive", 0, True), ("alive", 1, False),
])  # fmt: skip
@pytest.mark.parametrize("bound", ["timeout_secs", "absolute_timeout_secs"])
def test_the_boundary_is_exact_to_the_microsecond(
    make: Make, clock: Clock, bound: str, at_timeout: str, late_us: int, lives: bool
) -> None:
    manager = make(**{bound: 90}, at_timeout=at_timeout)
    session_id = manager.create().id
    clock.advance(90, us=late_us)
    assert manager.exists(session_id) is lives
    assert manager.get(session_id).status is (Status.ACTIVE if lives else Status.EXPIRED)
    assert manager.touch(session_id) is lives
    assert manager.count() == len(manager.list_ids()) == int(lives)


@pytest.mark.parametrize("late_us", [-1, 0, 1])
def test_the_boundary_is_exact_by_the_frozen_clock_of_the_process(make: Make, late_us: int) -> None:
    with freezegun.freeze_time("2026-03-29 01:59:59.999999") as frozen:
        manager = make(clock=None)
        session_id = manager.create().id
        frozen.tick(HOUR + late_us / 1e6)
        assert manager.exists(session_id) is (late_us < 0)


ACTIVITY = {
    "touch": lambda manager, one: manager.touch(one),
    "update": lambda manager, one: manager.update(one, {"a": 1}),
    "save": lambda manager, one: manager.save(one, {"a": 1}),
    "edit": lambda manager, one: manager.edit(one, dict),
    "use": lambda manager, one: manager.use(one),
    "resume": lambda manager, one: manager.resume(one),
    "ensure": lambda manager, one: manager.ensure(one),
}


def _refused_save(manager: Any, session_id: str) -> None:
    with pytest.raises(VersionConflict):
        manager.save(session_id, {}, 99)


IDLENESS = {
    "get": lambda manager, one: manager.get(one),
    "exists": lambda manager, one: manager.exists(one),
    "ttl": lambda manager, one: manager.ttl(one),
    "list_ids": lambda manager, one: manager.list_ids(),
    "disconnect": lambda manager, one: manager.disconnect(one),
    "attach": lambda manager, one: manager.attach(one, lambda: None),
    "metrics": lambda manager, one: manager.metrics(),
    "sweep": lambda manager, one: manager.sweep(),
    "refused save": _refused_save,
}


@pytest.mark.parametrize("name", ACTIVITY)
def test_activity_starts_the_idle_time_anew(manager: Any, clock: Clock, name: str) -> None:
    session_id = manager.create().id
    clock.advance(HOUR, us=-1)
    ACTIVITY[name](manager, session_id)
    clock.advance(HOUR, us=-1)
    assert manager.exists(session_id)
    clock.advance(us=1)
    assert not manager.exists(session_id)


@pytest.mark.parametrize("name", IDLENESS)
def test_looking_is_no_activity(manager: Any, clock: Clock, name: str) -> None:
    session_id = manager.create().id
    clock.advance(HOUR, us=-1)
    IDLENESS[name](manager, session_id)
    assert manager.exists(session_id)
    clock.advance(us=1)
    assert not manager.exists(session_id)


def test_a_session_may_have_its_own_timeout_and_none_at_all(manager: Any, clock: Clock) -> None:
    short, long, endless = (manager.create(timeout_secs=secs).id for secs in (1, 2 * HOUR, math.inf))
    assert [manager.ttl(one) for one in (short, long, endless)] == [1, 2 * HOUR, math.inf]
    clock.advance(1)
    assert [manager.exists(one) for one in (short, long, endless)] == [False, True, True]
    clock.advance(2 * HOUR)
    assert manager.list_ids() == [endless]
    assert manager.ttl(short) == 0.0
    assert manager.sweep() == 2


def test_no_activity_prolongs_an_absolute_lifetime(make: Make, clock: Clock) -> None:
    manager = make(timeout_secs=10, absolute_timeout_secs=25)
    session_id = manager.create().id
    for _ in range(3):
        clock.advance(8)
        assert manager.touch(session_id)
    assert manager.ttl(session_id) == 1
    clock.advance(1)
    assert not manager.touch(session_id)
    assert manager.sweep() == 1


def test_a_clock_that_is_set_back_expires_nothing_and_revives_nothing(manager: Any, clock: Clock) -> None:
    dead, alive = manager.create(timeout_secs=60).id, manager.create().id
    clock.advance(60)
    assert not manager.exists(dead)
    clock.advance(-10 * HOUR)
    assert not manager.exists(dead)
    assert not manager.touch(dead)
    assert manager.exists(alive)
    assert manager.ttl(alive) == HOUR - 60
    assert manager.sweep() == 1
    young = manager.create().id
    assert manager.ttl(young) == HOUR
    clock.advance(10 * HOUR)
    assert manager.exists(young)


def test_the_expired_is_shown_marked_with_its_data_and_can_only_be_ended(manager: Any, clock: Clock) -> None:
    session_id = manager.create("ada", {"a": 1}).id
    clock.advance(HOUR)
    shown = manager.get(session_id)
    assert (shown.status, shown.status.value, shown.data) == (Status.EXPIRED, "expired", {"a": 1})
    assert manager.ttl(session_id) == 0.0
    assert (manager.touch(session_id), manager.expire(session_id), manager.disconnect(session_id)) == (False,) * 3
    for work in (manager.resume, manager.rotate):
        with pytest.raises(SessionExpired):
            work(session_id)
    for write in (manager.update, manager.save):
        with pytest.raises(SessionExpired):
            write(session_id, {"b": 2})
    assert manager.get(session_id) == shown
    assert manager.close(session_id) is True
    assert manager.get(session_id) is None


def test_under_the_rule_gone_the_expired_is_as_if_it_had_been_deleted(make: Make, clock: Clock) -> None:
    manager = make(expired="gone")
    session_id = manager.create().id
    clock.advance(HOUR)
    assert manager.get(session_id) is None
    assert manager.ttl(session_id) is None
    assert manager.close(session_id) is False
    for work in (manager.use, manager.resume, manager.rotate):
        with pytest.raises(SessionNotFound):
            work(session_id)


def test_expire_ends_a_session_now(manager: Any, clock: Clock) -> None:
    session_id = manager.create().id
    assert manager.expire(session_id) is True
    assert manager.get(session_id).status is Status.EXPIRED
    assert manager.expire(session_id) is False
    assert manager.metrics().expired == 1
    assert manager.sweep() == 1
    assert manager.metrics().expired == 1


def test_a_sweep_removes_all_that_expired_and_nothing_else(make: Make, clock: Clock) -> None:
    manager = make(max_concurrent=math.inf)
    short = [manager.create(timeout_secs=1 + number / 1e6).id for number in range(8)]
    touched = manager.create(timeout_secs=1).id
    long = [manager.create().id for _ in range(5)]
    clock.advance(0.5)
    manager.touch(touched)
    clock.advance(0.5, us=7)
    assert manager.sweep() == 8
    assert manager.cleanup() == 0
    assert manager.list_ids() == [touched, *long]
    assert [manager.get(one) for one in short] == [None] * 8


def test_a_sweep_and_a_clear_of_more_than_a_batch_take_all(make: Make, clock: Clock, monkeypatch: Any) -> None:
    for module in ("engine", "manager", "aio"):
        monkeypatch.setattr(f"pytest_sessionguard.reference.{module}.BATCH", 3)
    manager = make()
    for _ in range(7):
        manager.create(timeout_secs=1)
    for _ in range(8):
        manager.create()
    clock.advance(1)
    assert manager.sweep() == 7
    assert manager.clear() == 8
    assert manager.clear() == 0
    assert manager.metrics().total == 0


# -- use, disconnect, rotate ----------------------------------------------------------------------------------------


def test_using_a_live_session_gives_the_session_itself(manager: Any) -> None:
    session = manager.create("ada", {"a": 1})
    assert manager.use(session.id) == session


def test_using_an_expired_session_gives_one_replacement_to_everybody(manager: Any, clock: Clock) -> None:
    old = manager.create("ada", {"a": 1}, capabilities=["x"], timeout_secs=60)
    clock.advance(60)
    new = manager.use(old.id)
    assert new.id != old.id
    assert (new.client_id, new.capabilities, new.data, new.status) == ("ada", ("x",), {}, "active")
    assert manager.ttl(new.id) == 60
    assert manager.use(old.id).id == manager.use(new.id).id == new.id
    assert manager.get(old.id).status is Status.EXPIRED
    assert manager.count() == 1


def test_a_replacement_that_ended_is_replaced_anew(manager: Any, clock: Clock) -> None:
    old = manager.create(timeout_secs=60).id
    clock.advance(60)
    first = manager.use(old).id
    manager.close(first)
    second = manager.use(old).id
    clock.advance(60)
    third = manager.use(old).id
    assert len({old, first, second, third}) == 4
    assert manager.list_ids() == [third]


def test_a_stranger_who_takes_a_dead_replacement_s_id_is_not_given_to_its_client(manager: Any, clock: Clock) -> None:
    old = manager.create("ada").id
    clock.advance(HOUR)
    heir = manager.use(old).id
    manager.close(heir)
    manager.create("eve", session_id=heir)
    assert manager.use(old).client_id == "ada"


def test_using_an_expired_session_needs_room_for_its_replacement(make: Make, clock: Clock) -> None:
    manager = make(max_concurrent=1)
    old = manager.create(timeout_secs=1).id
    clock.advance(1)
    manager.create()
    with pytest.raises(SessionLimitExceeded):
        manager.use(old)
    assert manager.count() == 1


def test_a_disconnected_session_can_be_resumed_until_its_grace_period_is_over(make: Make, clock: Clock) -> None:
    manager = make(resume_secs=30)
    early, late = (manager.create(None, {"a": 1}).id for _ in range(2))
    assert manager.disconnect(early)
    assert manager.disconnect(late)
    assert not manager.get(early).is_connected
    clock.advance(30, us=-1)
    resumed = manager.resume(early)
    assert resumed.is_connected
    assert resumed.data == {"a": 1}
    assert manager.ttl(early) == HOUR
    clock.advance(us=1)
    with pytest.raises(SessionExpired):
        manager.resume(late)
    assert manager.sweep() == 1


def test_without_a_grace_period_a_disconnect_shortens_nothing(manager: Any, clock: Clock) -> None:
    session_id = manager.create().id
    manager.disconnect(session_id)
    clock.advance(HOUR, us=-1)
    assert manager.resume(session_id).id == session_id


def test_a_rotated_session_goes_on_under_its_new_id_alone(manager: Any, clock: Clock) -> None:
    old = manager.create("ada", {"a": 1})
    clock.advance(10)
    new_id = manager.rotate(old.id)
    new = manager.get(new_id)
    assert len(new_id) == 43
    assert (new.data, new.version, new.created_us, new.owner) == (old.data, old.version, old.created_us, "ada")
    assert manager.ttl(new_id) == HOUR - 10
    assert manager.get(old.id) is None
    assert manager.touch(old.id) is False
    assert manager.list_ids("ada") == [new_id]


# -- data -----------------------------------------------------------------------------------------------------------


def test_an_update_merges_and_a_save_replaces_each_one_version_on(manager: Any) -> None:
    session_id = manager.create(None, {"a": 1, "b": 1}).id
    assert manager.update(session_id, {"b": 2, "c": 3}) == 2
    assert manager.get(session_id).data == {"a": 1, "b": 2, "c": 3}
    assert manager.save(session_id, {"d": 4}, 2) == 3
    assert manager.save(session_id, {"e": 5}) == 4
    session = manager.get(session_id)
    assert (session.data, session.version) == ({"e": 5}, 4)


def test_a_save_of_another_version_is_refused_and_writes_nothing(manager: Any) -> None:
    session_id = manager.create(None, {"a": 1}).id
    manager.update(session_id, {"a": 2})
    with pytest.raises(VersionConflict, match="at version 2, not 1") as caught:
        manager.save(session_id, {"a": 3}, 1)
    assert (caught.value.expected, caught.value.actual) == (1, 2)
    assert manager.get(session_id).data == {"a": 2}


def test_an_edit_replaces_the_data_by_what_was_made_of_them(manager: Any) -> None:
    session_id = manager.create(None, {"n": [1]}).id
    assert manager.edit(session_id, lambda data: {"n": data["n"] + [2]}) == 2
    assert manager.get(session_id).data == {"n": [1, 2]}


def test_an_edit_that_fails_changes_nothing_and_leaves_no_lock(manager: Any) -> None:
    session_id = manager.create(None, {"n": 1}).id

    def fail(data: dict[str, Any]) -> dict[str, Any]:
        data["n"] = 2
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        manager.edit(session_id, fail)
    assert manager.get(session_id).data == {"n": 1}
    assert manager.update(session_id, {"n": 3}) == 2


# -- limits ---------------------------------------------------------------------------------------------------------


def test_the_limit_is_a_hundred_and_the_refusal_names_it(manager: Any) -> None:
    first = manager.create().id
    for _ in range(99):
        manager.create()
    with pytest.raises(SessionLimitExceeded, match="100") as caught:
        manager.create()
    assert caught.value.limit == 100
    with pytest.raises(SessionLimitExceeded):
        manager.ensure("one more")
    assert manager.ensure(first).id == first
    assert manager.count() == 100


@pytest.mark.parametrize("release", ["close", "expire", "time", "sweep", "clear"])
def test_every_way_of_ending_gives_its_place_free(make: Make, clock: Clock, release: str) -> None:
    manager = make(max_concurrent=1)
    for _ in range(3):
        session_id = manager.create(timeout_secs=60).id
        with pytest.raises(SessionLimitExceeded):
            manager.create()
        if release in ("time", "sweep"):
            clock.advance(60)
        if release == "sweep":
            manager.sweep()
        if release in ("close", "expire"):
            getattr(manager, release)(session_id)
        if release == "clear":
            manager.clear()
    assert manager.create().status == "active"


def test_a_limit_by_owner_counts_each_owner_for_itself(make: Make) -> None:
    manager = make(max_concurrent=2, limit_scope="owner")
    for owner in ("a", "a", "b", None, None):
        manager.create(owner)
    with pytest.raises(SessionLimitExceeded, match="of owner 'a'"):
        manager.create("a")
    with pytest.raises(SessionLimitExceeded):
        manager.create(None)
    manager.create("b")
    assert (manager.count("a"), manager.count("b"), manager.count("c"), manager.count()) == (2, 2, 0, 6)


def test_eviction_takes_the_oldest_by_creation_however_active_it_is(make: Make, clock: Clock) -> None:
    manager = make(max_concurrent=2, at_limit="evict-oldest", limit_scope="owner")
    other = manager.create("b").id
    oldest, middle = manager.create("a").id, manager.create("a").id
    clock.advance(1)
    manager.touch(oldest)
    newest = manager.create("a").id
    assert manager.list_ids("a") == [middle, newest]
    assert manager.list_ids() == [other, middle, newest]
    assert manager.get(oldest) is None


def test_eviction_spares_the_live_while_there_are_dead(make: Make, clock: Clock) -> None:
    manager = make(max_concurrent=2, at_limit="evict-oldest")
    live = manager.create().id
    manager.create(timeout_secs=1)
    clock.advance(1)
    new = manager.create().id
    assert manager.list_ids() == [live, new]


# -- life of the manager --------------------------------------------------------------------------------------------


def test_start_and_stop_twice_do_no_harm_and_a_stopped_manager_refuses(manager: Any) -> None:
    manager.start()
    manager.start()
    session_id = manager.create().id
    manager.stop()
    manager.stop()
    for ask in (manager.create, manager.sweep, manager.clear, manager.count, manager.metrics, manager.list_ids):
        with pytest.raises(ManagerClosed):
            ask()
    for ask in (manager.get, manager.touch, manager.close, manager.use, manager.exists):
        with pytest.raises(ManagerClosed):
            ask(session_id)


@pytest.mark.parametrize("at_stop", [None, "ends", "keeps"])
def test_a_stop_ends_the_sessions_or_keeps_them(make: Make, kind: Any, at_stop: str | None) -> None:
    manager = make(at_stop=at_stop)
    session_id = manager.create().id
    manager.stop()
    manager.start()
    keeps = at_stop == "keeps" or (at_stop is None and kind.needs_path)
    assert manager.exists(session_id) is keeps
    assert manager.metrics().closed == int(not keeps)


def test_the_metrics_tell_of_this_instant(manager: Any, clock: Clock) -> None:
    empty = manager.metrics()
    assert (empty.total, empty.active, empty.oldest_age, empty.newest_age, empty.average_age) == (0, 0, 0, 0, 0)
    manager.create(timeout_secs=100)
    clock.advance(40)
    closed = manager.create().id
    clock.advance(50)
    manager.create()
    clock.advance(4)
    figures = manager.metrics()
    assert (figures.total, figures.active, figures.created) == (3, 3, 3)
    assert (figures.oldest_age, figures.newest_age, figures.average_age) == (94, 4, pytest.approx((94 + 54 + 4) / 3))
    manager.close(closed)
    clock.advance(6)
    figures = manager.metrics()
    assert (figures.total, figures.active, figures.expired, figures.closed) == (2, 1, 1, 1)
    assert sum(figures.durations) == 1
    manager.sweep()
    figures = manager.metrics()
    assert (figures.total, figures.active, figures.expired, figures.closed) == (1, 1, 1, 1)
    assert figures.durations[2] == 1  # 54 s
    assert figures.durations[3] == 1  # 100 s
    assert figures.duration_sum == 154
