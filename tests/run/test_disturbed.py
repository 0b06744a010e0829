"""Stories that say what goes wrong: swept, crashed, vacuous, skipped, and violated where the manager is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import durable_toys as toys
import pytest

from pytest_sessionguard.core.plan import cells
from pytest_sessionguard.core.result import CaseResult
from pytest_sessionguard.core.values import FrozenMap
from pytest_sessionguard.errors import UsageError
from pytest_sessionguard.run import scenario_faults, scenario_files
from pytest_sessionguard.run.runner import Runner
from pytest_sessionguard.target.loading import load
from pytest_sessionguard.target.shape import Profile

HEAD = """
scenario: A story
version: 1
start:
  - create: {as: a, data: {n: 1}}
"""
UPDATED = HEAD + "steps: [{update: {session: a, set: {n: 2}}}]\n"
LOOKED = "after_fault: [{expect: {acknowledged: kept}}]\n"


def told(profile: Profile | str, text: str) -> CaseResult:
    (plan,) = cells(scenario_files.load("a.session.yaml", text))
    return Runner(load(profile) if isinstance(profile, str) else profile).run(plan)


class InPlace(toys.FileSessions):
    """Writes over what is there: a full disk leaves half of it."""

    def write(self, id: str, data: Any) -> None:
        self.path(id).write_text(toys.json.dumps({"data": data, "seen": toys.time.time()}))

    def sync(self) -> None:
        """Trust the machine."""


@pytest.mark.parametrize("name", ["reference-sync-file", "reference-async-file"])
def test_a_sound_store_holds_whichever_operation_on_a_file_fails(name: str) -> None:
    case = told(name, UPDATED + "faults: [{io_error: ENOSPC, at: every}]\n" + LOOKED)
    assert (case.status, case.reason) == ("held", "")
    assert len(case.fired) > 1
    assert [fired.chance for fired in case.fired] == list(range(1, len(case.fired) + 1))
    assert case.exercised["fault.reported"] + case.exercised["fault.atomic"] > 0


def test_a_store_that_writes_in_place_is_found_by_a_fault() -> None:
    case = told(toys.a_profile(InPlace), UPDATED + "faults: [{torn_write: error, at: every}]\n" + LOOKED)
    assert case.status == "violated"
    assert case.violations[0].property.startswith("fault.")
    assert case.violations[0].fault == "{torn_write: error, at: 1}"


@pytest.mark.parametrize("how", ["kill", "power-loss"])
def test_a_crash_anywhere_is_survived_and_says_how_much_was_tried(how: str) -> None:
    fault = f"faults: [{{crash: {how}, during: update, explore: exhaustive}}]\n"
    case = told(toys.a_profile(toys.FileSessions), UPDATED + fault + LOOKED)
    assert case.status == "held"
    assert case.reason.startswith("exhaustive: ")
    assert case.fired[-1].point.startswith("process: ")
    assert case.exercised[f"durability.{how}"] > 0


def test_a_crash_anywhere_is_bounded_where_the_budget_is_small_and_unproven_where_all_was_asked_for() -> None:
    bounded = told(toys.a_profile(toys.FileSessions), UPDATED + "faults: [{crash: power-loss, budget: 5}]\n")
    assert (bounded.status, bounded.reason[:9]) == ("held", "bounded: ")
    asked = told(
        toys.a_profile(toys.FileSessions), UPDATED + "faults: [{crash: power-loss, budget: 5, explore: exhaustive}]\n"
    )
    assert asked.status == "unproven"
    assert "not exhaustive" in asked.unjudged["durability.power-loss"]


def test_a_crash_anywhere_is_found_where_it_loses_something() -> None:
    case = told(toys.a_profile(InPlace), UPDATED + "faults: [{crash: power-loss}]\n" + LOOKED)
    assert case.status == "violated"
    assert case.violations[0].property == "durability.power-loss"


def test_a_crash_that_falls_into_no_such_operation_is_vacuous() -> None:
    case = told(toys.a_profile(toys.FileSessions), UPDATED + "faults: [{crash: kill, during: delete}]\n")
    assert case.status == "unproven"
    assert "vacuous: no crash fell into an operation delete" in case.reason


CRASHED = """
steps:
  - crash: {how}
  - expect: {{session: a, data: {{n: 1}}}}
  - update: {{session: a, set: {{n: 2}}}}
  - expect: {{acknowledged: kept, count: 1}}
  - crash: {how}
  - expect: {{session: a, data: {{n: 2}}}}
"""


@pytest.mark.parametrize("how", ["kill", "power-loss"])
@pytest.mark.parametrize("make", [lambda: load("reference-async-file"), lambda: toys.a_profile(toys.FileSessions)])
def test_a_crash_as_a_step_makes_the_manager_anew_on_what_is_left(make: Callable[[], Profile], how: str) -> None:
    text = HEAD + CRASHED.format(how=how)
    text = text if "count" in make().operations else text.replace(", count: 1", "")
    case = told(make(), text)
    assert (case.status, case.reason) == ("held", "")
    assert case.exercised[f"durability.{how}"] > 0


def test_a_loss_of_power_takes_what_was_not_flushed() -> None:
    case = told(toys.a_profile(InPlace), HEAD + "steps: [{crash: power-loss}, {expect: {session: a, alive: true}}]\n")
    assert case.status == "violated"
    assert case.violations[0].property == "durability.power-loss"
    assert (
        told(toys.a_profile(InPlace), HEAD + "steps: [{crash: kill}, {expect: {acknowledged: kept}}]\n").status
        == "held"
    )


def test_what_a_loss_of_power_leaves_of_a_file_in_c_is_not_known() -> None:
    durable = load("reference-sync-sqlite")
    case = told(durable, HEAD + "steps: [{crash: power-loss}, {expect: {session: a, alive: true}}]\n")
    assert case.status == "skipped"
    assert "needs files that Python alone writes" in case.reason
    assert told(durable, HEAD + "steps: [{crash: kill}, {expect: {session: a, data: {n: 1}}}]\n").status == "held"


@pytest.mark.parametrize(
    ("profile", "faults", "lacks"),
    [
        ("reference-sync-memory", "{crash: kill}", "a manager whose sessions survive kill"),
        ("reference-sync-memory", "{io_error: EIO}", "a manager that is told of its folder by {dir}"),
        ("reference-sync-file", "{fail_call: commit}", "a hook commit"),
    ],
)
def test_a_story_is_skipped_where_the_target_lacks_what_its_faults_need(profile: str, faults: str, lacks: str) -> None:
    case = told(profile, UPDATED + f"faults: [{faults}]\n")
    assert case.status == "skipped"
    assert lacks in case.reason


def test_files_that_python_does_not_write_are_named_where_a_story_requires_them() -> None:
    text = UPDATED + "faults: [{io_error: EIO}]\n"
    plain, required = told("reference-sync-sqlite", text), told("reference-sync-sqlite", text + "requires: [files]\n")
    assert plain.status == "unproven"
    assert "vacuous: {io_error: EIO, at: 1} never struck (0 chances at a file)" in plain.reason
    assert (required.status, required.reason) == (
        "skipped", "needs files that Python itself writes: no operation on one was met"
    )  # fmt: skip
    assert "{dir}" in told("reference-sync-memory", UPDATED + "requires: [files]\n").reason


def test_to_look_at_every_session_where_there_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="has made no session to look at"):
        told("reference-sync-memory", "scenario: s\nversion: 1\nsteps: [{expect: {acknowledged: kept}}]\n")


def test_faults_are_read_from_plain_mappings_too() -> None:
    (fault,) = scenario_faults.of_words("here", {"delay_call": "close", "at": "every", "by": "5s"})
    assert (fault.kind, fault.subject, fault.at, fault.options) == (
        "delay_call", "close", None, FrozenMap({"by": 5_000_000})
    )  # fmt: skip
    with pytest.raises(UsageError, match="here: unknown kind of fault 'fial_call', did you mean 'fail_call'"):
        scenario_faults.of_words("here", {"fial_call": "close"})
    with pytest.raises(UsageError, match="expected a word, not a mapping"):
        scenario_faults.of_words("here", {"fail_call": {"close": 1}})


def test_only_a_file_that_is_there_can_be_damaged_and_only_where_there_are_checkpoints() -> None:
    story = HEAD + "steps: [{checkpoint: {}}]\nfaults: [{damaged_file: 'nowhere/*'}]\n"
    with pytest.raises(UsageError, match=r"no file 'nowhere/\*' below the manager's folder"):
        told("reference-recovery", story)
    skipped = told("reference-sync-file", story.replace("checkpoint: {}", "touch: a"))
    assert (skipped.status, "takes checkpoints" in skipped.reason) == ("skipped", True)
