"""Which behaviours there are follows from the policy; which were exercised, from answers that were judged right."""

from __future__ import annotations

import pytest

from pytest_sessionguard.core import behaviour
from pytest_sessionguard.core.behaviour import Claims
from pytest_sessionguard.core.history import Entry, Event, Stamp
from pytest_sessionguard.core.judging import begin
from pytest_sessionguard.core.model import Model
from pytest_sessionguard.core.operations import VERBS, Answer, Failed, Ok, Operation, Outcome, Unknown
from pytest_sessionguard.core.policy import Policy, policy

SECOND = 1_000_000
MINUTE = 60 * SECOND
NOTHING: frozenset[str] = frozenset()


def claims(promises: Policy, **verbs: str) -> Claims:
    return Claims(policy=promises, arguments={verb: frozenset(takes.split()) for verb, takes in verbs.items()})


def event(
    verb: str, at_us: int, answer: Answer | Outcome, order: int, until: int | None = None, **given: object
) -> Event:
    return Event(
        client="A",
        operation=Operation(verb=verb, **given),  # type: ignore[arg-type]  # what a test writes out
        outcome=Ok(answer) if isinstance(answer, Answer) else answer,
        called=Stamp(at_us, at_us),
        returned=Stamp(at_us, at_us),
        call_order=order,
        return_order=order + 1 if until is None else until,
    )


def exercised(promises: Policy, *entries: Entry, verbs: str = "create get touch delete sweep clear list") -> set[str]:
    model = Model(policy=promises, operations=frozenset(verbs.split()))
    after, found = behaviour.feed(begin(model), entries)
    assert after.legal, after.finding
    return set(found)


HALF_HOUR = policy(idle_timeout="30m")
MADE = event("create", 0, Answer(id="s1"), 0)
GONE = Answer(absent="none")


# -- which there are ------------------------------------------------------------------------------------------------


def test_without_deadlines_there_are_no_sides_and_nothing_expires() -> None:
    found = behaviour.universe(claims(policy(), create="", get="id"))
    assert found == ("create:empty", "create:holding", "get:unknown", "get:live")


def test_every_state_comes_from_what_the_target_offers() -> None:
    promises = policy(idle_timeout="30m", limit=3, at_limit="evict-oldest")
    offered = claims(promises, create="", get="id", delete="id", sweep="", clear="", rotate="id")
    assert behaviour.session_states(offered) == tuple(behaviour.SESSION_STATES)
    assert behaviour.manager_states(offered) == tuple(behaviour.MANAGER_STATES)


@pytest.mark.parametrize("at_limit", ["error", "false", "evict-any"])
def test_nobody_is_evicted_where_it_is_refused_or_not_known_who(at_limit: str) -> None:
    offered = claims(policy(limit=3, at_limit=at_limit), create="", get="id")
    assert "evicted" not in behaviour.session_states(offered)


def test_create_meets_states_of_an_id_only_where_it_takes_one() -> None:
    assert "create:live" in behaviour.universe(claims(policy(), create="id"))
    assert "create:live" not in behaviour.universe(claims(policy(), create="data"))


@pytest.mark.parametrize(
    ("idle", "absolute", "touch", "found"),
    [
        ("30m", None, True, ("idle",)),
        (None, "2h", True, ("absolute",)),
        ("30m", "2h", True, ("idle", "absolute")),
        ("30m", "2h", False, ("idle",)),  # Nothing keeps a session alive until the second is nearer.
        ("2h", "2h", True, ("absolute",)),
        (None, None, True, ()),
    ],
)
def test_a_deadline_counts_where_it_can_be_reached_first(
    idle: str | None, absolute: str | None, touch: bool, found: tuple[str, ...]
) -> None:
    written = {"idle_timeout": idle, "absolute_timeout": absolute}
    promises = policy(**{name: value for name, value in written.items() if value})
    offered = claims(promises, create="", get="id", **({"touch": "id"} if touch else {}))
    assert behaviour.deadlines(offered) == found


def test_the_deadline_itself_is_no_side_where_a_manager_counts_in_whole_units() -> None:
    coarse = Policy(idle_timeout=30 * MINUTE, granularity_us=SECOND)
    found = behaviour.universe(claims(coarse, create="", get="id"))
    assert [name for name in found if name.count(":") == 2] == ["get:idle:before", "get:idle:after"]


def test_a_side_reaches_a_second_and_never_past_the_middle_of_a_life() -> None:
    assert behaviour.near_us(30 * MINUTE, 0) == SECOND
    assert behaviour.near_us(SECOND, 0) == SECOND // 2
    assert behaviour.near_us(30 * MINUTE, 2 * SECOND) == 4 * SECOND


def test_what_frames_a_case_is_no_behaviour() -> None:
    assert behaviour.universe(claims(policy(), create="", start="", stop="", close="")) == (
        "create:empty",
        "create:holding",
    )


def test_every_behaviour_has_words_of_its_own() -> None:
    promises = policy(idle_timeout="30m", absolute_timeout="2h", limit=3, at_limit="evict-oldest")
    offered = claims(promises, **dict.fromkeys(VERBS, "id"))
    told = [behaviour.words(name) for name in behaviour.universe(offered)]
    assert len(set(told)) == len(told) > 200
    assert {"touch of an expired session", "get at the absolute timeout", "list with expired sessions"} <= set(told)


# -- which were exercised -------------------------------------------------------------------------------------------


def test_states_of_a_session_are_told_apart() -> None:
    entries = [
        event("get", 0, GONE, 0, id="s0"),
        event("create", 0, Answer(id="s1"), 2),
        event("touch", 0, Answer(found=True), 4, id="s1"),
        event("delete", 0, Answer(found=True), 6, id="s1"),
        event("touch", 0, Answer(found=False), 8, id="s1"),
    ]
    promises = policy(missing={"get": "none", "touch": "false"})
    assert exercised(promises, *entries) == {
        "get:unknown",
        "create:empty",
        "touch:live",
        "delete:live",
        "touch:deleted",
    }


@pytest.mark.parametrize(
    ("left_us", "side"),
    [
        (2 * SECOND, None),
        (SECOND, "before"),
        (1, "before"),
        (0, "at"),
        (-1, "after"),
        (-SECOND, "after"),
        (-2 * SECOND, None),
    ],
)
def test_only_what_is_near_a_deadline_is_on_a_side_of_it(left_us: int, side: str | None) -> None:
    at_us = 30 * MINUTE - left_us
    answer = Answer(id="s1") if left_us > 0 else GONE
    found = exercised(HALF_HOUR, MADE, event("get", at_us, answer, 2, id="s1"))
    assert found - {"create:empty"} == {
        "get:live" if left_us > 0 else "get:expired",
        *([f"get:idle:{side}"] if side else []),
    }


def test_the_side_is_that_of_the_deadline_which_is_nearer() -> None:
    promises = policy(idle_timeout="30m", absolute_timeout="40m")
    touched = event("touch", 20 * MINUTE, Answer(found=True), 2, id="s1")
    found = exercised(promises, MADE, touched, event("get", 40 * MINUTE, GONE, 4, id="s1"))
    assert "get:absolute:at" in found
    assert not [name for name in found if ":idle:" in name]


def test_an_instant_that_lasts_is_at_no_deadline() -> None:
    late = Event(
        client="A",
        operation=Operation(verb="get", id="s1"),
        outcome=Ok(GONE),
        called=Stamp(30 * MINUTE - 1, 30 * MINUTE - 1),
        returned=Stamp(30 * MINUTE + 1, 30 * MINUTE + 1),
        call_order=2,
        return_order=3,
    )
    assert exercised(HALF_HOUR, MADE, late) == {"create:empty"}


def test_states_of_the_manager_are_told_together() -> None:
    promises = policy(idle_timeout="30m", limit=2, expired="stale")
    later = 20 * MINUTE
    entries = [
        event("list", 0, Answer(ids=()), 0),
        event("create", 0, Answer(id="s1"), 2),
        event("create", later, Answer(id="s2"), 4),
        event("list", later, Answer(ids=("s1", "s2")), 6),
        event("list", 35 * MINUTE, Answer(ids=("s1", "s2")), 8),
    ]
    found = exercised(promises, *entries)
    assert {"list:empty", "list:holding", "list:full", "list:stale"} <= found
    assert {"create:empty", "create:holding"} <= found


def test_a_limit_for_each_owner_is_full_when_one_of_them_is() -> None:
    promises = policy(limit=2, limit_scope="owner")
    entries = [
        event("create", 0, Answer(id="s1"), 0, owner="ann"),
        event("create", 0, Answer(id="s2"), 2, owner="bob"),
        event("list", 0, Answer(ids=("s1", "s2")), 4),
    ]
    assert "list:full" not in exercised(promises, *entries)
    entries[2:] = [
        event("create", 0, Answer(id="s3"), 4, owner="ann"),
        event("list", 0, Answer(ids=("s1", "s2", "s3")), 6),
    ]
    assert "list:full" in exercised(promises, *entries)


def test_operations_that_overlap_count_for_nothing() -> None:
    first = event("create", 0, Answer(id="s1"), 0, until=3)
    second = event("list", 0, Answer(ids=()), 1, until=2)
    assert exercised(policy(), first, second) == set()


@pytest.mark.parametrize("outcome", [Unknown("cut off")])
def test_what_was_cut_off_counts_for_nothing(outcome: Outcome) -> None:
    assert exercised(policy(), event("delete", 0, outcome, 0, id="s1")) == set()


@pytest.mark.parametrize("wrong", [Answer(id="s9"), Failed("KeyError: 's1'")])
def test_an_answer_that_is_not_right_counts_for_nothing(wrong: Answer | Outcome) -> None:
    model = Model(policy=HALF_HOUR, operations=frozenset({"create", "get"}))
    over = event("get", 31 * MINUTE, wrong, 2, id="s1")
    again = event("get", 31 * MINUTE, GONE, 4, id="s1")
    after, found = behaviour.feed(begin(model), [MADE, over, again])
    assert not after.legal
    assert set(found) == {"create:empty"}


def test_a_session_of_which_nobody_knows_whether_it_lives_counts_for_nothing() -> None:
    cut_off = event("delete", 0, Unknown("cut off"), 2, id="s1")
    found = exercised(policy(), MADE, cut_off, event("get", 0, GONE, 4, id="s1"))
    assert found == {"create:empty"}


def test_after_a_clock_was_set_back_no_side_of_a_deadline_is_certain() -> None:
    back = Event(
        client="A",
        operation=Operation(verb="get", id="s1"),
        outcome=Ok(Answer(id="s1")),
        called=Stamp(-10 * MINUTE, MINUTE),
        returned=Stamp(-10 * MINUTE, MINUTE),
        call_order=2,
        return_order=3,
    )
    assert exercised(HALF_HOUR, MADE, back) == {"create:empty", "get:live"}
