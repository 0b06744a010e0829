"""What strands touch is told to the scheduler that listens, and reductions on real tasks miss nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

from pytest_sessionguard.clock import eventloop
from pytest_sessionguard.clock.virtual import VirtualClock
from pytest_sessionguard.explore import accesses, schedulers, tasks
from pytest_sessionguard.explore.accesses import Observed
from pytest_sessionguard.explore.search import Program, Searched, search


def searched(program: Program, name: str) -> Searched:
    return eventloop.run(VirtualClock(), lambda: search(program, schedulers.make(name), runs_max=50_000))


def test_a_dict_tells_what_is_read_and_what_is_written() -> None:
    heard: list[tuple[object, bool]] = []
    store: Observed[str, int] = Observed("s")
    with accesses.heard_by(lambda key, is_write: heard.append((key, is_write))):
        store["a"] = 1
        store["a"] = store["a"] + 1
        assert len(store) == 1
        assert list(store) == ["a"]
        del store["a"]
    store["b"] = 1
    one, which = ("s", "a"), ("s", "which")
    assert heard[:5] == [(one, True), (which, True), (one, False), (one, True), (which, False)]
    assert set(heard[5:-2]) == {(which, False)}
    assert heard[-2:] == [(one, True), (which, True)]


def sessions(*names: str, steps: int = 2) -> Program:
    """Return a program of clients that each work on a session of their own, or on the same."""

    def program() -> tuple[Sequence[tasks.Client], Callable[[], None]]:
        store: Observed[str, int] = Observed()
        for name in names:
            store[name] = 0

        def client(name: str) -> tasks.Client:
            async def work() -> None:
                for _ in range(steps):
                    read = store[name]
                    await asyncio.sleep(0)
                    store[name] = read + 1

            return work

        def check() -> None:
            assert sum(store.values()) == steps * len(names)

        return [client(name) for name in names], check

    return program


@pytest.mark.parametrize(("name", "most"), [("sleep-sets", 16), ("dpor", 1)])
def test_independent_sessions_take_few_runs_and_hold(name: str, most: int) -> None:
    found = searched(sessions("a", "b", "c"), name)
    assert found.exhaustive
    assert found.runs <= most


@pytest.mark.parametrize("name", ["sleep-sets", "dpor", "exhaustive"])
def test_a_lost_update_is_missed_by_none(name: str) -> None:
    assert isinstance(searched(sessions("a", "b", "a"), name).failure, AssertionError)
