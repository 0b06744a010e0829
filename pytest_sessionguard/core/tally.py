"""What the cases of a search come to: how often each property was put to the test, and what may be said of it.

Pure.  "Held" is said of a property when every case that ran was judged, none violated it, and it was put to the test as
often as its page says; whatever is less is unproven, with the reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from pytest_sessionguard.core.properties import PROPERTIES
from pytest_sessionguard.core.result import CaseResult, PropertyResult

# What a case that could not be judged to its end says, as a name beside the properties.
MODEL: Final = "model"

KEPT_MAX: Final = 20
"""So many cases of one kind are kept whole."""


@dataclass(slots=True)
class Tally:
    """Counts that grow case by case; two of them can be put together.

    Units: `virtual_us` virtual microseconds.
    Attributes:
        cases: how many cases ran.
        times: property -> how often it was put to the test; in_cases: in how many cases.
        unjudged: property -> why it could not be judged, the first reason; of MODEL, the whole of a case could not.
        by_family: kind of case -> how many ran.
    """

    cases: int = 0
    times: Counter[str] = field(default_factory=Counter)
    in_cases: Counter[str] = field(default_factory=Counter)
    unjudged: dict[str, str] = field(default_factory=dict)
    by_family: Counter[str] = field(default_factory=Counter)
    virtual_us: int = 0
    warnings: dict[str, None] = field(default_factory=dict)

    def count(self, case: CaseResult, family: str = "") -> None:
        """Count one case.  One that was skipped, or that broke off on a fault of the harness, says nothing."""
        if case.status in ("skipped", "error"):
            return
        self.cases += 1
        self.by_family[family] += 1
        self.virtual_us += case.virtual_us
        self.warnings.update(dict.fromkeys(case.warnings))
        for name, times in case.exercised.items():
            self.times[name] += times
            self.in_cases[name] += 1
        for name, reason in case.unjudged.items():
            self.unjudged.setdefault(name, reason)

    def add(self, other: Tally) -> None:
        """Count everything that another tally has."""
        self.cases += other.cases
        self.times.update(other.times)
        self.in_cases.update(other.in_cases)
        self.by_family.update(other.by_family)
        self.virtual_us += other.virtual_us
        self.warnings.update(other.warnings)
        for name, reason in other.unjudged.items():
            self.unjudged.setdefault(name, reason)

    def short_of(self, name: str) -> int:
        """Return how often a property must still be put to the test before it may be called held."""
        described = PROPERTIES.get(name)
        least = described.least if described is not None else 1
        return max(0, least - self.times[name])


def judged(
    tally: Tally,
    *,
    claimed: Iterable[str],
    violated: Collection[str],
    asked: Collection[str],
    never: Mapping[str, str],
    allowed: Mapping[str, str],
    hints: Mapping[str, str] = MappingProxyType({}),
) -> tuple[PropertyResult, ...]:
    """Return what a search says of each property, in the order of the catalogue.

    Args:
        violated: the properties that a case has violated.
        asked: those that the user wants to know of.
        never: property -> why nothing puts it to the test.
        allowed: property that may stay unproven -> the reason.
        hints: property -> what would show more of it, where it was not shown often enough.
    """
    claims = frozenset(claimed)
    names = dict.fromkeys([*PROPERTIES, *sorted(violated)])
    return tuple(_judged(name, tally, claims, violated, asked, never, allowed, hints) for name in names)


def _judged(
    name: str,
    tally: Tally,
    claims: frozenset[str],
    violated: Collection[str],
    asked: Collection[str],
    never: Mapping[str, str],
    allowed: Mapping[str, str],
    hints: Mapping[str, str],
) -> PropertyResult:
    count = tally.in_cases[name]
    if name in violated:
        return PropertyResult(name=name, status="violated", cases=max(count, 1))
    if name not in claims:
        return PropertyResult(name=name, status="not-applicable", reason="the profile does not claim it")
    if name not in asked:
        return PropertyResult(name=name, status="not-applicable", reason="not asked for")
    reason = _unproven(name, tally, never, hints)
    if reason and name in allowed:
        reason = f"allowed: {allowed[name] or 'the user says so'}; {reason}"
    return PropertyResult(name=name, status="unproven" if reason else "held", cases=count, reason=reason)


def _unproven(name: str, tally: Tally, never: Mapping[str, str], hints: Mapping[str, str]) -> str:
    """Return why a property that nothing has violated may not be called held; empty where it may."""
    if name in tally.unjudged:
        return tally.unjudged[name]
    if MODEL in tally.unjudged:
        return f"a case could not be judged: {tally.unjudged[MODEL]}"
    short = tally.short_of(name)
    if not short:
        return ""
    if name in never:
        return never[name]
    least, minimum = PROPERTIES[name].least, PROPERTIES[name].minimum
    hint = f"; {hints[name]}" if name in hints else ""
    if not tally.times[name]:
        return f"no case exercised it; it takes {least} times that {minimum}{hint}"
    return f"exercised {tally.times[name]} times only; it takes {least} times that {minimum}{hint}"
