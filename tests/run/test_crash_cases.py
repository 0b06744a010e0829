"""Cases crashed: what was acknowledged is kept or the loss is found, under the property that it breaks."""

from __future__ import annotations

import json
import os
import pickle
import sys
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import durable_toys as toys
import pytest

from pytest_sessionguard.core.plan import Plan, cells
from pytest_sessionguard.crash import STRICT, traced
from pytest_sessionguard.errors import HarnessError, UsageError
from pytest_sessionguard.run import crash_child, scenario_files
from pytest_sessionguard.run.crash_cases import CrashCase, crash_case
from pytest_sessionguard.target.loading import load
from pytest_sessionguard.target.shape import Profile

STORY = """
scenario: A story
version: 1
steps:
  - create: {as: a, data: {n: 1}}
  - create: {as: b, data: {n: 2}}
  - advance: 1m
  - update: {session: a, set: {n: 3}}
  - delete: b
  - expect: {session: a, alive: true}
"""

RECOVER = {"recover": "recover()"}


def a_plan(text: str = STORY) -> Plan:
    (plan,) = cells(scenario_files.load("a.session.yaml", text))
    return plan


def crashed(
    factory: Any, model: Any = "strict", *, story: str = STORY, operations: Any = (), **policy: Any
) -> CrashCase:
    return crash_case(toys.a_profile(factory, operations=operations, **policy), a_plan(story), model, 300)


def broken(case: CrashCase) -> Any:
    assert case.result.status == "violated", (case.result.status, case.result.reason)
    (found,) = case.result.violations
    assert found.property not in case.result.exercised
    return found


@pytest.mark.parametrize("model", ["strict", "ordered", "kill"])
def test_a_sound_store_holds(model: str) -> None:
    case = crashed(toys.FileSessions, model)
    assert (case.result.status, case.result.reason) == ("held", "")
    assert case.report is not None
    assert case.report.exhaustive
    name = "durability.kill" if model == "kill" else "durability.power-loss"
    assert case.result.exercised[name] > case.report.states
    assert case.result.exercised["durability.restart"]
    assert "recovery.crash-during" not in case.result.exercised


def test_an_async_store_holds() -> None:
    case = crash_case(toys.a_profile(toys.AsyncFiles), a_plan(), STRICT, 12)
    assert case.result.status == "held"
    assert case.report is not None
    assert case.report.cut


def test_a_recovery_that_can_be_crashed_and_repeated_is_shown_to_be() -> None:
    case = crashed(toys.Recovering, operations=RECOVER)
    assert case.result.status == "held"
    assert case.result.exercised["recovery.crash-during"]
    assert case.result.exercised["recovery.idempotent"]
    assert case.result.exercised["recovery.complete"]


def test_what_a_cleaner_removes_between_calls_is_no_loss() -> None:
    story = "scenario: A story\nversion: 1\nsteps:\n  - create: {as: a}\n  - advance: 20m\n  - create: {as: b}\n"
    for model in ("strict", "kill"):
        assert crashed(toys.Cleaning, model, story=story).result.status == "held"


LOSES = {
    toys.InPlace: "failed: JSONDecodeError",
    toys.Unflushed: "count=0, ids=[]",
    toys.Undeleted: "count=2, ids=",
    toys.Lazy: "data={'n': 1}",
    toys.Monotonic: "count=0, ids=[]",
    toys.Unopenable: "RuntimeError: somebody is writing",
    toys.OnlyOnce: "count=0, ids=[]",
}


@pytest.mark.parametrize("factory", LOSES, ids=lambda factory: factory.__name__)
def test_what_a_power_loss_takes_is_found(factory: Any) -> None:
    found = broken(crashed(factory))
    assert found.property == "durability.power-loss"
    assert LOSES[factory] in found.summary
    assert found.fault.startswith("power loss after ")
    assert "power-lost" in {row.operation for row in found.operations}
    assert all(row.called_us >= 0 for row in found.operations)
    assert found.undeclared == ("clock" if factory is toys.Monotonic else None)


@pytest.mark.parametrize("factory", [toys.Unflushed, toys.Undeleted], ids=lambda factory: factory.__name__)
def test_what_a_kill_does_not_take_is_not_held_against_a_store(factory: Any) -> None:
    assert crashed(factory, "kill").result.status == "held"


@pytest.mark.parametrize("factory", [toys.InPlace, toys.Lazy], ids=lambda factory: factory.__name__)
def test_what_a_kill_takes_is_found(factory: Any) -> None:
    found = broken(crashed(factory, "kill"))
    assert found.property == "durability.kill"
    assert found.fault.startswith("kill after ")


def test_a_crash_during_recovery_is_found_under_its_own_name() -> None:
    found = broken(crashed(toys.CrashedRecovery, operations=RECOVER))
    assert found.property == "recovery.crash-during"
    assert "; then, during recovery, after " in found.fault


def test_a_recovery_that_forgets_the_second_time_is_found_under_its_own_name() -> None:
    class Twice(toys.Recovering, toys.OnlyOnce):
        """Loses its sessions when it is opened a second time."""

    case = crash_case(toys.a_profile(Twice, operations=RECOVER), a_plan(), "kill", 300)
    assert broken(case).property in ("recovery.idempotent", "recovery.crash-during")


def test_what_is_not_promised_is_not_held_against_a_store() -> None:
    table = {"create": "power-loss", "delete": "power-loss"}
    case = crashed(toys.Lazy, survives=table, activity=["create"])
    assert case.result.status == "held"
    assert case.result.exercised["durability.power-loss"]


def test_a_profile_that_promises_less_is_skipped() -> None:
    case = crashed(toys.FileSessions, survives="kill")
    assert case.report is None
    assert case.result.status == "skipped"
    assert case.result.reason == "needs a profile that claims durability.power-loss and is told of its folder by {dir}"


def test_a_manager_that_wants_a_process_of_its_own_is_not_judged_in_one() -> None:
    profile = replace(toys.a_profile(toys.FileSessions), isolation="process")
    case = crash_case(profile, a_plan(), "kill", 300)
    assert case.report is None
    assert case.result.status == "unproven"
    assert case.result.unjudged["durability.kill"].startswith('isolation = "process": ')


def test_what_is_wrong_without_any_crash_is_told_as_always() -> None:
    class Forgets(toys.FileSessions):
        def update(self, id: str, changes: Any) -> bool:
            return self.read(id) is not None

    case = crashed(Forgets, story=STORY + "  - expect: {session: a, data: {n: 3}}\n")
    assert broken(case).property == "data.merge"
    assert case.report is None


NO_TRACE = traced.unavailable() if sys.platform.startswith("linux") else "needs Linux"
needs_strace = pytest.mark.skipif(bool(NO_TRACE), reason=NO_TRACE)


@needs_strace
def test_files_written_past_python_are_seen_from_outside() -> None:
    case = crash_case(toys.a_profile(toys.SqliteSessions), a_plan(), "ordered", 40)
    assert case.result.status == "held"
    assert case.result.exercised["durability.power-loss"]
    assert case.report is not None
    assert case.report.cut
    lossy = toys.a_profile("durable_toys:SqliteUnflushed")
    assert broken(crash_case(lossy, a_plan(), "ordered", 200)).property == "durability.power-loss"


@needs_strace
def test_the_reference_on_sqlite_keeps_what_it_says_when_the_power_fails() -> None:
    profile = load("reference-sync-sqlite")
    assert profile.policy.survives == "power-loss"
    case = crash_case(profile, a_plan(), "strict", 30)
    assert case.result.status == "held", case.result.reason
    assert case.result.exercised["durability.power-loss"]


def test_where_nothing_can_be_traced_power_loss_is_unproven_and_kills_are_judged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(traced, "unavailable", lambda: "strace is not installed")
    case = crashed(toys.SqliteSessions)
    assert case.result.status == "unproven"
    reason = case.result.unjudged["durability.power-loss"]
    assert reason.startswith("SQLite writes s.db by itself")
    assert reason.endswith("; strace is not installed")
    killed = crashed(toys.SqliteSessions, "kill")
    assert killed.result.status == "held"
    assert killed.result.exercised["durability.kill"]
    assert killed.report is not None
    assert not killed.report.exhaustive
    assert broken(crashed(toys.SqliteOutsideOfTransactions, "kill")).property == "durability.kill"


@needs_strace
def test_what_cannot_be_run_in_another_process_is_unproven(monkeypatch: pytest.MonkeyPatch) -> None:
    class Local(toys.SqliteSessions):
        """Cannot be handed over."""

    reason = crashed(Local).result.unjudged["durability.power-loss"]
    assert "; the profile cannot be handed to another process: " in reason
    monkeypatch.setattr(sys, "executable", "/bin/false")
    reason = crashed(toys.SqliteSessions).result.unjudged["durability.power-loss"]
    assert "; the case did not run in another process: the traced command ended with 1" in reason


def test_the_child_of_a_traced_case_leaves_its_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Done here: nobody measures what runs in a child."""
    asked, told, marks, folder = (tmp_path / name for name in ("asked", "told", "marks", "folder"))
    marks.touch()
    folder.mkdir()
    monkeypatch.setenv("SESSIONGUARD_MARKS", str(marks))

    def left(factory: Any, story: str = STORY) -> Any:
        asked.write_bytes(pickle.dumps((toys.a_profile(factory), a_plan(story), folder)))
        crash_child.main(str(asked), str(told))
        return pickle.loads(told.read_bytes())

    recorded = left(toys.FileSessions)
    assert marks.read_text().split() == [str(number) for number in range(1, len(recorded.journal) + 1)]
    assert recorded.from_outside
    assert left(toys.FileSessions, STORY + "  - expect: {count: 7}\n").startswith(("violated", "skipped"))
    assert left("durable_toys:in_disguise") == "it began anew in an event loop"


def test_an_operation_under_way_may_have_happened_or_not() -> None:
    # Two creations at once, both cut off by some of the crashes.
    story = STORY + "  - parallel:\n      - [{create: {as: c}}]\n      - [{update: {session: a, set: {n: 9}}}]\n"
    assert crashed(toys.AsyncFiles, "kill", story=story).result.status in ("held", "skipped")


def test_time_that_is_up_ends_the_exploration() -> None:
    case = crash_case(toys.a_profile(toys.FileSessions), a_plan(), "strict", 300, until=lambda: True)
    assert case.report is not None
    assert case.report.states == 1
    assert case.report.cut[-1] == "time was up"
    assert case.result.status == "held"


def test_the_same_case_gives_the_same_result() -> None:
    one, again = (crashed(toys.FileSessions, "kill") for _ in range(2))
    assert dict(one.result.exercised) == dict(again.result.exercised)
    assert one.report == again.report


@pytest.mark.parametrize("error", [UsageError("no"), HarnessError("no")])
def test_an_error_of_ours_or_of_the_user_is_no_violation(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> Any:
        raise error

    monkeypatch.setattr("pytest_sessionguard.run.crash_cases._Crashes._looks", fails)
    with pytest.raises(type(error), match="no"):
        crashed(toys.FileSessions)


class Checkpointing:
    """Sound: keeps its sessions in memory, and all of them on the disk when it is told to."""

    def __init__(self, root: str) -> None:
        self.root = Path(root)
        self.state: dict[str, Any] = {}
        kept = self.root / "kept"
        if kept.exists():
            self.state = json.loads(kept.read_text())

    def create(self, data: Any = None) -> str:
        id = uuid.uuid4().hex
        self.state[id] = data or {}
        return id

    def get(self, id: str) -> Any:
        return self.state.get(id)

    def update(self, id: str, changes: Any) -> bool:
        if id in self.state:
            self.state[id] = {**self.state[id], **changes}
        return id in self.state

    def checkpoint(self) -> None:
        fresh = self.root / "fresh"
        with fresh.open("w") as file:
            json.dump(self.state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, self.root / "kept")
        descriptor = os.open(self.root, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)


class CheckpointInPlace(Checkpointing):
    """The last checkpoint is written over by the next."""

    def checkpoint(self) -> None:
        (self.root / "kept").write_text(json.dumps(self.state))


KEPT = """scenario: What a checkpoint holds is kept
version: 1
steps:
  - create: {as: a, data: {n: 1}}
  - checkpoint: {}
  - update: {session: a, set: {n: 2}}
  - create: {as: b}
  - checkpoint: {}
"""


@pytest.mark.parametrize("model", ["kill", "strict"])
@pytest.mark.parametrize("factory", [Checkpointing, CheckpointInPlace])
def test_what_a_checkpoint_has_acknowledged_is_kept_and_nothing_else_is_asked_for(factory: Any, model: str) -> None:
    verbs = {"create": "create(data?) -> id", "get": "get(id) -> data", "update": "update(id, changes) -> found"}
    profile = Profile.of(
        {
            "manager": {"factory": factory, "args": {"root": "{dir}"}},
            "operations": {**verbs, "checkpoint": "checkpoint()"},
            "policy": {"missing": {"get": "none", "update": "false"}, "survives": {"checkpoint": "power-loss"}},
        },
        name="checkpoints",
    )
    case = crash_case(profile, a_plan(KEPT), model, 300)
    if factory is Checkpointing:
        assert case.result.status == "held", case.result.violations
        assert case.result.exercised[f"durability.{'kill' if model == 'kill' else 'power-loss'}"]
    else:
        assert broken(case).property in ("durability.kill", "durability.power-loss")
