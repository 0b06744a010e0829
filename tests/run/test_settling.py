"""What a search finds is settled: each bug once, those of earlier searches first, what does not replay apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rising import Mended, Rising, a_profile

from pytest_sessionguard.core.found import Found
from pytest_sessionguard.core.plan import Plan
from pytest_sessionguard.core.result import CaseResult
from pytest_sessionguard.core.scenario import Place, Scenario, Step
from pytest_sessionguard.core.values import FrozenMap
from pytest_sessionguard.run.runner import Runner
from pytest_sessionguard.run.settling import Settling

NOWHERE = Place("generated", 1, 1)


class Deaf(Rising):
    """Says of nothing that it was there, and deletes nothing."""

    async def delete(self, id: str) -> bool:
        return id in self.kept


def a_plan(*verbs: str) -> Plan:
    steps = [Step(verb="create", arguments=FrozenMap({"as": "s1"}), place=NOWHERE)]
    steps += [Step(verb=verb, arguments=FrozenMap({"session": "s1"}), place=NOWHERE) for verb in verbs]
    return Plan(scenario=Scenario(title="Drawn", path="", place=NOWHERE, steps=tuple(steps)))


def a_runner(factory: Any = Deaf) -> Runner:
    return Runner(a_profile(factory), target="deaf.toml")


def a_find(*verbs: str) -> Found:
    plan = a_plan(*verbs)
    case = a_runner().run(plan)
    assert case.violations
    return Found(plan=plan, case=case)


def settled(
    founds: Sequence[Found], folder: Path | None = None, factory: Any = Deaf, budget_s: float | None = None
) -> Settling:
    settling = Settling(a_runner(factory), {"lifecycle.delete"}, folder, seed=0)
    settling.settle(founds, budget_s=budget_s)
    return settling


def test_a_bug_that_several_programs_show_is_told_once() -> None:
    one = settled([a_find("touch", "delete", "get"), a_find("get", "delete", "get", "touch")])
    assert [violation.property for violation in one.violations] == ["lifecycle.delete"]
    assert len(one.cases) == 1


def test_what_does_not_come_back_leaves_its_property_unsure() -> None:
    one = settled([a_find("delete", "get")], factory=Mended)
    assert (one.violations, one.cases) == ([], [])
    assert "second replay" in one.uncertain[0]
    assert "not deterministic" in one.unsure["lifecycle.delete"]


def test_who_has_no_time_has_what_was_found_as_it_is() -> None:
    one = settled([a_find("touch", "touch", "delete", "get")], budget_s=0.0)
    assert len(one.violations[0].operations) == 5


def test_with_a_time_to_search_in_what_is_found_is_made_small_besides() -> None:
    assert len(settled([a_find("touch", "touch", "delete", "get")], budget_s=60.0).violations[0].operations) == 3


def test_what_was_found_earlier_is_run_first_and_told_with_its_file(tmp_path: Path) -> None:
    first = settled([a_find("delete", "get")], tmp_path)
    (path,) = tmp_path.iterdir()
    later = Settling(a_runner(), {"lifecycle.delete"}, tmp_path, seed=0)
    ran: list[CaseResult] = list(later.replay())
    assert [case.status for case in ran] == ["violated"]
    assert later.violations == first.violations
    assert [replace(case, real_s=0.0) for case in later.cases] == [replace(case, real_s=0.0) for case in first.cases]
    assert later.violations[0].scenario == str(path)
    later.settle([a_find("touch", "delete", "get")], budget_s=None)
    assert len(later.violations) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_not_asked_for_is_not_told_of_earlier_finds(tmp_path: Path) -> None:
    settled([a_find("delete", "get")], tmp_path)
    later = Settling(a_runner(), {"lifecycle.get"}, tmp_path, seed=0)
    assert len(list(later.replay())) == 1
    assert later.violations == []


@pytest.mark.parametrize("folder", [None, Path("no such folder")])
def test_without_earlier_finds_there_is_nothing_to_run(folder: Path | None) -> None:
    assert list(Settling(a_runner(), set(), folder, seed=0).replay()) == []


def test_what_a_fault_has_brought_about_is_told_as_it_was_found() -> None:
    found = a_find("touch", "delete", "get")
    one = settled([Found(plan=found.plan, case=found.case, fault="kill at 3")])
    assert one.violations[0].fault == "kill at 3"
    assert len(one.violations[0].operations) == 4
