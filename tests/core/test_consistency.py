"""Weaker promises: each example says which of them it keeps and which it breaks."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_sessionguard.core.consistency import GUARANTEES, sequential, session_guarantees
from pytest_sessionguard.core.orders import Told, by_object, explain_all
from pytest_sessionguard.core.specifications import REGISTER


def told(*rows: tuple[int, str, tuple[Any, ...]], lost: tuple[int, ...] = ()) -> list[Told]:
    """Return calls one after the other: client, object, call; those at the numbers of `lost` never returned."""
    return [
        Told(client=client, object=name, call=call, called=2 * n, returned=None if n in lost else 2 * n + 1)
        for n, (client, name, call) in enumerate(rows)
    ]


def test_a_read_of_an_old_value_is_sequential_but_not_linearizable() -> None:
    stale = told((1, "x", ("write", 1)), (2, "x", ("read", None)), (2, "x", ("read", 1)))
    assert sequential(stale, REGISTER).verdict == "legal"
    assert explain_all(by_object(stale), REGISTER).verdict == "illegal"


def test_a_client_that_goes_back_in_time_is_not_sequential() -> None:
    back = told((1, "x", ("write", 1)), (2, "x", ("read", 1)), (2, "x", ("read", None)))
    found = sequential(back, REGISTER)
    assert (found.verdict, found.stuck) == ("illegal", ("read", None))


def test_objects_that_are_sequential_apart_may_not_be_together() -> None:
    # The store buffer's example: both writes come first for their own client and last for the other.
    crossed = told((1, "x", ("write", 1)), (2, "y", ("write", 1)), (1, "y", ("read", None)), (2, "x", ("read", None)))
    assert sequential(crossed, REGISTER).verdict == "illegal"
    apart = [one for one in crossed if one.object == "x"]
    assert sequential(apart, REGISTER).verdict == "legal"


def test_a_call_that_never_returned_may_have_happened_or_not() -> None:
    for value in (None, 1):
        maybe = told((1, "x", ("write", 1)), (2, "x", ("read", value)), lost=(0,))
        assert sequential(maybe, REGISTER).verdict == "legal"


def test_a_search_that_runs_out_of_steps_is_undecided() -> None:
    many = told(*((client, "x", ("write", client)) for client in range(6)), (9, "x", ("read", 77)))
    assert sequential(many, REGISTER, steps_max=5).verdict == "undecided"


BROKEN = {
    "read-your-writes": [(1, "x", ("write", 1)), (1, "x", ("read", None))],
    "monotonic-reads": [
        (1, "x", ("write", 1)), (1, "x", ("write", 2)), (2, "x", ("read", 2)), (2, "x", ("read", 1)),
    ],
    "monotonic-writes": [
        (1, "x", ("write", 1)), (1, "y", ("write", 2)), (2, "y", ("read", 2)), (2, "x", ("read", None)),
    ],
    "writes-follow-reads": [
        (1, "x", ("write", 1)), (2, "x", ("read", 1)), (2, "y", ("write", 2)),
        (3, "y", ("read", 2)), (3, "x", ("read", None)),
    ],
}  # fmt: skip


@pytest.mark.parametrize("guarantee", GUARANTEES)
def test_each_guarantee_is_seen_broken_alone(guarantee: str) -> None:
    broken = session_guarantees(told(*BROKEN[guarantee]))
    assert [one.guarantee for one in broken] == [guarantee]
    assert guarantee in str(broken[0])


@pytest.mark.parametrize("guarantee", GUARANTEES)
def test_no_guarantee_is_broken_where_the_last_read_shows_the_newest(guarantee: str) -> None:
    rows = BROKEN[guarantee]
    client, name, _ = rows[-1]
    newest = [call for _, object_, call in rows if object_ == name and call[0] == "write"][-1]
    assert session_guarantees(told(*rows[:-1], (client, name, ("read", newest[1])))) == ()


def test_what_another_client_wrote_since_is_no_older_value() -> None:
    assert session_guarantees(told((1, "x", ("write", 1)), (2, "x", ("write", 2)), (1, "x", ("read", 2)))) == ()


def test_a_write_that_nobody_saw_return_need_not_be_read() -> None:
    assert session_guarantees(told((1, "x", ("write", 1)), (1, "x", ("read", None)), lost=(0,))) == ()


def test_values_that_were_written_twice_or_never_are_left_alone() -> None:
    twice = told((1, "x", ("write", 1)), (1, "x", ("write", 2)), (2, "x", ("write", 1)), (1, "x", ("read", 1)))
    assert session_guarantees(twice) == ()
    assert session_guarantees(told((1, "x", ("write", 1)), (1, "x", ("read", 99)))) == ()
