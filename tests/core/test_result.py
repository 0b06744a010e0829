"""What a run left behind: verdicts, exit statuses, properties, messages, JSON."""

from __future__ import annotations

import itertools
import json
from typing import Any

import jsonschema
import pytest

from pytest_sessionguard.core import result as results
from pytest_sessionguard.core.result import CaseResult, Row, ViolationFound, exit_status, merge_cases, to_json, verdict


def a_case(status: str = "held", **more: Any) -> CaseResult:
    return CaseResult(title="a story", path="a.session.yaml", line=1, status=status, **more)


def a_violation(**more: Any) -> ViolationFound:
    return ViolationFound(property="expiry.idle", summary="it lives", **more)


def a_row(number: int = 0, **more: Any) -> Row:
    return Row(client="A", operation=f"get(s{number})", called_us=number, returned_us=number, answer="ok", **more)


# -- the verdict ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("statuses", [*itertools.product(results.CASE_STATUSES, repeat=2), ()])
def test_the_worst_case_decides_and_skipped_ones_count_for_nothing(statuses: tuple[str, ...]) -> None:
    found = verdict(a_case(status) for status in statuses)
    if "error" in statuses:
        assert found == "error"
    elif "violated" in statuses:
        assert found == "violated"
    elif "unproven" in statuses or "held" not in statuses:
        assert found == "unproven"
    else:
        assert found == "held"


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (["held", "skipped"], 0),
        (["held", "violated", "unproven"], 1),
        (["held", "unproven"], 3),
        (["skipped", "skipped"], 3),
        ([], 3),
        (["violated", "error"], 4),
    ],
)
def test_exit_status_tells_whose_fault_it_was(statuses: list[str], expected: int) -> None:
    assert exit_status(merge_cases([a_case(status) for status in statuses], target="t")) == expected


def test_an_interrupted_run_has_held_nothing_but_may_have_found_something() -> None:
    assert exit_status(merge_cases([a_case()], target="t", interrupted=True)) == 3
    assert exit_status(merge_cases([a_case("violated")], target="t", interrupted=True)) == 1


def test_a_case_cannot_have_a_status_of_its_own_invention() -> None:
    with pytest.raises(ValueError, match="not 'fine'"):
        a_case("fine")


# -- properties -----------------------------------------------------------------------------------------------------


def properties_of(*cases: CaseResult, claimed: tuple[str, ...] = ("x",), known: tuple[str, ...] = ()) -> dict[str, Any]:
    return {one.name: one for one in results.property_results(cases, claimed=claimed, known=known)}


def test_a_property_is_held_when_a_case_has_judged_it_and_none_violated_it() -> None:
    found = properties_of(a_case(exercised={"x": 2}), a_case(exercised={"x": 1}), a_case())["x"]
    assert (found.status, found.cases) == ("held", 2)


def test_a_claimed_property_that_no_case_exercised_is_unproven_with_the_reason() -> None:
    found = properties_of(a_case(), a_case(exercised={"x": 0}))["x"]
    assert (found.status, found.cases, found.reason) == ("unproven", 0, "no case exercised it")


def test_a_case_that_broke_off_on_a_fault_of_the_harness_proves_nothing() -> None:
    assert properties_of(a_case("error", exercised={"x": 3}))["x"].status == "unproven"


def test_a_property_that_one_case_could_not_judge_is_unproven_whatever_others_say() -> None:
    found = properties_of(a_case(exercised={"x": 1}), a_case("unproven", unjudged={"x": "no list"}))["x"]
    assert (found.status, found.reason) == ("unproven", "no list")


def test_one_violation_outweighs_every_other_case() -> None:
    broken = a_case("violated", violations=(a_violation(),))
    found = properties_of(a_case(exercised={"expiry.idle": 5}), broken, claimed=())
    assert found["expiry.idle"].status == "violated"


def test_a_known_property_that_is_not_claimed_does_not_apply() -> None:
    found = properties_of(a_case(exercised={"y": 1}), claimed=("x",), known=("y", "x"))
    assert list(found) == ["y", "x"]
    assert found["y"].status == "not-applicable"


# -- merging --------------------------------------------------------------------------------------------------------


def test_merging_adds_virtual_time_and_keeps_each_warning_once() -> None:
    cases = [a_case(virtual_us=5, warnings=("w",)), a_case(virtual_us=7, warnings=("w", "v"))]
    merged = merge_cases(cases, target="t", warnings=["w"])
    assert (merged.virtual_us, merged.warnings, merged.count("held")) == (12, ("w", "v"), 2)


def test_a_case_is_named_with_its_cell() -> None:
    assert a_case(cell="early=1s").name == "a story [early=1s]"
    assert a_case().name == "a story"


def test_counts_leave_out_what_was_never_judged() -> None:
    assert dict(results.counts({"b": 1, "a": 0})) == {"b": 1}


def test_a_run_has_each_violation_once_and_every_case_of_it() -> None:
    cases = [a_case("violated", cell=cell, violations=(a_violation(),)) for cell in ("n=1", "n=2", "n=3")]
    told = to_json(merge_cases(cases, target="t"))
    (found,) = told["violations"]
    assert found["also"] == [{"scenario": "a story", "cell": "n=2"}, {"scenario": "a story", "cell": "n=3"}]
    assert [case["violations"] for case in told["scenarios"]] == [1, 1, 1]
    jsonschema.validate(told, results.result_schema())


# -- JSON -----------------------------------------------------------------------------------------------------------


def test_json_of_every_kind_of_case_fits_the_published_schema() -> None:
    cases = [a_case(status) for status in results.CASE_STATUSES]
    cases.append(a_case("violated", violations=(a_violation(operations=(a_row(),), undeclared="ids"),)))
    cases.append(a_case("unproven", cell="a=1", exercised={"x": 1}, unjudged={"y": "why"}, virtual_us=1_500_000))
    told = to_json(merge_cases(cases, target="t", seed=7, claimed=("x", "y"), known=("z",), duration_s=0.25))
    schema = results.result_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(json.dumps(told)), schema)
    assert told["cases"] == 6  # skipped ones were not run
    assert told["verdict"] == "error"
    assert told["virtual_s"] == 1.5
    assert {one["name"]: one["status"] for one in told["properties"]} == {
        "z": "not-applicable", "x": "held", "y": "unproven", "expiry.idle": "violated",
    }  # fmt: skip


@pytest.mark.parametrize("key", ["version", "target", "seed", "verdict", "duration_s", "cases", "properties",
                                 "violations", "nondeterministic", "scenarios"])  # fmt: skip
def test_the_schema_requires_every_key_of_a_result(key: str) -> None:
    told = to_json(merge_cases([a_case()], target="t"))
    del told[key]
    with pytest.raises(jsonschema.ValidationError, match=key):
        jsonschema.validate(told, results.result_schema())
