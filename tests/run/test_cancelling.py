"""Every operation cancelled at each of its suspensions: what stays behind is found, careful managers are spared."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from pytest_sessionguard.core.plan import Plan, cells
from pytest_sessionguard.core.result import CaseResult
from pytest_sessionguard.run import scenario_files
from pytest_sessionguard.run.cancelling import cancel_each, programs
from pytest_sessionguard.run.runner import Runner
from pytest_sessionguard.target.shape import Profile

Hook = Callable[[str], Awaitable[None]]


class Rooms:
    """Sessions behind one lock, with a limit, an awaited hook when one is made and one when it is closed."""

    def __init__(self, limit: int, opened: Hook, closed: Hook) -> None:
        self.limit, self.opened, self.closed = limit, opened, closed
        self.kept: dict[str, dict[str, Any]] = {}
        self.lock = asyncio.Lock()

    async def create(self, id: str, data: Any = None) -> str:
        async with self.lock:
            if id in self.kept:
                raise FileExistsError(id)
            if len(self.kept) >= self.limit:
                raise OverflowError(self.limit)
            await self.opened(id)
            self.kept[id] = dict(data or {})
            return id

    async def get(self, id: str) -> Any:
        await asyncio.sleep(0)
        return dict(self.kept[id]) if id in self.kept else None

    async def update(self, id: str, changes: Any) -> bool:
        async with self.lock:
            await asyncio.sleep(0)
            if id in self.kept:
                self.kept[id].update(changes)
            return id in self.kept

    async def delete(self, id: str) -> bool:
        if id not in self.kept:
            return False
        del self.kept[id]
        await self.closed(id)
        return True

    async def clear(self) -> int:
        ended = list(self.kept)
        for id in ended:
            await self.delete(id)
        return len(ended)

    async def count(self) -> int:
        return len(self.kept)


class SlotIsKept(Rooms):
    """Takes a slot before it waits, and gives it back only where nothing comes between."""

    taken = 0

    async def create(self, id: str, data: Any = None) -> str:
        if id in self.kept:
            raise FileExistsError(id)
        if self.taken >= self.limit:
            raise OverflowError(self.limit)
        self.taken += 1
        await self.opened(id)
        self.kept[id] = dict(data or {})
        return id

    async def delete(self, id: str) -> bool:
        self.taken -= id in self.kept
        return await super().delete(id)


class LockIsKept(Rooms):
    """Gives its lock back only where nothing comes between."""

    async def update(self, id: str, changes: Any) -> bool:
        await self.lock.acquire()
        await asyncio.sleep(0)
        if id in self.kept:
            self.kept[id].update(changes)
        self.lock.release()
        return id in self.kept


class IdIsKept(Rooms):
    """Takes the id before it waits: it is taken from then on, though no session has it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.ids: set[str] = set()

    async def create(self, id: str, data: Any = None) -> str:
        if id in self.ids:
            raise FileExistsError(id)
        self.ids.add(id)
        try:
            return await super().create(id, data)
        except OverflowError:
            self.ids.discard(id)
            raise

    async def delete(self, id: str) -> bool:
        self.ids.discard(id)
        return await super().delete(id)


class HalfIsMade(Rooms):
    """Stores a session before it waits, and its data after it."""

    async def create(self, id: str, data: Any = None) -> str:
        if id in self.kept:
            raise FileExistsError(id)
        if len(self.kept) >= self.limit:
            raise OverflowError(self.limit)
        self.kept[id] = {}
        await self.opened(id)
        self.kept[id].update(data or {})
        return id


class ClosingIsForgotten(Rooms):
    """Waits between removing a session and closing it."""

    async def delete(self, id: str) -> bool:
        if id not in self.kept:
            return False
        del self.kept[id]
        await asyncio.sleep(0)
        await self.closed(id)
        return True


class HalfIsWritten(Rooms):
    """Writes one key, waits, writes the next."""

    async def update(self, id: str, changes: Any) -> bool:
        for key, value in changes.items():
            if id not in self.kept:
                return False
            self.kept[id][key] = value
            await asyncio.sleep(0)
        return id in self.kept


def a_profile(factory: Any) -> Profile:
    return Profile.of(
        {
            "manager": {
                "factory": factory,
                "args": {"limit": "{limit}"},
                "callers": "tasks",
                "hooks": {"opened": "async open(id)", "closed": "async close(id)"},
            },
            "operations": {
                "create": "create(id, data?) -> id",
                "get": "get(id) -> data",
                "update": "update(id, changes) -> found",
                "delete": "delete(id) -> found",
                "clear": "clear() -> count",
                "count": "count() -> count",
            },
            "policy": {"limit": 2, "close_hook": "once"},
            "errors": {"exists": "FileExistsError", "limit": "OverflowError"},
        }
    )


def searched(factory: type[Rooms], word: str = "") -> list[CaseResult]:
    """Return the cases of the programs with this word in their title."""
    runner = Runner(a_profile(factory))
    chosen = [(plan, numbers) for plan, numbers in programs(runner.profile) if word in plan.title]
    return [case for plan, numbers in chosen for _, case in cancel_each(runner, plan, numbers)]


def plan_of(steps: str) -> Plan:
    (plan,) = cells(scenario_files.load("a.session.yaml", f"scenario: A story\nversion: 1\nsteps:\n{steps}"))
    return plan


def test_a_careful_manager_is_spared() -> None:
    cases = searched(Rooms)
    assert [(case.title, case.violations) for case in cases if case.status == "violated"] == []
    exercised: Counter[str] = Counter()
    for case in cases:
        exercised.update(case.exercised)
    assert exercised["cancel.atomic"] == exercised["cancel.no-leak"] == sum(case.cancelled for case in cases) > 10


@pytest.mark.parametrize(
    ("factory", "name", "word"),
    [
        (SlotIsKept, "cancel.no-leak", "Create with no"),
        (LockIsKept, "cancel.no-leak", "Update of a live"),
        (SlotIsKept, "cancel.no-leak", "Create of a live"),
        (IdIsKept, "cancel.no-leak", "Create with no"),
        (HalfIsMade, "cancel.atomic", "Create with no"),
        (ClosingIsForgotten, "cancel.no-leak", "Delete of a live"),
    ],
)
def test_what_a_cancelled_operation_leaves_behind_is_found(factory: type[Rooms], name: str, word: str) -> None:
    broken = [case for case in searched(factory, word) if case.status == "violated"]
    assert {case.violations[0].property for case in broken} == {name}
    assert all(case.cancelled == 1 for case in broken)
    assert "was cancelled at its suspension" in broken[0].violations[0].summary


CUT_TWICE = """
  - create: {as: a, id: one, data: {n: 0}}
  - update: {session: a, set: {x: 1, y: 2}}
    cancel_at: $at
  - get: a
"""


@pytest.mark.parametrize(("at", "status"), [(1, "violated"), (2, "held"), (3, "unproven")])
def test_a_story_says_where_an_operation_is_cancelled(at: int, status: str) -> None:
    case = Runner(a_profile(HalfIsWritten)).run(plan_of(CUT_TWICE.replace("$at", str(at))))
    assert case.status == status
    if status == "violated":
        assert case.violations[0].property == "cancel.atomic"
    elif status == "held":
        assert case.exercised["cancel.atomic"] == 1
    else:
        assert "update has 2 suspensions: it was not cancelled at the 3." in case.reason


def test_a_cancelled_operation_that_nobody_asks_after_has_shown_nothing() -> None:
    steps = "  - create: {as: a, id: one}\n  - update: {session: a, set: {x: 1}}\n    cancel_at: 1\n"
    case = Runner(a_profile(Rooms)).run(plan_of(steps))
    assert case.cancelled == 1
    assert "cancel.atomic" not in case.exercised


def test_an_answer_that_comes_in_spite_of_it_is_judged() -> None:
    class Shielded(Rooms):
        async def update(self, id: str, changes: Any) -> bool:
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                return True  # and nothing was written
            return await super().update(id, changes)

    case = Runner(a_profile(Shielded)).run(plan_of(CUT_TWICE.replace("$at", "1")))
    assert case.violations[0].property == "cancel.atomic"


def test_a_program_that_fails_by_itself_says_nothing_of_cancellations() -> None:
    class Wrong(Rooms):
        async def get(self, id: str) -> Any:
            return {"made": "up"}

    cases = searched(Wrong, "Create with no")
    found = {case.violations[0].property for case in cases if case.violations}
    assert found
    assert not any(name.startswith("cancel.") for name in found)


def test_all_operations_of_a_story_are_cancelled_unless_some_are_named() -> None:
    runner = Runner(a_profile(Rooms))
    plan = plan_of("  - create: {as: a, id: one}\n  - parallel: [[{get: a}], [{delete: a}]]\n  - get: {id: one}\n")
    done = [cut.scenario for cut, case in cancel_each(runner, plan) if case.cancelled]
    assert len(done) == 4
    assert [cut.scenario for cut, case in cancel_each(runner, plan, [2]) if case.cancelled] == [done[2]]


def test_who_is_no_task_cannot_be_cancelled() -> None:
    profile = replace(a_profile(Rooms), callers="one")
    case = Runner(profile).run(plan_of("  - get: {id: one}\n    cancel_at: 1\n"))
    assert case.status == "skipped"
    assert "callers that are tasks, to be cancelled (the profile says callers = one)" in case.reason
