"""What was found is written down once, fails until it is mended, and comes first the next time."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rising import Mended, a_profile

from pytest_sessionguard.core import replay_token
from pytest_sessionguard.core.found import Found
from pytest_sessionguard.core.plan import Plan, cells
from pytest_sessionguard.core.scenario import Parallel, Place, Scenario, Step
from pytest_sessionguard.core.values import FrozenMap
from pytest_sessionguard.errors import UsageError
from pytest_sessionguard.run import found, scenario_files
from pytest_sessionguard.run.again import Again
from pytest_sessionguard.run.found import Settled, settle
from pytest_sessionguard.run.runner import Runner

NOWHERE = Place("generated", 1, 1)
TARGET = "rising.toml"


def a_step(verb: str, **arguments: Any) -> Step:
    return Step(verb=verb, arguments=FrozenMap(arguments), place=NOWHERE)


def a_race(last: str = "get", **more: Any) -> Plan:
    both = Parallel(branches=((a_step("touch", session="s1"),), (a_step("delete", session="s1"),)), place=NOWHERE)
    steps = (a_step("create", **{"as": "s1"}), a_step("create", **{"as": "s2"}), both, a_step(last, session="s1"))
    return Plan(scenario=Scenario(title="Drawn", path="", place=NOWHERE, steps=steps, **more))


def a_runner(factory: Any = None) -> Runner:
    return Runner(a_profile(factory) if factory else a_profile(), target=TARGET)


def a_find(plan: Plan, schedule: str = "ABB") -> Found:
    return Found(plan=plan, case=Again(a_runner()).once(plan, schedule, "").case, schedule=schedule)


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settled, Path]:
    folder = tmp_path_factory.mktemp("found") / "below"
    return settle(a_find(a_race()), a_runner(), folder=folder), folder


def test_a_find_is_told_with_its_file_and_its_token(settled: tuple[Settled, Path]) -> None:
    one, folder = settled
    assert one.violation is not None
    assert one.minimal
    path = folder / "lifecycle.delete-1.session.yaml"
    assert one.violation.scenario == str(path)
    token = shlex.split(one.violation.replay)[2]
    assert replay_token.decode(token) in path.read_text(encoding="utf-8")
    assert one.violation.replay == f"sessionguard replay {token} --manager {TARGET}"
    assert "A stopped at" in one.violation.message
    assert f"  scenario {path}\n  replay   {one.violation.replay}" in one.violation.message


def test_the_file_fails_until_the_bug_is_mended_and_the_token_too(settled: tuple[Settled, Path]) -> None:
    one, folder = settled
    assert one.violation is not None
    (kept,) = found.earlier(folder, target=TARGET)
    case = found.replayed(kept.plan, a_runner(), case=str(kept.path))
    (again,) = case.violations
    assert again == replace(one.violation, replay=again.replay)
    assert again.replay == f"sessionguard replay {kept.path} --manager {TARGET}"
    token = shlex.split(one.violation.replay)[2]
    (plan,) = cells(scenario_files.load("token", replay_token.decode(token)))
    (by_token,) = found.replayed(plan, a_runner(), case=token).violations
    assert by_token == replace(one.violation, scenario="")
    assert found.replayed(kept.plan, a_runner(Mended), case=str(kept.path)).status == "held"


def test_what_was_found_with_another_manager_is_not_for_this_one(settled: tuple[Settled, Path]) -> None:
    assert list(found.earlier(settled[1], target="other.toml")) == []
    assert list(found.earlier(settled[1] / "no such folder", target=TARGET)) == []


def test_the_same_bug_is_not_written_twice_and_another_has_a_file_of_its_own(tmp_path: Path) -> None:
    first = settle(a_find(a_race()), a_runner(), folder=tmp_path)
    assert first.violation is not None
    before = Path(first.violation.scenario).read_bytes()
    same = settle(a_find(a_race(), "ABBB"), a_runner(), folder=tmp_path, seed=9)
    other = settle(a_find(a_race("delete")), a_runner(), folder=tmp_path)
    assert same.violation is not None
    assert other.violation is not None
    assert same.violation.scenario == first.violation.scenario
    assert Path(other.violation.scenario).name == "lifecycle.delete-2.session.yaml"
    assert Path(first.violation.scenario).read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "lifecycle.delete-1.session.yaml", "lifecycle.delete-2.session.yaml",
    ]  # fmt: skip


def test_a_file_of_the_users_own_is_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / "lifecycle.delete-1.session.yaml"
    mine.write_bytes(b"\xff mine")
    one = settle(a_find(a_race()), a_runner(), folder=tmp_path)
    assert one.violation is not None
    assert Path(one.violation.scenario).name == "lifecycle.delete-2.session.yaml"
    assert mine.read_bytes() == b"\xff mine"


def test_without_a_folder_nothing_is_written() -> None:
    one = settle(a_find(a_race()), a_runner(), folder=None)
    assert one.violation is not None
    assert one.violation.scenario == ""
    assert "replay sg1:" in one.violation.replay


def test_a_folder_that_cannot_be_is_the_users_to_mend(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot write into"):
        settle(a_find(a_race()), a_runner(), folder=tmp_path / "file" / "found")


def test_what_does_not_replay_is_uncertain() -> None:
    one = settle(a_find(a_race()), a_runner(Mended), folder=None)
    assert one.violation is None
    assert "first replay:" in one.uncertain
    assert "second replay:" in one.uncertain


def test_what_no_file_can_say_is_told_without_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def text_of(*_: Any, **__: Any) -> str:
        raise ValueError("bytes")

    monkeypatch.setattr(found, "text_of", text_of)
    one = settle(a_find(a_race()), a_runner(), folder=tmp_path)
    assert one.violation is not None
    assert list(tmp_path.iterdir()) == []


def test_no_file_is_written_of_what_only_runs_with_steps_passed_over(tmp_path: Path) -> None:
    whole = a_race()
    strange = replace(whole.scenario, steps=(a_step("touch", session="s9"), *whole.scenario.steps))
    plan = replace(whole, scenario=strange, forgiving=True)
    one = settle(a_find(plan), a_runner(), folder=tmp_path, ended=lambda: True)
    assert one.violation is not None
    assert list(tmp_path.iterdir()) == []
    small = settle(a_find(plan), a_runner(), folder=tmp_path)
    assert small.violation is not None
    assert Path(small.violation.scenario).exists()
    assert not small.found.plan.forgiving


def test_a_cell_and_several_blocks_go_into_the_story() -> None:
    one = a_find(a_race())
    twice = replace(one.plan.scenario, steps=(*one.plan.scenario.steps, one.plan.scenario.steps[2]))
    plan = replace(one.plan, scenario=twice, cell=FrozenMap({"early": "1s"}), name="early=1s")
    story = found.as_story(replace(one, plan=plan))
    assert story.matrix == FrozenMap({"early": ("1s",)})
    assert {step.schedules for step in story.steps if isinstance(step, Parallel)} == {found.ORDERS_OF_SEVERAL}
    assert story.title == "lifecycle.delete is broken by create, create, touch, delete, get, touch and more"
