"""Code of any kind with each of its calls failing in turn: the slot that leaks is found, and nobody else is accused."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from pytest_sessionguard.faults.each_call import Port, each_call


class Slots:
    """Takes a slot for each session, before or after the store has it."""

    def __init__(self, store: Any, *, first: bool) -> None:
        self.store, self.first, self.taken = store, first, 0

    def create(self, name: str) -> None:
        self.taken += self.first
        self.store.setdefault(name, {})
        self.taken += not self.first


def a_workload(*, first: bool) -> Callable[[Callable[[Any], Any]], str]:
    def run(before: Callable[[Any], Any]) -> str:
        store: dict[str, Any] = {}
        slots = Slots(before(store), first=first)
        for name in "abc":
            with contextlib.suppress(OSError):
                slots.create(name)
        return "a slot leaks" if slots.taken > len(store) else ""

    return run


def test_every_call_fails_once_and_what_leaks_is_told() -> None:
    assert list(each_call(a_workload(first=True))) == [(k, "setdefault", "a slot leaks") for k in (1, 2, 3)]
    assert list(each_call(a_workload(first=False))) == [(k, "setdefault", "") for k in (1, 2, 3)]


@pytest.mark.parametrize(("how", "kept"), [({"after": True}, 3), ({"lasting": True}, 0), ({"error": KeyError}, 0)])
def test_a_call_fails_in_the_way_that_was_asked_for(how: dict[str, Any], kept: int) -> None:
    store: dict[str, int] = {}
    port: Any = Port(store, 1, **how)
    error = how.get("error", OSError)
    for name in "abc":
        with contextlib.suppress(error):
            port.setdefault(name, 1)
        if "error" in how:
            break
    assert len(store) == kept
    assert port.failed == "setdefault"


def test_what_is_no_call_is_handed_through_and_calls_are_bounded() -> None:
    class Counted:
        size = 3

    assert Port(Counted()).size == 3
    assert len(list(each_call(a_workload(first=True), calls_max=2))) == 2
