"""A result reads back from its JSON, and shards come together without anything being made up."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from pytest_sessionguard.core.result import CaseResult, PropertyResult, Result, counts, to_json
from pytest_sessionguard.core.shards import merged, read
from pytest_sessionguard.core.violation import Row, ViolationFound
from pytest_sessionguard.errors import UsageError

ROW = Row(client="A", operation="get(s1)", called_us=1, returned_us=5, answer="ok", remark="wrong")
FOUND = ViolationFound(
    property="limit.enforced", summary="too many", operations=(ROW,), expected=("a", "b"), given="c", schedule="ABBA",
    switch="A stopped", undeclared="limit", undeclared_value="limit = 3", also=(("A story", "early=1s"),),
    policy_lines=("limit = 2",), path="a.yaml", line=3, column=5, output="log", replay="sessionguard run a.yaml",
)  # fmt: skip
CASE = CaseResult(
    title="A story", status="violated", runs=7, steps=3, exercised=counts({"limit.enforced": 2}), virtual_us=9
)
RESULT = Result(
    target="shop.toml",
    seed=7,
    cases=(CASE, CaseResult(title="Another", status="skipped", reason="needs touch")),
    verdict="violated",
    properties=(
        PropertyResult(name="limit.enforced", status="violated", cases=1),
        PropertyResult(name="expiry.idle", status="held", cases=3),
    ),
    violations=(FOUND,),
    nondeterministic=("odd",),
    duration_s=1.5,
    virtual_us=9_000_000,
    warnings=("w",),
)


def as_read(result: Result) -> Any:
    return json.loads(json.dumps(to_json(result)))


def test_a_result_reads_back_as_it_was_told() -> None:
    again = read(as_read(RESULT))
    assert to_json(again) == to_json(RESULT)
    assert again.violations == RESULT.violations


@pytest.mark.parametrize(
    ("told", "fault"),
    [
        ([], "is no result of sessionguard"),
        ({"verdict": "held"}, "is no result of sessionguard"),
        ({**as_read(RESULT), "version": 2}, "has version 2: this sessionguard reads version 1"),
        ({**as_read(RESULT), "violations": [{}]}, "is damaged: KeyError"),
        ({**as_read(RESULT), "scenarios": 5}, "is damaged: TypeError"),
    ],
)
def test_what_is_no_result_is_refused(told: Any, fault: str) -> None:
    with pytest.raises(UsageError, match=f"x.json {fault}"):
        read(told, source="x.json")


def test_shards_add_up_and_the_worst_is_what_is_said() -> None:
    held = replace(
        RESULT,
        verdict="held",
        violations=(),
        nondeterministic=(),
        properties=(
            PropertyResult(name="limit.enforced", status="held", cases=4),
            PropertyResult(name="expiry.idle", status="unproven", reason="no case"),
            PropertyResult(name="sweep.complete", status="not-applicable"),
        ),
        ran=10,
    )
    both = merged([held, RESULT, RESULT])
    assert (both.verdict, both.ran, both.duration_s, both.virtual_us) == ("violated", 12, 4.5, 27_000_000)
    assert [(item.name, item.status, item.cases, item.reason) for item in both.properties] == [
        ("limit.enforced", "violated", 6, ""),
        ("expiry.idle", "unproven", 6, "no case"),
        ("sweep.complete", "not-applicable", 0, ""),
    ]
    assert both.violations == (FOUND,)
    assert (both.nondeterministic, both.warnings, len(both.cases)) == (("odd",), ("w",), 6)


def test_two_bugs_of_two_shards_are_both_told() -> None:
    other = replace(FOUND, given="d")
    assert merged([RESULT, replace(RESULT, violations=(other,))]).violations == (FOUND, other)


def test_shards_of_two_targets_are_no_shards() -> None:
    with pytest.raises(UsageError, match=r"these are of 2: shop\.toml, other\.toml"):
        merged([RESULT, replace(RESULT, target="other.toml")])
