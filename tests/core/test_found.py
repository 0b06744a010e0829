"""What a search found, as a value."""

from __future__ import annotations

from pytest_sessionguard.core.found import Found
from pytest_sessionguard.core.plan import Plan
from pytest_sessionguard.core.result import CaseResult
from pytest_sessionguard.core.scenario import Place, Scenario
from pytest_sessionguard.core.violation import Row, ViolationFound

PLAN = Plan(scenario=Scenario(title="t", path="t", place=Place("t", 1, 1), steps=()))


def a_find(session: str, name: str = "lifecycle.get") -> Found:
    row = Row(client="A", operation=f"get({session})", called_us=0, returned_us=0, answer="absent", remark="wrong")
    seen = ViolationFound(property=name, summary="", operations=(row,), given=f"no {session}")
    return Found(plan=PLAN, case=CaseResult(title="t", status="violated", violations=(seen,)), schedule="AB")


def test_finds_of_one_bug_have_one_shape_whatever_their_sessions_are_called() -> None:
    assert a_find("cart").shape == a_find("s1").shape


def test_finds_of_two_properties_have_two_shapes() -> None:
    assert a_find("cart").shape != a_find("cart", "lifecycle.delete").shape
