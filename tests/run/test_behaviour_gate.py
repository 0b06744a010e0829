"""What is missing is shown as scenarios that load, run and exercise it; what was exercised is counted by profile."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_sessionguard.core import behaviour, behaviour_steps
from pytest_sessionguard.core.gates import INCOMPLETE, MET, MISSED, Count
from pytest_sessionguard.core.plan import cells
from pytest_sessionguard.errors import UsageError
from pytest_sessionguard.run import behaviour_gate, scenario_files
from pytest_sessionguard.run.coverage_settings import BehaviourGate
from pytest_sessionguard.run.runner import Runner
from pytest_sessionguard.target.profile import load

ZOO = Path(__file__).parents[1] / "zoo" / "correct"

# Managers of many habits: whole seconds, two deadlines, versions, owners, sessions handed over as objects, evictions.
TARGETS = (
    "reference-sync-memory",
    *(
        str(ZOO / f"{name}.sessionguard.toml")
        for name in (
            "marked_desk",
            "owned_leases",
            "reply_server",
            "sqlite_shelf",
            "stale_registry",
            "strict_vault",
            "ttl_cache",
            "web_store",
        )
    ),
)


@pytest.mark.parametrize("target", TARGETS, ids=[Path(target).name.partition(".")[0] for target in TARGETS])
def test_every_behaviour_has_a_scenario_that_exercises_it(target: str, tmp_path: Path) -> None:
    profile = load(target)
    claims = behaviour_gate.claims_of(profile)
    runner = Runner(profile, target=target)
    names = behaviour.universe(claims)
    assert len(names) > 40
    idle = []
    for name in names:
        path = tmp_path / behaviour_steps.file_name(behaviour.words(name))
        path.write_text(behaviour_steps.scenario(name, claims), encoding="utf-8")
        (plan,) = cells(scenario_files.load(str(path)))
        case = runner.run(plan)
        if case.status != "held" or name not in case.behaviour:
            idle.append((name, case.status, case.reason, dict(case.behaviour)))
    assert idle == []
    assert len(list(tmp_path.iterdir())) == len(names)


def test_a_share_is_counted_of_all_behaviours_and_the_missing_are_named_with_their_steps() -> None:
    claims = behaviour_gate.claims_of(load("reference-sync-memory"))
    names = behaviour.universe(claims)
    gate = BehaviourGate(least=9500, managers=("reference-sync-memory",))
    met = {"reference-sync-memory": [name for name in names if name != "touch:deleted"]}
    (verdict,) = behaviour_gate.judge(gate, met, Path())
    assert (verdict.status, verdict.count) == (MET, Count(len(names) - 1, len(names)))
    assert verdict.missing == ("touch of a deleted session",)
    (text,) = verdict.steps
    assert text.splitlines() == [
        "scenario: Touch of a deleted session",
        "version: 1",
        "steps:",
        "  - create: {as: cart, owner: ann}",
        "  - delete: cart",
        "  - touch: cart",
    ]
    (short,) = behaviour_gate.judge(gate, {"reference-sync-memory": names[: len(names) // 2]}, Path())
    assert short.status == MISSED


def test_what_ran_against_another_profile_counts_for_nothing() -> None:
    gate = BehaviourGate(least=1, managers=("reference-sync-memory",))
    (verdict,) = behaviour_gate.judge(gate, {"reference": ["get:live"]}, Path())
    assert (verdict.status, verdict.count) == (INCOMPLETE, Count())
    assert verdict.problems == ("behaviour: no case ran against reference-sync-memory",)


def test_a_gate_that_names_no_manager_is_on_that_of_the_run() -> None:
    (verdict,) = behaviour_gate.judge(BehaviourGate(least=0), {"reference": ["get:live"]}, Path())
    assert (verdict.manager, verdict.status, verdict.count.covered) == ("reference", MET, 1)


def test_a_name_that_the_target_does_not_have_adds_nothing() -> None:
    (verdict,) = behaviour_gate.judge(BehaviourGate(least=0), {"reference": ["pop:live", "nonsense"]}, Path())
    assert verdict.count.covered == 0


def a_result(path: Path, *cases: dict[str, Any], **more: Any) -> Path:
    told = {"version": 1, "target": "reference", "interrupted": False, "scenarios": list(cases), **more}
    path.write_text(json.dumps(told), encoding="utf-8")
    return path


CASE = {"manager": "reference", "behaviour": {"get:live": 3}}
OTHER = {"manager": "reference", "behaviour": {"get:live": 1, "touch:live": 1}}
SKIPPED = {"manager": "reference-sync-memory", "behaviour": {}}


def test_results_of_several_runs_are_counted_together(tmp_path: Path) -> None:
    paths = [a_result(tmp_path / "1.json", CASE, SKIPPED), a_result(tmp_path / "2.json", OTHER)]
    (verdict,) = behaviour_gate.of_results(BehaviourGate(least=0), paths, tmp_path)
    assert (verdict.manager, verdict.count.covered) == ("reference", 2)


def test_an_interrupted_run_or_none_is_incomplete(tmp_path: Path) -> None:
    gate = BehaviourGate(least=0, managers=("reference",))
    (none,) = behaviour_gate.of_results(gate, [], tmp_path)
    assert none.problems == ("behaviour: no result was handed over: --result FILE",)
    (broken,) = behaviour_gate.of_results(gate, [a_result(tmp_path / "1.json", CASE, interrupted=True)], tmp_path)
    assert (broken.status, broken.count) == (INCOMPLETE, Count())
    assert broken.problems[0].endswith("1.json is of a run that was interrupted")


@pytest.mark.parametrize("text", ["", "[]", '{"version": 1}', '{"version": 1, "target": 3, "interrupted": false}'])
def test_what_is_no_result_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match="not a result of sessionguard"):
        behaviour_gate.of_results(BehaviourGate(least=0), [path], tmp_path)
    path.unlink()
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        behaviour_gate.of_results(BehaviourGate(least=0), [path], tmp_path)
