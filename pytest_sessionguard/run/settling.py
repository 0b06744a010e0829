"""The finds of one search, settled: those of earlier searches replayed first, those of this one made small and told.

A bug is told once, however many programs have shown it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from pytest_sessionguard.core.found import Found
from pytest_sessionguard.core.result import CaseResult
from pytest_sessionguard.core.violation import ViolationFound
from pytest_sessionguard.explore.shrink import likeness
from pytest_sessionguard.run.found import earlier, replay_command, replayed, settle
from pytest_sessionguard.run.runner import Runner

# With a time to search in, what was found is made small in so much of it besides, and at least so long.
_SHARE: Final = 0.25
_LEAST_S: Final = 2.0

_UNSURE: Final = "a violation of it did not come back when it was replayed: the manager is not deterministic"


class Settling:
    """What one search has found.

    Attributes:
        uncertain: what did not come back when it was replayed, as text; `unsure`: its properties, and why.
    """

    def __init__(self, runner: Runner, asked: Collection[str], folder: Path | None, *, seed: int) -> None:
        self._found: list[tuple[ViolationFound, CaseResult]] = []
        self.uncertain: list[str] = []
        self.unsure: dict[str, str] = {}
        self._runner = runner
        self._asked = asked
        self._folder = folder
        self._seed = seed
        self._told: set[tuple[str, ...]] = set()

    @property
    def violations(self) -> list[ViolationFound]:
        """Every bug once, in the order of their files."""
        return [violation for violation, _ in self._found]

    @property
    def cases(self) -> list[CaseResult]:
        """The cases that show them."""
        return [case for _, case in self._found]

    def replay(self) -> Iterator[CaseResult]:
        """Run what was found earlier.

        Raises:
            UsageError: a file of it is no scenario any more, or does not fit the target.
        """
        if self._folder is None:
            return
        for kept in earlier(self._folder, target=self._runner.target):
            case = replayed(kept.plan, self._runner, case=str(kept.path))
            # As the search told it that found it first: then a search comes to the same, however often it is run.
            command = replay_command(kept.token, self._runner.target)
            found = tuple(replace(one, replay=command) for one in case.violations)
            case = replace(case, cell="", path=str(kept.path), line=0, violations=found)
            yield case
            for violation in found:
                if violation.property in self._asked:
                    self._tell(violation, case)

    def settle(self, founds: Iterable[Found], *, budget_s: float | None) -> None:
        """Make finds small and confirm them; without a budget in as many runs as it takes.

        Units: `budget_s` real seconds of the search.
        """
        until_s = None if budget_s is None else time.monotonic() + (max(_LEAST_S, budget_s * _SHARE) if budget_s else 0)
        for found in founds:
            settled = settle(
                found,
                self._runner,
                folder=self._folder,
                seed=self._seed,
                asked=self._asked,
                ended=lambda: until_s is not None and time.monotonic() >= until_s,
            )
            if settled.violation is not None:
                self._tell(settled.violation, settled.found.case)
            else:
                self.uncertain.append(settled.uncertain)
                self.unsure[found.violation.property] = _UNSURE

    def _tell(self, violation: ViolationFound, case: CaseResult) -> None:
        like = likeness(violation)
        if like not in self._told:
            self._told.add(like)
            self._found.append((violation, case))
            self._found.sort(key=lambda pair: _place(pair[0]))


def _place(violation: ViolationFound) -> tuple[str, int]:
    """Return what orders violations: the property, and the number of the file."""
    number = re.search(r"-(\d+)\.session\.yaml$", violation.scenario)
    return violation.property, int(number[1]) if number else 0
