"""Sync managers that clean in a thread of their own: in virtual time as the tasks of an async one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import toys
from test_runner import run, violation

from pytest_sessionguard.clock.readings import READINGS
from pytest_sessionguard.target.shape import Profile


class Cleaning(toys.Toy):
    """Cleans every minute in a thread; shows what is stale until then."""

    every_s = 60.0

    def __init__(self, idle: float = 60.0, limit: int | None = None) -> None:
        super().__init__(idle, limit)
        self.enough = threading.Event()
        self.cleaner = threading.Thread(target=self.clean, name="cleaner", daemon=True)

    def start(self) -> None:
        self.cleaner.start()

    def stop(self) -> None:
        self.enough.set()
        self.cleaner.join(5)

    def clean(self) -> None:
        while not self.enough.wait(self.every_s):
            self.sweep()

    def sweep(self) -> int:
        with self.lock:
            dead = [id for id, entry in self.kept.items() if time.time() - entry["at"] >= self.idle]
            for id in dead:
                del self.kept[id]
            return len(dead)

    def alive(self, id: str) -> dict[str, Any] | None:
        with self.lock:
            return self.kept.get(id)


class Sleepy(Cleaning):
    """Cleans every twenty minutes instead."""

    every_s = 1200.0


class Forgetful(Cleaning):
    """Stops cleaning once it has met an error."""

    def clean(self) -> None:
        while not self.enough.wait(self.every_s):
            if self.kept:
                return


class Stuck(Cleaning):
    """Its delete waits for what nobody gives."""

    def delete(self, id: str) -> bool:
        return threading.Event().wait()


class StuckInSilence(Cleaning):
    """The same, and it keeps every exception to itself."""

    def delete(self, id: str) -> bool:
        try:
            return threading.Event().wait()
        except Exception:
            return True


def profile(factory: Any) -> Profile:
    stale = {"idle_timeout": "30m", "limit": 3, "expired": "stale", "sweep_interval": "1m", "revivable": True}
    operations = {**toys.OPERATIONS, "start": "start()", "stop": "stop()"}
    return replace(toys.a_profile(factory, operations, policy=stale))


STORY = """
- create: {as: cart}
- advance: {to_timeout_of: cart}
- advance: 61s
- expect: {count: 0}
- create: {as: other}
- advance: 2h
- expect: {count: 0}
"""


def test_a_cleaner_thread_comes_in_time_within_a_story() -> None:
    case = run(profile(Cleaning), STORY)
    assert (case.status, case.reason) == ("held", "")
    assert case.virtual_us == (31 + 120) * 60_000_000 + 1_000_000
    assert case.exercised["sweep.background"] >= 2
    assert not [thread for thread in threading.enumerate() if thread.name == "cleaner"]


@pytest.mark.parametrize("factory", [Sleepy, Forgetful])
def test_a_cleaner_thread_that_comes_too_late_or_never_is_caught(factory: type) -> None:
    assert violation(run(profile(factory), STORY)).property == "sweep.background"


@pytest.mark.parametrize("factory", [Stuck, StuckInSilence])
def test_an_operation_that_never_answers_is_told_although_a_cleaner_wakes_for_ever(factory: type) -> None:
    found = violation(run(profile(factory), "- create: {as: a}\n- delete: a\n"))
    assert found.property == "concurrency.deadlock-free"
    assert "delete(a) never answers" in found.summary
    assert "MainThread waits for <" in found.given
    assert READINGS.clock is None


@pytest.mark.parametrize("callers", ["threads", "tasks"])
def test_clients_at_once_meet_in_the_middle_of_their_operations_in_one_order(callers: str) -> None:
    orders: list[list[str]] = []

    class Noting(toys.Toy):
        def update(self, id: str, changes: Any) -> bool:
            order.append("asks")
            with self.lock:
                order.append("has")
                time.sleep(5)
                return super().update(id, changes)

    update = "{update: {session: a, set: {%s: 1}}}"
    steps = f"- create: {{as: a}}\n- parallel: [[{update % 'x'}], [{update % 'y'}]]\n"
    for _ in range(5):
        order: list[str] = []
        case = run(toys.a_profile(Noting, manager={"callers": callers}), steps)
        assert (case.status, case.reason, case.virtual_us) == ("held", "", 10_000_000)
        orders.append(order)
    assert orders == [["asks", "asks", "has", "has"] if callers == "threads" else ["asks", "has"] * 2] * 5


@pytest.mark.parametrize("act", [lambda: time.sleep(7_000), lambda: threading.Event().wait(7_000)])
def test_an_operation_that_takes_more_than_an_hour_is_taken_to_hang(act: Callable[[], Any]) -> None:
    class Slow(Cleaning):
        def delete(self, id: str) -> bool:
            act()
            return True

    assert violation(run(profile(Slow), "- create: {as: a}\n- delete: a\n")).property == "concurrency.deadlock-free"
