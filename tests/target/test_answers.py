"""What a manager returned, read by each result word."""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_sessionguard.core.operations import Answer, Ok, Refused
from pytest_sessionguard.core.values import EMPTY, UNSET, FrozenMap, freeze
from pytest_sessionguard.target.answers import Reader, Unreadable, absence
from pytest_sessionguard.target.shape import Profile, SessionShape


class Status(enum.Enum):
    ACTIVE = "active"
    ODD = 3


class Touchy:
    """Refuses to be true or false, to be compared and to be shown."""

    def __bool__(self) -> bool:
        raise TypeError("neither")

    def __eq__(self, other: object) -> bool:
        raise TypeError("no comparison")

    def __hash__(self) -> int:
        raise TypeError("no hash")


def reader(*, shape: Mapping[str, Any] | None = None, **more: Any) -> Reader:
    tables = {name: freeze(value) if name != "timeout_unit" else value for name, value in more.items()}
    return Reader(Profile(name="p", factory=dict, session=SessionShape(**(shape or {})), **tables))


def told(raw: Any, word: str, **profile: Any) -> Answer:
    outcome = reader(**profile).outcome(raw, word)
    assert isinstance(outcome, Ok), outcome
    return outcome.answer


@pytest.mark.parametrize(
    ("raw", "word", "answer"),
    [
        ("s1", "id", Answer(id="s1")),
        ("", "id", Answer(absent="empty")),
        (0, "id", Answer(id=0)),
        ({"a": [1]}, "data", Answer(data=FrozenMap({"a": (1,)}))),
        ({}, "data", Answer(data=FrozenMap({}))),
        (1, "found", Answer(found=True)),
        (None, "found", Answer(found=False)),
        ([], "flag", Answer(flag=False)),
        (0, "version", Answer(version=0)),
        ("etag", "version", Answer(version="etag")),
        ([3, 2], "versions", Answer(versions=(3, 2), count=2)),
        (4, "count", Answer(count=4)),
        ({"a", "b"}, "count", Answer(count=2)),
        (["a", "b"], "ids", Answer(ids=("a", "b"), count=2)),
        ({"a": 1}, "ids", Answer(ids=("a",), count=1)),
        (iter(["a"]), "ids", Answer(ids=("a",), count=1)),
        ([], "ids", Answer(ids=(), count=0)),
        (1.5, "seconds", Answer(seconds_us=1_500_000)),
        (timedelta(minutes=1), "seconds", Answer(seconds_us=60_000_000)),
        (math.inf, "seconds", Answer(seconds_us=None)),
        (None, "seconds", Answer(seconds_us=None, absent="none")),
        (Status.ACTIVE, "status", Answer(status="active")),
        (Status.ODD, "status", Answer(status="odd")),
        ("closed", "status", Answer(status="closed")),
        (0, "value", Answer(value=0, absent="empty")),
        (None, "value", Answer(value=None, absent="none")),
        ("x", "value", Answer(value="x")),
        (object(), "nothing", Answer()),
    ],
)
def test_each_result_word_reads_its_own_facets(raw: Any, word: str, answer: Answer) -> None:
    assert told(raw, word) == answer


@pytest.mark.parametrize("word", ["id", "session", "data", "version", "versions", "count", "ids", "status", "metrics"])
@pytest.mark.parametrize(("raw", "absent"), [(None, "none"), (False, "false")])
def test_none_and_false_are_told_as_absences(word: str, raw: Any, absent: str) -> None:
    if word == "status" and raw is False:
        assert told(raw, word) == Answer(status=False)
    else:
        assert told(raw, word) == Answer(absent=absent)


def test_a_time_left_of_false_is_an_absence() -> None:
    assert told(False, "seconds") == Answer(absent="false")


@pytest.mark.parametrize(("unit", "expected_us"), [("s", 2_000_000), ("ms", 2_000), ("m", 120_000_000)])
def test_a_time_left_is_in_the_profiles_unit(unit: str, expected_us: int) -> None:
    assert told(2, "seconds", timeout_unit=unit).seconds_us == expected_us


def test_a_session_is_read_by_its_shape() -> None:
    shape = {"id": "id", "data": "box.data", "version": "v", "status": "state", "owner": "owner"}
    session = SimpleNamespace(id="s1", box={"data": {"a": 1}}, v=2, state=Status.ACTIVE, owner="ann")
    expected = Answer(id="s1", data=FrozenMap({"a": 1}), version=2, status="active", owner="ann")
    assert told(session, "session", shape=shape) == expected


def test_a_mapping_may_leave_out_what_an_object_must_have() -> None:
    shape = {"id": "id", "status": "state"}
    assert told({"id": "s1"}, "session", shape=shape) == Answer(id="s1")
    with pytest.raises(Unreadable, match="has no 'state'"):
        reader(shape=shape).outcome(SimpleNamespace(id="s1"), "session")


def test_a_session_with_empty_data_is_there_and_an_empty_thing_is_not() -> None:
    assert told({"data": {}}, "session", shape={"data": "data"}) == Answer(data=FrozenMap({}))
    assert told({}, "session") == Answer(absent="empty")


def test_ids_and_versions_are_read_out_of_sessions() -> None:
    sessions = [SimpleNamespace(id="a", v=1), SimpleNamespace(id="b", v=2)]
    assert told(sessions, "ids", shape={"id": "id"}).ids == ("a", "b")
    assert told(sessions, "versions", shape={"version": "v"}).versions == (1, 2)


def test_returned_values_that_mean_a_kind_are_refusals() -> None:
    one = reader(answers={"missing": [404, -2], "closed": None, "never": [-1]})
    assert one.outcome(404, "data") == Refused(frozenset({"missing"}), "answered 404", answered=True)
    assert one.outcome(-2, "nothing") == Refused(frozenset({"missing"}), "answered -2", answered=True)
    assert one.outcome(None, "data") == Refused(frozenset({"closed"}), "answered None", answered=True)
    assert one.outcome(-1, "seconds") == Ok(Answer(seconds_us=None))
    assert one.outcome(-1, "value") == Ok(Answer(value=-1))


def test_true_is_not_one_and_an_enum_may_be_declared_by_its_value() -> None:
    assert told(True, "flag", answers={"missing": 1}) == Answer(flag=True)
    assert isinstance(reader(answers={"missing": 3}).outcome(Status.ODD, "value"), Refused)
    assert isinstance(reader(answers={"missing": [[1, 2]]}).outcome([1, 2], "value"), Refused)


@pytest.mark.parametrize(
    ("raw", "word", "why"),
    [
        ("soon", "seconds", "expected a number"),
        ("abc", "count", "whole number"),
        (5, "ids", "several values"),
        ("abc", "ids", "several values"),
        (5, "session", "has no 'id'"),
        (math.nan, "seconds", "NaN"),
    ],
)
def test_what_is_not_as_announced_cannot_be_read(raw: Any, word: str, why: str) -> None:
    with pytest.raises(Unreadable) as caught:
        reader(shape={"id": "id"}).outcome(raw, word)
    assert why in str(caught.value)
    assert f"`-> {word}`" in str(caught.value)


def test_data_that_contains_itself_cannot_be_read() -> None:
    knot: dict[str, Any] = {}
    knot["knot"] = knot
    with pytest.raises(Unreadable, match="contain itself"):
        reader().outcome(knot, "data")


def test_an_object_that_nothing_can_be_asked_of_is_there() -> None:
    assert absence(Touchy()) is UNSET
    assert told(Touchy(), "nothing", answers={"missing": 1}) == Answer()


def test_metrics_are_those_that_the_profile_names() -> None:
    raw = SimpleNamespace(total=3, ages={"oldest": 1.5}, other=9)
    answer = told(raw, "metrics", metrics={"total": "total", "oldest_age": "ages.oldest"})
    assert answer == Answer(metrics=FrozenMap({"total": 3, "oldest_age": 1.5}))


@pytest.mark.parametrize(("raw", "state"), [("fine", "ok"), (None, "dead"), (Status.ACTIVE, "stale"), ("x", "x")])
def test_health_is_told_in_the_words_of_the_contract(raw: Any, state: str) -> None:
    health = {"ok": "fine", "dead": "none", "stale": "active"}
    assert told(raw, "status", health=health) == Answer(status=state)


def test_the_id_of_a_session_is_told_where_the_profile_says_where() -> None:
    assert reader(shape={"id": "id"}).id_of(SimpleNamespace(id=7)) == 7
    assert reader().id_of(SimpleNamespace(id=7)) is UNSET
    assert reader(shape={"id": "id"}).id_of(None) is UNSET


def test_a_session_that_carries_none_for_its_id_names_no_session() -> None:
    lost = SimpleNamespace(key=None, data={})
    assert reader(shape={"id": "key"}).id_of(lost) is UNSET
    assert told(lost, "session", shape={"id": "key", "data": "data"}) == Answer(data=EMPTY)
