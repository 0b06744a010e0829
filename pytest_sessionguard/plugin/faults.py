"""Faults in the hands of a test: what the `sessionguard` driver's manager meets, in the words of scenario files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import pytest

from pytest_sessionguard.core.faults import CRASH, Fault, Fired
from pytest_sessionguard.errors import UsageError
from pytest_sessionguard.plugin.driver import Driver
from pytest_sessionguard.run.scenario_faults import of_words

MARKER: Final = "sessionguard_faults"


class Faults:
    """Makes things go wrong for one test.

    `with sessionguard_faults({"fail_call": "close"}):` lets the fault strike in the block alone.
    """

    def __init__(self, driver: Driver, place: str) -> None:
        self._driver = driver
        self._place = place

    @contextmanager
    def __call__(self, *told: Mapping[str, Any]) -> Iterator[Faults]:
        """Let these faults strike within a block; their chances count from its beginning.

        Raises:
            UsageError: one that there is not, or that takes more than one run.
        """
        self.inject(*told)
        try:
            yield self
        finally:
            self._driver.injections.disarm()

    def inject(self, *told: Mapping[str, Any]) -> None:
        """Let these faults strike from now on, to the end of the test.

        Raises:
            UsageError: one that there is not, or that takes more than one run.
        """
        self._driver.injections.add(for_one_run(self._place, told))
        self._driver.injections.arm()

    @property
    def fired(self) -> tuple[Fired, ...]:
        """What has struck so far, in its order: `fault`, `chance`, `point`, `at_us`, `followed`."""
        return self._driver.injections.fired


def for_one_run(place: str, told: tuple[Mapping[str, Any], ...]) -> tuple[Fault, ...]:
    """Return faults that a test may have: it runs once.

    Raises:
        UsageError: one that there is not, or that takes more than one run.
    """
    faults = of_words(place, *told)
    for fault in faults:
        if fault.at is None or fault.kind == CRASH:
            raise UsageError(f"{place}: {fault}: a test runs once; tell it in a scenario file, or parametrise the test")
    return faults


def of_marker(item: pytest.Item) -> tuple[Fault, ...]:
    """Return the faults that the marks of a test name.

    Raises:
        UsageError: one that there is not, or that takes more than one run.
    """
    told: list[Mapping[str, Any]] = []
    for marker in item.iter_markers(MARKER):
        told += [*marker.args, *([marker.kwargs] if marker.kwargs else [])]
    wrong = [one for one in told if not isinstance(one, Mapping)]
    if wrong:
        raise UsageError(f"{item.nodeid}: the marker {MARKER} takes faults as mappings, not {wrong[0]!r}")
    return for_one_run(item.nodeid, tuple(told)) if told else ()
