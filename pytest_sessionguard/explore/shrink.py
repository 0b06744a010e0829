"""From the case that a search met to the smallest that shows the same: first the program, then the schedule, the fault.

A smaller program is kept where some schedule of a few makes it fail in the same way.  Each pass starts with what would
take the most away; passes go on until none of them changes anything, so that nothing can be left out of what is left.
Hypothesis would shrink the choices that made a program; here the program itself is at hand, and a step is taken out
without disturbing the others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from typing import Final

from pytest_sessionguard.core.found import RUNS_MAX, Found, Ran, Rerun, Shrunk
from pytest_sessionguard.core.plan import Plan
from pytest_sessionguard.core.scenario import Parallel, Scenario
from pytest_sessionguard.core.values import FrozenMap
from pytest_sessionguard.core.violation import ViolationFound, shape_of
from pytest_sessionguard.errors import UsageError
from pytest_sessionguard.explore import smaller

# A program is given up after so many schedules under which it did not fail: at first all that is tried is the schedule
# that is known, then a few others, and only of what is small already so many that little is missed.
LEVELS: Final = (1, 24, 120)

_REPLAYS: Final = 2

OVERLAP: Final = "concurrency.linearizable"

_HELD: Final = re.compile(r"\{[^{}]*\}|\[[^\[\]]*\]")
_CUT_OFF: Final = re.compile(r"[{\[].*")
_LITERAL: Final = re.compile(r"'[^']*'|\"[^\"]*\"|\b(?:\d+(?:\.\d+)?(?:us|ms|s|m|h|d)?)+\b")


def likeness(found: ViolationFound) -> tuple[str, ...]:
    """Return what must stay while a case is made smaller: the shape without the data, numbers and times in it."""

    def bare(text: str) -> str:
        while (plainer := _HELD.sub("()", text)) != text:
            text = plainer
        return _LITERAL.sub("_", _CUT_OFF.sub("()", text))

    name, verbs, given, *_ = shape_of(found)
    return (name, verbs, bare(given))


def shrink(
    found: Found,
    rerun: Rerun,
    *,
    runs_max: int = RUNS_MAX,
    seed: int = 0,
    asked: Collection[str] = (),
    ended: Callable[[], bool] = lambda: False,
) -> Shrunk:
    """Return the smallest case that shows the same, confirmed by two replays.

    What does not replay is returned as it was, with what the replays showed instead.  `ended` is asked before each
    program is tried: who has no time left says so there.  `asked` are the properties of interest, all where empty.
    """
    shrinking = _Shrinking(found, rerun, runs_max, seed, asked, ended)
    traces = shrinking.differing()
    if traces:
        return Shrunk(found=found, confirmed=False, minimal=False, runs=shrinking.runs, traces=traces)
    minimal = shrinking.program()
    shrinking.fault()
    minimal = shrinking.schedule() and minimal
    traces = shrinking.differing()
    return Shrunk(
        found=shrinking.best, confirmed=not traces, minimal=minimal and not traces, runs=shrinking.runs, traces=traces
    )


def at_once(scenario: Scenario) -> bool:
    """Say whether anything in the scenario happens at once."""
    return any(isinstance(step, Parallel) for step in scenario.all_steps)


class _Shrinking:
    """One case on its way down.

    Attributes:
        best: the smallest so far.
        runs: how many runs it took.
    """

    def __init__(
        self,
        found: Found,
        rerun: Rerun,
        runs_max: int,
        seed: int,
        asked: Collection[str],
        ended: Callable[[], bool],
    ) -> None:
        self.best = found
        self.runs = 0
        self._like = likeness(found.violation)
        self._rerun = rerun
        self._runs_max = runs_max
        self._seed = seed
        self._asked = asked
        self._ended = ended
        self._seen: set[Plan] = set()
        self._level = LEVELS[-1]

    @property
    def spent(self) -> bool:
        """Whether no more runs are allowed."""
        return self.runs >= self._runs_max or self._ended()

    # -- trying -------------------------------------------------------------------------------------------------------

    def same(self, ran: Ran) -> bool:
        """Say whether the run shows what is being made smaller."""
        return any(self._is_like(one) for one in ran.case.violations[:1])

    def _is_like(self, found: ViolationFound) -> bool:
        name, *rest = likeness(found)
        was, *wanted = self._like
        # An answer that only an overlap seemed to explain, and that comes without one too, breaks what it then breaks.
        same = name == was or (was == OVERLAP and (not self._asked or name in self._asked))
        return same and rest == wanted

    def tried(self, scenario: Scenario, **more: object) -> bool:
        """Keep the scenario where it fails in the same way; say whether it did."""
        plan = replace(self.best.plan, scenario=scenario, **more)  # type: ignore[arg-type]  # fields of a plan
        if plan in self._seen or plan == self.best.plan or self.spent or not self._is_sound(plan):
            return False
        self._seen.add(plan)
        like = smaller.as_before(self.best.plan.scenario, scenario, self.best.schedule)
        for ran in self._runs_of(plan, self.best.fault, self._level, like=like):
            if self.same(ran):
                self._keep(plan, ran, self.best.fault)
                return True
        return False

    def _is_sound(self, plan: Plan) -> bool:
        """Say whether the plan can run: it does something, and speaks of no session that was never made."""
        return bool(plan.scenario.steps) and (getattr(plan, "forgiving", False) or smaller.is_whole(plan.scenario))

    def _keep(self, plan: Plan, ran: Ran, fault: str) -> None:
        self.best = Found(plan=plan, case=ran.case, schedule=ran.schedule, fault=fault, preemptions=ran.preemptions)

    def _runs_of(self, plan: Plan, fault: str, runs_max: int, *, like: str = "", drawn: bool = True) -> Iterator[Ran]:
        """Run the plan under some schedules; a plan that fits no longer gives nothing."""
        try:
            if not at_once(plan.scenario):
                self.runs += 1
                yield self._rerun.once(plan, "", fault)
                return
            for ran in self._rerun.some(plan, fault, runs_max=runs_max, seed=self._seed, like=like, drawn=drawn):
                self.runs += 1
                yield ran
        except UsageError:
            return

    def differing(self) -> tuple[str, ...]:
        """Replay the best case; return what two replays showed where one of them showed something else."""
        told = []
        for _ in range(_REPLAYS):
            self.runs += 1
            try:
                ran = self._rerun.once(self.best.plan, self.best.schedule, self.best.fault)
            except UsageError as error:
                told.append(str(error))
                continue
            told.append("" if self.same(ran) else _trace(ran))
        return tuple(text or _trace_of(self.best) for text in told) if any(told) else ()

    # -- the program --------------------------------------------------------------------------------------------------

    def program(self) -> bool:
        """Make the program smaller until nothing more can go; say whether it came to that."""
        passes = (self._strict, self._milder, self._bare, self._sessions, self._drop, self._sequence, self._simplify)
        for self._level in LEVELS:
            self._seen.clear()
            while not self.spent:
                before = self.best.plan
                for one in passes:
                    one()
                if self.best.plan == before:
                    break
        self._name()
        return not self.spent

    @property
    def _scenario(self) -> Scenario:
        return self.best.plan.scenario

    def _first(self, candidates: Iterable[Scenario]) -> bool:
        return any(self.tried(candidate) for candidate in candidates)

    def _strict(self) -> None:
        """Let nothing be passed over: a file is run as it is written."""
        if getattr(self.best.plan, "forgiving", False):
            self.tried(self._scenario, forgiving=False)

    def _bare(self) -> None:
        while self._first(smaller.barer(self._scenario)):
            pass

    def _milder(self) -> None:
        while self._first(smaller.milder(self._scenario, (one.fault for one in self.best.case.fired))):
            pass

    def _sessions(self) -> None:
        """Leave out sessions with all that is done to them."""
        for name in reversed(smaller.sessions(self._scenario)):
            self.tried(smaller.without(self._scenario, smaller.about(self._scenario, name)))
        names = smaller.sessions(self._scenario)
        for other in reversed(names[1:]):
            merged = smaller.without(self._scenario, self._made(other))
            self.tried(smaller.renamed(merged, {other: names[0]}))

    def _made(self, session: str) -> Iterator[smaller.Path]:
        for path in smaller.paths(self._scenario):
            step = smaller.step_at(self._scenario, path)
            if not isinstance(step, Parallel) and getattr(step, "arguments", FrozenMap({})).get("as") == session:
                yield path

    def _drop(self) -> None:
        """Leave out steps: half of them at a time, then fewer, from the last to the first."""
        size = max(1, len(smaller.paths(self._scenario)) // 2)
        while size and not self.spent:
            end = len(smaller.paths(self._scenario))
            while end > 0:
                every = smaller.paths(self._scenario)
                self.tried(smaller.without(self._scenario, every[max(0, end - size) : end]))
                end -= size
            size //= 2

    def _sequence(self) -> None:
        while self._first(smaller.sequential(self._scenario)):
            pass

    def _simplify(self) -> None:
        """Make each step simpler by itself."""
        at = 0
        while not self.spent:
            every = smaller.every_path(self._scenario)
            if at >= len(every):
                return
            step = smaller.step_at(self._scenario, every[at])
            scenario = self._scenario
            if not self._first(smaller.with_step(scenario, every[at], one) for one in smaller.simpler(step)):
                at += 1

    def _name(self) -> None:
        """Call the sessions s1, s2 and so on."""
        names = smaller.sessions(self._scenario)
        self.tried(smaller.renamed(self._scenario, {name: f"s{number}" for number, name in enumerate(names, start=1)}))

    # -- the fault and the schedule -----------------------------------------------------------------------------------

    def fault(self) -> None:
        """Do without the fault, if that fails too."""
        if not self.best.fault or self.spent:
            return
        for ran in self._runs_of(self.best.plan, "", LEVELS[-1], like=self.best.schedule):
            if self.same(ran):
                self._keep(self.best.plan, ran, "")
                return

    def schedule(self) -> bool:
        """Find the schedule of fewest preemptions; say whether all with fewer were tried."""
        if not self.best.schedule:
            return True
        for ran in self._runs_of(
            self.best.plan, self.best.fault, max(LEVELS[-1], self._runs_max - self.runs), drawn=False
        ):
            if ran.preemptions >= self.best.preemptions:
                return True
            if self.same(ran):
                self._keep(self.best.plan, ran, self.best.fault)
                return True
        return False


def _trace(ran: Ran) -> str:
    shown = [one.message for one in ran.case.violations] or [f"{ran.case.status} {ran.case.reason}".rstrip()]
    return "\n".join([f"schedule {ran.schedule or '-'}", *shown])


def _trace_of(found: Found) -> str:
    return _trace(Ran(case=found.case, schedule=found.schedule, preemptions=found.preemptions))
