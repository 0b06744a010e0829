"""Which operation tells what a story expects, and what its answer says."""

from __future__ import annotations

from typing import Any

import pytest
import toys

from pytest_sessionguard.core.history import Event, Stamp
from pytest_sessionguard.core.judging import Examination, begin
from pytest_sessionguard.core.model import Model
from pytest_sessionguard.core.model.moments import ALIVE, DEAD, EITHER
from pytest_sessionguard.core.operations import Answer, Failed, Ok, Operation, Outcome, Refused
from pytest_sessionguard.core.policy import Policy, policy
from pytest_sessionguard.core.values import UNSET, FrozenMap, freeze
from pytest_sessionguard.run import looking
from pytest_sessionguard.target.shape import Profile

OPERATIONS = toys.OPERATIONS


def chosen(expected: Any, operations: dict[str, Any], **keys: Any) -> list[tuple[str, tuple[str, ...], bool]]:
    errors = {"missing": "KeyError"}
    tables = {"manager": {"factory": lambda: None}, "operations": operations, "policy": keys, "errors": errors}
    profile = Profile.of(tables)
    return [(one.verb, one.expects, one.renews) for one in looking.looks_for(expected, profile, profile.policy)]


def only(*verbs: str, **more: str) -> dict[str, Any]:
    return {**{verb: OPERATIONS[verb] for verb in ("create", *verbs)}, **more}


# -- choosing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expected", "operations", "keys", "looks"),
    [
        ({"alive": True}, OPERATIONS, {}, [("exists", ("alive",), False)]),
        ({"alive": True, "data": {}}, OPERATIONS, {}, [("get", ("data", "alive"), False)]),
        ({"alive": True}, only("get", "touch"), {"activity": ["get", "touch"]}, [("get", ("alive",), True)]),
        ({"alive": True}, only("get", "list"), {"activity": ["get"]}, [("list", ("alive",), False)]),
        ({"alive": True}, only("touch"), {}, [("touch", ("alive",), True)]),
        ({"expires_in_us": 1, "alive": True}, OPERATIONS, {}, [("ttl", ("expires_in_us", "alive"), False)]),
        ({"count": 1}, OPERATIONS, {}, [("count", ("count",), False)]),
        ({"count": 1, "ids": ()}, only("list", "get"), {}, [("list", ("count", "ids"), False)]),
        ({"alive": True}, only("get", "ttl"), {"missing": {"get": "creates"}}, [("ttl", ("alive",), False)]),
        ({"alive": True}, only("get"), {"missing": "new-id"}, []),
        ({"alive": True}, OPERATIONS, {"expired": {"exists": "stale"}}, [("get", ("alive",), False)]),
        ({"alive": True}, only("exists"), {"expired": {"exists": "stale"}}, [("exists", ("alive",), False)]),
        ({"alive": True}, only(get="get(id)"), {}, []),
        ({"alive": True}, only(get="get(id)"), {"missing": "error"}, [("get", ("alive",), False)]),
    ],
)
def test_the_quietest_operation_that_tells_is_chosen(expected: Any, operations: Any, keys: Any, looks: Any) -> None:
    assert chosen(expected, operations, **keys) == looks


# -- alive or dead --------------------------------------------------------------------------------------------------

NOW = Stamp(0, 0)


def event(outcome: Outcome | Answer, verb: str = "get", at: Stamp = NOW, **given: Any) -> Event:
    outcome = Ok(outcome) if isinstance(outcome, Answer) else outcome
    given.setdefault("id", "s1")
    return Event(client="A", operation=Operation(verb=verb, **given), outcome=outcome, called=at, returned=at,
                 call_order=1, return_order=2)  # fmt: skip


@pytest.mark.parametrize(
    ("verb", "answer", "keys", "by_record", "alive"),
    [
        ("get", Answer(data=FrozenMap({"a": 1})), {}, EITHER, True),
        ("get", Answer(absent="none"), {}, ALIVE, False),
        ("get", Answer(absent="false"), {}, ALIVE, False),
        ("get", Answer(data=FrozenMap({})), {}, EITHER, True),
        ("get", Answer(data=FrozenMap({})), {"missing": "empty"}, ALIVE, False),  # It was known to have data.
        ("get", Refused(frozenset({"expired"})), {}, ALIVE, False),
        ("get", Refused(frozenset({"missing"})), {}, ALIVE, False),
        ("get", Refused(frozenset({"busy"})), {}, ALIVE, None),
        ("get", Failed("x"), {}, ALIVE, None),
        ("get", Answer(data=FrozenMap({"a": 1})), {"expired": "stale"}, DEAD, False),
        ("get", Answer(data=FrozenMap({"a": 1})), {"expired": "stale"}, ALIVE, True),
        ("get", Answer(data=FrozenMap({"a": 1})), {"expired": "stale"}, EITHER, None),
        ("exists", Answer(flag=True), {"expired": {"get": "stale"}}, DEAD, True),
        ("exists", Answer(found=False), {}, ALIVE, False),
        ("list", Answer(ids=("s1",)), {}, DEAD, True),
        ("list", Answer(ids=("s2",)), {}, ALIVE, False),
        ("list", Answer(absent="none"), {}, ALIVE, False),
        ("list", Answer(ids=("s1",)), {"expired": "marked"}, DEAD, False),
        ("ttl", Answer(seconds_us=5), {}, EITHER, True),
        ("ttl", Answer(seconds_us=0), {}, EITHER, False),
        ("ttl", Answer(seconds_us=None), {}, EITHER, True),
        ("ttl", Answer(seconds_us=None, absent="none"), {}, DEAD, False),
        ("ttl", Answer(seconds_us=None, absent="none"), {}, EITHER, None),
        ("is_expired", Answer(flag=True), {}, ALIVE, False),
        ("is_expired", Answer(found=False), {}, DEAD, True),
        ("is_expired", Answer(), {}, DEAD, False),
        ("use", Answer(id="s1"), {}, EITHER, True),
        ("use", Answer(id="s2"), {}, EITHER, False),
        ("touch", Answer(), {}, EITHER, True),
    ],
)
def test_life_is_read_by_the_policy(verb: str, answer: Any, keys: Any, by_record: int, alive: bool | None) -> None:
    assert looking.reads_alive(event(answer, verb), policy(**keys), by_record, FrozenMap({"a": 1})) is alive


def test_an_expired_status_is_read_as_dead() -> None:
    one = Policy(expired="marked", expired_status="expired")
    assert looking.reads_alive(event(Answer(status="expired")), one, EITHER, UNSET) is False
    assert looking.reads_alive(event(Answer(status="active")), one, EITHER, UNSET) is True


def test_empty_data_that_may_mean_missing_is_left_to_the_record() -> None:
    one, answer = policy(missing="empty"), event(Answer(data=FrozenMap({})))
    assert looking.reads_alive(answer, one, ALIVE, FrozenMap({})) is True
    assert looking.reads_alive(answer, one, DEAD, FrozenMap({})) is False
    assert looking.reads_alive(answer, one, EITHER, UNSET) is None


def examined(*events: Event, **keys: Any) -> Examination:
    model = Model(policy=policy(idle_timeout="1m", **keys), operations=frozenset(OPERATIONS))
    return begin(model).feed(events)


def made(session_id: str, order: int = 1) -> Event:
    return Event(client="A", operation=Operation(verb="create", id=session_id), outcome=Ok(Answer(id=session_id)),
                 called=NOW, returned=NOW, call_order=order, return_order=order + 1)  # fmt: skip


LATER = Stamp(60_000_000, 60_000_000)


def test_the_record_knows_who_lives() -> None:
    found = examined(made("s1"))
    assert looking.life(found, "s1", NOW) == ALIVE
    assert looking.life(found, "s1", LATER) == DEAD
    assert looking.life(found, "stranger", NOW) == DEAD


# -- comparing ------------------------------------------------------------------------------------------------------


def compared(name: str, wanted: Any, answer: Any) -> looking.Mismatch | None:
    return looking.session_mismatch(
        name,
        freeze(wanted),
        event(answer),
        profile=toys.a_profile(),
        by_record=EITHER,
        known_data=UNSET,
        policy=policy(),
    )


@pytest.mark.parametrize(
    ("name", "wanted", "answer", "right"),
    [
        ("data", {"a": 1}, Answer(data=FrozenMap({"a": 1})), True),
        ("data", {"a": 1}, Answer(data=FrozenMap({"a": 1, "b": 2})), False),
        ("has", {"a": 1}, Answer(data=FrozenMap({"a": 1, "b": 2})), True),
        ("has", {"a": {"x": 1}}, Answer(data=freeze({"a": {"x": 1, "y": 2}})), True),
        ("has", {"a": 1}, Answer(data=FrozenMap({"b": 2})), False),
        ("has", {"a": 1}, Answer(data=FrozenMap({"a": "1"})), True),  # Text to text.
        ("version", 2, Answer(version=2), True),
        ("version", 2, Answer(version=3), False),
        ("owner", "ann", Answer(owner="ann"), True),
        ("status", "x", Answer(), False),
        ("expires_in_us", 5_000_000, Answer(seconds_us=5_000_000), True),
        ("expires_in_us", 5_000_000, Answer(seconds_us=6_000_000), False),
        ("expires_in_us", None, Answer(seconds_us=6_000_000), False),
        ("alive", True, Answer(data=FrozenMap({"a": 1})), True),
        ("alive", False, Answer(data=FrozenMap({"a": 1})), False),
        ("data", {}, Refused(frozenset({"missing"})), False),
    ],
)
def test_an_answer_is_as_expected_or_the_difference_is_told(name: str, wanted: Any, answer: Any, right: bool) -> None:
    found = compared(name, wanted, answer)
    assert (found is None) is right
    if found is not None:
        assert not found.open
        assert found.expected.startswith(name.removesuffix("_us"))


def test_what_an_answer_does_not_tell_is_left_open() -> None:
    found = compared("alive", True, Refused(frozenset({"busy"})))
    assert found is not None
    assert found.open


@pytest.mark.parametrize(
    ("answer", "at", "keys", "right"),
    [
        (Answer(ids=("a", "b"), count=2), NOW, {}, True),
        (Answer(ids=("a",), count=1), NOW, {}, False),
        (Answer(ids=("a", "b", "c"), count=3), NOW, {}, False),
        (Answer(ids=("a", "b", "old"), count=3), LATER, {"expired": "marked"}, True),
        (Answer(ids=("a", "b", "old"), count=3), LATER, {}, False),
        (Answer(absent="none"), NOW, {}, False),
        (Failed("x"), NOW, {}, False),
    ],
)
def test_lists_and_counts_show_the_dead_only_where_the_policy_says_so(
    answer: Any, at: Stamp, keys: Any, right: bool
) -> None:
    found = examined(made("old"), **keys)
    one = policy(idle_timeout="1m", **keys)
    by_ids = looking.ids_mismatch(("b", "a"), event(answer, "list", at, id=UNSET), found, one)
    assert (by_ids is None) is right
    by_count = looking.count_mismatch(2, event(answer, "count", at, id=UNSET), found, one)
    assert (by_count is None) is right


def test_nothing_at_all_is_a_count_of_none() -> None:
    nothing = event(Answer(absent="none"), "count", id=UNSET)
    assert looking.count_mismatch(0, nothing, examined(), policy()) is None
    assert looking.ids_mismatch((), event(Answer(absent="none"), "list", id=UNSET), examined(), policy()) is None


def test_metrics_that_are_not_expected_are_not_looked_at() -> None:
    answer = event(Answer(metrics=FrozenMap({"total": 1, "active": 2})), "metrics", id=UNSET)
    assert looking.metrics_mismatch(FrozenMap({"total": 1}), answer) is None
    found = looking.metrics_mismatch(FrozenMap({"total": 1, "active": 3, "odd": 1}), answer)
    assert found is not None
    assert (found.expected, found.given) == ("metrics: {'active': 3, 'odd': 1}", "metrics: {'active': 2, 'odd': UNSET}")
    assert looking.metrics_mismatch(FrozenMap({"total": 1}), event(Failed("x"), "metrics", id=UNSET)) is not None
