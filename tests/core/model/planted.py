"""Wrong answers, each with the property that it breaks and with the right answer in its place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from pytest_sessionguard.core.judging import SCRIBBLE
from pytest_sessionguard.core.policy import policy

from .stories import CUT_OFF, Story, failed, ok, refused

HOUR = 3_600
DATA = {"a": 1}


def story(*, marked: str | None = None, model: dict[str, Any] | None = None, **written: Any) -> Story:
    rule = replace(policy(**{"idle_timeout": HOUR, **written}), expired_status=marked)
    return Story(rule, **(model or {}))


def a_session(*, data: dict[str, Any] | None = None, given: dict[str, Any] | None = None, **written: Any) -> Story:
    return story(**written).did("create", "s1", ok(id="s1"), data=DATA if data is None else data, **(given or {}))


def two(**written: Any) -> Story:
    return a_session(**written).advance(1).did("create", "s2", ok(id="s2"), data={"b": 2}, owner="u")


LIVES, NONE = ok(data=DATA), ok(absent="none")


@dataclass(frozen=True)
class Planted:
    """A bug: the history up to its first right answers, the wrong one, and the right one in its place."""

    property: str
    wrong: Callable[[], Story]
    right: Callable[[], Story]


def both(
    property_name: str, begin: Callable[[], Story], last: Callable[[Story, Any], Story], wrong: Any, right: Any
) -> Planted:
    return Planted(property_name, lambda: last(begin(), wrong), lambda: last(begin(), right))


def get(told: Story, outcome: Any) -> Story:
    return told.did("get", "s1", outcome)


def doing(verb: str, session_id: Any = "s1", **given: Any) -> Callable[[Story, Any], Story]:
    return lambda told, outcome: told.did(verb, session_id, outcome, **given)


PLANTED: dict[str, Planted] = {
    # -- deadlines
    "alive after its idle timeout": both("expiry.idle", lambda: a_session().advance(HOUR + 1), get, LIVES, NONE),
    "alive at its idle timeout": both("expiry.boundary", lambda: a_session().advance(HOUR), get, LIVES, NONE),
    "alive a microsecond after its idle timeout": both(
        "expiry.boundary", lambda: a_session().advance(HOUR, us=1), get, LIVES, NONE
    ),
    "dead a microsecond before its idle timeout": both(
        "expiry.boundary", lambda: a_session().advance(HOUR, us=-1), get, NONE, LIVES
    ),
    "dead at the timeout that it may reach": both(
        "expiry.boundary", lambda: a_session(at_timeout="alive").advance(HOUR), get, NONE, LIVES
    ),
    "dead half an hour early": both("expiry.not-early", lambda: a_session().advance(HOUR / 2), get, NONE, LIVES),
    "alive after its absolute timeout": both(
        "expiry.absolute",
        lambda: (
            a_session(absolute_timeout=2 * HOUR)
            .advance(HOUR / 2)
            .did("touch", "s1", ok(found=True))
            .advance(HOUR * 0.9)
            .did("touch", "s1", ok(found=True))
            .advance(HOUR * 0.9)
        ),
        get,
        LIVES,
        NONE,
    ),
    "a touch that does not renew": both(
        "expiry.touch-renews",
        lambda: a_session().advance(HOUR / 2).did("touch", "s1", ok(found=True)).advance(HOUR * 0.75),
        get,
        NONE,
        LIVES,
    ),
    "a get that renews": both(
        "expiry.idle",
        lambda: a_session().advance(HOUR / 2).did("get", "s1", LIVES).advance(HOUR * 0.75),
        get,
        LIVES,
        NONE,
    ),
    "a timeout of its own that is not kept": both(
        "expiry.per-session",
        lambda: a_session(per_session_timeout=True, given={"timeout_us": 60_000_000}).advance(120),
        get,
        LIVES,
        NONE,
    ),
    "a timeout of its own that is cut short": both(
        "expiry.per-session",
        lambda: a_session(per_session_timeout=True, given={"timeout_us": 7_200_000_000}).advance(HOUR * 1.5),
        get,
        NONE,
        LIVES,
    ),
    "a touch that raises the dead": both(
        "expiry.no-resurrection", lambda: a_session().advance(HOUR + 1), doing("touch"), ok(found=True), ok(found=False)
    ),
    "alive again after it was seen dead": both(
        "expiry.no-resurrection", lambda: a_session().advance(HOUR + 1).did("get", "s1", NONE), get, LIVES, NONE
    ),
    "revived by a clock that was set back": both(
        "expiry.clock-back",
        lambda: a_session().advance(HOUR + 1).did("get", "s1", NONE).set_clock(-HOUR),
        get,
        LIVES,
        NONE,
    ),
    "expired by a clock that was set back": both(
        "expiry.clock-back", lambda: a_session().advance(60).set_clock(-2 * HOUR), get, NONE, LIVES
    ),
    # -- views
    "a list that shows the expired": both(
        "expiry.idle", lambda: a_session().advance(HOUR + 1), doing("list", None), ok(ids=["s1"]), ok(ids=[])
    ),
    "a list that forgets one": both("lifecycle.list", two, doing("list", None), ok(ids=["s2"]), ok(ids=["s1", "s2"])),
    "a list that shows one twice": both(
        "lifecycle.list", two, doing("list", None), ok(ids=["s1", "s1", "s2"]), ok(ids=["s2", "s1"])
    ),
    "a list of one owner that shows another's": both(
        "lifecycle.list", two, doing("list", None, owner="u"), ok(ids=["s1", "s2"]), ok(ids=["s2"])
    ),
    "a count that is one too high": both("lifecycle.views-agree", two, doing("count", None), ok(count=3), ok(count=2)),
    "a time to live that is wrong": both(
        "lifecycle.views-agree",
        lambda: a_session().advance(60),
        doing("ttl"),
        ok(seconds_us=3_600_500_000),
        ok(seconds_us=3_540_000_000),
    ),
    "an exists that denies": both("lifecycle.views-agree", a_session, doing("exists"), ok(found=False), ok(found=True)),
    "an is_expired that is wrong": both(
        "lifecycle.views-agree", a_session, doing("is_expired"), ok(flag=True), ok(flag=False)
    ),
    "a session never made that is there": both("lifecycle.get", a_session, doing("get", "other"), ok(data={}), NONE),
    "a session that is not there": both("lifecycle.get", a_session, get, NONE, LIVES),
    # -- data
    "a merge that loses the rest": both(
        "data.merge",
        lambda: a_session().did("update", "s1", ok(found=True), changes={"b": 2}),
        get,
        ok(data={"b": 2}),
        ok(data={"a": 1, "b": 2}),
    ),
    "a write that is not read": both(
        "data.read-your-writes",
        lambda: a_session().did("save", "s1", ok(), data={"c": 3}),
        get,
        LIVES,
        ok(data={"c": 3}),
    ),
    "what a caller wrote into a list of its copy": both(
        "data.isolation",
        lambda: a_session(data={"l": (1,)}),
        get,
        ok(data={"l": [1, SCRIBBLE]}),
        ok(data={"l": [1]}),
    ),
    "what a caller wrote into its copy": both("data.isolation", a_session, get, ok(data={**DATA, SCRIBBLE: 1}), LIVES),
    "another session's data mixed in": both("data.isolation", two, get, ok(data={"a": 1, "b": 2}), LIVES),
    "another session's data": both("security.cross-session", two, get, ok(data={"b": 2}), LIVES),
    "another session's id": both("security.cross-session", two, get, ok(data=DATA, id="s2"), ok(data=DATA, id="s1")),
    "another owner": both(
        "security.cross-session", two, doing("get", "s2"), ok(data={"b": 2}, owner="v"), ok(data={"b": 2}, owner="u")
    ),
    "a stale version that is taken": both(
        "data.version",
        lambda: (
            a_session().did("save", "s1", ok(version=1), data={"x": 1}).did("save", "s1", ok(version=2), data={"x": 2})
        ),
        doing("save", version=1, data={"x": 3}),
        ok(version=3),
        refused("conflict"),
    ),
    "a version that does not change": both(
        "data.version",
        lambda: a_session().did("save", "s1", ok(version=1), data={"x": 1}),
        doing("save", data={"x": 2}),
        ok(version=1),
        ok(version=2),
    ),
    "a version that was had before": both(
        "data.version",
        lambda: (
            a_session().did("save", "s1", ok(version=1), data={"x": 1}).did("save", "s1", ok(version=2), data={"x": 2})
        ),
        get,
        ok(data={"x": 2}, version=1),
        ok(data={"x": 2}, version=2),
    ),
    "a sound version that is refused": both(
        "data.read-your-writes",
        lambda: a_session().did("save", "s1", ok(version=1), data={"x": 1}),
        doing("save", version=1, data={"x": 2}),
        refused("conflict"),
        ok(version=2),
    ),
    "a history over its limit": both(
        "data.history-bounded",
        lambda: a_session(history_limit=2),
        doing("history"),
        ok(versions=[1, 2, 3], count=3),
        ok(versions=[2, 3], count=2),
    ),
    "a popped value that is wrong": both(
        "data.read-your-writes", a_session, doing("pop", key="a"), ok(value=2), ok(value=1)
    ),
    # -- limits
    "a limit that is passed": both(
        "limit.enforced", lambda: a_session(limit=1), doing("create", "s2"), ok(id="s2"), refused("limit")
    ),
    "a limit that is reached too early": both(
        "limit.enforced", lambda: a_session(limit=2), doing("create", "s2"), refused("limit"), ok(id="s2")
    ),
    "a limit that a deletion does not release": both(
        "limit.released",
        lambda: a_session(limit=1).did("delete", "s1", ok(found=True)),
        doing("create", "s2"),
        refused("limit"),
        ok(id="s2"),
    ),
    "a limit that an expired session holds for ever": both(
        "limit.released",
        lambda: a_session(limit=1, limit_counts="live").advance(HOUR + 1),
        doing("create", "s2"),
        refused("limit"),
        ok(id="s2"),
    ),
    "the wrong one evicted": both(
        "limit.eviction",
        lambda: two(limit=2, at_limit="evict-oldest").advance(1).did("create", "s3", ok(id="s3")),
        doing("get", "s2"),
        NONE,
        ok(data={"b": 2}),
    ),
    "nobody evicted": both(
        "limit.eviction",
        lambda: two(limit=2, at_limit="evict-oldest").advance(1).did("create", "s3", ok(id="s3")),
        get,
        LIVES,
        NONE,
    ),
    "the busiest evicted": both(
        "limit.eviction",
        lambda: (
            two(limit=2, at_limit="evict-idle")
            .advance(1)
            .did("touch", "s1", ok(found=True))
            .advance(1)
            .did("create", "s3", ok(id="s3"))
        ),
        get,
        NONE,
        LIVES,
    ),
    # -- sweeps
    "a sweep that removes the living": both(
        "sweep.only-expired", lambda: a_session().advance(60).did("sweep", None, ok(count=0)), get, NONE, LIVES
    ),
    "a sweep that counts the living": both(
        "sweep.only-expired", lambda: two().advance(60), doing("sweep", None), ok(count=2), ok(count=0)
    ),
    "a sweep that leaves the expired": both(
        "sweep.complete", lambda: two().advance(HOUR + 1), doing("sweep", None), ok(count=1), ok(count=2)
    ),
    "a swept session that is still shown": both(
        "sweep.complete",
        lambda: a_session(expired="marked", marked="expired").advance(HOUR + 1).did("sweep", None, ok()),
        get,
        ok(data=DATA, status="expired"),
        NONE,
    ),
    "a sweep that raises": both(
        "lifecycle.errors", lambda: a_session().advance(HOUR + 1), doing("sweep", None), failed(), ok(count=1)
    ),
    "a sweep that one faulty resource stops": both(
        "sweep.survives-errors",
        lambda: a_session(resource="close()").did("attach", "s1", ok(), resource="r1", fails=True).advance(HOUR + 1),
        lambda told, outcome: told.note("closed", "r1").did("sweep", None, outcome),
        failed(),
        ok(count=1),
    ),
    "a background sweep that is late": both(
        "sweep.background",
        lambda: (
            a_session(expired="stale", sweep_interval=60, model={"background": True})
            .did("start", None, ok())
            .advance(HOUR)
            .did("get", "s1", LIVES)
            .advance(61)
        ),
        get,
        LIVES,
        NONE,
    ),
    # -- ends, ids
    "a delete that does nothing": both(
        "lifecycle.delete", lambda: a_session().did("delete", "s1", ok(found=True)), get, LIVES, NONE
    ),
    "a clear that leaves one": both(
        "lifecycle.delete", lambda: two().did("clear", None, ok(count=2)), get, LIVES, NONE
    ),
    "an id that is given twice": both(
        "lifecycle.ids-unique",
        lambda: story().did("create", None, ok(id="x")),
        doing("create", None),
        ok(id="x"),
        ok(id="y"),
    ),
    "an id that is never free again": both(
        "lifecycle.id-reuse",
        lambda: a_session(limit=5).did("delete", "s1", ok(found=True)),
        doing("create"),
        refused("exists"),
        ok(id="s1"),
    ),
    "a create that takes a live id": both(
        "lifecycle.create", a_session, doing("create"), ok(id="s1"), refused("exists")
    ),
    "an odd id that must be refused": both(
        "lifecycle.edge-values",
        lambda: story(id_pattern="[a-z]+"),
        doing("create", "../x"),
        ok(id="../x"),
        refused("invalid"),
    ),
    "an old id that lives after a rotation": both(
        "security.rotation", lambda: a_session().did("rotate", "s1", ok(id="s9")), get, LIVES, NONE
    ),
    "data lost by a rotation": both(
        "security.rotation",
        lambda: a_session().did("rotate", "s1", ok(id="s9")),
        doing("get", "s9"),
        ok(data={}),
        LIVES,
    ),
    "a rotation that keeps the id": both("security.rotation", a_session, doing("rotate"), ok(id="s1"), ok(id="s9")),
    "two replacements for one session": both(
        "lifecycle.use",
        lambda: a_session().advance(HOUR + 1).did("use", "s1", ok(id="s8")),
        doing("use"),
        ok(id="s9"),
        ok(id="s8"),
    ),
    "a replacement for a living session": both("lifecycle.use", a_session, doing("use"), ok(id="s8"), ok(id="s1")),
    "a session that is lost when it is resumed": both(
        "lifecycle.resume", lambda: a_session().did("disconnect", "s1", ok()), doing("resume"), refused("missing"), ok()
    ),
    "data lost by a resume": both(
        "data.read-your-writes",
        lambda: a_session().did("disconnect", "s1", ok()).did("resume", "s1", ok()),
        get,
        ok(data={}),
        LIVES,
    ),
    "an id that a stranger chose": both(
        "security.fixation",
        lambda: story(missing="new-id"),
        doing("get", "evil"),
        ok(id="evil", data={}),
        ok(id="g1", data={}),
    ),
    # -- resources
    "a resource closed twice": both(
        "resources.closed-once",
        lambda: (
            a_session(resource="close()")
            .did("attach", "s1", ok(), resource="r1")
            .note("closed", "r1")
            .did("delete", "s1", ok(found=True))
        ),
        lambda told, again: told.note("closed", "r1") if again else told,
        True,
        False,
    ),
    "a resource never closed": both(
        "resources.closed-once",
        lambda: (
            a_session(resource="close()").did("attach", "s1", ok(), resource="r1").did("delete", "s1", ok(found=True))
        ),
        lambda told, closed: told.note("closed", "r1") if closed else told,
        False,
        True,
    ),
    "a resource closed while its session lives": both(
        "resources.closed-once",
        lambda: a_session(resource="close()").did("attach", "s1", ok(), resource="r1"),
        lambda told, early: (told.note("closed", "r1") if early else told).did("get", "s1", LIVES),
        True,
        False,
    ),
    "a close hook that is not called": both(
        "resources.closed-once",
        lambda: a_session(model={"close_hook": True}).did("delete", "s1", ok(found=True)),
        lambda told, called: told.note("hook", "close", id="s1") if called else told,
        False,
        True,
    ),
    "a stop that takes too long": both(
        "resources.stop-in-time",
        lambda: a_session(stop_within=5),
        lambda told, took_us: told.did("stop", None, ok(), took_us=took_us),
        5_000_001,
        5_000_000,
    ),
    # -- the rest
    "metrics that count too many": both(
        "metrics.consistent",
        two,
        doing("metrics", None),
        ok(metrics={"active": 3, "total": 3}),
        ok(metrics={"active": 2, "total": 2}),
    ),
    "metrics that call the expired active": both(
        "metrics.consistent",
        lambda: two().advance(HOUR + 1),
        doing("metrics", None),
        ok(metrics={"active": 2}),
        ok(metrics={"active": 0, "total": 2}),
    ),
    "metrics with a wrong age": both(
        "metrics.consistent",
        lambda: two().advance(60),
        doing("metrics", None),
        ok(metrics={"oldest_age": 10.0}),
        ok(metrics={"oldest_age": 61.0, "newest_age": 60.0, "average_age": 60.5}),
    ),
    "an error that is not declared": both("lifecycle.errors", a_session, get, failed("KeyError: 's1'"), LIVES),
    "lost by a restart": both(
        "durability.restart", lambda: a_session(survives="restart").note("restarted"), get, NONE, LIVES
    ),
    "kept although closing ends it": both(
        "lifecycle.delete", lambda: a_session(survives="restart", close="ends").note("restarted"), get, LIVES, NONE
    ),
    "busy where nobody else is": both("lifecycle.get", a_session, get, refused("busy"), LIVES),
    "closed before it was closed": both("lifecycle.get", a_session, get, refused("closed"), LIVES),
    "a leak of a creation that was cut off": both(
        "limit.enforced",
        lambda: story(limit=1).did("create", None, CUT_OFF).did("list", None, ok(ids=[])),
        doing("create", None),
        refused("limit"),
        ok(id="g2"),
    ),
}
