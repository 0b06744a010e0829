"""What another value of an unwritten key would explain: the finding names the key and the value."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from typing import Any

import pytest

from pytest_sessionguard.core.judging import SCRIBBLE

from .planted import DATA, HOUR, LIVES, NONE, PLANTED, a_session, story, two
from .stories import Story, ok, operation, refused

UNDECLARED: dict[str, tuple[str, str, Story]] = {
    "alive at its timeout": ("at_timeout", 'at_timeout = "alive"', a_session().advance(HOUR).did("get", "s1", LIVES)),
    "a get that renews": (
        "activity",
        'activity = ["create", "touch", "update", "save", "put", "append", "use", "resume", "get"]',
        a_session().advance(HOUR / 2).did("get", "s1", LIVES).advance(HOUR * 0.75).did("get", "s1", LIVES),
    ),
    "a missing session that is an error": (
        "missing",
        'missing = { get = "error" }',
        story().did("get", "s1", refused("missing")),
    ),
    "a missing session that is made": (
        "missing",
        'missing = { get = "creates" }',
        story().did("get", "s1", ok(data={"x": 0})),
    ),
    "an id that is returned": (
        "existing",
        'existing = "return"',
        a_session().did("create", "s1", ok(id="s1", data=DATA)),
    ),
    "an id that is replaced": (
        "existing",
        'existing = "replace"',
        a_session().did("create", "s1", ok(id="s1"), data={"z": 1}).did("get", "s1", ok(data={"z": 1})),
    ),
    "an id that is refused with false": (
        "existing",
        'existing = "false"',
        a_session().did("create", "s1", ok(flag=False)),
    ),
    "an expired session that is shown": (
        "expired",
        'expired = { get = "stale" }',
        a_session().advance(HOUR + 1).did("get", "s1", LIVES),
    ),
    "an expired session that revives": (
        "revivable",
        "revivable = true",
        a_session(expired="stale")
        .advance(HOUR + 1)
        .did("touch", "s1", ok(found=True))
        .did("sweep", None, ok(count=0))
        .did("get", "s1", LIVES),
    ),
    "an expired id that is taken": (
        "expired_id",
        'expired_id = "taken"',
        a_session().advance(HOUR + 1).did("create", "s1", refused("exists")),
    ),
    "expired sessions that do not count": (
        "limit_counts",
        'limit_counts = "live"',
        a_session(limit=1, expired="stale").advance(HOUR + 1).did("create", "s2", ok(id="s2")).did("get", "s1", LIVES),
    ),
    "the oldest put out": (
        "at_limit",
        'at_limit = "evict-oldest"',
        a_session(limit=1).did("create", "s2", ok(id="s2")),
    ),
    "false at the limit": (
        "at_limit",
        'at_limit = "false"',
        a_session(limit=1).did("create", "s2", ok(absent="false")),
    ),
    "a limit for each owner": (
        "limit_scope",
        'limit_scope = "owner"',
        story(limit=1, at_limit="error")
        .did("create", "s1", ok(id="s1"), owner="u")
        .did("create", "s2", ok(id="s2"), owner="v"),
    ),
    "a limit": ("limit", "limit = 2", two().did("create", "s3", refused("limit"))),
    "an update that replaces": (
        "update",
        'update = "replace"',
        a_session().did("update", "s1", ok(), changes={"b": 2}).did("get", "s1", ok(data={"b": 2})),
    ),
    "an old id that lives on": (
        "old_id",
        'old_id = "alive"',
        a_session().did("rotate", "s1", ok(id="s9")).did("get", "s1", LIVES),
    ),
    "conflicts between updates": (
        "concurrent_updates",
        'concurrent_updates = "conflict"',
        a_session().together(
            (operation("update", "s1", changes={"b": 1}), ok()),
            (operation("update", "s1", changes={"c": 1}), refused("conflict")),
        ),
    ),
    "the last of two updates": (
        "concurrent_updates",
        'concurrent_updates = "last-wins"',
        a_session()
        .together(
            (operation("update", "s1", changes={"b": 1}), ok()), (operation("update", "s1", changes={"c": 1}), ok())
        )
        .did("get", "s1", ok(data={"a": 1, "c": 1})),
    ),
    "a clock that counts": (
        "clock",
        'clock = "monotonic"',
        a_session().set_clock(2 * HOUR).did("get", "s1", ok(data=DATA)),
    ),
    "a clock set back": (
        "clock_back",
        'clock_back = "undeclared"',
        a_session(clock="wall").advance(HOUR + 1).did("get", "s1", NONE).set_clock(-HOUR).did("get", "s1", LIVES),
    ),
}


@pytest.mark.parametrize("name", UNDECLARED)
def test_a_key_that_would_explain_it_is_named(name: str) -> None:
    key, value, told = UNDECLARED[name]
    found = told.finding
    assert found is not None
    assert (found.undeclared, found.undeclared_value) == (key, value)


@pytest.mark.parametrize("name", UNDECLARED)
def test_a_key_that_is_written_is_not_blamed(name: str) -> None:
    key, _, shared = UNDECLARED[name]
    told = copy(shared)
    told.model = replace(told.model, policy=replace(told.model.policy, written=told.model.policy.written | {key}))
    found = told.finding
    assert found is not None
    assert found.undeclared != key


@pytest.mark.parametrize("name", ["data lost by a rotation", "a resource never closed", "a delete that does nothing"])
def test_what_no_key_explains_names_none(name: str) -> None:
    found = PLANTED[name].wrong().finding
    assert found is not None
    assert found.undeclared is None


# -- a clock that was set back ----------------------------------------------------------------------------------------


def seen_dead_then_set_back(**written: Any) -> Story:
    return a_session(clock="wall", **written).advance(HOUR + 1).did("get", "s1", NONE).set_clock(-HOUR)


def test_one_seen_dead_that_a_clock_set_back_revives_breaks_what_is_promised_of_the_clock() -> None:
    found = seen_dead_then_set_back().did("get", "s1", LIVES).finding
    assert found is not None
    assert found.property == "expiry.clock-back"
    assert found.undeclared_value == 'clock_back = "undeclared"'


@pytest.mark.parametrize("outcome", [LIVES, NONE])
def test_where_nothing_is_promised_of_the_clock_one_seen_dead_may_come_back(outcome: Any) -> None:
    story = seen_dead_then_set_back(clock_back="undeclared").did("get", "s1", outcome)
    assert story.broken is None
    assert story.did("get", "s1", NONE).broken is None
    assert story.did("get", "s1", LIVES).broken == "expiry.no-resurrection"


def test_no_clock_brings_back_what_was_deleted_expired_by_hand_or_swept() -> None:
    for ending in ("delete", "expire"):
        story = a_session(clock="wall", clock_back="undeclared").did(ending, "s1", ok(found=True)).set_clock(-HOUR)
        assert story.did("get", "s1", LIVES).broken is not None
    swept = a_session(clock="wall", clock_back="undeclared").advance(HOUR + 1).did("sweep", None, ok(count=1))
    assert swept.set_clock(-HOUR).did("get", "s1", LIVES).broken is not None


# -- looks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "shown"), [("exists", ok(flag=True)), ("list", ok(ids=["s1"])), ("count", ok(count=1))]
)
def test_a_look_that_shows_the_expired_is_taken_for_that_and_not_for_activity(verb: str, shown: Any) -> None:
    about = "s1" if verb == "exists" else None
    story = a_session().advance(HOUR - 2).did(verb, about, shown).advance(4).did(verb, about, shown)
    found = story.finding
    assert found is not None
    assert found.undeclared_value == f'expired = {{ {verb} = "stale" }}'


def test_a_look_in_between_is_not_taken_for_activity_where_the_later_answer_explains_itself() -> None:
    story = a_session().advance(HOUR - 2).did("exists", "s1", ok(flag=True)).advance(4).did("get", "s1", LIVES)
    found = story.finding
    assert found is not None
    assert found.undeclared_value == 'expired = { get = "stale" }'


def test_a_look_that_renews_is_still_told_where_nothing_else_explains() -> None:
    written = a_session(expired="gone").advance(HOUR - 2).did("exists", "s1", ok(flag=True)).advance(4)
    found = written.did("get", "s1", LIVES).finding
    assert found is not None
    assert found.undeclared == "activity"
    assert found.undeclared_value is not None
    assert found.undeclared_value.endswith('"exists"]')


def test_data_that_is_shared_with_callers_may_be_meant_so() -> None:
    marked = {"a": SCRIBBLE}
    found = a_session().did("get", "s1", ok(data=marked)).finding
    assert found is not None
    assert (found.property, found.undeclared_value) == ("data.isolation", 'data = "live"')
    promised = story(data="copies").did("create", "s1", ok(id="s1"), data={"a": 1})
    written = promised.did("get", "s1", ok(data=marked)).finding
    assert written is not None
    assert written.undeclared != "data"


def a_late_session(**written: Any) -> Story:
    return story(clock="wall", **written).did("create", "s1", ok(id="s1"), data=DATA)


def test_a_manager_that_keeps_the_latest_time_may_have_seen_it_before_its_first_operation() -> None:
    set_back = story(clock="wall").set_clock(-3 * HOUR).did("create", "s1", ok(id="s1"), data=DATA)
    assert set_back.advance(HOUR + 1).did("get", "s1", LIVES).broken is None
    assert a_late_session().advance(HOUR + 1).did("get", "s1", LIVES).broken is not None


def test_a_manager_that_keeps_the_latest_time_may_have_seen_it_between_two_operations() -> None:
    set_back = a_late_session().advance(2 * HOUR).set_clock(-4 * HOUR)
    again = set_back.did("create", "s2", ok(id="s2"), data=DATA).advance(3 * HOUR)
    assert again.did("get", "s2", LIVES).broken is None
    assert again.advance(2 * HOUR).did("get", "s2", LIVES).broken is not None


@pytest.mark.parametrize("lives_s", [90, HOUR])
def test_a_replacement_may_have_the_timeout_of_the_session_or_the_one_that_all_have(lives_s: float) -> None:
    short = story(replacement="one", per_session_timeout=True).did("create", "s1", ok(id="s1"), timeout_us=90_000_000)
    used = short.advance(100).did("use", "s1", ok(id="s2"))
    assert used.advance(lives_s - 1).did("exists", "s2", ok(flag=True)).broken is None
    assert used.advance(HOUR + 1).did("exists", "s2", ok(flag=True)).broken is not None
