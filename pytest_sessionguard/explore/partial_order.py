"""Depth first over all orders, leaving out those that differ only in steps which touch nothing in common.

Two steps are independent unless both touch the same thing and one of them writes it.  After a decision has been gone
back to, the strand that ran there sleeps: to run it is to repeat what was seen, until another strand touches what its
step touches.  With `races_only`, a decision is gone back to only where a race was seen to depend on it.

Sources: P. Godefroid, "Partial-order methods for the verification of concurrent systems" (LNCS 1032, 1996), section
5.2, for sleep sets; C. Flanagan and P. Godefroid, "Dynamic partial-order reduction for model checking software" (POPL
2005), figure 4, for races.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from pytest_sessionguard.core.schedule import NOBODY, Schedule, letter
from pytest_sessionguard.errors import ScheduleMisfit

# What one step has touched; None where nobody has told.
Touched: TypeAlias = frozenset[tuple[object, bool]] | None

Clock: TypeAlias = dict[int, int]


@dataclass(slots=True)
class _Decision:
    """One decision of the present run.

    Attributes:
        todo: who must run here in some run.
        asleep: who need not, with what its step touches.
        done: who has run here in a run before, with what its step touched.
    """

    enabled: Sequence[int]
    chosen: int
    todo: set[int]
    asleep: dict[int, Touched]
    done: dict[int, Touched] = field(default_factory=dict)


@dataclass(slots=True)
class _Access:
    """The last time that a strand touched something: at which of its decisions, and what it knew then of the others."""

    decision: int
    clock: Clock


class PartialOrder:
    """All orders but those that could make no difference."""

    def __init__(self, *, races_only: bool) -> None:
        self._races_only = races_only
        self._path: list[_Decision] = []

    def begin(self) -> None:
        self._at = 0
        self._told = False
        self._is_redundant = False
        self._last = NOBODY
        self._touched: set[tuple[object, bool]] = set()
        self._asleep: dict[int, Touched] = {}
        # Strand -> its last decision; strand -> what of the others happened before it; thing -> strand -> access.
        self._decision_of: dict[int, int] = {}
        self._clocks: dict[int, Clock] = {}
        self._reads: dict[object, dict[int, _Access]] = {}
        self._writes: dict[object, dict[int, _Access]] = {}

    def choose(self, enabled: Sequence[int], current: int) -> int:
        self._close_step()
        at = self._at
        self._at = at + 1
        if at < len(self._path):
            decision = self._path[at]
            if decision.chosen not in enabled:
                raise self._misfit(at, enabled)
        else:
            asleep = {strand: touched for strand, touched in self._asleep.items() if strand in enabled}
            awake = [strand for strand in enabled if strand not in asleep]
            if self._is_redundant or not awake:
                self._is_redundant = True  # All that could follow was seen in another run: go on as may be.
                return current if current in enabled else enabled[0]
            chosen = current if current in awake else awake[0]
            todo = {chosen} if self._races_only else set(awake)
            decision = _Decision(tuple(enabled), chosen, todo, asleep)
            self._path.append(decision)
        chosen = decision.chosen
        sleepers = {**decision.asleep, **decision.done}
        self._asleep = {
            strand: touched for strand, touched in sleepers.items() if strand != chosen and touched is not None
        }
        self._last = chosen
        self._decision_of[chosen] = at + 1
        self._clocks.setdefault(chosen, {})[chosen] = at + 1
        return chosen

    def observe(self, strand: int, key: object, is_write: bool) -> None:
        """Take note that the strand touched something, in its present step."""
        self._told = True
        if strand == self._last:
            self._touched.add((key, is_write))
        if self._asleep:
            woken = [one for one, touched in self._asleep.items() if _conflicts(touched, key, is_write)]
            for one in woken:
                del self._asleep[one]
        if self._races_only:
            self._find_races(strand, key, is_write)

    def _find_races(self, strand: int, key: object, is_write: bool) -> None:
        clock = self._clocks.setdefault(strand, {})
        writes, reads = self._writes.setdefault(key, {}), self._reads.setdefault(key, {})
        for others in (writes, reads) if is_write else (writes,):
            for other, access in others.items():
                if other != strand and access.decision > clock.get(other, 0):
                    self._go_back(access.decision - 1, strand)
        for others in (writes, reads) if is_write else (writes,):
            for access in others.values():
                for other, seen in access.clock.items():
                    if seen > clock.get(other, 0):
                        clock[other] = seen
        (writes if is_write else reads)[strand] = _Access(self._decision_of.get(strand, 0), dict(clock))

    def _go_back(self, at: int, strand: int) -> None:
        """See to it that the strand, or else anybody, is let run first at a decision in some run."""
        if 0 <= at < len(self._path):
            decision = self._path[at]
            decision.todo |= {strand} if strand in decision.enabled else set(decision.enabled)

    def end(self) -> bool:
        self._close_step()
        path = self._path
        del path[self._at :]
        if not self._told:
            for decision in path:
                decision.done[decision.chosen] = None
                decision.todo |= set(decision.enabled)
        while path:
            decision = path[-1]
            decision.done.setdefault(decision.chosen, None)
            left = sorted(decision.todo - decision.done.keys() - decision.asleep.keys())
            if left:
                decision.chosen = left[0]
                return True
            path.pop()
        return False

    def _close_step(self) -> None:
        """Note what the step since the last decision has touched."""
        if self._last != NOBODY and self._at <= len(self._path):
            self._path[self._at - 1].done[self._last] = frozenset(self._touched)
        self._last = NOBODY
        self._touched = set()

    def _misfit(self, at: int, enabled: Sequence[int]) -> ScheduleMisfit:
        chosen = tuple(decision.chosen for decision in self._path)
        return ScheduleMisfit(
            str(Schedule(chosen)), decision=at + 1, wanted=letter(chosen[at]), able=map(letter, enabled)
        )


def _conflicts(touched: Touched, key: object, is_write: bool) -> bool:
    return touched is None or (key, True) in touched or (is_write and (key, False) in touched)
