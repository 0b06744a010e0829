"""State machines of Hypothesis: what they find, what they spare, and what users add to them."""

from __future__ import annotations

import asyncio
import copy
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.database import DirectoryBasedExampleDatabase
from hypothesis.stateful import initialize, invariant, rule, run_state_machine_as_test
from zoo.stories import correct
from zoo.variants import CORRECT

import pytest_sessionguard
from pytest_sessionguard.core.operations import Ok
from pytest_sessionguard.errors import UsageError, Violation
from pytest_sessionguard.explore.patience import Patience
from pytest_sessionguard.run.machines import SessionMachine
from pytest_sessionguard.target.shape import Profile

OPERATIONS = {
    "create": "create(data?, id=id?) -> id",
    "get": "get(id) -> data",
    "touch": "touch(id) -> found",
    "update": "update(id, changes) -> found",
    "delete": "delete(id) -> found",
}


class Store:
    """Sessions in a dict, for tasks."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Any]] = {}
        self.ended: dict[str, dict[str, Any]] = {}
        self.numbers = itertools.count(1)

    async def create(self, data: Any = None, id: str | None = None) -> str:
        name = id or f"id{next(self.numbers)}"
        if name in self.kept:
            raise FileExistsError(name)
        self.kept[name] = dict(data or {})
        return name

    async def get(self, id: str) -> Any:
        return dict(self.kept[id]) if id in self.kept else None

    async def touch(self, id: str) -> bool:
        await asyncio.sleep(0)
        return id in self.kept

    async def update(self, id: str, changes: Any) -> bool:
        if id in self.kept:
            self.kept[id].update(changes)
        return id in self.kept

    async def delete(self, id: str) -> bool:
        return self.kept.pop(id, None) is not None


class Resurrecting(Store):
    async def touch(self, id: str) -> bool:
        session = self.kept.get(id)
        await asyncio.sleep(0)
        if session is not None:
            self.kept[id] = session
        return session is not None


def a_profile(factory: Any = Store) -> Profile:
    missing = {"get": "none", **dict.fromkeys(("touch", "update", "delete"), "false")}
    return Profile.of(
        {
            "manager": {"factory": factory, "callers": "tasks"},
            "operations": OPERATIONS,
            "policy": {
                "existing": "error",
                "update": "merge",
                "data": "copies",
                "concurrent_updates": "all-kept",
                "missing": missing,
            },
            "errors": {"exists": "FileExistsError"},
        },
        name="shop",
    )


def ran(machine: Any, examples: int, steps: int = 10, **more: Any) -> None:
    """Run a machine as Hypothesis does, the same way each time."""
    given = {
        "database": None,
        "deadline": None,
        "derandomize": True,
        "max_examples": examples,
        "stateful_step_count": steps,
        "suppress_health_check": list(HealthCheck),
        "phases": (Phase.generate,),
    }
    run_state_machine_as_test(machine, settings=settings(**{**given, **more}))


def begun(machine: Any, *features: str, sessions: tuple[str, ...] = ("create: {as: s1}",)) -> Any:
    """Return a machine that has begun, as a printed script begins."""
    state = machine()
    state.begin({"features": features, "operations": list(OPERATIONS), "figures": {}, "sessions": sessions})
    return state


# -- what it finds, and what it spares --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["reference-async-memory", "reference-sync-memory", "reference-async-sqlite"])
def test_the_reference_manager_is_not_accused(name: str) -> None:
    ran(SessionMachine.for_target(name, found=None), 4)


def test_a_sound_manager_is_not_accused() -> None:
    ran(SessionMachine.for_target(a_profile(), found=None), 15)


def test_an_id_that_brings_back_old_data_is_found(tmp_path: Path) -> None:
    class Forgetful(Store):
        async def update(self, id: str, changes: Any) -> bool:
            return id in self.kept

    with pytest.raises(Violation) as raised:
        ran(SessionMachine.for_target(a_profile(Forgetful), found=tmp_path), 60)
    (file,) = tmp_path.glob("*.session.yaml")
    assert str(file) in str(raised.value)


def test_a_script_that_brings_a_session_back_to_life_is_told_with_its_file(tmp_path: Path) -> None:
    state = begun(SessionMachine.for_target(a_profile(Resurrecting), found=tmp_path), "at-once")
    with pytest.raises(Violation, match=r"lifecycle\.delete violated") as raised:
        state.at_once(clients=[["touch: s1"], ["delete: s1"]], switches=[(1, 1)])
    state.teardown()
    (file,) = tmp_path.glob("*.session.yaml")
    assert str(file) in str(raised.value)
    assert "schedules:" in file.read_text()


@pytest.mark.parametrize("switches", [[], [(0, 1)], [(1, 1)]])
def test_the_sound_twin_holds_under_every_schedule(switches: list[tuple[int, int]]) -> None:
    state = begun(SessionMachine.for_target(a_profile(), found=None), "at-once")
    state.at_once(clients=[["touch: s1"], ["delete: s1"]], switches=switches)
    state.teardown()


# Every third: all of them are run by benchmarks/machines.py --kind correct.
SAMPLE = sorted(path.name.partition(".")[0] for path in CORRECT.glob("*.toml"))[::3]


@pytest.mark.parametrize("name", SAMPLE)
def test_no_correct_manager_of_the_zoo_is_accused(name: str) -> None:
    ran(SessionMachine.for_target(correct(name), found=None), 1, 12)


def test_a_lost_update_is_told_as_a_script_that_shows_it_again(tmp_path: Path) -> None:
    class Losing(Store):
        async def update(self, id: str, changes: Any) -> bool:
            session = self.kept.get(id)
            await asyncio.sleep(0)
            if session is not None:
                self.kept[id] = {**session, **changes}
            return session is not None

    made = ("create: {as: s1, data: {c: 3}}",)
    state = begun(SessionMachine.for_target(a_profile(Losing), found=None), "at-once", sessions=made)
    clients = [["update: {session: s1, set: {a: 1}}"], ["update: {session: s1, set: {b: 2}}"]]
    with pytest.raises(Violation, match=r"concurrency\.no-lost-update violated") as raised:
        state.contest(clients=clients, switches=[(1, 1)])
    told = str(raised.value).partition("In as few steps as can be:")[2]
    lines = [line.strip() for line in told.splitlines() if "state.do" in line]
    assert len(lines) == 3
    again = {"state": SessionMachine.for_target(a_profile(Losing), found=None)()}
    with pytest.raises(Violation, match=r"concurrency\.no-lost-update violated"):
        exec("\n".join(lines), again)


def test_hypothesis_keeps_what_it_finds_and_begins_with_it(tmp_path: Path) -> None:
    class Forgetful(Store):
        async def update(self, id: str, changes: Any) -> bool:
            return id in self.kept

    machine = SessionMachine.for_target(a_profile(Forgetful), found=None)
    kept = DirectoryBasedExampleDatabase(tmp_path)
    with pytest.raises(Violation):
        ran(machine, 60, database=kept, derandomize=False, phases=(Phase.reuse, Phase.generate))
    with pytest.raises(Violation):
        ran(machine, 1, database=kept, derandomize=False, phases=(Phase.reuse,))


def test_a_deadline_of_hypothesis_is_real_time() -> None:
    class Patient(SessionMachine.for_target("reference-sync-memory", found=None)):  # type: ignore[misc]  # made when it runs
        @initialize()
        def long(self) -> None:
            self.do("create: {as: s0}")
            self.do("advance: 29d")

    ran(Patient, 2, 3, deadline=60_000)


def test_a_run_that_has_found_something_soon_comes_to_an_end() -> None:
    class Forgetful(Store):
        async def update(self, id: str, changes: Any) -> bool:
            return id in self.kept

    machine = SessionMachine.for_target(a_profile(Forgetful), found=None)
    machine.patience = Patience(0.0)
    with pytest.raises(Violation, match="In as few steps as can be"):
        ran(machine, 60, phases=(Phase.generate, Phase.shrink))


class Written:
    """Sessions in a file, written with every change, or only when the manager is closed."""

    late = False

    def __init__(self, root: str) -> None:
        self.file = Path(root) / "sessions.json"
        self.kept = json.loads(self.file.read_text()) if self.file.exists() else {}

    def create(self, data: Any) -> str:
        name = f"id{len(self.kept)}"
        self.kept[name] = data
        if not self.late:
            self.close()
        return name

    def get(self, id: str) -> Any:
        return copy.deepcopy(self.kept.get(id))

    def close(self) -> None:
        self.file.write_text(json.dumps(self.kept))


class Late(Written):
    late = True


@pytest.mark.parametrize("factory", [Written, Late])
def test_what_a_kill_loses_is_told(factory: Any) -> None:
    described = {
        "manager": {"factory": factory, "args": {"root": "{dir}"}},
        "operations": {"create": "create(data) -> id", "get": "get(id) -> data", "close": "close()"},
        "policy": {"missing": {"get": "none"}, "survives": "kill", "data": "copies", "close": "keeps"},
    }
    machine = SessionMachine.for_target(Profile.of(described, name="written"), found=None)
    assert machine.killed
    state = machine()
    state.begin({"sessions": ("create: {as: s1, data: {a: 1}}",)})
    state.restart()
    state.create("create: {as: s2, data: {b: 2}}")
    state.crash()
    if factory is Written:
        assert isinstance(state.do("get: s2"), Ok)
        state.teardown()
        return
    with pytest.raises(Violation, match=r"durability\.kill violated"):
        state.do("get: s2")


# -- what users add ---------------------------------------------------------------------------------------------------


def test_rules_and_invariants_of_users_take_part() -> None:
    seen: list[object] = []

    class Mine(SessionMachine.for_target(a_profile(), found=None)):  # type: ignore[misc]  # made when it runs
        @initialize()
        def cart(self) -> None:
            self.do("create: {as: cart, data: {n: 1}}")

        @rule()
        def checkout(self) -> None:
            name = self.fresh()
            assert isinstance(self.do(f"create: {{as: {name}}}"), Ok)
            self.do("advance: 1s")

        @invariant()
        def the_cart_is_known(self) -> None:
            assert "cart" in self.sessions
            seen.append(self.do("exists: cart") if "exists" in OPERATIONS else None)

    ran(Mine, 5, 6)
    assert seen


def test_a_user_s_own_assertion_is_not_covered_up() -> None:
    class Mine(SessionMachine.for_target(a_profile(), found=None)):  # type: ignore[misc]  # made when it runs
        @rule()
        def never(self) -> None:
            self.do("get: {id: nobody}")
            raise AssertionError("mine")

    with pytest.raises(AssertionError, match="mine"):
        ran(Mine, 10, 6)


def test_steps_that_cannot_be_read_are_refused() -> None:
    state = begun(SessionMachine.for_target(a_profile(), found=None))
    with pytest.raises(UsageError, match="no step before this one makes a session"):
        state.do("touch: stranger")
    state.teardown()


def test_time_and_restarts_are_steps_too() -> None:
    state = begun(SessionMachine.for_target(a_profile(), found=None), "time", "clock", "zone")
    state.time("advance: 1s")
    state.clock("set_clock: {forward: 1h}")
    state.zone(["set_clock: {zone: IST-5:30}"])
    state.teardown()
    state.teardown()


def test_what_is_printed_between_two_steps_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    state = begun(SessionMachine.for_target(a_profile(), found=None))
    print("here")
    state.teardown()
    assert "here" in capsys.readouterr().out


def test_the_public_name_is_this_one() -> None:
    assert pytest_sessionguard.SessionMachine is SessionMachine
