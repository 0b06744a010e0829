"""What one case of a search will do: steps one after the other, clients at once, steps one after the other again.

Pure.  A program is turned into a scenario and run as one: there is no second way to run things.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pytest_sessionguard.core.plan import Plan
from pytest_sessionguard.core.scenario import AnyStep, Parallel, Place, Scenario
from pytest_sessionguard.core.values import EMPTY, FrozenMap

CLIENTS_MAX: Final = 4
OPERATIONS_MAX: Final = 4
SESSIONS_MAX: Final = 3

WAITED_MAX_US: Final = 30 * 86_400 * 1_000_000
"""Longer than this no program waits for a session to expire: a cleaner may come by very often until then."""

NOWHERE: Final = Place("generated", 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One case before it runs.

    Shape: `clients` the steps of each client; empty where nothing happens at once.  `figures` as in a scenario.
    """

    title: str
    prefix: tuple[AnyStep, ...]
    clients: tuple[tuple[AnyStep, ...], ...] = ()
    suffix: tuple[AnyStep, ...] = ()
    figures: FrozenMap = EMPTY
    invariants: tuple[str, ...] = ()

    @property
    def scenario(self) -> Scenario:
        """The program as a scenario: the clients are the branches of one `parallel` step."""
        at_once = (Parallel(branches=self.clients, place=NOWHERE),) if self.clients else ()
        return Scenario(
            title=self.title,
            path="",
            place=NOWHERE,
            steps=(*self.prefix, *at_once, *self.suffix),
            figures=self.figures,
            invariants=self.invariants,
        )

    @property
    def plan(self) -> Plan:
        """The program as a plan that passes over what turns out to have nothing to work with."""
        return Plan(scenario=self.scenario, forgiving=True)
