"""Histories as JSON Lines, in and out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pytest_sessionguard.core import recorded
from pytest_sessionguard.core.history import Event, Stamp, history
from pytest_sessionguard.core.operations import Answer, Failed, Ok, Operation, Outcome, Refused, Unknown
from pytest_sessionguard.core.values import freeze
from pytest_sessionguard.errors import UsageError


def an_event(number: int, operation: Operation, outcome: Outcome) -> Event:
    at = Stamp(wall_us=1_000_000 + number, mono_us=number)
    return Event(
        client="A",
        operation=operation,
        outcome=outcome,
        called=at,
        returned=at,
        call_order=2 * number + 1,
        return_order=2 * number + 2,
    )


def line(**told: Any) -> str:
    return json.dumps({"process": 0, **told})


def test_a_history_reads_back_as_it_was_written() -> None:
    outcomes: list[Outcome] = [
        Ok(Answer(id="s1", data=freeze({"items": [1, 2]}))),
        Refused(frozenset({"limit"}), "Full()"),
        Failed("KeyError('x')"),
        Unknown("cut off"),
    ]
    told = history(
        an_event(n, Operation(verb="create", owner="ann", timeout_us=None), outcome)
        for n, outcome in enumerate(outcomes)
    )
    again = recorded.read(recorded.write(told))
    assert [event.outcome for event in again.events] == outcomes
    assert [event.operation for event in again.events] == [event.operation for event in told.events]
    assert [(event.called, event.returned) for event in again.events] == [(e.called, e.returned) for e in told.events]


def test_what_json_cannot_hold_is_refused_by_name() -> None:
    told = history([an_event(0, Operation(verb="get", id=b"raw"), Ok(Answer()))])
    with pytest.raises(ValueError, match="get of A cannot be written as JSON"):
        list(recorded.write(told))


def test_a_call_without_an_answer_is_unknown_and_comes_last() -> None:
    told = recorded.read([line(type="invoke", f="create"), line(process=1, type="invoke", f="count"),
                          line(process=1, type="ok", f="count", value={"count": 1})])  # fmt: skip
    assert [event.operation.verb for event in told.events] == ["count", "create"]
    assert isinstance(told.events[-1].outcome, Unknown)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["{"], "h:1:1: not JSON"),
        (["[]"], "h:1:1: expected an object"),
        ([json.dumps({"type": "ok", "f": "get"})], "lacks 'process'"),
        ([line(type="okay", f="get")], "unknown type 'okay', did you mean 'ok'"),
        ([line(type="ok", f="get")], "has no open call"),
        ([line(type="invoke", f="get")] * 2, "while its call of line 1 is open"),
        ([line(type="invoke", f="get"), line(type="ok", f="touch")], "answers 'touch', but line 1 calls 'get'"),
        ([line(type="invoke", f="gett")], "unknown operation 'gett', did you mean 'get'"),
        ([line(type="invoke", f="get", value={"idd": 1})], "get: unknown 'idd', did you mean 'id'"),
        ([line(type="invoke", f="get", value=3)], "value must be an object"),
        ([line(type="invoke", f="get"), line(type="fail", f="get")], "expected {\"refused\": [kinds]}"),
        ([line(type="invoke", f="get", time=0.5)], "whole nanoseconds"),
        ([line(type="invoke", f=3)], "f a text"),
        ([line(type="invoke", f="get", time=9000), line(type="ok", f="get", time=0)], "returned.*before|backwards"),
    ],
)  # fmt: skip
def test_a_line_that_is_wrong_is_told_with_its_place(lines: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said.replace("[kinds]", r"\[kinds\]").replace("{", r"\{")):
        recorded.read(lines, "h")


def test_every_line_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(UsageError) as found:
        recorded.read(["{", line(type="invoke", f="nope"), "", "3"], "h")
    assert [fault.line for fault in found.value.faults] == [1, 2, 4]


def test_calls_on_objects_keep_what_was_seen_of_them() -> None:
    told = recorded.read_objects(
        [
            line(process="nemesis", type="info", f="partition"),
            line(type="invoke", f="write", key="x", value=1),
            line(process=1, type="invoke", f="read", key="x"),
            line(process=1, type="ok", f="read", key="x", value=1),
            line(process=1, type="invoke", f="cas", key="x", value=[1, 2]),
            line(process=1, type="fail", f="cas", key="x"),
            line(process=2, type="invoke", f="read", key="x"),
            line(process=2, type="fail", f="read", key="x"),
            line(process=2, type="invoke", f="append", key="y", value="a"),
            line(process=2, type="fail", f="append", key="y"),
            line(type="info", f="write"),
        ]
    )
    assert [(one.call, one.returned is None) for one in told] == [
        (("write", 1), True),
        (("read", 1), False),
        (("cas", 1, 2, False), False),
    ]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [("cas", 3, "old, new"), ("append", 3, "must be a text"), ("jump", 3, "unknown f 'jump'")],
)
def test_a_call_that_no_object_knows_is_told_with_its_place(name: str, value: Any, said: str) -> None:
    with pytest.raises(UsageError, match=f"h:1:1: .*{said}"):
        recorded.read_objects([line(type="invoke", f=name, value=value)], "h")
