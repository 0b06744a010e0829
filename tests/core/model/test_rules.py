"""Single rules of the model, each by an answer that is right and one that is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_sessionguard.core.operations import Outcome, Refused
from pytest_sessionguard.core.policy import policy

from .planted import DATA, HOUR, LIVES, NONE, a_session, story, two
from .stories import CUT_OFF, Story, ok, refused

MINUTE_US = 60_000_000


def three(rule: str) -> Story:
    """Three sessions at a limit of three: s1 the oldest, s2 the least active, s3 the next to expire."""
    told = story(limit=3, at_limit=rule, per_session_timeout=True)
    told.did("create", "s1", ok(id="s1"), timeout_us=90 * MINUTE_US).advance(1)
    told.did("create", "s2", ok(id="s2"), timeout_us=120 * MINUTE_US).advance(1)
    told.did("create", "s3", ok(id="s3"), timeout_us=30 * MINUTE_US).advance(1)
    return told.did("touch", "s1", ok(found=True)).advance(1).did("create", "s4", ok(id="s4"))


@pytest.mark.parametrize(
    ("rule", "gone"), [("evict-oldest", "s1"), ("evict-idle", "s2"), ("evict-soonest", "s3")], ids=str
)
def test_eviction_takes_the_one_that_its_rule_names(rule: str, gone: str) -> None:
    for name in ("s1", "s2", "s3"):
        assert (three(rule).did("exists", name, ok(found=False)).broken is None) == (name == gone)
        assert (three(rule).did("exists", name, ok(found=True)).broken is None) == (name != gone)


def test_eviction_of_any_takes_one_of_them_and_no_second() -> None:
    told = three("evict-any").did("exists", "s2", ok(found=False))
    assert told.broken is None
    assert told.did("exists", "s1", ok(found=False)).broken is not None


def test_eviction_of_the_soonest_spares_those_that_never_end() -> None:
    def begun() -> Story:
        told = story(limit=2, at_limit="evict-soonest", idle_timeout=HOUR, none_timeout="never")
        told.did("create", "s1", ok(id="s1"), timeout_us=None).did("create", "s2", ok(id="s2"))
        return told.did("create", "s3", ok(id="s3"))

    assert begun().did("exists", "s2", ok(found=False)).broken is None
    assert begun().did("exists", "s1", ok(found=False)).broken is not None


def test_eviction_leaves_no_more_than_the_limit_alive() -> None:
    """One that may be dead by then makes no room where the living alone fill it."""
    told = story(limit=1, at_limit="evict-oldest", zero_timeout="undeclared")
    told.did("create", "s1", ok(id="s1"), timeout_us=0).did("create", "s2", ok(id="s2")).did(
        "create", "s3", ok(id="s3")
    )
    assert told.did("list", None, ok(ids=["s3"])).broken is None
    told.entries.pop()
    assert told.did("list", None, ok(ids=["s2", "s3"])).broken is not None


RULES: dict[str, tuple[Callable[[], Story], str, Any, dict[str, Any], list[Outcome], list[Outcome]]] = {
    # name: what was before, operation, id, arguments, right answers, wrong ones
    "an alias is listed by either of its ids": (
        lambda: a_session(old_id="alive").did("rotate", "s1", ok(id="s9")),
        "list",
        None,
        {},
        [ok(ids=["s1"]), ok(ids=["s9"]), ok(ids=["s1", "s9"])],
        [ok(ids=[]), ok(ids=["s9", "s8"])],
    ),
    "an alias is counted once or twice": (
        lambda: a_session(old_id="alive").did("rotate", "s1", ok(id="s9")),
        "count",
        None,
        {},
        [ok(count=1), ok(count=2)],
        [ok(count=0), ok(count=3)],
    ),
    "an alias lives as long as its session": (
        lambda: (
            a_session(old_id="alive")
            .did("rotate", "s1", ok(id="s9"))
            .advance(HOUR / 2)
            .did("touch", "s9", ok(found=True))
            .advance(HOUR * 0.75)
        ),
        "get",
        "s1",
        {},
        [LIVES, ok(data=DATA, id="s9")],
        [NONE],
    ),
    "an alias dies with its session": (
        lambda: a_session(old_id="alive").did("rotate", "s1", ok(id="s9")).did("delete", "s9", ok(found=True)),
        "get",
        "s1",
        {},
        [NONE],
        [LIVES],
    ),
    "an alias of an alias answers too": (
        lambda: a_session(old_id="alive").did("rotate", "s1", ok(id="s8")).did("rotate", "s8", ok(id="s9")),
        "get",
        "s1",
        {},
        [LIVES],
        [NONE],
    ),
    "a snapshot keeps what it held": (
        lambda: a_session(old_id="snapshot").did("save", "s1", ok(id="s9"), data={"z": 1}),
        "get",
        "s1",
        {},
        [LIVES],
        [NONE, ok(data={"z": 1})],
    ),
    "a save under a new id moves the session": (
        lambda: a_session().did("save", "s1", ok(id="s9"), data={"z": 1}),
        "get",
        "s9",
        {},
        [ok(data={"z": 1})],
        [NONE, LIVES],
    ),
    "a save under a known id is wrong": (
        two,
        "save",
        "s1",
        {"data": {"z": 1}},
        [ok(id="s1"), ok(id="s9")],
        [ok(id="s2")],
    ),
    "ids that carry the state may repeat": (
        lambda: story(ids="content").did("create", None, ok(id="x")),
        "create",
        None,
        {},
        [ok(id="x"), ok(id="y")],
        [],
    ),
    "expire makes it expire now": (lambda: a_session().did("expire", "s1", ok()), "get", "s1", {}, [NONE], [LIVES]),
    "expire after a time leaves it until then": (
        lambda: a_session().did("expire", "s1", ok(), timeout_us=MINUTE_US).advance(59),
        "get",
        "s1",
        {},
        [LIVES],
        [NONE],
    ),
    "expire after a time ends it then": (
        lambda: a_session().did("expire", "s1", ok(), timeout_us=MINUTE_US).advance(61),
        "get",
        "s1",
        {},
        [NONE],
        [LIVES],
    ),
    "what activity makes of a deadline set by hand is open": (
        lambda: (
            a_session().did("expire", "s1", ok(), timeout_us=MINUTE_US).advance(30).did("touch", "s1", ok()).advance(45)
        ),
        "get",
        "s1",
        {},
        [LIVES, NONE],
        [],
    ),
    "a time to live without end": (
        lambda: story().did("create", "s1", ok(id="s1")),
        "exists",
        "s1",
        {},
        [ok(flag=True)],
        [ok(flag=False)],
    ),
    "no end is told as none": (
        lambda: a_session(idle_timeout=0, per_session_timeout=True, given={"timeout_us": None}, none_timeout="never"),
        "ttl",
        "s1",
        {},
        [ok(seconds_us=None), ok(seconds_us=None, absent="none")],
        [ok(seconds_us=5), ok(absent="false")],
    ),
    "a time to live in whole seconds may be rounded": (
        lambda: a_session().advance(0.5),
        "ttl",
        "s1",
        {},
        [ok(seconds_us=3_599_000_000), ok(seconds_us=3_600_000_000), ok(seconds_us=3_599_500_000)],
        [ok(seconds_us=3_598_000_000), ok(seconds_us=3_599_400_000), ok(seconds_us=None)],
    ),
    "a timeout of 0 that is an error": (
        lambda: a_session(zero_timeout="error"),
        "touch",
        "s1",
        {"timeout_us": 0},
        [refused("invalid")],
        [ok(found=True)],
    ),
    "a timeout of 0 that is not declared": (
        a_session,
        "touch",
        "s1",
        {"timeout_us": 0},
        [refused("invalid"), ok(found=True)],
        [ok(found=False)],
    ),
    "a timeout of 0 that expires": (
        lambda: a_session(zero_timeout="expired").did("touch", "s1", ok(found=True), timeout_us=0),
        "get",
        "s1",
        {},
        [NONE],
        [LIVES],
    ),
    "a timeout of 0 that is the default": (
        lambda: a_session(zero_timeout="default").did("touch", "s1", ok(found=True), timeout_us=0).advance(HOUR - 1),
        "get",
        "s1",
        {},
        [LIVES],
        [NONE],
    ),
    "a timeout of less than nothing": (
        lambda: story(),
        "create",
        "s1",
        {"timeout_us": -1},
        [ok(id="s1"), refused("invalid")],
        [refused("limit")],
    ),
    "an append to a list under a key": (
        lambda: a_session(data={"l": [1]}).did("append", "s1", ok(), key="l", value=2),
        "get",
        "s1",
        {},
        [ok(data={"l": [1, 2]})],
        [ok(data={"l": [2, 1]}), ok(data={"l": [1]})],
    ),
    "an append where no list was": (
        lambda: a_session(data={}).did("append", "s1", ok(), key="l", value=2),
        "get",
        "s1",
        {},
        [ok(data={"l": [2]})],
        [ok(data={})],
    ),
    "an append to data that is a list": (
        lambda: story().did("create", "s1", ok(), data=(1,)).did("append", "s1", ok(), value=2),
        "get",
        "s1",
        {},
        [ok(data=[1, 2])],
        [ok(data=[2])],
    ),
    "an append to what is no list": (
        lambda: a_session().did("append", "s1", ok(), key="a", value=2),
        "get",
        "s1",
        {},
        [LIVES, ok(data={"a": [1, 2]})],
        [NONE],
    ),
    "a pop of a key": (
        lambda: a_session().did("pop", "s1", ok(value=1), key="a"),
        "get",
        "s1",
        {},
        [ok(data={})],
        [LIVES],
    ),
    "a pop of a key that is not there": (
        a_session,
        "pop",
        "s1",
        {"key": "z"},
        [ok(absent="none"), refused("missing"), ok(found=False)],
        [ok(value=1), ok(found=True)],
    ),
    "a pop of a key that is there": (
        a_session,
        "pop",
        "s1",
        {"key": "a"},
        [ok(value=1), ok(found=True)],
        [ok(found=False), NONE],
    ),
    "a pop of a key of what is not known": (
        lambda: story().did("create", "s1", ok(id="s1")),
        "pop",
        "s1",
        {"key": "z"},
        [ok(value=5), ok(absent="none"), refused("missing")],
        [refused("conflict")],
    ),
    "a merge into what is not known": (
        lambda: story().did("create", "s1", ok(id="s1")),
        "update",
        "s1",
        {"changes": {"b": 2}},
        [ok(data={"b": 2}), ok(data={"b": 2, "z": 1})],
        [ok(data={"b": 3}), ok(data={})],
    ),
    "a put": (
        lambda: a_session().did("put", "s1", ok(), key="k", value=1),
        "get",
        "s1",
        {},
        [ok(data={"a": 1, "k": 1})],
        [LIVES],
    ),
    "data told once is held to": (
        lambda: story().did("create", "s1", ok(id="s1")).did("get", "s1", ok(data={"q": 1})),
        "get",
        "s1",
        {},
        [ok(data={"q": 1})],
        [ok(data={"q": 2})],
    ),
    "a history of n": (
        a_session,
        "history",
        "s1",
        {"n": 2},
        [ok(versions=[1, 2]), ok(versions=[2, 1]), ok(versions=["a", "b"])],
        [ok(versions=[1, 2, 3]), ok(versions=[2, 2])],
    ),
    "a history of a session that is not there": (
        a_session,
        "history",
        "no",
        {},
        [ok(versions=[]), NONE],
        [ok(versions=[1])],
    ),
    "is_expired of a dead one": (
        lambda: a_session().advance(HOUR),
        "is_expired",
        "s1",
        {},
        [ok(flag=True), NONE],
        [refused("conflict")],
    ),
    "is_expired of none": (a_session, "is_expired", "no", {}, [ok(flag=True), ok(flag=False)], [refused("conflict")]),
    "use after a sweep": (
        lambda: a_session(replacement="one").advance(HOUR).did("sweep", None, ok(count=1)),
        "use",
        "s1",
        {},
        [ok(id="n"), NONE],
        [ok(id="s1")],
    ),
    "use of a heir that has ended": (
        lambda: a_session().advance(HOUR).did("use", "s1", ok(id="n")).did("delete", "n", ok()),
        "use",
        "s1",
        {},
        [ok(id="m")],
        [ok(id="n"), ok(id="s1")],
    ),
    "use of what moved": (
        lambda: a_session(replacement="moves").advance(HOUR).did("use", "s1", ok(id="n")),
        "get",
        "s1",
        {},
        [NONE],
        [LIVES],
    ),
    "use of what never was": (a_session, "use", "no", {}, [NONE], [ok(id="n")]),
    "a replacement where there is no room": (
        lambda: (
            two(limit=2, limit_counts="live", replacement="one")
            .advance(1)
            .did("touch", "s2", ok())
            .advance(HOUR - 1)
            .did("create", "s3", ok(id="s3"))
        ),
        "use",
        "s1",
        {},
        [refused("limit")],
        [ok(id="n")],
    ),
    "pop_item of an empty store": (story, "pop_item", None, {}, [NONE, refused("missing")], [ok(id="x")]),
    "pop_item gives one of them": (
        two,
        "pop_item",
        None,
        {},
        [ok(id="s1", data=DATA), ok(id="s2", data={"b": 2})],
        [NONE, ok(id="s1", data={"b": 2})],
    ),
    "a bounded sweep": (
        lambda: two().advance(HOUR + 1),
        "sweep",
        None,
        {"n": 1},
        [ok(count=0), ok(count=1), ok(count=2)],
        [ok(count=3)],
    ),
    "a sweep with a cleaner under way": (
        lambda: two(model={"background": True}).did("start", None, ok()).advance(HOUR + 1),
        "sweep",
        None,
        {},
        [ok(count=0), ok(count=2), NONE],
        [ok(count=3)],
    ),
    "a clear of one owner": (
        lambda: two().did("clear", None, ok(count=1), owner="u"),
        "list",
        None,
        {},
        [ok(ids=["s1"])],
        [ok(ids=[]), ok(ids=["s1", "s2"])],
    ),
    "a list of nothing": (story, "list", None, {}, [ok(ids=[]), NONE, ok(absent="empty")], [ok(ids=["x"])]),
    "a count of nothing": (story, "count", None, {}, [ok(count=0), NONE], [ok(count=1)]),
    "what is not promised is only answered": (
        a_session,
        "health",
        None,
        {},
        [ok(status="ok"), NONE],
        [refused("missing")],
    ),
    "a checkpoint of one session": (a_session, "checkpoint", "s1", {}, [ok()], [refused("missing")]),
    "metrics of an empty store": (
        story,
        "metrics",
        None,
        {},
        [ok(metrics={"total": 0, "oldest_age": 0, "newest_age": None})],
        [ok(metrics={"total": 1}), ok(metrics={"oldest_age": 4.0}), ok(metrics=3)],
    ),
    "metrics of the living and the stored": (
        lambda: a_session().advance(10),
        "metrics",
        None,
        {},
        [ok(metrics={"total": 1, "active": 1, "average_age": 10.0, "other": "?"})],
        [ok(metrics={"oldest_age": None}), ok(metrics={"newest_age": "old"}), ok(metrics={"total": "one"})],
    ),
    "an odd id may be refused": (story, "create", "a b", {}, [ok(id="a b"), refused("invalid")], [refused("exists")]),
    "an id that is no text may be refused": (
        story,
        "create",
        7,
        {},
        [ok(id=7), refused("invalid")],
        [refused("exists")],
    ),
    "an id that is long may be refused": (story, "create", "x" * 200, {}, [ok(), refused("invalid")], []),
    "an id of the pattern is not refused": (
        lambda: story(id_pattern="[a-z ]+"),
        "create",
        "a b",
        {},
        [ok(id="a b")],
        [refused("invalid")],
    ),
    "get-or-create gives what is there": (
        lambda: a_session(existing="return"),
        "create",
        "s1",
        {"data": {"z": 9}},
        [ok(id="s1", data=DATA)],
        [ok(id="s1", data={"z": 9}), ok(id="s2")],
    ),
    "an answer that stands for a refusal": (
        lambda: a_session(existing="false"),
        "create",
        "s1",
        {},
        [ok(flag=False), Refused(frozenset({"exists"}), answered=True)],
        [refused("exists"), ok(id="s1")],
    ),
    "an answer that stands for a limit": (
        lambda: a_session(limit=1, at_limit="false"),
        "create",
        "s2",
        {},
        [ok(absent="none"), Refused(frozenset({"limit"}), answered=True)],
        [refused("limit"), ok(id="s2")],
    ),
    "an answer that stands for missing": (
        a_session,
        "get",
        "no",
        {},
        [NONE, Refused(frozenset({"missing"}), answered=True)],
        [refused("missing")],
    ),
    "a limit of an owner without a name": (
        lambda: story(limit=1, limit_scope="owner").did("create", "s1", ok(id="s1")),
        "create",
        "s2",
        {"owner": None},
        [refused("limit")],
        [ok(id="s2")],
    ),
    "a creation of unknown id counts to the limit once it is shown": (
        lambda: story(limit=1).did("create", None, CUT_OFF).did("list", None, ok(ids=["x"])),
        "create",
        "s2",
        {},
        [refused("limit")],
        [ok(id="s2")],
    ),
    "what is made by the way needs room": (
        lambda: a_session(limit=1, missing={"get": "creates"}),
        "get",
        "s2",
        {},
        [refused("limit")],
        [ok(data={})],
    ),
    "what is made by the way may put one out": (
        lambda: a_session(limit=1, at_limit="evict-any", missing={"get": "creates"}).did("get", "s2", ok(data={})),
        "exists",
        "s1",
        {},
        [ok(found=False)],
        [ok(found=True)],
    ),
    "a stale session that is rotated does not revive": (
        lambda: (
            a_session(expired="stale", activity=["create"])
            .advance(HOUR + 1)
            .did("rotate", "s1", ok(id="s9"))
            .did("sweep", None, ok())
        ),
        "get",
        "s9",
        {},
        [NONE],
        [LIVES],
    ),
    "a session shown stale is not shown again once it was dropped": (
        lambda: a_session(expired="stale").advance(HOUR + 1).did("get", "s1", NONE),
        "get",
        "s1",
        {},
        [NONE],
        [LIVES],
    ),
    "marked to everything but get is not there": (
        lambda: a_session(expired="marked", marked="expired").advance(HOUR + 1),
        "exists",
        "s1",
        {},
        [ok(found=False), refused("expired"), refused("missing")],
        [ok(found=True)],
    ),
    "marked to get is marked": (
        lambda: a_session(expired="marked", marked="expired").advance(HOUR + 1),
        "get",
        "s1",
        {},
        [ok(data=DATA, status="expired"), NONE],
        [ok(data=DATA, status="active"), ok(data={}, status="expired")],
    ),
    "marked is deleted": (
        lambda: a_session(expired="marked", marked="expired").advance(HOUR + 1),
        "delete",
        "s1",
        {},
        [ok(found=True), ok(found=False)],
        [refused("conflict")],
    ),
    "a session in the first microsecond of its life": (
        lambda: a_session(clock="monotonic"),
        "get",
        "s1",
        {},
        [LIVES],
        [NONE],
    ),
}


RULES["the old id of a replaced session is dead, and may be known to have expired"] = (
    lambda: a_session(replacement="moves").advance(HOUR).did("use", "s1", ok(id="s9")),
    "get",
    "s1",
    {},
    [NONE, refused("expired")],
    [LIVES],
)
RULES["one that was expired by hand may be replaced after it was swept"] = (
    lambda: (
        a_session(replacement="one").did("expire", "s1", ok(found=True), timeout_us=0).did("sweep", None, ok(count=1))
    ),
    "use",
    "s1",
    {},
    [ok(id="s9"), NONE],
    [ok(id="s1")],
)


def _given_more(verb: str) -> Story:
    """A session that may live an hour and is given 30 minutes when 50 have passed; 20 minutes ago."""
    begun = Story(policy(absolute_timeout=HOUR)).did("create", "s1", ok(id="s1"), data=DATA).advance(HOUR / 6 * 5)
    return begun.did(verb, "s1", ok(found=True), timeout_us=30 * MINUTE_US).advance(HOUR / 3)


RULES["a lifetime given by expire counts from then"] = (lambda: _given_more("expire"), "get", "s1", {}, [LIVES], [NONE])
RULES["a lifetime given by touch counts from then or from the beginning"] = (
    lambda: _given_more("touch"),
    "get",
    "s1",
    {},
    [LIVES, NONE],
    [ok(data={"other": 1})],
)
RULES["a lifetime given by touch counts once and for all"] = (
    lambda: _given_more("touch").did("get", "s1", LIVES).advance(HOUR / 6),
    "get",
    "s1",
    {},
    [NONE],
    [LIVES],
)


@pytest.mark.parametrize("name", RULES)
def test_the_right_answers_are_allowed_and_the_wrong_ones_are_not(name: str) -> None:
    begun, verb, session_id, given, right, wrong = RULES[name]
    for outcome in right:
        found = begun().did(verb, session_id, outcome, **given).finding
        assert found is None, (outcome, found)
    for outcome in wrong:
        assert begun().did(verb, session_id, outcome, **given).finding is not None, outcome


def test_whom_the_cleaner_may_have_removed_need_not_be_replaced_by_use() -> None:
    written = {"replacement": "one", "sweep_interval": 300, "missing": "error"}
    cleaned = story(model={"background": True}, **written).did("start", None, ok()).did("create", "s1", ok(id="s1"))
    assert cleaned.advance(HOUR).did("use", "s1", refused("missing")).broken is None
    alone = story(**written).did("create", "s1", ok(id="s1")).advance(HOUR)
    assert alone.did("use", "s1", refused("missing")).broken == "lifecycle.use"
