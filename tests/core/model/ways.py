"""Every way that a naive manager may go: all its choices, one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pytest_sessionguard.core.operations import Operation, Outcome

from .naive import NaiveManager


def every_way(manager: NaiveManager, operation: Operation) -> Iterator[tuple[Outcome, NaiveManager]]:
    """Give every answer that the manager may give, each with the manager that is left."""
    script: list[int] = []
    while True:
        twin = manager.twin()
        taken: list[tuple[int, int]] = []

        def choose(options: list[Any], script: list[int] = script, taken: list[tuple[int, int]] = taken) -> Any:
            place = len(taken)
            index = script[place] if place < len(script) else 0
            taken.append((index, len(options)))
            return options[index]

        outcome = twin.ask(operation, choose)
        twin.choose = _nothing_to_choose
        yield outcome, twin
        while taken and taken[-1][0] + 1 >= taken[-1][1]:
            taken.pop()
        if not taken:
            return
        script = [index for index, _ in taken]
        script[-1] += 1


def _nothing_to_choose(options: list[Any]) -> Any:
    raise AssertionError("a choice outside an operation")


def worlds_after(worlds: Iterable[NaiveManager], operation: Operation) -> dict[Outcome, dict[Any, NaiveManager]]:
    """Return every answer that one of the managers may give, each with the managers that are left."""
    found: dict[Outcome, dict[Any, NaiveManager]] = {}
    for manager in worlds:
        for outcome, after in every_way(manager, operation):
            found.setdefault(outcome, {})[after.frozen()] = after
    return found
