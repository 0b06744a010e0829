"""Judging what clients do at once: sessions made in the midst, closings, and a cleaner whose clock is set."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from pytest_sessionguard.core.closings import hooked
from pytest_sessionguard.core.history import Entry, Event, Note, Stamp, history
from pytest_sessionguard.core.judging import Examination, judge
from pytest_sessionguard.core.model import Model
from pytest_sessionguard.core.operations import Answer, Ok, Operation, Outcome
from pytest_sessionguard.core.policy import policy
from pytest_sessionguard.core.values import UNSET, FrozenMap

HOUR_US = 3_600_000_000
HOOKED = ("create", "get", "delete", "clear", "ttl")


def event(numbers: tuple[int, int], verb: str, session_id: Any = UNSET, *, at_us: int = 0, **answer: Any) -> Event:
    given: Outcome = Ok(Answer(**answer))
    stamp = Stamp(HOUR_US * 24 + at_us, at_us)
    return Event(
        client="A",
        operation=Operation(verb=verb, id=session_id),
        outcome=given,
        called=stamp,
        returned=stamp,
        call_order=numbers[0],
        return_order=numbers[1],
    )


def closed(number: int, session_id: str) -> Note:
    return Note(kind="hook", subject="close", id=session_id, order=number, at=Stamp(HOUR_US * 24, 0))


def judged(entries: Iterable[Entry], *, close_hook: bool = False, **written: Any) -> Examination:
    model = Model(
        policy=policy(**{"idle_timeout": 3_600, **written}), operations=frozenset(HOOKED), close_hook=close_hook
    )
    return judge(history(entries), model)


def test_a_session_made_before_a_clear_that_overlaps_others_is_cleared_by_it() -> None:
    entries = [
        event((2, 3), "create", id="s1"),
        event((1, 6), "create", id="s2"),
        event((4, 5), "clear", count=1),
        event((7, 8), "get", "s1", absent="none"),
    ]
    assert judged(entries).legal
    assert not judged([*entries[:3], event((7, 8), "get", "s3", data=FrozenMap({}))]).legal


def test_a_session_that_is_cleared_while_it_is_made_was_closed() -> None:
    entries: list[Entry] = [
        event((1, 5), "create", id="s1"),
        closed(3, "s1"),
        event((2, 4), "clear", count=1),
        event((6, 7), "get", "s1", absent="none"),
    ]
    assert judged(entries, close_hook=True).legal


def test_one_that_is_cleared_and_never_closed_is_told() -> None:
    entries = [
        event((1, 2), "create", id="s1"),
        event((3, 4), "clear", count=1),
        event((5, 6), "get", "s1", absent="none"),
    ]
    finding = judged(entries, close_hook=True).finding
    assert finding is not None
    assert finding.property == "resources.closed-once"


def test_whose_closing_it_was_is_left_open_where_an_id_is_made_anew_beside_its_end() -> None:
    entries: list[Entry] = [
        event((1, 2), "create", "s1", id="s1"),
        event((3, 8), "create", "s1", id="s1"),
        closed(5, "s1"),
        closed(6, "s1"),
        event((4, 7), "clear", count=1),
        event((9, 10), "get", "s1", absent="none"),
    ]
    after = judged(entries, close_hook=True, existing="replace")
    assert after.legal
    assert hooked("s1") in after.closings.unclear


def test_an_id_made_anew_after_its_end_is_judged_again() -> None:
    first: list[Entry] = [
        event((1, 2), "create", "s1", id="s1"),
        event((3, 8), "create", "s1", id="s1"),
        event((4, 7), "clear", count=1),
        event((9, 10), "delete", "s1", absent="none"),
        event((11, 12), "create", "s1", id="s1"),
        event((13, 14), "delete", "s1"),
    ]
    assert not judged(first, close_hook=True, existing="replace").legal
    assert judged([*first, closed(15, "s1")], close_hook=True, existing="replace").legal


def test_a_clock_set_forward_gives_the_cleaner_no_time() -> None:
    def story(waited_us: int) -> Examination:
        model = Model(policy=policy(idle_timeout=3_600, expired="stale", sweep_interval=60), background=True)
        made = event((1, 2), "create", id="s1")
        seen = event((3, 4), "get", "s1", data=FrozenMap({}))
        jumped = replace(seen, called=Stamp(HOUR_US * 30, 0), returned=Stamp(HOUR_US * 30, 0))
        later = Stamp(HOUR_US * 30 + waited_us, waited_us)
        last = replace(seen, called=later, returned=later, call_order=5, return_order=6)
        return judge(history([made, jumped, last]), model)

    assert story(60_000_000).legal
    finding = story(60_000_001).finding
    assert finding is not None
    assert finding.property == "sweep.background"


def test_creates_far_from_the_limit_do_not_exercise_it() -> None:
    entries = [event((1, 3), "create", id="s1"), event((2, 4), "create", id="s2")]
    assert "concurrency.limit" in judged(entries, limit=1, at_limit="evict-any").exercised
    assert "concurrency.limit" not in judged(entries, limit=9).exercised
