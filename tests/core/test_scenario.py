"""Scenarios as values: what is open is filled, what does not fit is refused, what is shown reads like the file."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sessionguard.core import scenario
from pytest_sessionguard.core.scenario import (
    Count,
    Eventually,
    Instant,
    Parallel,
    Place,
    RawId,
    Repeat,
    Scenario,
    Span,
    Step,
    Text,
    Variable,
)
from pytest_sessionguard.core.values import FrozenMap
from pytest_sessionguard.errors import HarnessError, UsageError

HERE = Place("cart.session.yaml", 7, 5)


def a_step(verb: str, **more: Any) -> Step:
    arguments = more.pop("arguments", {})
    return Step(verb=verb, arguments=FrozenMap(arguments), place=HERE, **more)


def test_a_place_is_shown_as_editors_know_it() -> None:
    assert str(HERE) == "cart.session.yaml:7:5"


@pytest.mark.parametrize(
    ("value", "filled"),
    [
        (Variable("n"), 3),
        (Variable("none"), None),
        (Text(("s", Variable("n"))), "s3"),
        (Span(Variable("span")), 1_500_000),
        (Span(Text((Variable("n"), "ms"))), 3000),
        (Count(Variable("n")), 3),
        (Instant(Variable("at")), 1),
        (RawId(Variable("word")), RawId("w")),
        (FrozenMap({Variable("word"): (Variable("n"), "$")}), FrozenMap({"w": (3, "$")})),
        ((Variable("n"), (Variable("word"),)), (3, ("w",))),
        ("plain", "plain"),
        (5, 5),
    ],
)
def test_a_variable_gives_way_to_its_value_wherever_it_stands(value: Any, filled: Any) -> None:
    variables = {"n": 3, "none": None, "span": "1s500ms", "word": "w", "at": "1970-01-01T00:00:00.000001Z"}
    assert scenario.substitute(value, variables) == filled


@pytest.mark.parametrize(
    ("value", "given"),
    [
        (Span(Variable("x")), "soon"),
        (Span(Variable("x")), None),
        (Span(Variable("x")), 5),
        (Span(Variable("x")), True),
        (Count(Variable("x")), "3"),
        (Count(Variable("x")), True),
        (Count(Variable("x")), -1),
        (Instant(Variable("x")), "tomorrow"),
        (Instant(Variable("x")), "2026-03-29T00:59:59"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_at_the_step(value: Any, given: Any) -> None:
    step = a_step("advance", arguments={"by_us": value})
    with pytest.raises(UsageError, match=r"^cart\.session\.yaml:7:5: advance: ") as caught:
        scenario.fill(step, {"x": given})
    assert (caught.value.faults[0].line, caught.value.faults[0].column) == (7, 5)


def test_a_variable_without_a_value_is_the_harness_s_fault() -> None:
    with pytest.raises(HarnessError, match="'x' has no value"):
        scenario.fill(a_step("touch", arguments={"session": Variable("x")}), {})


def test_filling_a_step_leaves_nothing_open() -> None:
    step = a_step(
        "update",
        arguments={"session": Text(("s", Variable("i"))), "set": FrozenMap({"n": Variable("i")})},
        answer=FrozenMap({"version": Variable("i")}),
        client=Variable("i"),
        label=Text(("round ", Variable("i"))),
    )
    filled = scenario.fill(step, {"i": 2})
    assert filled == a_step(
        "update",
        arguments={"session": "s2", "set": FrozenMap({"n": 2})},
        answer=FrozenMap({"version": 2}),
        client="2",
        label="round 2",
    )
    assert scenario.fill(filled, {}) == filled


def test_filling_a_block_leaves_the_steps_inside_for_their_own_turn() -> None:
    inner = a_step("touch", arguments={"session": Text(("s", Variable("i")))})
    repeat = Repeat(times=Count(Variable("limit")), counter="i", steps=(inner,), place=HERE, label=Variable("limit"))
    assert scenario.fill(repeat, {"limit": 3}) == Repeat(times=3, counter="i", steps=(inner,), place=HERE, label="3")
    parallel = Parallel(branches=((inner,), (inner,)), place=HERE)
    assert scenario.fill(parallel, {}) is parallel


def test_filling_eventually_fills_what_is_expected() -> None:
    expected = a_step("expect", arguments={"count": Count(Variable("n"))})
    step = Eventually(within_us=Span(Variable("t")), every_us=1, expect=expected, place=HERE)
    filled = scenario.fill(step, {"n": 2, "t": "1s"})
    assert filled == Eventually(
        within_us=1_000_000, every_us=1, expect=a_step("expect", arguments={"count": 2}), place=HERE
    )


def test_the_variables_of_a_value_are_told_in_order() -> None:
    value = (
        Text(("a", Variable("one"))),
        FrozenMap({Variable("two"): Span(Variable("three"))}),
        RawId(Variable("four")),
        Count(Variable("five")),
        7,
    )
    assert list(scenario.variables_of(value)) == ["one", "two", "three", "four", "five"]


def test_walking_meets_every_step_in_the_order_of_the_file() -> None:
    one, two, three, four = (a_step("touch", arguments={"session": name}) for name in "abcd")
    repeat = Repeat(times=2, counter="", steps=(two,), place=HERE)
    parallel = Parallel(branches=((one,), (repeat,)), place=HERE)
    eventually = Eventually(within_us=1, every_us=1, expect=three, place=HERE)
    story = Scenario(title="t", path="p", place=HERE, start=(parallel,), steps=(eventually,), finally_=(four,))
    assert list(story.all_steps) == [parallel, one, repeat, two, eventually, three, four]


@pytest.mark.parametrize(
    ("step", "shown"),
    [
        (a_step("touch", arguments={"session": "cart"}), "touch: cart"),
        (a_step("get", arguments={"session": RawId("x")}), "get: {id: 'x'}"),
        (a_step("advance", arguments={"by_us": 5_400_000_000}), "advance: 1h30m"),
        (a_step("advance", arguments={"by_us": Span(Variable("early"))}), "advance: $early"),
        (a_step("set_clock", arguments={"to_us": 0}), "set_clock: {to: 1970-01-01T00:00:00Z}"),
        (a_step("set_clock", arguments={"to_us": Instant(Variable("at"))}), "set_clock: {to: $at}"),
        (a_step("create", arguments={"as": "a", "timeout_us": None}), "create: {as: a, timeout: null}"),
        (
            a_step("expect", arguments={"session": "a", "alive": True, "data": FrozenMap({"n": ("x y", None)})}),
            "expect: {session: a, alive: true, data: {n: ['x y', null]}}",
        ),
        (a_step("get", arguments={"session": "a"}, refused=frozenset()), "get: a, refused: true"),
        (
            a_step("get", arguments={"session": "a"}, refused=frozenset({"missing", "expired"})),
            "get: a, refused: expired or missing",
        ),
        (
            a_step(
                "list",
                answer=FrozenMap({"ids": ("a", "b")}),
                capture=FrozenMap({"n": ("data", "items")}),
                client="B",
                label="who is there",
            ),
            "list: {}, answer: {ids: [a, b]}, capture: {n: data.items}, client: B  # who is there",
        ),
        (
            Repeat(times=Count(Variable("limit")), counter="i", steps=(a_step("sweep"),), place=HERE),
            "repeat: $limit times 1 step ($i)",
        ),
        (Repeat(times=2, counter="", steps=(a_step("sweep"),) * 2, place=HERE), "repeat: 2 times 2 steps"),
        (Parallel(branches=((a_step("sweep"),),) * 2, place=HERE), "parallel: 2 branches of 1, 1 steps"),
        (
            Eventually(within_us=1_000_000, every_us=1, expect=a_step("expect", arguments={"count": 1}), place=HERE),
            "eventually: within 1s, every 1us, expect: {count: 1}",
        ),
        (
            a_step("touch", client=Variable("who"), label=Text(("$", Variable("n")))),
            "touch: {}, client: $who  # '$$${n}'",
        ),
    ],
)
def test_a_step_is_shown_on_one_line_as_its_file_has_it(step: scenario.AnyStep, shown: str) -> None:
    assert scenario.show(step) == shown


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda deeper: st.lists(deeper).map(tuple)))
def test_what_holds_no_variable_is_left_as_it_is(value: Any) -> None:
    assert scenario.substitute(value, {}) == value
    assert list(scenario.variables_of(value)) == []


OFFSETS = st.integers(min_value=-1439, max_value=1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(timezones=OFFSETS))
def test_an_instant_is_read_to_the_microsecond_at_any_offset(at: Any) -> None:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    assert epoch + timedelta(microseconds=scenario.instant(at.isoformat())) == at
