"""What a reader is told of a result."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pytest_sessionguard.core.result import CaseResult, ViolationFound, merge_cases
from pytest_sessionguard.core.values import FrozenMap
from pytest_sessionguard.reports import plain_text


def a_case(status: str = "held", **rest: Any) -> CaseResult:
    return CaseResult(**{"title": "A story", "status": status, **rest})


def counted(**exercised: int) -> Any:
    return FrozenMap({name.replace("_", "."): times for name, times in exercised.items()})


@pytest.mark.parametrize(
    ("span_us", "told"),
    [
        (0, "0 s"),
        (1, "0.000001 s"),
        (1_500_000, "1.5 s"),
        (59_999_999, "59.999999 s"),
        (60_000_000, "1 min 0 s"),
        (3_599_000_000, "59 min 59 s"),
        (3_600_000_000, "1 h 0 min"),
        (7_980_000_000, "2 h 13 min"),
        (4_000 * 3_600_000_000, "4,000 h 0 min"),
    ],
)
def test_a_span_is_told_as_a_person_says_it(span_us: int, told: str) -> None:
    assert plain_text.span(span_us) == told


def test_a_held_case_tells_its_name_and_virtual_time() -> None:
    line = plain_text.case_line(a_case(cell="early=1s", virtual_us=3_600_000_000))
    assert line == "held      A story [early=1s]  (1 h 0 min)"


@pytest.mark.parametrize("status", ["skipped", "unproven"])
def test_a_case_that_proved_nothing_tells_why(status: str) -> None:
    assert plain_text.case_line(a_case(status, reason="operation rotate")) == f"{status:<8}  A story: operation rotate"


def test_colour_paints_the_status_alone() -> None:
    line = plain_text.case_line(a_case("violated"), paint=lambda text, colour: f"<{colour}>{text}</>")
    assert line == "<red>VIOLATED</>  A story"


def test_violations_are_numbered_and_told_in_full() -> None:
    one = ViolationFound(property="limit.enforced", summary="four sessions, where three are allowed", given="ok")
    other = replace(one, given="done")
    result = merge_cases([a_case("violated", violations=(one, other))], target="shop")
    first, second = plain_text.violations(result)
    assert first == "--- violation 1 of 2 ---\n" + one.message
    assert second.startswith("--- violation 2 of 2 ---\nlimit.enforced violated: four sessions")


def test_a_violation_that_many_stories_show_is_told_once_with_their_names() -> None:
    found = ViolationFound(property="limit.enforced", summary="too many", given="ok")
    cases = [a_case("violated", title=f"T{n}", cell="n=1" * (n == 1), violations=(found,)) for n in range(6)]
    (told,) = plain_text.violations(merge_cases(cases, target="shop"))
    assert told == f"--- violation 1 of 1 ---\n{found.message}\n\n  the same in 5 more: T1 [n=1]; T2; T3; and 2 more"


def test_a_fault_of_ours_is_told_once_with_its_traceback_and_not_blamed_on_the_target() -> None:
    cases = [a_case("error", title=f"T{number}", reason=f"File {number}\nKeyError: 1\n") for number in range(10)]
    first, second = plain_text.errors(merge_cases([*cases, a_case("error", reason="OSError: 2")], target="shop"))
    names = "T0; T1; T2; T3; T4; T5; T6; T7; and 2 more"
    head = f"--- a fault of sessionguard, not of the target, broke off {names} ---"
    assert first == f"{head}\nFile 0\nKeyError: 1"
    assert second.endswith("broke off A story ---\nOSError: 2")


def test_the_summary_counts_names_and_explains() -> None:
    cases = [
        a_case(virtual_us=7_980_000_000, exercised=counted(expiry_idle=2)),
        a_case("skipped", title="B", reason="operation rotate"),
        a_case("skipped", title="C", reason="operation rotate"),
        a_case("unproven", reason="nothing was judged", unjudged=FrozenMap({"limit.enforced": "never at the limit"})),
    ]
    claimed = ["expiry.idle", "limit.enforced"]
    result = merge_cases(cases, target="shop", claimed=claimed, duration_s=0.84, warnings=["odd"])
    assert plain_text.summary(result).splitlines() == [
        "skipped    2, for want of: operation rotate (2)",
        "exercised  expiry.idle 1",
        "unproven   limit.enforced",
        "warning    odd",
        "unproven: 1 unproven, 1 held, 2 skipped on shop; virtual 2 h 13 min in 0.8 s",
    ]


def test_the_summary_of_a_violated_run_names_the_property() -> None:
    found = ViolationFound(property="limit.enforced", summary="too many")
    result = merge_cases([a_case("violated", violations=(found,))], target="shop", interrupted=True)
    told = plain_text.summary(result)
    assert "violated   limit.enforced" in told
    assert "violated: interrupted: 1 violated on shop" in told


def test_a_long_account_is_wrapped_under_its_word() -> None:
    cases = [a_case(exercised=FrozenMap({f"lifecycle.number-{number}": 1 for number in range(10)}))]
    lines = plain_text.properties(merge_cases(cases, target="shop", claimed=cases[0].exercised))
    assert len(lines) == 3
    assert lines[0].startswith("exercised  lifecycle.number-0 1, ")
    assert all(line.startswith(" " * 11 + "lifecycle") for line in lines[1:])
    assert max(map(len, lines)) <= plain_text.WIDTH


def test_no_line_ends_between_a_property_and_its_number() -> None:
    for length in range(1, 60):
        names = {f"lifecycle.{'x' * length}{number}": 1 for number in range(9)}
        cases = [a_case(exercised=FrozenMap(names))] * 11
        for line in plain_text.properties(merge_cases(cases, target="shop", claimed=names)):
            assert all(entry.endswith(" 11") for entry in line.rstrip(",").split(", ")), line


def test_what_no_story_can_reach_is_counted_and_not_named() -> None:
    claimed = ["expiry.idle", "fault.atomic", "cancel.atomic"]
    result = merge_cases([a_case()], target="shop", claimed=claimed)
    assert plain_text.properties(result) == ["unproven   expiry.idle, 2 more need search"]
    assert [item.name for item in result.properties] == claimed
    assert plain_text.properties(merge_cases([a_case()], target="shop", claimed=claimed[1:])) == [
        "unproven   2 more need search"
    ]


def test_where_everything_was_skipped_the_reader_is_told_what_to_do() -> None:
    skipped = a_case("skipped", reason="needs operation rotate")
    told = plain_text.summary(merge_cases([skipped], target="shop"))
    assert "none ran   the profile has not what any of these cases needs" in told
    assert "none ran" not in plain_text.summary(merge_cases([skipped, a_case()], target="shop"))
    assert "none ran" not in plain_text.summary(merge_cases([], target="shop"))


def test_violations_that_did_not_repeat_are_told_apart() -> None:
    result = replace(merge_cases([a_case()], target="shop"), nondeterministic=("a trace",))
    assert "uncertain  a trace" in plain_text.summary(result)


def test_skipped_cases_are_counted_by_each_thing_that_they_need() -> None:
    reasons = (
        "needs operation touch; operation sweep",
        'needs operation sweep; at_limit=error|false (the profile says at_limit = "evict-any")',
        "needs limit = 2: the profile says limit (not written) and hands over no {limit}; operation sweep",
    )
    result = merge_cases(
        [a_case("skipped", title=reason, reason=reason) for reason in reasons], target="shop", claimed=(), known={}
    )
    told = (
        "skipped    3, for want of: operation sweep (3), operation touch (1), at_limit=error|false (1), limit = 2 (1)"
    )
    assert plain_text.skips(result) == [told]
