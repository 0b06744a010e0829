"""Judging a history as it grows: what is unknown, what is closed, what is left over, what was put to the test."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_sessionguard.core import judging
from pytest_sessionguard.core.history import Stamp
from pytest_sessionguard.core.operations import VERBS, Outcome
from pytest_sessionguard.core.policy import policy

from .model.stories import CUT_OFF, EVERYTHING, START_US, Story, failed, ok, operation, refused

HOUR = 3_600


def begun(*, model: dict[str, Any] | None = None, **written: Any) -> Story:
    story = Story(policy(**{"idle_timeout": HOUR, **written}), **(model or {}))
    return story.did("create", "s1", ok(id="s1"), data={"a": 1})


LIVES, NONE = ok(data={"a": 1}), ok(absent="none")

# -- outcomes that say less ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "given", "happened", "not_happened"),
    [
        ("update", {"changes": {"b": 2}}, ok(data={"a": 1, "b": 2}), LIVES),
        ("save", {"data": {"z": 0}}, ok(data={"z": 0}), LIVES),
        ("put", {"key": "k", "value": 1}, ok(data={"a": 1, "k": 1}), LIVES),
        ("delete", {}, NONE, LIVES),
        ("pop", {}, NONE, LIVES),
        ("expire", {}, NONE, LIVES),
        ("rotate", {}, NONE, LIVES),
    ],
)
def test_what_was_cut_off_happened_or_did_not_and_stays_so(
    verb: str, given: dict[str, Any], happened: Outcome, not_happened: Outcome
) -> None:
    for first, other in ((happened, not_happened), (not_happened, happened)):
        story = begun().did(verb, "s1", CUT_OFF, **given).did("get", "s1", first)
        assert story.broken is None
        assert story.did("get", "s1", first).broken is None
        assert story.did("get", "s1", other).broken is not None


def test_what_was_cut_off_did_nothing_else() -> None:
    story = begun().did("update", "s1", CUT_OFF, changes={"b": 2}).did("get", "s1", ok(data={"b": 2}))
    assert story.broken is not None


def test_a_touch_that_was_cut_off_renewed_or_did_not() -> None:
    for outcome in (LIVES, NONE):
        story = begun().advance(HOUR / 2).did("touch", "s1", CUT_OFF).advance(HOUR * 0.75).did("get", "s1", outcome)
        assert story.broken is None


def test_a_creation_that_was_cut_off_may_hold_an_id_that_is_not_known() -> None:
    story = Story(policy()).did("create", None, CUT_OFF, data={"q": 1})
    assert story.did("list", None, ok(ids=["x"])).broken is None
    assert story.did("get", "x", ok(data={"q": 1})).broken is None
    assert story.did("list", None, ok(ids=["x", "y"])).broken == "lifecycle.list"


def test_a_list_settles_whether_a_creation_that_was_cut_off_happened() -> None:
    story = Story(policy()).did("create", None, CUT_OFF, data={"q": 1}).did("list", None, ok(ids=[]))
    assert story.broken is None
    assert story.did("get", "x", ok(data={"q": 1})).broken is not None
    shown = Story(policy()).did("create", None, CUT_OFF).did("list", None, ok(ids=["x"]))
    assert shown.did("count", None, ok(count=0)).broken == "lifecycle.views-agree"


def test_two_creations_that_were_cut_off_make_two_sessions_at_most() -> None:
    story = Story(policy()).did("create", None, CUT_OFF, data={"q": 1}).did("create", None, CUT_OFF, data={"q": 2})
    story.did("list", None, ok(ids=["x", "y"]))
    assert story.broken is None
    story.did("get", "x", ok(data={"q": 2}))
    assert story.broken is None
    assert story.did("get", "y", ok(data={"q": 2})).broken is not None


def test_a_creation_of_a_chosen_id_that_was_cut_off_happened_or_did_not() -> None:
    for outcome in (ok(id="s1"), refused("exists")):
        story = Story(policy()).did("create", "s1", CUT_OFF).did("create", "s1", outcome)
        assert story.broken is None


@pytest.mark.parametrize("outcome", [LIVES, NONE])
def test_a_clear_that_was_cut_off_may_have_come_to_some_and_not_to_others(outcome: Outcome) -> None:
    story = begun().did("create", "s2", ok(id="s2"), data={"a": 1}).did("clear", None, CUT_OFF)
    other = NONE if outcome is LIVES else LIVES
    assert story.did("get", "s1", outcome).did("get", "s2", other).broken is None
    assert story.did("get", "s1", other).broken is not None


def test_a_sweep_that_was_cut_off_may_have_come_to_some_and_not_to_others() -> None:
    story = begun(expired="stale").did("create", "s2", ok(id="s2"), data={"a": 1}).advance(HOUR + 1)
    story.did("sweep", None, CUT_OFF).did("get", "s1", LIVES).did("get", "s2", NONE)
    assert story.broken is None


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_an_error_that_is_not_declared_is_never_right(verb: str) -> None:
    given: dict[str, Any] = {name: 1 for name in ("key", "value") if name in VERBS[verb].arguments}
    if "changes" in VERBS[verb].arguments:
        given["changes"] = {}
    found = begun().did(verb, None if VERBS[verb].addresses != "session" else "s1", failed(), **given).judged()
    assert found.finding is not None
    assert found.finding.property == "lifecycle.errors"


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_operation_may_be_cut_off(verb: str) -> None:
    given: dict[str, Any] = {name: 1 for name in ("key", "value") if name in VERBS[verb].arguments}
    if "changes" in VERBS[verb].arguments:
        given["changes"] = {}
    story = begun().did(verb, None if VERBS[verb].addresses != "session" else "s1", CUT_OFF, **given)
    assert story.broken is None


def test_closed_is_an_answer_only_after_a_stop_or_a_close() -> None:
    assert begun().did("get", "s1", refused("closed")).broken is not None
    for verb in ("stop", "close"):
        assert begun().did(verb, None, ok()).did("get", "s1", refused("closed")).broken is None
        again = begun().did(verb, None, ok()).did("start", None, ok()).did("get", "s1", refused("closed"))
        assert again.broken is not None


def test_a_refusal_that_may_mean_several_things_is_right_when_one_of_them_is() -> None:
    assert begun(missing="error").did("get", "no", refused("conflict", "missing")).broken is None
    assert begun(missing="error").did("get", "no", refused("conflict", "exists")).broken is not None


# -- as it grows -----------------------------------------------------------------------------------------------------


def test_fed_entry_by_entry_or_whole_it_comes_to_the_same() -> None:
    story = begun().advance(60).did("touch", "s1", ok(found=True)).advance(HOUR).did("get", "s1", LIVES)
    whole = judging.begin(story.model).feed(story.entries)
    step = judging.begin(story.model)
    for entry in story.entries:
        step = step.feed([entry])
    assert step.finding == whole.finding
    assert whole.finding is not None
    assert step.exercised == whole.exercised


def test_after_a_finding_nothing_changes_it() -> None:
    story = begun().did("get", "s1", NONE)
    found = judging.begin(story.model).feed(story.entries)
    assert found.feed(begun().entries) is found
    assert found.finish() is found


def test_the_time_left_is_told_by_the_policy_s_clock() -> None:
    story = begun(absolute_timeout=HOUR * 1.5).advance(60)
    known = judging.begin(story.model).feed(story.entries)
    assert known.left_us("s1", story.stamp()) == (HOUR - 60) * 1_000_000
    assert known.left_us("other", story.stamp()) is None
    story.did("touch", "s1", ok(found=True)).advance(HOUR)
    known = judging.begin(story.model).feed(story.entries)
    assert known.left_us("s1", story.stamp()) == 0
    assert known.left_us("s1", story.advance(1).stamp()) == -1_000_000
    never = Story(policy()).did("create", "s1", ok(id="s1"))
    assert judging.begin(never.model).feed(never.entries).left_us("s1", never.stamp()) is None


def test_what_was_put_to_the_test_is_counted() -> None:
    story = begun(limit=1).advance(60).did("get", "s1", LIVES).did("create", "s2", refused("limit"))
    story.advance(HOUR - 60).did("get", "s1", NONE)
    counted = story.judged().exercised
    assert counted["lifecycle.create"] >= 1
    assert counted["lifecycle.errors"] == 4
    assert counted["expiry.not-early"] == 1
    assert counted["limit.enforced"] == 1
    assert counted["expiry.boundary"] == 1
    assert "data.merge" not in counted
    assert "concurrency.linearizable" not in counted


SET_BACK = begun(clock="monotonic").set_clock(-60)


@pytest.mark.parametrize(
    ("name", "story"),
    [
        (
            "limit.enforced",
            begun(limit=1, at_limit="evict-any").did("create", "s2", ok(id="s2")).did("get", "s1", NONE),
        ),
        ("lifecycle.views-agree", begun().did("list", None, ok(ids=["s1"]))),
        ("lifecycle.edge-values", begun(none_timeout="never").did("create", "s2", ok(id="s2"), timeout_us=None)),
        ("lifecycle.edge-values", begun(zero_timeout="default").did("touch", "s1", ok(found=True), timeout_us=0)),
        ("expiry.clock-back", begun(clock="monotonic").advance(60).set_clock(-3600).did("get", "s1", LIVES)),
    ],
)
def test_what_has_been_shown_is_counted(name: str, story: Story) -> None:
    found = story.judged()
    assert found.legal
    assert name in found.exercised


@pytest.mark.parametrize(
    ("name", "story"),
    [
        ("lifecycle.edge-values", begun().did("touch", "s1", ok(found=True), timeout_us=0)),
        ("lifecycle.views-agree", Story(policy()).did("list", None, ok(ids=[]))),
        ("expiry.clock-back", begun(clock="monotonic").advance(60).set_clock(3600).did("get", "s1", LIVES)),
        ("expiry.clock-back", SET_BACK.did("create", "s2", ok(id="s2")).did("get", "s2", LIVES)),
        ("sweep.complete", begun().did("sweep", None, ok(count=0))),
        ("sweep.background", begun(model={"background": True}, sweep_interval=60).did("start", None, ok())),
        ("lifecycle.id-reuse", begun().did("create", "s2", ok(id="s2"))),
        ("security.fixation", begun().did("get", "s1", LIVES)),
        ("limit.released", begun(limit=3).did("create", "s2", ok(id="s2"))),
    ],
)
def test_what_could_not_have_gone_wrong_is_not_counted(name: str, story: Story) -> None:
    found = story.judged()
    assert found.legal
    assert name not in found.exercised


@pytest.mark.parametrize(
    ("name", "story"),
    [
        ("sweep.complete", begun().advance(HOUR).did("sweep", None, ok(count=1))),
        (
            "sweep.background",
            begun(model={"background": True}, sweep_interval=60, expired="stale")
            .did("start", None, ok())
            .advance(HOUR + 61)
            .did("get", "s1", NONE),
        ),
        ("lifecycle.id-reuse", begun().did("delete", "s1", ok(found=True)).did("create", "s1", ok(id="s1"))),
        ("security.fixation", begun().did("get", "no", NONE)),
        ("limit.released", begun(limit=1).did("delete", "s1", ok(found=True)).did("create", "s2", ok(id="s2"))),
    ],
)
def test_what_might_have_gone_wrong_and_did_not_is_counted(name: str, story: Story) -> None:
    found = story.judged()
    assert found.legal
    assert found.exercised[name] == 1


def test_more_worlds_than_can_be_followed_leave_a_history_undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "WORLDS_MAX", 2)
    story = begun().did("update", "s1", CUT_OFF, changes={"b": 1}).did("update", "s1", CUT_OFF, changes={"c": 1})
    found = story.judged()
    assert found.finding is None
    assert found.undecided.startswith("more than 2 worlds explain the answers up to update(")


# -- restarts --------------------------------------------------------------------------------------------------------


def test_what_survives_nothing_may_be_there_after_a_restart_or_not_and_stays_so() -> None:
    for first, other in ((LIVES, NONE), (NONE, LIVES)):
        story = begun().note("restarted").did("get", "s1", first)
        assert story.broken is None
        assert story.did("get", "s1", other).broken is not None


def test_what_survives_a_restart_keeps_its_deadline() -> None:
    story = begun(survives="restart").advance(60).note("restarted")
    assert story.did("get", "s1", LIVES).broken is None
    assert story.advance(HOUR).did("get", "s1", LIVES).broken is not None


def test_a_monotonic_clock_that_starts_anew_leaves_expiry_open() -> None:
    for outcome in (LIVES, NONE):
        story = begun(survives="restart", clock="monotonic").advance(60)
        story.mono_us = 0
        assert story.note("restarted").did("get", "s1", outcome).broken is None


def test_an_operation_may_survive_where_another_does_not() -> None:
    rule = {"survives": {"create": "restart"}}
    kept = begun(**rule).note("restarted").did("get", "s1", NONE)
    assert kept.broken == "durability.restart"
    lost = begun(**rule).did("update", "s1", ok(), changes={"b": 1}).note("restarted").did("get", "s1", NONE)
    assert lost.broken is None


# -- a clock that was set back ---------------------------------------------------------------------------------------


def test_a_clock_set_back_leaves_open_what_the_ways_to_count_dispute() -> None:
    for outcome in (LIVES, NONE):
        story = begun().advance(60).set_clock(-2 * HOUR).advance(HOUR).did("get", "s1", outcome)
        assert story.broken is None


def test_what_was_seen_expired_stays_so_when_the_clock_is_set_back() -> None:
    story = begun().advance(HOUR).did("get", "s1", NONE).set_clock(-HOUR, told=False)
    assert story.did("get", "s1", LIVES).broken is not None


def test_without_a_promise_a_clock_set_back_may_revive() -> None:
    story = begun(clock_back="undeclared").advance(HOUR + 1).set_clock(-HOUR)
    assert story.did("get", "s1", LIVES).broken is None


def test_a_session_made_after_a_set_back_is_judged_where_all_ways_to_count_agree() -> None:
    story = begun().set_clock(-100).did("create", "s2", ok(id="s2"), data={"a": 1})
    story.advance(HOUR, us=-1)
    assert story.did("get", "s2", NONE).broken is not None
    story.entries.pop()
    assert story.advance(99).did("get", "s2", LIVES).broken is None
    assert story.advance(2).did("get", "s2", LIVES).broken is not None


def test_a_wall_clock_set_forward_expires_and_a_monotonic_one_does_not_notice() -> None:
    assert begun().set_clock(HOUR).did("get", "s1", NONE).broken is None
    assert begun().set_clock(HOUR).did("get", "s1", LIVES).broken is not None
    assert begun(clock="monotonic").set_clock(HOUR).did("get", "s1", LIVES).broken is None
    assert begun(clock="monotonic").set_clock(HOUR).did("get", "s1", NONE).broken is not None


# -- resources -------------------------------------------------------------------------------------------------------


def test_a_resource_that_is_closed_when_its_session_ends_is_right_whichever_way_it_ends() -> None:
    for verb, name in (("delete", "s1"), ("pop", "s1"), ("clear", None)):
        story = begun(resource="close()").did("attach", "s1", ok(), resource="r")
        story.note("closed", "r").did(verb, name, ok()).did("get", "s1", NONE)
        assert story.broken is None


def test_a_session_made_again_is_closed_again() -> None:
    story = begun(model={"close_hook": True}).note("hook", "close", id="s1").did("delete", "s1", ok(found=True))
    story.did("create", "s1", ok(id="s1")).note("hook", "close", id="s1").did("delete", "s1", ok(found=True))
    assert story.broken is None
    assert story.note("hook", "close", id="s1").broken == "resources.closed-once"


def test_what_the_dead_session_of_an_id_owned_is_closed_when_another_begins_under_it() -> None:
    story = begun(resource="close()").did("attach", "s1", ok(), resource="r").advance(7200).note("closed", "r")
    assert story.did("create", "s1", ok(id="s1")).did("get", "s1", LIVES).broken is None
    left = begun(resource="close()").did("attach", "s1", ok(), resource="r").advance(7200)
    assert left.did("create", "s1", ok(id="s1")).did("get", "s1", LIVES).broken == "resources.closed-once"


def test_a_resource_that_nobody_took_is_closed_by_nobody() -> None:
    late = begun(resource="close()", missing="false").advance(7200)
    late.did("attach", "s1", ok(found=False), resource="r").did("sweep", None, ok())
    assert late.broken is None
    taken = begun(resource="close()", missing="false").did("attach", "s1", ok(found=True), resource="r").advance(7200)
    assert taken.did("sweep", None, ok()).broken == "resources.closed-once"


def test_notes_that_close_nothing_change_nothing() -> None:
    story = begun(resource="close()").note("hook", "open", id="s1").note("clock").note("hook", "close")
    assert story.did("get", "s1", LIVES).broken is None


def test_a_resource_that_was_never_closed_is_explained_by_no_key() -> None:
    story = begun(resource="close()").did("attach", "s1", ok(), resource="r").did("delete", "s1", ok(found=True))
    found = story.finding
    assert found is not None
    assert (found.given, found.undeclared) == ("r was never closed", None)


def test_a_history_judged_twice_comes_to_the_same() -> None:
    story = begun().together(
        (operation("list"), ok(ids=["s1", "q"])),
        (operation("create", "q"), ok(id="q")),
        (operation("sweep"), ok(count=0)),
    )
    assert story.judged().finding == story.judged().finding
    assert (
        judging.begin(story.model).feed(story.entries).states == judging.begin(story.model).feed(story.entries).states
    )


def test_an_instant_told_late_is_no_set_back() -> None:
    story = begun().advance(60)
    known = judging.begin(story.model).feed(story.entries)
    early = known.timeline.seen(story.stamp()).seen(Stamp(START_US, 1_000_000))
    assert early.backs == 0
    assert early.last == story.stamp()


def test_every_operation_has_a_rule() -> None:
    assert set(VERBS) >= EVERYTHING


def test_a_monotonic_session_that_a_clock_set_back_has_ended_is_told_as_such() -> None:
    story = begun(clock="monotonic").advance(60).set_clock(-3600).did("get", "s1", NONE)
    assert story.broken == "expiry.clock-back"
