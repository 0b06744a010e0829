"""Crash detection in a search: processes are really killed, and another asks how their owner is."""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import Any

import pytest

from pytest_sessionguard.core.result import Result
from pytest_sessionguard.crash import processes
from pytest_sessionguard.run.bench import Bench
from pytest_sessionguard.run.checker import Settings, check
from pytest_sessionguard.run.families import families
from pytest_sessionguard.target.loading import load
from pytest_sessionguard.target.shape import Profile

pytestmark = pytest.mark.skipif(
    bool(processes.unavailable()), reason=processes.unavailable() or "children can be killed"
)


class Owned:
    """Sound: says who owns the folder, and takes that back when it stops."""

    def __init__(self, root: str) -> None:
        self.owner = Path(root, "owner")
        self.kept: dict[str, Any] = {}

    def start(self) -> None:
        self.owner.write_text(str(os.getpid()))

    def stop(self) -> None:
        self.owner.unlink(missing_ok=True)

    def create(self, data: Any = None) -> str:
        id = uuid.uuid4().hex
        self.kept[id] = data or {}
        return id

    def get(self, id: str) -> Any:
        return self.kept.get(id)

    def health(self) -> str:
        if not self.owner.exists():
            return "ended"
        return "ok" if self.is_running(int(self.owner.read_text())) else "process-dead"

    def is_running(self, pid: int) -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return True


class Believes(Owned):
    """Whoever has written his name down is taken to live."""

    def is_running(self, pid: int) -> bool:
        return True


class Leaves(Owned):
    """Whoever ends in good order leaves his name behind, and is taken for dead."""

    def stop(self) -> None:
        pass


def a_profile(factory: Any, **more: Any) -> Profile:
    verbs = {"create": "create(data?) -> id", "get": "get(id) -> data", "health": "health() -> status"}
    told: dict[str, Any] = {
        "manager": {"factory": factory, "args": {"root": "{dir}"}},
        "operations": {**verbs, "start": "start()", "stop": "stop()"},
        "policy": {"missing": {"get": "none"}},
        "health": {"ok": "ok", "dead": "process-dead"},
    }
    return Profile.of({**told, **more}, name="owned")


def searched(profile: Profile, cases: int = 10) -> Result:
    only = ("recovery.detects-crash", "recovery.no-false-alarm")
    settings = Settings(seed=1, budget_s=None, cases=cases, only=only, kinds=("detection",), first=True)
    return check(profile, settings)


@pytest.mark.parametrize(
    ("factory", "name"), [(Believes, "recovery.detects-crash"), (Leaves, "recovery.no-false-alarm")]
)
def test_who_takes_the_dead_for_living_or_who_has_ended_for_dead_is_found(factory: Any, name: str) -> None:
    (found,) = searched(a_profile(factory)).violations
    assert found.property == name
    assert found.fault.startswith("kill after" if factory is Believes else "end in good order")


@pytest.mark.parametrize("profile", [a_profile(Owned), load("reference-recovery")], ids=lambda one: one.name)
def test_who_tells_a_crash_from_an_end_is_not_accused(profile: Profile) -> None:
    result = searched(profile, 12)
    assert result.violations == ()
    assert {one.status for one in result.properties if one.name.startswith("recovery.") and one.cases} <= {
        "held",
        "unproven",
    }
    assert sum(one.cases for one in result.properties) > 5


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"health": {"ok": "ok"}}, "`dead`"),
        ({"manager": {"factory": Owned, "args": {"root": "/nowhere"}}}, "no folder"),
        ({"operations": {"create": "create() -> id", "get": "get(id) -> data", "health": "health()"}}, "neither"),
    ],
)
def test_where_nobody_can_be_asked_the_reason_is_told(more: dict[str, Any], told: str) -> None:
    assert told in families()["detection"].applies(Bench(a_profile(Owned, **more), seed=1))
