"""Operations at the same time: the search for an order against all orders tried one by one."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_sessionguard.core import judging, linearizability
from pytest_sessionguard.core.history import Entry, Event, Note, Stamp
from pytest_sessionguard.core.linearizability import batches
from pytest_sessionguard.core.model import Ask, Model, State
from pytest_sessionguard.core.operations import Operation, Outcome
from pytest_sessionguard.core.policy import policy

from .model.stories import CUT_OFF, EVERYTHING, START_US, Story, failed, ok, operation, refused

HOUR = 3_600
POLICIES: list[dict[str, Any]] = [
    {},
    {"limit": 1},
    {"limit": 1, "at_limit": "evict-oldest"},
    {"limit": 2, "at_limit": "evict-any", "limit_in_flight": True},
    {"concurrent_updates": "conflict"},
    {"existing": "return"},
    {"expired": "stale", "revivable": True},
    {"missing": "creates"},
]


def brute_force(model: Model, worlds: tuple[State, ...], asks: list[Ask]) -> bool:
    """Say whether some order of all, in which nobody comes before one that was over when it began, explains all."""
    for order in permutations(asks):
        places = {id(ask): place for place, ask in enumerate(order)}
        if any(
            one.event.return_order < other.event.call_order and places[id(one)] > places[id(other)]
            for one in asks
            for other in asks
        ):
            continue
        reached = set(worlds)
        for ask in order:
            reached = {after for state in reached for after in model.step(state, ask, ask.event.outcome)}
        if reached:
            return True
    return False


CALLS: list[tuple[Operation, list[Outcome]]] = [
    (operation("create", "s1", data={"a": 1}), [ok(id="s1"), refused("exists"), refused("limit"), CUT_OFF]),
    (operation("create", "s2", data={"b": 1}), [ok(id="s2"), refused("exists"), refused("limit")]),
    (operation("create"), [ok(id="g1"), ok(id="g2"), refused("limit"), CUT_OFF]),
    (operation("get", "s1"), [ok(data={"a": 1}), ok(data={"a": 1, "x": 1}), ok(absent="none")]),
    (operation("get", "s1"), [ok(data={"a": 1, "y": 1}), ok(data={"a": 1, "x": 1, "y": 1})]),
    (operation("get", "g1"), [ok(data={}), ok(absent="none")]),
    (operation("touch", "s1"), [ok(found=True), ok(found=False), refused("busy")]),
    (operation("update", "s1", changes={"x": 1}), [ok(found=True), ok(found=False), refused("conflict"), CUT_OFF]),
    (operation("update", "s1", changes={"y": 1}), [ok(found=True), ok(found=False), refused("conflict")]),
    (operation("delete", "s1"), [ok(found=True), ok(found=False), CUT_OFF]),
    (operation("pop_item"), [ok(id="s1"), ok(id="s2"), ok(absent="none")]),
]  # fmt: skip


@st.composite
def overlapping(draw: st.DrawFn) -> list[Event]:
    """A few operations, each by a client of its own, called and answered in any order."""
    number = draw(st.integers(2, 4))
    points = draw(st.permutations([place for place in range(number) for _ in range(2)]))
    late_us = draw(st.sampled_from([0, HOUR * 1_000_000]))
    events = []
    for place in range(number):
        asked, outcomes = draw(st.sampled_from(CALLS))
        first, last = [at for at, one in enumerate(points) if one == place]
        called = Stamp(START_US + late_us, 10 + late_us)
        events.append(
            Event(
                client=str(place),
                operation=asked,
                outcome=draw(st.sampled_from(outcomes)),
                called=called,
                returned=called,
                call_order=100 + first,
                return_order=100 + last,
            )
        )
    return events


@pytest.mark.unmeasured
@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(POLICIES), overlapping(), st.booleans())
def test_an_order_is_found_exactly_when_there_is_one(written: dict[str, Any], events: list[Event], begun: bool) -> None:
    model = Model(policy=policy(idle_timeout=HOUR, **written), operations=EVERYTHING)
    examination = judging.begin(model)
    if begun:
        story = Story(model.policy).did("create", "s1", ok(id="s1"), data={"a": 1})
        examination = examination.feed(story.entries)
        assert examination.legal
    now = ((events[0].called.wall_us, events[0].called.wall_us),)
    asks = []
    for one in events:
        others = [other for other in events if other is not one and other.overlaps(one)]
        creates = sum(other.operation.verb == "create" for other in others)
        asks.append(
            Ask(
                event=one,
                now=now,
                policy=model.policy,
                operations=EVERYTHING,
                overlapped=bool(others),
                in_flight=creates,
            )
        )
    found = linearizability.linearize(model, examination.states, asks)
    is_legal = isinstance(found, tuple) and bool(found) and isinstance(found[0], State)
    assert is_legal == brute_force(model, examination.states, asks)
    assert examination.feed(events).legal == is_legal


# -- what is right and what is wrong at once ---------------------------------------------------------------------------


def begun(**written: Any) -> Story:
    return Story(policy(idle_timeout=HOUR, **written)).did("create", "s1", ok(id="s1"), data={"a": 1})


MERGE_X = operation("update", "s1", changes={"x": 1})
MERGE_Y = operation("update", "s1", changes={"y": 1})
NEW_1, NEW_2 = operation("create", "c1"), operation("create", "c2")


def test_two_updates_at_once_are_both_kept() -> None:
    story = begun().together((MERGE_X, ok()), (MERGE_Y, ok()))
    assert story.did("get", "s1", ok(data={"a": 1, "x": 1, "y": 1})).broken is None


@pytest.mark.parametrize("kept", [{"x": 1}, {"y": 1}])
def test_an_update_that_is_lost_is_told_as_one(kept: dict[str, int]) -> None:
    story = begun().together((MERGE_X, ok()), (MERGE_Y, ok())).did("get", "s1", ok(data={"a": 1, **kept}))
    assert story.broken == "concurrency.no-lost-update"


def test_an_update_that_is_lost_to_a_reader_at_the_same_time_is_told_as_one() -> None:
    later = (operation("get", "s1"), ok(data={"a": 1, "x": 1}))
    story = begun().together((MERGE_X, ok()), (MERGE_Y, ok()))
    story.together(later, (operation("get", "s1"), ok(data={"a": 1, "x": 1})))
    assert story.broken == "concurrency.no-lost-update"


def test_two_creations_do_not_pass_a_limit_together() -> None:
    assert begun(limit=2).together((NEW_1, ok(id="c1")), (NEW_2, ok(id="c2"))).broken == "concurrency.limit"
    assert begun(limit=2).together((NEW_1, ok(id="c1")), (NEW_2, refused("limit"))).broken is None
    assert begun(limit=3).together((NEW_1, ok(id="c1")), (NEW_2, ok(id="c2"))).broken is None


def test_both_creations_may_be_refused_only_where_those_under_way_count() -> None:
    both = ((NEW_1, refused("limit")), (NEW_2, refused("limit")))
    assert begun(limit=2).together(*both).broken == "concurrency.limit"
    assert begun(limit=2, limit_in_flight=True).together(*both).broken is None
    assert begun(limit=3, limit_in_flight=True).together(*both).broken == "concurrency.limit"


def test_a_touch_during_a_sweep_finds_the_session_or_not_but_does_not_bring_it_back() -> None:
    touch, sweep = operation("touch", "s1"), operation("sweep")
    for found in (True, False):
        story = begun().advance(HOUR - 1)
        story.together((touch, ok(found=found)), (sweep, ok(count=0)))
        assert (story.broken is None) == found
    late = begun().advance(HOUR + 1).together((touch, ok(found=True)), (sweep, ok(count=1)))
    assert late.broken == "concurrency.linearizable"


def test_a_sweep_removes_no_session_that_was_touched_meanwhile() -> None:
    story = begun().advance(HOUR - 1)
    story.together((operation("touch", "s1"), ok(found=True)), (operation("sweep"), ok(count=0)))
    story.advance(2)
    assert story.did("get", "s1", ok(absent="none")).broken in ("sweep.only-expired", "expiry.touch-renews")


def test_a_list_is_judged_session_by_session() -> None:
    """It shows the later of two sessions and not the earlier: no one instant, but right for each alone."""
    calls = [(NEW_1, ok(id="c1")), (NEW_2, ok(id="c2")), (operation("list"), ok(ids=["s1", "c2"]))]
    assert begun().together(*calls).broken is None
    assert begun().together(*calls[:2], (operation("list"), ok(ids=["c2"]))).broken == "concurrency.linearizable"
    stranger = begun().together(*calls[:2], (operation("list"), ok(ids=["s1", "zz"])))
    assert stranger.broken == "concurrency.linearizable"


def test_a_clear_is_judged_session_by_session() -> None:
    story = begun().did("create", "s2", ok(id="s2"))
    story.together((operation("clear"), ok(count=9)), (operation("list"), ok(ids=["s1"])), (NEW_1, ok(id="c1")))
    assert story.broken is None
    assert story.did("get", "s1", ok(data={"a": 1})).broken == "lifecycle.delete"


def test_a_close_that_ends_sessions_ends_them_one_by_one() -> None:
    story = begun(survives="restart", close="ends").did("create", "s2", ok(id="s2"))
    story.together((operation("close"), ok()), (operation("list"), ok(ids=["s2"])))
    assert story.broken is None
    assert story.did("get", "s2", ok(data={})).broken == "lifecycle.delete"


@pytest.mark.parametrize("told", [ok(count=7), ok(metrics={"active": 7})])
def test_a_count_that_overlaps_others_is_not_judged(told: Outcome) -> None:
    verb = "count" if told == ok(count=7) else "metrics"
    assert begun().together((NEW_1, ok(id="c1")), (operation(verb), told)).broken is None


def test_an_error_that_only_the_overlap_explains_is_told_as_one() -> None:
    assert begun().together((MERGE_X, ok()), (MERGE_Y, failed())).broken == "concurrency.no-error"


def test_busy_is_an_answer_only_while_another_is_under_way() -> None:
    assert begun().together((MERGE_X, ok()), (MERGE_Y, refused("busy"))).broken is None
    story = begun().together((MERGE_X, ok()), (MERGE_Y, refused("busy"))).did("get", "s1", ok(data={"a": 1, "x": 1}))
    assert story.broken is None
    assert begun().did("update", "s1", refused("busy"), changes={"x": 1}).broken is not None


def test_a_list_beside_one_touch_among_many_sessions_is_decided() -> None:
    story = Story(policy(idle_timeout=HOUR))
    names = [f"s{number}" for number in range(60)]
    for name in names:
        story.did("create", name, ok(id=name))
    story.advance(60).together((operation("touch", "s7"), ok(found=True)), (operation("list"), ok(ids=names)))
    assert story.broken is None


def test_a_sweep_of_many_beside_one_touch_is_decided() -> None:
    story = Story(policy(idle_timeout=HOUR, expired="stale"))
    names = [f"s{number}" for number in range(40)]
    for name in names:
        story.did("create", name, ok(id=name))
    story.advance(HOUR * 0.75).did("touch", "s7", ok(found=True)).advance(HOUR / 2)
    story.together((operation("touch", "s7"), ok(found=True)), (operation("sweep"), ok(count=39)))
    assert story.broken is None
    assert story.did("get", "s8", ok(data={})).broken == "sweep.complete"


def test_more_orders_than_can_be_followed_leave_a_history_undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linearizability, "WORLDS_MAX", 3)
    calls = [(operation("create", f"c{number}"), ok(id=f"c{number}")) for number in range(5)]
    story = begun().together(*calls)
    found = judging.judge(story.history, story.model)
    assert found.finding is None
    assert found.undecided == "more than 3 orders of 5 operations at once"
    assert not found.legal
    assert found.feed(story.entries) is found


# -- who overlaps whom -------------------------------------------------------------------------------------------------


def an_entry(call: int, back: int) -> Event:
    at = Stamp(0, 0)
    return Event(
        client="A",
        operation=operation("get", "s1"),
        outcome=ok(),
        called=at,
        returned=at,
        call_order=call,
        return_order=back,
    )


def test_entries_are_judged_together_exactly_when_a_chain_of_overlaps_joins_them() -> None:
    alone, first, second, third = an_entry(0, 1), an_entry(2, 5), an_entry(4, 8), an_entry(7, 9)
    note_within = Note(kind="closed", at=Stamp(0, 0), order=6)
    note_after = Note(kind="closed", at=Stamp(0, 0), order=10)
    entries: list[Entry] = [third, note_after, second, note_within, first, alone]
    assert list(batches(entries)) == [[alone], [first, second, note_within, third], [note_after]]


def test_a_note_during_a_single_operation_comes_before_its_answer() -> None:
    one, note = an_entry(0, 3), Note(kind="closed", at=Stamp(0, 0), order=2)
    assert list(batches([one, note])) == [[note], [one]]


def test_a_delete_that_was_cut_off_may_come_after_a_creation_that_it_overlapped() -> None:
    first, deleted, second = operation("create", "s1"), operation("delete", "s1"), operation("create", "s1")
    story = Story(policy()).together((first, ok(id="s1")), (deleted, CUT_OFF))
    assert story.did("create", "s1", ok(id="s1")).broken is None
    overlapped = Story(policy()).together((deleted, CUT_OFF), (first, ok(id="s1")), (second, ok(id="s1")))
    assert overlapped.broken is None


def test_an_update_that_changes_nothing_now_may_come_after_one_that_it_undoes() -> None:
    story = begun().did("update", "s1", ok(), changes={"x": 1})
    story.together(
        (operation("update", "s1", changes={"x": 1}), ok()), (operation("update", "s1", changes={"x": 2}), ok())
    )
    for left in (1, 2):
        again = begun().did("update", "s1", ok(), changes={"x": 1})
        again.together((MERGE_X, ok()), (operation("update", "s1", changes={"x": 2}), ok()))
        assert again.did("get", "s1", ok(data={"a": 1, "x": left})).broken is None
    assert story.did("get", "s1", ok(data={"a": 1, "x": 3})).broken is not None
