"""Old session objects that are worked on, and local time in other zones."""

from __future__ import annotations

import os
import time
from datetime import datetime
from typing import Any

import pytest

from pytest_sessionguard.core.plan import Plan, cells
from pytest_sessionguard.core.result import CaseResult
from pytest_sessionguard.run import scenario_files
from pytest_sessionguard.run.bench import Bench
from pytest_sessionguard.run.families import families
from pytest_sessionguard.run.runner import Runner
from pytest_sessionguard.run.zone import Zone
from pytest_sessionguard.target.shape import Profile


class Held:
    def __init__(self, id: str, data: dict[str, Any], version: int) -> None:
        self.id, self.data, self.version = id, data, version


class Gone(Exception):
    pass


class Conflict(Exception):
    pass


class Desk:
    """Hands out session objects and takes them back, unless they are gone or somebody else was faster."""

    def __init__(self) -> None:
        self.kept: dict[str, Held] = {}

    def create(self, data: dict[str, Any]) -> Held:
        made = Held(f"desk-{len(self.kept) + 1}", dict(data), 1)
        self.kept[made.id] = made
        return Held(made.id, dict(data), 1)

    def load(self, id: str) -> Held | None:
        found = self.kept.get(id)
        return None if found is None else Held(found.id, dict(found.data), found.version)

    def save(self, held: Held) -> int:
        found = self.kept.get(held.id)
        if found is None:
            raise Gone(held.id)
        self.check(found, held)
        self.kept[held.id] = Held(held.id, dict(held.data), found.version + 1)
        return found.version + 1

    def check(self, found: Held, held: Held) -> None:
        if found.version != held.version:
            raise Conflict(held.id)

    def end(self, id: str) -> bool:
        return self.kept.pop(id, None) is not None


class Revives(Desk):
    def save(self, held: Held) -> int:
        self.kept[held.id] = held
        return held.version


class Overwrites(Desk):
    def check(self, found: Held, held: Held) -> None:
        pass


def a_desk(factory: type[Desk], save: Any = "save(session) -> version", **policy: Any) -> Profile:
    return Profile.of(
        {
            "manager": {"factory": factory},
            "operations": {
                "create": "create(data) -> session",
                "get": "load(id) -> session",
                "save": save,
                "delete": "end(id) -> found",
            },
            "session": {"id": "id", "data": "data", "version": "version"},
            "policy": {
                "concurrent_updates": "conflict",
                "missing": {"get": "none", "save": "error", "delete": "false"},
                **policy,
            },
            "errors": {"missing": f"{__name__}:Gone", "conflict": f"{__name__}:Conflict"},
        },
        name="desk",
    )


AFTER_DELETE = """
  - {get: {session: s}, client: A}
  - delete: s
  - {save: {session: s, data: {b: 2}, stale: true}, client: A}
  - get: s
"""
AFTER_A_SAVE = """
  - {get: {session: s}, client: A}
  - {save: {session: s, data: {b: 2}}, client: B}
  - {save: {session: s, data: {c: 3}, stale: true}, client: A}
  - get: s
"""


def told(profile: Profile, steps: str) -> CaseResult:
    text = "scenario: An old object\nversion: 1\nsteps:\n  - create: {as: s, data: {a: 1}}" + steps
    (plan,) = cells(scenario_files.load("old.session.yaml", text))
    return Runner(profile).run(plan)


@pytest.mark.parametrize("save", ["save(session) -> version", ["load(id) -> session", "save(session) -> version"]])
@pytest.mark.parametrize("steps", [AFTER_DELETE, AFTER_A_SAVE], ids=["deleted", "saved"])
def test_a_desk_that_refuses_old_objects_is_spared(save: Any, steps: str) -> None:
    assert told(a_desk(Desk, save), steps).violations == ()


@pytest.mark.parametrize("save", ["save(session) -> version", ["load(id) -> session", "save(session) -> version"]])
def test_an_old_object_that_brings_back_what_was_deleted_is_told(save: Any) -> None:
    (found,) = told(a_desk(Revives, save), AFTER_DELETE).violations
    assert found.property == "lifecycle.delete"


def test_an_old_object_that_is_saved_over_another_is_told_where_that_conflicts() -> None:
    (found,) = told(a_desk(Overwrites), AFTER_A_SAVE).violations
    assert found.property == "data.version"
    assert told(a_desk(Overwrites, concurrent_updates="last-wins"), AFTER_A_SAVE).violations == ()


def test_a_client_that_has_no_object_cannot_work_on_an_old_one() -> None:
    nobody = "\n  - {save: {session: s, data: {b: 2}, stale: true}, client: Z}\n"
    (found,) = told(a_desk(Desk), nobody).violations
    assert found.property == "scenario.expectation"
    text = "scenario: An old object\nversion: 1\nsteps:\n  - create: {as: s, data: {a: 1}}" + nobody
    (plan,) = cells(scenario_files.load("old.session.yaml", text))
    assert Runner(a_desk(Desk)).run(Plan(scenario=plan.scenario, forgiving=True)).violations == ()


def test_a_search_finds_what_old_objects_bring_back() -> None:
    bench = Bench(a_desk(Revives), seed=1)
    run = families()["sequential"].run
    found = {one.property for number in range(250) for tried in run(bench, number) for one in tried.case.violations}
    assert found & {"lifecycle.delete", "data.version"}


# -- time zones -------------------------------------------------------------------------------------------------------


class Local(Desk):
    """Counts in local time, which jumps."""

    def __init__(self, idle: float) -> None:
        super().__init__()
        self.idle, self.at = idle, 0.0

    def create(self, data: dict[str, Any]) -> Held:
        self.at = self.now()
        return super().create(data)

    def now(self) -> float:
        return datetime.now().replace(tzinfo=None).timestamp() - time.timezone

    def load(self, id: str) -> Held | None:
        return None if self.now() - self.at >= self.idle else super().load(id)


def test_local_time_is_put_back_after_each_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC0")
    time.tzset()
    zone = Zone()
    zone.set("EST5EDT,M3.2.0,M11.1.0")
    assert (time.timezone, zone.name, zone.was_set) == (18_000, "EST5EDT,M3.2.0,M11.1.0", True)
    zone.set("IST-5:30")
    assert time.timezone == -19_800
    zone.restore()
    zone.restore()
    assert (os.environ["TZ"], time.timezone, zone.name) == ("UTC0", 0, "")


def test_local_time_that_was_not_set_is_not_set_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TZ", raising=False)
    zone = Zone()
    zone.set("IST-5:30")
    zone.restore()
    assert "TZ" not in os.environ


def test_a_deadline_under_another_zone_puts_zones_to_the_test() -> None:
    steps = "\n  - set_clock: {zone: 'IST-5:30'}\n  - advance: {to_timeout_of: s}\n  - get: s\n"
    profile = a_desk(Desk)
    timed = Profile.of(
        {
            "manager": {"factory": Local, "args": {"idle": "{idle_timeout}"}},
            "operations": {"create": "create(data) -> session", "get": "load(id) -> session"},
            "session": {"id": "id", "data": "data"},
            "policy": {"idle_timeout": "60s", "activity": ["create"]},
        },
        name="local",
    )
    assert "expiry.timezone" not in told(profile, "\n  - get: s\n").exercised
    case = told(timed, steps)
    found = [one.property for one in case.violations]
    assert found == ["expiry.timezone"] or case.exercised["expiry.timezone"]
