"""The kinds of cases of a search: found by being there, the same in every process, each able to find and to spare."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from test_checker import POLICY, Sound, a_profile, searched, statuses
from toys import OPERATIONS

from pytest_sessionguard.core.properties import PROPERTIES
from pytest_sessionguard.errors import ScheduleMisfit
from pytest_sessionguard.run.bench import Bench
from pytest_sessionguard.run.families import families
from pytest_sessionguard.target.profile import load
from pytest_sessionguard.target.shape import Profile


class Tasks:
    """Sessions for tasks: every operation waits once in its midst."""

    def __init__(self, idle: float = 60.0) -> None:
        self.inner = Sound(idle)
        self.lock = asyncio.Lock()

    async def create(self, data: Any = None, id: str | None = None) -> str:
        async with self.lock:
            return self.inner.create(data, id)

    async def get(self, id: str) -> Any:
        return self.inner.get(id)

    async def update(self, id: str, changes: dict[str, Any]) -> bool:
        async with self.lock:
            data = self.inner.get(id)
            await asyncio.sleep(0)
            if data is None:
                return False
            return self.inner.update(id, {**data, **changes})

    async def delete(self, id: str) -> bool:
        async with self.lock:
            return self.inner.delete(id)


class Loses(Tasks):
    async def update(self, id: str, changes: dict[str, Any]) -> bool:
        data = self.inner.get(id)
        await asyncio.sleep(0)
        if data is None:
            return False
        entry = self.inner.alive(id)
        if entry is not None:
            entry.update(data={**data, **changes}, at=time.time())
        return entry is not None


class Holds(Tasks):
    """A cancelled update keeps the lock."""

    async def update(self, id: str, changes: dict[str, Any]) -> bool:
        await self.lock.acquire()
        await asyncio.sleep(0)
        found = self.inner.update(id, changes)
        self.lock.release()
        return found


def tasks(factory: type[Tasks]) -> Profile:
    verbs = ("create", "get", "update", "delete")
    return Profile.of(
        {
            "manager": {"factory": factory, "args": {"idle": "{idle_timeout}"}, "callers": "tasks"},
            "operations": {verb: OPERATIONS[verb] for verb in verbs},
            "policy": {**POLICY, "missing": {"get": "none", "update": "false", "delete": "false"}},
            "errors": {"exists": "FileExistsError"},
        },
        name="tasks",
    )


def test_families_are_found_the_cheapest_first() -> None:
    ranks = [family.rank for family in families().values()]
    assert ranks == sorted(ranks)
    assert {"stories", "sequential", "concurrent", "cancellation"} <= set(families())


@pytest.mark.parametrize("name", families())
def test_what_a_family_exercises_are_properties(name: str) -> None:
    for one in families()[name].exercises:
        assert any(known == one or (one.endswith(".") and known.startswith(one)) for known in PROPERTIES)


@pytest.mark.parametrize("name", ["sequential", "concurrent"])
def test_a_case_is_the_same_whoever_runs_it(name: str) -> None:
    profile = load("reference")
    first = list(families()[name].run(Bench(profile, seed=5), 3))
    other = list(families()[name].run(Bench(profile, seed=5), 3))
    assert [one.plan for one in first] == [one.plan for one in other]
    assert [one.schedule for one in first] == [one.schedule for one in other]


def test_clients_at_once_lose_no_update_of_a_sound_manager() -> None:
    result = searched(tasks(Tasks), kinds=("concurrent",), cases=40)
    assert [found.message for found in result.violations] == []
    assert statuses(result)["concurrency.linearizable"] == "held"


def test_a_lost_update_is_found_between_clients_at_once() -> None:
    result = searched(tasks(Loses), kinds=("concurrent",), cases=150, first=True)
    assert [found.property for found in result.violations] == ["concurrency.no-lost-update"]
    assert result.violations[0].schedule


def test_a_lock_that_a_cancelled_operation_keeps_is_found() -> None:
    result = searched(tasks(Holds), kinds=("cancellation",), cases=40, first=True)
    assert {found.property for found in result.violations} == {"cancel.no-leak"}


def test_cancellations_leave_nothing_behind_in_a_sound_manager() -> None:
    result = searched(tasks(Tasks), kinds=("cancellation",), cases=40)
    assert [found.message for found in result.violations] == []
    assert statuses(result)["cancel.atomic"] == "held"


def test_where_nobody_calls_at_once_nothing_concurrent_is_held() -> None:
    bench = Bench(a_profile(Sound), seed=1)
    assert "callers = one" in families()["concurrent"].applies(bench)
    assert "no tasks" in families()["cancellation"].applies(bench)


def test_clients_that_never_overlap_prove_nothing() -> None:
    """A search of one case overlaps far less often than the minimum asks for."""
    told = statuses(searched(tasks(Tasks), kinds=("sequential", "concurrent"), cases=8))
    assert {told[name] for name in told if name.startswith("concurrency.")} <= {"unproven", "not-applicable"}


class Counts(Sound):
    """Ids that count up."""

    made = 0

    def create(self, data: Any = None, id: str | None = None) -> str:
        Counts.made += 1
        return super().create(data, id or f"session-{Counts.made:06d}")


@pytest.mark.unmeasured
@pytest.mark.parametrize(("factory", "status"), [(Sound, "held"), (Counts, "violated")])
def test_ids_that_count_up_are_told_apart_from_random_ones(factory: type[Sound], status: str) -> None:
    result = searched(a_profile(factory, id_bits=120), kinds=("given-ids",), cases=1)
    assert statuses(result)["security.id-entropy"] == status


def test_ids_of_which_nothing_is_promised_are_not_judged() -> None:
    assert "no id_bits" in families()["given-ids"].applies(Bench(a_profile(Sound), seed=1))


def test_a_target_that_goes_another_way_under_the_same_decisions_breaks_no_search(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench(tasks(Tasks), seed=1)
    explore = bench.runner.explore

    def astray(*args: Any, **more: Any) -> Any:
        explore(*args, **{**more, "runs_max": 1})
        raise ScheduleMisfit("AB", decision=2, wanted="B", able=["A"])

    monkeypatch.setattr(bench.runner, "explore", astray)
    assert len(list(families()["concurrent"].run(bench, 0))) == 1
