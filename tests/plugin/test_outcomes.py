"""A case crosses from a worker to the main process whole, and settles as its status has it."""

from __future__ import annotations

import json

import pytest

from pytest_sessionguard.core.result import CaseResult, Row, ViolationFound
from pytest_sessionguard.core.schedule import Schedule
from pytest_sessionguard.core.switches import Switch
from pytest_sessionguard.core.values import FrozenMap
from pytest_sessionguard.errors import HarnessError, Violation
from pytest_sessionguard.plugin import outcomes

ROW = Row(client="A", operation="get(s1)", called_us=0, returned_us=5, answer="ok", remark="wrong")
FOUND = ViolationFound(
    property="limit.enforced", summary="too many", operations=(ROW,), expected=("a", "b"), policy_lines=("limit = 3",)
)
CASE = CaseResult(
    title="A story",
    status="violated",
    violations=(FOUND, FOUND),
    exercised=FrozenMap({"limit.enforced": 2}),  # type: ignore[arg-type]  # a FrozenMap maps to what it was given
    unjudged=FrozenMap({"expiry.idle": "never"}),  # type: ignore[arg-type]
    warnings=("odd",),
    schedule=Schedule((0, 1, 1, 0)),
    switches=(Switch(strand=0, to=1, place="a.py:3", function="get"),),
)


def test_a_case_is_the_same_after_the_crossing() -> None:
    assert outcomes.case_of(json.loads(json.dumps(outcomes.plain(CASE)))) == CASE


def test_a_violated_case_raises_all_it_found() -> None:
    with pytest.raises(Violation, match=r"(?s)limit.enforced violated: too many.*limit.enforced violated") as raised:
        outcomes.settle(CASE)
    assert raised.value.property_name == "limit.enforced"


def test_a_fault_of_ours_is_no_violation() -> None:
    with pytest.raises(HarnessError, match="KeyError"):
        outcomes.settle(CaseResult(title="A", status="error", reason="KeyError: 1"))


def test_a_held_case_passes() -> None:
    outcomes.settle(CaseResult(title="A", status="held"))


@pytest.mark.parametrize(("status", "told"), [("skipped", "^why$"), ("unproven", "^unproven: why$")])
def test_what_proved_nothing_is_skipped(status: str, told: str) -> None:
    with pytest.raises(pytest.skip.Exception, match=told):
        outcomes.settle(CaseResult(title="A", status=status, reason="why"))
