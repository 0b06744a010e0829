"""The reference manager's cleaner under `advance`: what the turns are for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import pytest

from pytest_sessionguard.clock.virtual import MICROSECONDS, VirtualClock
from pytest_sessionguard.clock.waits import CURRENT, Runner
from pytest_sessionguard.reference import SessionManager


def test_the_sync_managers_cleaner_sweeps_exactly_when_due() -> None:
    with VirtualClock(threads=True).installed() as clock:
        closed: list[int] = []
        manager = SessionManager(
            timeout_secs=100, cleanup_interval_secs=300, on_close=lambda *_: closed.append(clock.virtual_elapsed_us)
        )
        with manager:
            clock.advance(0)
            manager.create("client")
            clock.advance(299_999_999)
            assert closed == []
            clock.advance(1)
            assert closed == [300 * MICROSECONDS]
            manager.create("client")
            clock.advance(3600 * MICROSECONDS)
            assert closed[1:] == [600 * MICROSECONDS]
        assert clock.virtual_elapsed_us == 3900 * MICROSECONDS
    assert [thread for thread in threading.enumerate() if thread.name == "session-cleaner"] == []


def run(*bodies: Callable[[], object]) -> None:
    threads = [threading.Thread(target=body) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def last_of(able: Sequence[Runner], last: Runner | None) -> Runner:
    return max(able, key=lambda runner: runner.number)


def first_of(able: Sequence[Runner], last: Runner | None) -> Runner:
    return min(able, key=lambda runner: runner.number)


def switch() -> None:
    turns = CURRENT.turns
    assert turns is not None
    me = turns.me()
    assert me is not None
    turns.offer_switch(me)


@pytest.mark.parametrize(
    ("choose", "order"), [(None, "aabb"), (first_of, "aabb"), (last_of, "bbaa"), (lambda able, last: able[0], "abab")]
)
def test_who_runs_next_is_chosen_at_every_switch_that_is_offered(choose: object, order: str) -> None:
    seen: list[str] = []

    def twice(letter: str) -> None:
        for _ in range(2):
            seen.append(letter)
            switch()

    with VirtualClock(threads=True).installed():
        assert CURRENT.turns is not None
        CURRENT.turns.choose = choose  # type: ignore[assignment]  # one of those above
        run(lambda: twice("a"), lambda: twice("b"))
    assert "".join(seen) == order


@pytest.mark.parametrize(("choose", "order"), [(first_of, ["a", "b", "c"]), (last_of, ["c", "b", "a"])])
def test_who_is_due_at_one_instant_is_chosen_too(choose: object, order: list[str]) -> None:
    seen: list[str] = []

    def later(letter: str) -> None:
        time.sleep(5)
        seen.append(letter)

    with VirtualClock(threads=True).installed() as clock:
        assert CURRENT.turns is not None
        CURRENT.turns.choose = choose  # type: ignore[assignment]  # one of those above
        run(lambda: later("a"), lambda: later("b"), lambda: later("c"))
        assert clock.virtual_elapsed_us == 5 * MICROSECONDS
    assert seen == order


@pytest.mark.parametrize(("choose", "came"), [(first_of, True), (last_of, False)])
def test_at_one_instant_a_wait_may_be_woken_or_run_out(choose: object, came: bool) -> None:
    event, seen = threading.Event(), list[bool]()

    def set_then() -> None:
        time.sleep(5)
        event.set()

    with VirtualClock(threads=True).installed():
        assert CURRENT.turns is not None
        CURRENT.turns.choose = choose  # type: ignore[assignment]  # one of those above
        run(set_then, lambda: seen.append(event.wait(5)))
    assert seen == [came]


def test_advance_comes_after_all_that_is_due_whoever_is_chosen() -> None:
    seen: list[int] = []

    def tick() -> None:
        for number in range(3):
            time.sleep(1)
            seen.append(number)

    with VirtualClock(threads=True).installed() as clock:
        assert CURRENT.turns is not None
        CURRENT.turns.choose = first_of
        thread = threading.Thread(target=tick)
        thread.start()
        clock.advance(0)
        clock.advance(3 * MICROSECONDS)
        assert seen == [0, 1, 2]
        thread.join()
