"""Histories: in order, and never one that could not have been recorded."""

from __future__ import annotations

import pytest

from pytest_sessionguard.core.history import NOTE_KINDS, Event, Note, Stamp, history, order_of
from pytest_sessionguard.core.operations import Answer, Ok, Operation


def an_event(call: int, back: int, *, called: int = 0, returned: int | None = None) -> Event:
    end = called if returned is None else returned
    return Event(
        client="A",
        operation=Operation(verb="get", id="s1"),
        outcome=Ok(Answer()),
        called=Stamp(called, called),
        returned=Stamp(end, end),
        call_order=call,
        return_order=back,
    )


def a_note(order: int, *, kind: str = "closed", at: int = 0) -> Note:
    return Note(kind=kind, at=Stamp(at, at), order=order)


def test_entries_are_kept_in_the_order_in_which_they_were_over() -> None:
    late, early, note = an_event(0, 5), an_event(1, 2), a_note(3)
    made = history([late, early, note])
    assert [order_of(entry) for entry in made.entries] == [2, 3, 5]
    assert made.events == (early, late)


def test_operations_overlap_when_neither_was_over_before_the_other_began() -> None:
    first, second, third = an_event(0, 3), an_event(2, 5), an_event(4, 6)
    assert first.overlaps(second)
    assert second.overlaps(first)
    assert second.overlaps(third)
    assert not first.overlaps(third)
    assert not third.overlaps(first)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([an_event(3, 2)], "returned .number 2. before it was called"),
        ([an_event(2, 2)], "carry the number 2"),
        ([an_event(0, 2), an_event(1, 2)], "carry the number 2"),
        ([an_event(0, 1), a_note(1)], "carry the number 1"),
        ([an_event(0, 1, called=5, returned=4)], "ran backwards during"),
        ([an_event(0, 1, called=5), an_event(2, 3, called=4)], "ran backwards before entry 3"),
        ([an_event(0, 1, called=5), a_note(2, at=4)], "ran backwards before entry 2"),
        ([a_note(1, kind="rumour")], "unknown kind of note 'rumour', did you mean|unknown kind of note 'rumour'"),
    ],
)
def test_a_history_that_cannot_have_been_recorded_is_refused(entries: list[Event | Note], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        history(entries)


def test_a_restart_starts_the_monotonic_clock_anew() -> None:
    made = history([an_event(0, 1, called=50), a_note(2, kind="restarted", at=0), an_event(3, 4, called=3)])
    assert len(made.entries) == 3


@pytest.mark.parametrize("kind", NOTE_KINDS)
def test_every_kind_of_note_is_taken(kind: str) -> None:
    assert history([a_note(1, kind=kind)]).events == ()


def test_the_wall_clock_may_be_set_back() -> None:
    back = Event(
        client="A",
        operation=Operation(verb="get", id="s1"),
        outcome=Ok(Answer()),
        called=Stamp(-100, 6),
        returned=Stamp(-99, 7),
        call_order=2,
        return_order=3,
    )
    assert history([an_event(0, 1, called=5), back]).events[-1] is back
