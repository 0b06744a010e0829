"""What one process of a search has at hand: the target, the runner that knows it, what may be drawn, the stories."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache, cached_property

from pytest_sessionguard.core.plan import Plan, cells
from pytest_sessionguard.core.result import CaseResult
from pytest_sessionguard.explore.repertoire import Repertoire, repertoire
from pytest_sessionguard.run import cancelling, scenario_files, shipped_stories
from pytest_sessionguard.run.runner import Runner
from pytest_sessionguard.target.shape import Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One case of a search, and what came of it.

    Attributes:
        schedule: who ran at each decision; empty where nothing ran at once.
        fault: what was done to the target besides, as text.
        is_costly: it is not to be run again and again.
    """

    plan: Plan
    case: CaseResult
    schedule: str = ""
    fault: str = ""
    is_costly: bool = False


@cache
def _every_story() -> tuple[Plan, ...]:
    """Return the cases of the shipped stories; read once in a process."""
    files = scenario_files.find([shipped_stories.folder()])
    return tuple(plan for path in files for plan in cells(scenario_files.load(path)))


class Bench:
    """The means of one process of a search.  What a case does depends on the seed, its family and its number alone."""

    def __init__(self, profile: Profile, *, seed: int, target: str = "") -> None:
        self.profile = profile
        self.seed = seed
        self.runner = Runner(profile, target=target)
        self.runner.known = set()

    @cached_property
    def repertoire(self) -> Repertoire:
        """What may be drawn."""
        return repertoire(self.profile)

    @cached_property
    def stories(self) -> tuple[Plan, ...]:
        """The cases of the shipped stories that fit the target."""
        return tuple(plan for plan in _every_story() if not self.runner.missing(plan))

    @cached_property
    def cancelled(self) -> tuple[tuple[Plan, tuple[int, ...]], ...]:
        """The programs made for cancellations, with the numbers of the operations that are to be cancelled."""
        return cancelling.programs(self.profile)

    def rng(self, family: str, number: int) -> random.Random:
        """Return the random numbers of one case."""
        return random.Random(f"{self.seed}:{family}:{number}")
