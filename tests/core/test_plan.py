"""Cases out of scenarios, and what they need of a target."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sessionguard.core import plan
from pytest_sessionguard.core.operations import VERBS
from pytest_sessionguard.core.policy import Policy, policy
from pytest_sessionguard.core.scenario import (
    AnyStep,
    Count,
    Eventually,
    Parallel,
    Place,
    Repeat,
    Scenario,
    Span,
    Step,
    Variable,
)
from pytest_sessionguard.core.values import FrozenMap

HERE = Place("a.session.yaml", 1, 1)
ALL = frozenset(VERBS)


def a_step(verb: str, **arguments: Any) -> Step:
    return Step(verb=verb, arguments=FrozenMap(arguments), place=HERE)


def a_story(*steps: AnyStep, **more: Any) -> Scenario:
    return Scenario(title="A story", path="a.session.yaml", place=HERE, steps=steps, **more)


def unmet(
    story: Scenario,
    written: Policy | None = None,
    *,
    operations: frozenset[str] = ALL,
    callers: str = "one",
    adjustable: frozenset[str] = frozenset(),
) -> tuple[str, ...]:
    return plan.unmet(plan.cells(story)[0], written or policy(), operations, callers, adjustable)


def test_a_story_without_a_matrix_is_one_case_without_a_name() -> None:
    (only,) = plan.cells(a_story(a_step("sweep")))
    assert (only.name, only.title, only.cell) == ("", "A story", FrozenMap({}))


def test_a_matrix_gives_every_combination_the_last_variable_turning_fastest() -> None:
    matrix = FrozenMap({"early": ("1s", "1ms"), "on": (True, None), "d": (FrozenMap({"a": 1}),)})
    assert [case.name for case in plan.cells(a_story(matrix=matrix))] == [
        "early=1s,on=true,d={a: 1}",
        "early=1s,on=null,d={a: 1}",
        "early=1ms,on=true,d={a: 1}",
        "early=1ms,on=null,d={a: 1}",
    ]
    assert plan.cells(a_story(matrix=matrix))[0].title == "A story [early=1s,on=true,d={a: 1}]"


@given(st.lists(st.integers(min_value=1, max_value=4), max_size=4))
def test_the_cases_are_as_many_as_the_product_of_the_values_and_all_differ(sizes: list[int]) -> None:
    matrix = FrozenMap({f"v{index}": tuple(range(size)) for index, size in enumerate(sizes)})
    cells = plan.cells(a_story(matrix=matrix))
    expected = 1
    for size in sizes:
        expected *= size
    assert len({case.cell for case in cells}) == len({case.name for case in cells}) == len(cells) == expected


def test_the_matrix_stands_over_the_policy_and_durations_are_text() -> None:
    story = a_story(matrix=FrozenMap({"limit": (7,)}), figures=FrozenMap({"idle_timeout": 60_000_000}))
    (case,) = plan.cells(story)
    found = plan.variables(case, policy(idle_timeout="30m", limit=3, history_limit=9))
    assert found == {"idle_timeout": "1m", "limit": 7, "history_limit": 9}


def test_figures_are_filled_from_the_matrix_and_become_the_policy() -> None:
    story = a_story(
        matrix=FrozenMap({"n": (1, 3), "t": ("5s",)}),
        figures=FrozenMap({"limit": Count(Variable("n")), "idle_timeout": Span(Variable("t"))}),
    )
    effective = plan.effective(plan.cells(story)[1], policy(limit=5, at_limit="false"))
    assert (effective.limit, effective.idle_timeout, effective.at_limit) == (3, 5_000_000, "false")
    assert effective.written == {"limit", "idle_timeout", "at_limit"}


def test_a_story_that_asks_for_nothing_special_can_run() -> None:
    assert unmet(a_story(a_step("create", **{"as": "a"}), a_step("expect", session="a", alive=True))) == ()


@pytest.mark.parametrize(
    ("step", "missing"),
    [
        (a_step("rotate", session="a"), "operation rotate"),
        (a_step("expect", session="a", data=1), "an operation that tells data: get"),
        (a_step("expect", count=1), "an operation that tells count: count or list"),
        (a_step("expect", session="a", expires_in_us=1), "an operation that tells expires_in: ttl"),
        (a_step("advance", to_timeout_of="a"), "policy key idle_timeout or absolute_timeout"),
        (a_step("touch", session=Variable("limit")), "policy key limit"),
        (Repeat(times=Count(Variable("history_limit")), counter="", steps=(), place=HERE), "policy key history_limit"),
        (a_step("expect", resource="r", closed=True), "policy key resource"),
        (
            Eventually(
                within_us=Span(Variable("sweep_interval")), every_us=1, expect=a_step("expect", closed=1), place=HERE
            ),
            "policy key sweep_interval",
        ),
        (
            Parallel(branches=((), ()), place=HERE, label=Variable("idle_timeout")),
            "callers at once (the profile says callers = one)",
        ),
    ],
)
def test_what_a_step_needs_and_the_target_lacks_is_named(step: AnyStep, missing: str) -> None:
    assert missing in unmet(a_story(step), operations=frozenset({"create", "touch"}))
    assert (
        unmet(
            a_story(step),
            policy(idle_timeout="1m", limit=3, resource="close()", history_limit=2, sweep_interval="1m"),
            operations=ALL,
            callers="tasks",
        )
        == ()
    )


def test_a_session_s_own_timeout_needs_the_policy_to_know_of_them() -> None:
    story = a_story(a_step("create", timeout_us=5, **{"as": "a"}), a_step("advance", to_timeout_of="a"))
    assert unmet(story) == ("policy key per_session_timeout",)
    assert unmet(story, policy(per_session_timeout=True)) == ()


def test_a_figure_that_cannot_be_handed_over_must_be_the_policy_s_already() -> None:
    story = a_story(figures=FrozenMap({"limit": 3, "idle_timeout": 60_000_000}))
    assert unmet(story, policy(limit=5)) == (
        "limit = 3: the profile says limit = 5 and hands over no {limit}",
        "idle_timeout = 1m: the profile says idle_timeout (not written) and hands over no {idle_timeout}",
    )
    assert unmet(story, policy(limit=3, idle_timeout="1m")) == ()
    assert unmet(story, policy(limit=5), adjustable=frozenset({"limit", "idle_timeout"})) == ()


def test_a_figure_wished_for_is_promised_then() -> None:
    story = a_story(
        a_step("touch", session=Variable("limit")), figures=FrozenMap({"limit": 3}), requires=("limit=3", "limit")
    )
    assert unmet(story, adjustable=frozenset({"limit"})) == ()


def test_what_is_required_by_name_is_named_when_it_is_missing_and_only_once() -> None:
    story = a_story(a_step("touch", session="a"), requires=("touch", "at_limit=false", "idle_timeout", "callers"))
    assert unmet(story, operations=frozenset()) == (
        "operation touch",
        'at_limit=false (the profile says at_limit = "error" (the default))',
        "policy key idle_timeout",
        "callers (the profile says callers = one)",
    )
