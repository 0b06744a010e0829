"""The search with faults: six ways to meet them badly are found under their own property, a careful store is spared."""

from __future__ import annotations

import itertools
import shlex
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from zoo.durable import lines
from zoo.durable.catalogue import SOUND

from faults import shelves
from pytest_sessionguard.core import replay_token
from pytest_sessionguard.core.faults import Fault
from pytest_sessionguard.core.plan import Plan, cells
from pytest_sessionguard.core.result import CaseResult
from pytest_sessionguard.core.scenario import Step
from pytest_sessionguard.core.values import FrozenMap
from pytest_sessionguard.run import fault_sweeps, scenario_files
from pytest_sessionguard.run.bench import Bench, Tried
from pytest_sessionguard.run.checker import Settings, check
from pytest_sessionguard.run.families import families
from pytest_sessionguard.run.runner import Runner
from pytest_sessionguard.target.profile import load
from pytest_sessionguard.target.shape import Profile

HERE = Path(__file__).parent


def a_profile(folder: Path, name: str) -> Profile:
    path = folder / f"{name.lower()}.sessionguard.toml"
    path.write_text(shelves.PROFILE.format(name=name).replace('path = ["."]', f'path = ["{HERE}"]'), encoding="utf-8")
    return load(str(path))


def tried(profile: Profile) -> Iterator[Tried]:
    bench, family = Bench(profile, seed=1), families()["faults"]
    assert family.applies(bench) == ""
    for number in range(family.size(bench) or 0):
        yield from family.run(bench, number)


@pytest.mark.unmeasured
def test_a_careful_store_is_not_accused_and_every_property_is_put_to_the_test(tmp_path: Path) -> None:
    seen: Counter[str] = Counter()
    statuses: Counter[str] = Counter()
    for one in tried(a_profile(tmp_path, "Shelf")):
        statuses[one.case.status] += 1
        seen.update(one.case.exercised)
        assert not one.case.violations, one.case.violations[0].message
    assert set(statuses) <= {"held", "unproven"}
    assert statuses["held"] > 50
    assert min(seen[name] for name in ("fault.atomic", "fault.no-leak", "fault.reported")) > 50


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("HalfInMemory", {"fault.atomic"}),
        ("Swallows", {"fault.reported"}),
        ("KeepsTheSlot", {"fault.no-leak"}),
        ("KeepsTheLock", {"fault.no-leak"}),
        ("InPlace", {"fault.atomic"}),
        ("TellsFirst", {"fault.atomic", "fault.no-leak"}),
        ("PassesOverItsHook", {"fault.reported"}),
        ("AsksAfterwards", {"fault.atomic"}),
    ],
)
def test_a_store_that_meets_faults_badly_is_found(tmp_path: Path, name: str, expected: set[str]) -> None:
    found = next(one for one in tried(a_profile(tmp_path, name)) if one.case.violations)
    violation = found.case.violations[0]
    assert violation.property in expected, violation.message
    assert violation.fault == found.fault
    assert "struck" in violation.summary


def test_what_a_fault_has_shown_is_made_small_and_its_token_shows_it_again(tmp_path: Path) -> None:
    profile = a_profile(tmp_path, "Swallows")
    settings = Settings(seed=1, budget_s=None, cases=20, only=("fault",), kinds=("faults",), first=True)
    (found,) = check(profile, settings).violations
    story = replay_token.decode(shlex.split(found.replay)[2])
    (plan,) = cells(scenario_files.load("again.session.yaml", story))
    assert sum(1 for step in plan.scenario.all_steps if isinstance(step, Step)) <= 5
    again = Runner(profile).run(plan)
    assert [one.property for one in again.violations] == [found.property] == ["fault.reported"]
    assert len(plan.scenario.faults) == 1


def test_a_store_that_asks_its_hook_again_is_not_accused(tmp_path: Path) -> None:
    seen = 0
    for one in itertools.islice(tried(a_profile(tmp_path, "AsksAgain")), 25):
        assert not one.case.violations, one.case.violations[0].message
        seen += any(fault.kind == "fail_call" and fault.subject == "commit" for fault in one.case.planned)
    assert seen > 2


# -- single faults -----------------------------------------------------------------------------------------------------

STORY = """scenario: A session is changed
version: 1
steps:
  - create: {as: cart, data: {n: 1}}
  - update: {session: cart, set: {n: 2}}
  - expect: {session: cart, alive: true}
"""


def a_case(tmp_path: Path, fault: Fault, text: str = STORY) -> CaseResult:
    return Runner(a_profile(tmp_path, "Shelf")).run(disturbed(fault, text))


def disturbed(fault: Fault, text: str = STORY) -> Plan:
    (plan,) = cells(scenario_files.load("disturbed.session.yaml", text))
    return replace(plan, scenario=replace(plan.scenario, faults=(fault,)))


def test_a_fault_that_never_strikes_makes_its_case_vacuous(tmp_path: Path) -> None:
    case = a_case(tmp_path, Fault(kind="fail_call", subject="close", at=1))
    assert case.status == "unproven"
    assert "vacuous: {fail_call: close, at: 1} never struck (0 chances at a hook)" in case.reason


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind="lost_reply", subject="update", when="after"),
        Fault(kind="repeated_call", subject="update", when="after"),
        Fault(kind="clock_jump", subject=-3_600_000_000, at=2),
        Fault(kind="pause", subject=600_000_000, at=2),
        Fault(kind="delay_call", subject="commit", options=FrozenMap({"by": 30_000_000})),
        Fault(kind="io_error", subject="EIO", when="after", at=2, options=FrozenMap({"operation": "write"})),
        Fault(kind="torn_write", subject="short"),
    ],
    ids=str,
)
def test_a_careful_store_stands_each_fault_and_the_case_says_what_struck(tmp_path: Path, fault: Fault) -> None:
    case = a_case(tmp_path, fault)
    assert case.status == "held", case.reason or case.violations
    assert [one.fault for one in case.fired] == [fault]


def test_a_call_that_was_repeated_is_in_the_record_twice(tmp_path: Path) -> None:
    plain = a_case(tmp_path, Fault(kind="lost_reply", subject="update", when="after"))
    twice = a_case(tmp_path, Fault(kind="repeated_call", subject="update", when="after"))
    assert twice.operations == plain.operations + 1


def test_a_sweep_strikes_at_every_chance_and_is_told_as_one_case(tmp_path: Path) -> None:
    runner = Runner(a_profile(tmp_path, "Shelf"))
    plan = disturbed(Fault(kind="fail_call", subject="commit", at=None))
    assert fault_sweeps.is_swept(plan)
    cases = [case for _, case in fault_sweeps.sweep(runner, plan)]
    assert [case.fired[0].chance for case in cases if case.fired] == [1, 2]
    whole = fault_sweeps.together(cases)
    assert len(whole.fired) == 2
    never = [
        case for _, case in fault_sweeps.sweep(runner, disturbed(Fault(kind="fail_call", subject="close", at=None)))
    ]
    assert len(never) == 1
    assert "vacuous" in fault_sweeps.together(never).reason


def test_a_disk_that_is_full_for_good_keeps_nobody_from_cutting_short_what_is_there() -> None:
    (store,) = (one for one in SOUND if one.factory is lines.Lines)
    story = "scenario: Full\nversion: 1\nsteps: [{create: {as: a}}, {list: {}}, {restart: {}}, {list: {}}]\n"
    plan = disturbed(Fault(kind="io_error", subject="ENOSPC", at=None, lasting=True), story)
    cases = [case for _, case in fault_sweeps.sweep(Runner(store.profile()), plan)]
    assert [case.violations for case in cases] == [()] * len(cases)
    assert {one.point for case in cases for one in case.fired} == {"file write", "file fsync"}


def test_no_fault_is_left_behind_after_its_case(tmp_path: Path) -> None:
    runner: Any = Runner(a_profile(tmp_path, "Shelf"))
    runner.run(disturbed(Fault(kind="io_error", subject="EIO", lasting=True)))
    (plan,) = cells(scenario_files.load("plain.session.yaml", STORY))
    assert runner.run(plan).status == "held"
