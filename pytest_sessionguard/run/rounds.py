"""Which cases a search runs next: effort goes where properties still wait, and every kind of case has its share.

With a number of cases, what a round holds follows from the cases before it alone.  With a time, it also follows from
what a case of each kind has cost so far.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Final, TypeAlias

from pytest_sessionguard.core.tally import Tally
from pytest_sessionguard.run.bench import Bench
from pytest_sessionguard.run.families import Family

Item: TypeAlias = tuple[str, int]

# A round is so many cases: few at first, so that little is done for nothing, then more.
_FIRST: Final = 64
_MOST: Final = 1_024

# With a time, nobody knows at first what a case costs: so few then that other kinds soon have their turn.
_FIRST_TIMED: Final = 24

# Where there are fewer cases than this in all, every kind has some from the beginning: later may never come.
_SCARCE: Final = 512

# A kind has so many cases in a round, where there is room: one of each sort that it has.
_FAIR: Final = 3

# With a time, a round takes about so long, so that what it shows soon counts.
_ROUND_S: Final = 2.0

# A family that some property still waits for gets so many times its share.
_WANTED: Final = 4


class Rounds:
    """Hands out the cases of some families.

    `asked`: the properties that are asked for.
    """

    def __init__(self, families: Sequence[Family], bench: Bench, asked: Collection[str]) -> None:
        self._families = tuple(families)
        self._asked = asked
        self._sizes = {family.name: family.size(bench) for family in families}
        self._handed: Counter[str] = Counter()
        self._number = 0

    @property
    def handed(self) -> int:
        """How many cases were handed out."""
        return self._handed.total()

    def next(self, tally: Tally, left: int | None, costs_s: Mapping[str, float] | None) -> list[Item]:
        """Return the cases of the next round, families mixed evenly; empty where there are none left.

        Args:
            left: how many more cases there may be; None: any number.
            costs_s: what a case of each kind has cost, in seconds; None: as its family says.
        """
        number, self._number = self._number, self._number + 1
        open_ones = [family for family in self._families if self._left(family) != 0]
        if number == 0 and (left is None or left >= _SCARCE):
            least = min((family.rank for family in open_ones), default=0)
            open_ones = [family for family in open_ones if family.rank <= least + 1]  # The cheap ones first.
        weights = {family.name: self._weight(family, tally, costs_s) for family in open_ones}
        if costs_s:
            size = self._affordable(weights, costs_s)
        else:
            size = _FIRST_TIMED if costs_s is not None else min(_FIRST << min(number, 10), _MOST)
        if left is not None:
            size = min(size, left)
        return self._mixed(self._counts(open_ones, weights, size))

    def _weight(self, family: Family, tally: Tally, costs_s: Mapping[str, float] | None) -> float:
        """Return how many cases of the family go with how many of others."""
        wanted = any(family.may_exercise(name) and tally.short_of(name) for name in self._asked)
        cost = family.cost if costs_s is None else max(costs_s.get(family.name, family.cost / 1_000), 1e-6)
        return family.share * (_WANTED if wanted else 1) / cost

    def _affordable(self, weights: Mapping[str, float], costs_s: Mapping[str, float]) -> int:
        whole = sum(weights.values())
        mean_s = sum(weight * costs_s.get(name, 0.01) for name, weight in weights.items()) / whole if whole else 1.0
        return max(8, min(_MOST, int(_ROUND_S / max(mean_s, 1e-6))))

    def _counts(self, open_ones: Sequence[Family], weights: Mapping[str, float], size: int) -> dict[str, int]:
        """Return how many cases of each family a round of so many has."""
        counts: dict[str, int] = {}
        rest, room = size, sum(weights.values())
        fair = max(1, min(_FAIR, size // (2 * len(open_ones)))) if open_ones else 1
        for family in sorted(open_ones, key=lambda one: (self._left(one) is None, one.rank, one.name)):
            weight = weights[family.name]
            count = max(fair, round(rest * weight / room)) if room else rest
            most = self._left(family)
            count = min(count, rest) if most is None else min(count, rest, most)
            counts[family.name] = count
            rest -= count
            room -= weight
        return counts

    def _mixed(self, counts: Mapping[str, int]) -> list[Item]:
        """Return the cases evenly mixed, so that a round that is cut short has some of all."""
        placed: list[tuple[float, str, int]] = []
        for name, count in counts.items():
            first = self._handed[name]
            placed += [((turn + 0.5) / count, name, first + turn) for turn in range(count)]
            self._handed[name] += count
        return [(name, number) for _, name, number in sorted(placed)]

    def _left(self, family: Family) -> int | None:
        size = self._sizes[family.name]
        return None if size is None else size - self._handed[family.name]
