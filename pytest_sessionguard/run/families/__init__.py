"""Kinds of cases that a search is made of: one file each, found by being there, that exports `FAMILY`.

The rule of this folder: a case is known by its family and its number; it depends on nothing else but the seed and the
profile, so that it may run in any process and again at any time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from pytest_sessionguard import catalog
from pytest_sessionguard.run.bench import Bench, Tried


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One kind of cases.

    Attributes:
        exercises: the properties that its cases can put to the test: names, or the first part with a dot ("data.").
        rank: families of a lower rank begin earlier: they are cheaper.
        share: how much of the effort is its own, against others'.
        cost: what one of its cases takes, against one of a program without clients at once.
        applies: says why a target has no case of this kind; empty where it has.
        size: how many cases there are; None: any number.
        run: runs one case, and tells what came of it: of several runs, one after the other.
    """

    name: str
    summary: str
    exercises: tuple[str, ...]
    rank: int
    share: int
    applies: Callable[[Bench], str]
    size: Callable[[Bench], int | None]
    run: Callable[[Bench, int], Iterator[Tried]]
    cost: float = 4.0

    def may_exercise(self, name: str) -> bool:
        """Say whether a case of this kind can put the property to the test."""
        return any(name == one or (one.endswith(".") and name.startswith(one)) for one in self.exercises)


@cache
def families() -> Mapping[str, Family]:
    """Return every family by name, the cheapest first."""
    found: list[Family] = [catalog.load(__name__, name).FAMILY for name in catalog.names(__name__)]
    return MappingProxyType({one.name: one for one in sorted(found, key=lambda one: (one.rank, one.name))})


def endless(bench: Bench) -> None:
    """Say that there is any number of cases."""
    del bench
