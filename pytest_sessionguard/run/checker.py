"""The search for violations of everything that a profile claims.

The rule of this file: what a search finds with a number of cases depends on the seed and the profile alone.  Cases go
out in rounds; what a round holds follows from what the rounds before it came to, never from who ran them or how fast.
With a time in place of a number the search ends when the time is over, and says no more than it has shown.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

from pytest_sessionguard.core.found import Found
from pytest_sessionguard.core.properties import PROPERTIES
from pytest_sessionguard.core.result import CaseResult, Result
from pytest_sessionguard.core.tally import KEPT_MAX, Tally, judged
from pytest_sessionguard.core.violation import kind_of
from pytest_sessionguard.errors import UsageError, did_you_mean
from pytest_sessionguard.run.bench import Bench
from pytest_sessionguard.run.families import families
from pytest_sessionguard.run.rounds import Item, Rounds
from pytest_sessionguard.run.runner import Runner, claims
from pytest_sessionguard.run.settling import Settling
from pytest_sessionguard.target.shape import Profile

BUDGET_S: Final = 30.0

Kind: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a search is bounded, and what it is asked for.

    Units: `budget_s` real seconds; None: as many cases as `cases` says.
    Attributes:
        only, skip: the first parts of the names of properties that are asked for, and that are not.
        allow: properties that may stay unproven, with the reason.
        first: whether the first violation ends the search.
        kinds: the families of cases to search with; empty: all.
        found: the folder in which finds are kept, and from which they are replayed first; None: nowhere.
    """

    seed: int
    budget_s: float | None = BUDGET_S
    cases: int | None = None
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    allow: Mapping[str, str] = field(default_factory=dict)
    workers: int = 1
    first: bool = False
    kinds: tuple[str, ...] = ()
    found: Path | None = None


@dataclass(slots=True, kw_only=True)
class Batch:
    """What some cases came to.

    Attributes:
        founds: the first find of each kind; again: how often each kind was found.
        errors: cases that broke off on a fault of the harness.
        done: how many of the items were run.
    """

    tally: Tally = field(default_factory=Tally)
    founds: dict[Kind, Found] = field(default_factory=dict)
    again: Counter[Kind] = field(default_factory=Counter)
    errors: list[CaseResult] = field(default_factory=list)
    done: int = 0
    spent_s: dict[str, float] = field(default_factory=dict)
    ran: Counter[str] = field(default_factory=Counter)

    @property
    def costs_s(self) -> Mapping[str, float]:
        """What a case of each family has cost, in seconds."""
        return {name: spent_s / self.ran[name] for name, spent_s in self.spent_s.items()}

    def add(self, other: Batch) -> None:
        """Put what came later to it."""
        self.tally.add(other.tally)
        for kind, found in other.founds.items():
            self.founds.setdefault(kind, found)
        self.again.update(other.again)
        self.errors += other.errors[: max(0, KEPT_MAX - len(self.errors))]
        self.done += other.done
        self.ran.update(other.ran)
        for name, spent_s in other.spent_s.items():
            self.spent_s[name] = self.spent_s.get(name, 0.0) + spent_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a search is."""

    cases: int
    spent_s: float
    shown: int
    asked: int
    violations: int


def run_items(
    bench: Bench, items: Sequence[Item], asked: frozenset[str], until_s: float | None, *, first: bool = False
) -> Batch:
    """Run some cases, as many as there is time for; the `first` violation may end it.

    Units: `until_s` as `time.monotonic` counts.
    """
    batch = Batch()
    for name, number in items:
        began_s = time.monotonic()
        if (until_s is not None and began_s >= until_s) or (first and batch.founds):
            break
        for tried in families()[name].run(bench, number):
            case = tried.case
            batch.tally.count(case, name)
            if case.status == "error" and len(batch.errors) < KEPT_MAX:
                batch.errors.append(case)
            for violation in case.violations:
                if violation.property in asked or violation.property not in PROPERTIES:
                    kind = kind_of(violation)
                    batch.again[kind] += 1
                    if kind not in batch.founds:
                        batch.founds[kind] = Found(
                            plan=tried.plan,
                            case=case,
                            schedule=tried.schedule,
                            fault=tried.fault,
                            is_costly=tried.is_costly,
                        )
        batch.done += 1
        batch.ran[name] += 1
        batch.spent_s[name] = batch.spent_s.get(name, 0.0) + time.monotonic() - began_s
    return batch


Crew = Callable[[Sequence[Item], float | None], Batch]


class Search:
    """One search of one target."""

    def __init__(self, profile: Profile, settings: Settings, *, target: str = "") -> None:
        self.profile = profile
        self.settings = settings
        self.target = target or profile.name
        self.bench = Bench(profile, seed=settings.seed, target=self.target)
        self.claimed = claims(profile)
        self.asked = asked_for(self.claimed, settings)
        self.batch = Batch()
        self._settling = Settling(Runner(profile, target=self.target), self.asked, settings.found, seed=settings.seed)
        self._families = tuple(
            family
            for family in families().values()
            if (not settings.kinds or family.name in settings.kinds)
            and any(family.may_exercise(name) for name in self.asked)
            and not family.applies(self.bench)
        )
        self.rounds = Rounds(self._families, self.bench, self.asked)

    # -- running ----------------------------------------------------------------------------------------------------

    def run(self, crew: Crew | None = None, *, on_progress: Callable[[Progress], None] | None = None) -> Result:
        """Search, and return what came of it.

        Raises:
            UsageError: the profile does not fit the manager.
        """
        settings = self.settings
        began_s = time.monotonic()
        until_s = None if settings.budget_s is None else began_s + settings.budget_s
        crew = crew or (lambda items, until: run_items(self.bench, items, self.asked, until, first=settings.first))
        interrupted = False
        try:
            for case in self._settling.replay():
                self.batch.errors += [case] if case.status == "error" else []
            while self._goes_on(until_s):
                left = None if settings.cases is None else settings.cases - self.rounds.handed
                items = self.rounds.next(self.batch.tally, left, None if until_s is None else self.batch.costs_s)
                if not items:
                    break
                self.batch.add(crew(items, until_s))
                if on_progress is not None:
                    on_progress(self.progress(time.monotonic() - began_s))
        except KeyboardInterrupt:
            interrupted = True
        return self.result(time.monotonic() - began_s, interrupted=interrupted)

    def _goes_on(self, until_s: float | None) -> bool:
        if self.settings.first and (self.batch.founds or self._settling.violations):
            return False
        return until_s is None or time.monotonic() < until_s

    def progress(self, spent_s: float) -> Progress:
        """Return how far it is."""
        tally = self.batch.tally
        violated = {found.violation.property for found in self.batch.founds.values()}
        shown = sum(name in violated or not tally.short_of(name) for name in self.asked)
        return Progress(
            cases=tally.cases,
            spent_s=spent_s,
            shown=shown,
            asked=len(self.asked),
            violations=len(self.batch.founds),
        )

    def result(self, real_s: float, *, interrupted: bool = False) -> Result:
        """Return what the cases so far come to."""
        batch, settings = self.batch, self.settings
        settling = self._settling
        settling.settle(batch.founds.values(), budget_s=0.0 if interrupted else settings.budget_s)
        found = tuple(settling.violations)
        properties = judged(
            batch.tally,
            claimed=self.claimed,
            violated={violation.property for violation in found},
            asked=self.asked,
            never={**self._never(), **settling.unsure},
            allowed=settings.allow,
            hints=self._hints(),
        )
        open_ones = [one for one in properties if one.status == "unproven" and one.name not in settings.allow]
        if batch.errors:
            verdict = "error"
        elif found:
            verdict = "violated"
        else:
            verdict = "unproven" if open_ones or interrupted or not batch.tally.cases else "held"
        return Result(
            target=self.target,
            seed=settings.seed,
            cases=(*batch.errors, *settling.cases),
            verdict=verdict,
            properties=properties,
            violations=found,
            nondeterministic=tuple(settling.uncertain),
            duration_s=real_s,
            virtual_us=batch.tally.virtual_us,
            warnings=tuple(dict.fromkeys([*self.profile.warnings, *batch.tally.warnings])),
            interrupted=interrupted,
            ran=batch.done + batch.tally.by_family["found earlier"],
        )

    def _hints(self) -> Mapping[str, str]:
        """Return what would show more of each property: the kinds of cases that can, how many ran, how to get more."""
        more = "more cases" if self.settings.budget_s is None else "more time"
        told = {}
        for name in self.asked:
            able = [family.name for family in self._families if family.may_exercise(name)]
            ran = ", ".join(f"{self.batch.ran[one]:,} of {one}" for one in able)
            told[name] = f"{more}, or --only {name}, would (cases so far: {ran})"
        return told

    def _never(self) -> Mapping[str, str]:
        """Return why properties are put to the test by no case at all."""
        told = {}
        for name in self.asked:
            able = [family for family in families().values() if family.may_exercise(name)]
            if not able:
                told[name] = "no kind of case puts it to the test yet"
            elif not any(family in self._families for family in able):
                told[name] = able[0].applies(self.bench)
        return told


def asked_for(claimed: Iterable[str], settings: Settings) -> frozenset[str]:
    """Return the claimed properties that the settings ask for.

    Raises:
        UsageError: a name that no property has.
    """
    for option, words in (("--only", settings.only), ("--skip", settings.skip), ("--allow", tuple(settings.allow))):
        for word in words:
            if not any(name.startswith(word) for name in PROPERTIES):
                raise UsageError(f"{option} {word}: no property is called so{did_you_mean(word, PROPERTIES)}")
    return frozenset(
        name
        for name in claimed
        if (not settings.only or name.startswith(settings.only)) and not name.startswith(settings.skip or ("\0",))
    )


def check(
    profile: Profile,
    settings: Settings,
    *,
    target: str = "",
    on_progress: Callable[[Progress], None] | None = None,
) -> Result:
    """Look for violations of everything that the profile claims.

    Raises:
        UsageError: the profile does not fit the manager, or the settings name what there is not.
    """
    search = Search(profile, settings, target=target)
    if settings.workers <= 1:
        return search.run(on_progress=on_progress)
    from pytest_sessionguard.run.crew import Workers

    with Workers(search) as crew:
        return search.run(crew, on_progress=on_progress)
