"""State machines of Hypothesis: what they find, what they spare, and what users add to them."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import initialize, invariant, rule, run_state_machine_as_test

import pytest_sessionguard
from pytest_sessionguard.core.operations import Ok
from pytest_sessionguard.errors import NotDeterministic, UsageError, Violation
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


class Losing(Store):
    async def update(self, id: str, changes: Any) -> bool:
        if id not in self.kept:
            return False
        data = {**self.kept[id], **changes}
        await asyncio.sleep(0)
        if id in self.kept:
            self.kept[id] = data
        return id in self.kept


class Remembering(Store):
    """Who gets an id that was another's gets the other's data."""

    async def create(self, data: Any = None, id: str | None = None) -> str:
        name = await super().create(data, id)
        self.kept[name] = {**self.ended.get(name, {}), **self.kept[name]}
        return name

    async def delete(self, id: str) -> bool:
        self.ended[id] = self.kept.get(id, {})
        return await super().delete(id)


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
    run_state_machine_as_test(
        machine,
        settings=settings(
            database=None,
            deadline=None,
            derandomize=True,
            max_examples=examples,
            stateful_step_count=steps,
            suppress_health_check=list(HealthCheck),
            **{"phases": (Phase.generate,), **more},
        ),
    )


def begun(machine: Any, *features: str, sessions: tuple[str, ...] = ("create: {as: s1}",)) -> Any:
    """Return a machine that has begun, as a printed script begins."""
    state = machine()
    state.begin({"features": features, "operations": list(OPERATIONS), "figures": {}, "sessions": sessions})
    return state


# -- what it finds, and what it spares --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["reference-async-memory", "reference-sync-memory", "reference-async-sqlite"])
def test_the_reference_manager_is_not_accused(name: str) -> None:
    ran(SessionMachine.for_target(name, found=None), 6)


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


def test_a_lost_update_is_found_where_one_is_stopped_between_reading_and_writing() -> None:
    state = begun(SessionMachine.for_target(a_profile(Losing), found=None), "at-once")
    clients = [["update: {session: s1, set: {a: 1}}"], ["update: {session: s1, set: {b: 2}}"]]
    with pytest.raises(Violation, match="violated"):
        state.at_once(clients=clients, switches=[(1, 1)])


def test_an_id_used_again_does_not_bring_old_data_back() -> None:
    first = "create: {as: s1, id: red, data: {a: 1}}"
    for factory, is_sound in ((Store, True), (Remembering, False)):
        state = begun(SessionMachine.for_target(a_profile(factory), found=None), sessions=(first,))
        state.delete("delete: s1")
        state.create("create: {as: s2, id: red}")
        if is_sound:
            state.get("get: s2")
            state.teardown()
        else:
            with pytest.raises(Violation):
                state.get("get: s2")


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


def test_a_manager_that_answers_otherwise_the_second_time_is_told_apart() -> None:
    moods = itertools.cycle([{"odd": 1}, {}])

    class Moody(Store):
        async def get(self, id: str) -> Any:
            return next(moods) if id in self.kept else None

    machine = SessionMachine.for_target(a_profile(Moody), found=None)
    with pytest.raises((NotDeterministic, Violation)):
        begun(machine).get("get: s1")
    machine.violated[("[]", "create: {as: s1}", "get: s1")] = "something else"
    next(moods)
    with pytest.raises((NotDeterministic, Violation)):
        for _ in range(2):
            begun(machine).get("get: s1")


def test_the_public_name_is_this_one() -> None:
    assert pytest_sessionguard.SessionMachine is SessionMachine
