"""From plans to a result: each plan on a stage of its own, judged, and told apart by whose fault it was.

A fault of the harness is an error of its case, never a violation; what the user got wrong is a `UsageError`; an
interruption passes through once everything is cleared up.
"""

from __future__ import annotations

import time
import traceback
from collections import Counter
from collections.abc import Callable, Generator, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol, cast

from pytest_sessionguard.clock.virtual import START_US, VirtualClock
from pytest_sessionguard.clock.zone import in_zone, obstacle
from pytest_sessionguard.core import plan as plans
from pytest_sessionguard.core.model import Model
from pytest_sessionguard.core.plan import Plan
from pytest_sessionguard.core.policy import Policy
from pytest_sessionguard.core.properties import PROPERTIES, claimed
from pytest_sessionguard.core.requirements import FILES
from pytest_sessionguard.core.result import CaseResult, Result, counts, merge_cases
from pytest_sessionguard.core.scenario import FIGURES, AnyStep
from pytest_sessionguard.core.schedule import Schedule, Scheduler
from pytest_sessionguard.core.values import FrozenMap
from pytest_sessionguard.core.violation import ViolationFound
from pytest_sessionguard.errors import HarnessError, UsageError, VirtualDeadlock
from pytest_sessionguard.explore import threads
from pytest_sessionguard.explore.shared_stores import virtual_waits
from pytest_sessionguard.run import disturbed, driving, orders
from pytest_sessionguard.run.case import Case, Unfit
from pytest_sessionguard.run.conversation import EXPECTATION, ZONES, Conversation
from pytest_sessionguard.run.fit import misfits
from pytest_sessionguard.run.injections import Injections
from pytest_sessionguard.run.invariants import Invariants
from pytest_sessionguard.run.stage import Stage
from pytest_sessionguard.run.telling import replay_of
from pytest_sessionguard.target.abilities import must_be_given, takes, templates_of
from pytest_sessionguard.target.making import CannotBeMade, NeedsLoop, wants_loop
from pytest_sessionguard.target.shape import Profile

# Judged under another time zone, these show that the zone moves no deadline.
_DEADLINES: Final = ("expiry.idle", "expiry.absolute", "expiry.boundary", "expiry.per-session")

ON_CASE = Callable[[CaseResult], None]

# What is exercised wherever a deadline is crossed.
CROSSINGS: Final = ("expiry.idle", "expiry.absolute", "expiry.per-session", "expiry.boundary")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exploration:
    """One plan under many schedules.

    Attributes:
        exhaustive: the scheduler had nothing left: every order that it knows of was run.
    """

    cases: tuple[CaseResult, ...]
    exhaustive: bool

    @property
    def last(self) -> CaseResult:
        """Return the case that ended the exploration: the violated one, if any was."""
        return self.cases[-1]


class Watch(Protocol):
    """Who looks on while a case runs."""

    @property
    def folder(self) -> Path | None:
        """The folder that the manager is told of, where it is not to get one of its own."""

    def watching(self, talk: Conversation) -> AbstractContextManager[None]:
        """Look on while the case runs."""


class Runner:
    """Runs plans against one target, and remembers what it has learnt of it.

    `target`: what a command line calls the target, for the command that repeats a case.

    Attributes:
        known: the kinds of violations that were told in full before, and are told briefly; None: all in full.
    """

    def __init__(self, profile: Profile, *, target: str = "") -> None:
        self.profile = profile
        self.target = target or profile.name
        self._in_loop: bool | None = None
        self._was_made = False
        self._proven: set[str] = set()
        self._switch_points = threads.switch_points()
        self.known: set[tuple[str, ...]] | None = None
        self._of: dict[FrozenMap, tuple[Policy, tuple[str, ...]]] = {}

    # -- one case ---------------------------------------------------------------------------------------------------

    def run(self, plan: Plan, scheduler: Scheduler | None = None, watch: Watch | None = None) -> CaseResult:
        """Run one plan; a scheduler decides who runs next where branches run at once.

        Without one a plan that asks for orders (`schedules`) is run under each of them.

        Args:
            watch: is there while it runs.

        Raises:
            UsageError: the profile does not fit the manager, or the story speaks of a session that is not there.
            ScheduleMisfit: the scheduler follows a schedule that does not fit.
        """
        missing = () if plan.forgiving else self.missing(plan)
        if missing:
            return self._case(plan, "skipped", f"needs {'; '.join(missing)}")
        if scheduler is None and watch is None and disturbed.takes_runs(plan):
            return disturbed.run(self, plan)
        if scheduler is None and watch is None and orders.asked(plan.scenario.all_steps):
            every = orders.Orders()
            explored = self.explore(plan, every, runs_max=orders.RUNS_MAX)
            return orders.together(explored.cases, every, complete=explored.exhaustive)
        began_s = time.perf_counter()
        if self._in_loop is None:
            self._in_loop = wants_loop(self.profile)
        with nullcontext() if scheduler is None else self._switch_points:
            try:
                case = _ran(self._acts(plan, self._in_loop or self._must_share_loop(plan), began_s, scheduler, watch))
            except NeedsLoop:
                # Something to await turned up: the case starts over inside a loop, and so do all that follow.
                self._in_loop = True
                case = _ran(self._acts(plan, True, began_s, scheduler, watch))
        # Run once more under the same scheduler, or watched, it would be another case.
        again = plan.zone and scheduler is None and watch is None
        return self._with_zone_blamed(plan, case) if again else case

    def _with_zone_blamed(self, plan: Plan, case: CaseResult) -> CaseResult:
        """Blame the time zone for a deadline that is wrong in it and right in UTC."""
        wrong = [violation for violation in case.violations if violation.property.startswith("expiry.")]
        if not wrong or plan.zone == "UTC":
            return case
        in_utc = self.run(replace(plan, scenario=replace(plan.scenario, zone="UTC")))
        if in_utc.status not in ("held", "unproven"):
            return case
        blamed = tuple(
            replace(violation, property="expiry.timezone") if violation in wrong else violation
            for violation in case.violations
        )
        return replace(case, violations=blamed)

    def explore(
        self, plan: Plan, scheduler: Scheduler, *, runs_max: int, on_case: ON_CASE | None = None
    ) -> Exploration:
        """Run one plan under one schedule after another, until one violates something, none is left, or `runs_max`.

        A case that is skipped or broken under its first schedule is not run again.

        Raises:
            UsageError, ScheduleMisfit: see `run`.
        """
        cases: list[CaseResult] = []
        exhaustive = False
        with self._switch_points:
            while len(cases) < runs_max and not exhaustive:
                cases.append(case := self.run(plan, scheduler))
                if on_case is not None:
                    on_case(case)
                if case.status in ("violated", "skipped", "error"):
                    break
                exhaustive = not scheduler.end()
        return Exploration(cases=tuple(cases), exhaustive=exhaustive)

    def live(
        self, plan: Plan, feed: driving.Feed, scheduler: Scheduler | None = None
    ) -> Generator[None, AnyStep | None, CaseResult]:
        """Run a case whose steps come one at a time: each is sent, and was done when the generator waits again.

        The steps of the plan itself come first; None ends the case.  The clock is in force from the first `next` on.

        Raises:
            UsageError: the profile does not fit the manager.
            NeedsLoop: something to await turned up; the case is to be begun once more, and then has a loop.
        """
        if self._in_loop is None:
            self._in_loop = wants_loop(self.profile)
        in_loop = self._in_loop or self.profile.callers == "tasks"
        with nullcontext() if scheduler is None else self._switch_points:
            try:
                return (yield from self._acts(plan, in_loop, time.perf_counter(), scheduler, None, feed))
            except NeedsLoop:
                self._in_loop = True
                raise

    def _acts(
        self,
        plan: Plan,
        in_loop: bool,
        began_s: float,
        scheduler: Scheduler | None,
        watch: Watch | None,
        feed: driving.Feed | None = None,
    ) -> Generator[None, AnyStep | None, CaseResult]:
        profile = self.profile
        policy, promised = self._of_figures(plan)
        start_us = START_US if plan.begins_us is None else plan.begins_us
        clock = VirtualClock(start=start_us, threads=True)
        invariants = Invariants(plan.scenario.invariants, profile, policy, promised)
        stage = Stage(
            profile,
            policy,
            clock,
            in_loop=in_loop,
            scribble=invariants.scribbles,
            proven=self._proven,
            folder=None if watch is None else watch.folder,
            behind_proxy=profile.endpoint is not None and disturbed.is_on_network(plan.scenario),
        )
        crashes = disturbed.crashes(plan.scenario) | (feed.crashes if feed is not None else frozenset())
        wanted = plan.scenario.faults or crashes or stage.network is not None
        injections = Injections(plan.scenario.faults, stage, crashes) if wanted else None
        stage.injections = injections
        talk = Conversation(plan, stage, self.model(policy), self.target, known=self.known)
        case = Case(plan, talk, invariants, scheduler, self._switch_points, feed)
        if scheduler is not None:
            scheduler.begin()
        status, reason, found = "held", "", None
        try:
            waits = scheduler is not None and not in_loop
            # Around the clock: the manager is made in its zone, and ended in it.
            with (
                in_zone(plan.zone),
                stage.dated(),
                nullcontext() if watch is None else watch.watching(talk),
                nullcontext() if injections is None else injections.in_files(),
                virtual_waits(threads.offer_switch) if waits else nullcontext(),
            ):
                if feed is None:
                    driving.drive(clock, case.run, in_loop=in_loop)
                else:
                    feed.history, feed.aside = stage.recorder.history, stage.output.aside
                    feed.operations = lambda: stage.recorder.operations
                    yield from driving.drive_fed(clock, case.run, feed, in_loop=in_loop)
            self._was_made = True
        except CannotBeMade as error:
            if not self._was_made:
                raise
            status, reason, found = "violated", "", talk.teller.of_making(error)
        except Unfit as error:
            if case.found is None:
                return self._case(plan, "skipped", str(error))
        except VirtualDeadlock as error:
            status, found = "violated", talk.teller.of_deadlock(error)
        except (UsageError, NeedsLoop):
            raise
        except Exception:  # noqa: BLE001 - whatever it is, it is ours to answer for, and told as that.
            status, reason = "error", traceback.format_exc()
        finally:
            stage.clear()
        return self._result(plan, case, talk, invariants, status, reason, found, time.perf_counter() - began_s)

    def _result(
        self,
        plan: Plan,
        case: Case,
        talk: Conversation,
        invariants: Invariants,
        status: str,
        reason: str,
        found: ViolationFound | None,
        real_s: float,
    ) -> CaseResult:
        exercised = Counter(talk.examination.exercised) + talk.exercised + invariants.exercised()
        if talk.stage.zone.was_set:
            exercised[ZONES] += sum(exercised[name] for name in _DEADLINES)
        history = talk.stage.recorder.history()
        exercised += talk.cancellations.exercised(history.events)
        injections = talk.stage.injections
        if injections is not None:
            exercised += injections.exercised(history.events)
        if plan.zone:
            exercised["expiry.timezone"] += sum(exercised[name] for name in CROSSINGS)
        # A search counts what it has put to the test; only who asks for one story wants to know of each step of it.
        unlooked = {} if plan.forgiving else invariants.unjudged(exercised)
        unjudged = {**unlooked, **talk.unjudged, **talk.cancellations.unjudged()}
        unjudged |= {} if injections is None else injections.unjudged()
        violation = found if found is not None else case.found
        if violation is None and injections is not None and status == "held":
            violation = injections.overruled(talk.examination.states, talk.teller)
        elif violation is not None:
            violation = talk.cancellations.blamed(violation, history.events)
            violation = violation if injections is None else injections.blamed(violation, history.events)
        if status == "held" and violation is None and self._lacks_files(plan, injections):
            return self._case(plan, "skipped", "needs files that Python itself writes: no operation on one was met")
        if status != "error" and violation is not None:
            status = "violated"
        elif status == "held" and unjudged:
            status = "unproven"
            reason = "; ".join(f"{name}: {why}" for name, why in unjudged.items())
        elif status == "held" and not exercised:
            status, reason = "unproven", "nothing in it was judged"
        return self._case(
            plan,
            status,
            reason,
            violations=(violation,) if violation is not None and status == "violated" else (),
            exercised=counts(exercised),
            behaviour=counts(talk.behaviour),
            unjudged=cast("dict[str, str]", FrozenMap(unjudged)),
            steps=case.steps,
            operations=talk.stage.recorder.operations,
            schedule=Schedule(tuple(case.trace)),
            switches=tuple(case.switches),
            cancelled=talk.cancellations.fired,
            planned=plan.scenario.faults,
            fired=() if injections is None else injections.fired,
            virtual_us=talk.stage.clock.virtual_elapsed_us,
            real_s=real_s,
            output=talk.stage.output.text,
            warnings=self.profile.warnings,
        )

    @staticmethod
    def _lacks_files(plan: Plan, injections: Injections | None) -> bool:
        return injections is not None and FILES in plan.scenario.requires and injections.reaches_no_file()

    def _case(self, plan: Plan, status: str, reason: str, **more: Any) -> CaseResult:
        story = plan.scenario
        return CaseResult(
            title=story.title,
            cell=plan.name,
            path=story.path,
            line=story.place.line,
            status=status,
            reason=reason,
            manager=self.profile.name,
            **more,
        )

    def _of_figures(self, plan: Plan) -> tuple[Policy, tuple[str, ...]]:
        """Return the policy with the figures that the plan wishes for, and what the profile then claims."""
        figures = plan.figures
        if figures not in self._of:
            policy = plans.effective(plan, self.profile.policy)
            self._of[figures] = policy, claims(self.profile, policy)
        return self._of[figures]

    # -- what the target is ------------------------------------------------------------------------------------------

    def missing(self, plan: Plan) -> tuple[str, ...]:
        """Return what the plan needs and the target lacks."""
        profile = self.profile
        adjustable = frozenset(profile.placeholders) & frozenset(FIGURES)
        if profile.policy.per_session_timeout and "timeout" in must_be_given(profile, "create"):
            adjustable |= {"idle_timeout"}  # Every session is given its timeout, so it can be given any.
        operations = frozenset(str(verb) for verb in profile.operations)
        reason = obstacle(plan.zone) if plan.zone else ""
        if reason:
            return (f"the time zone {plan.zone} ({reason})",)
        missing = plans.unmet(plan, profile.policy, operations, profile.callers, adjustable)
        return missing or misfits(plan, profile) or self._lacking(plan)

    def _lacking(self, plan: Plan) -> tuple[str, ...]:
        return disturbed.lacking(plan, self.profile, self._of_figures(plan)[1])

    def _must_share_loop(self, plan: Plan) -> bool:
        """Say whether a sync target is called by tasks: then its callers share a loop even though it does not."""
        return self.profile.callers == "tasks" and plans.needs(plan.scenario).at_once

    def model(self, policy: Policy, *, background: bool = True) -> Model:
        """Return what the target is judged by; `background`: its cleaner's promises too."""
        hooks: Any = self.profile.hooks
        return Model(
            policy=policy,
            operations=frozenset(str(verb) for verb in self.profile.operations),
            background=background and policy.sweep_interval is not None,
            close_hook=any(declared.role == "close" for declared in hooks.values()),
        )


def _ran(acts: Generator[None, AnyStep | None, CaseResult]) -> CaseResult:
    """Run what waits for no step from outside."""
    try:
        next(acts)
    except StopIteration as end:
        case: CaseResult = end.value
        return case
    raise HarnessError("a case that has all its steps waits for one")


def claims(profile: Profile, policy: Policy | None = None) -> tuple[str, ...]:
    """Return the properties that the profile claims."""
    hooks: Any = profile.hooks
    extras = set()
    if "id" not in must_be_given(profile, "create"):
        extras.add("ids.given")
    if "id" in takes(profile, "create"):
        extras.add("ids.chosen")
    if profile.callers != "one":
        extras.add("callers")
    if profile.callers == "tasks":
        extras.add("callers.tasks")
    if hooks:
        extras.add("hooks")
    if any(declared.role == "close" for declared in hooks.values()):
        extras.add("hook.close")
    if "dir" in profile.placeholders:
        extras.add("files")
    if disturbed.reaches_a_server(profile):
        extras.add("server")
    if profile.probes:
        extras.add("probes")
    if profile.session.version is not None or any(
        template.result == "version" for verb in profile.operations for template in templates_of(profile, str(verb))
    ):
        extras.add("version")
    return claimed(policy or profile.policy, [str(verb) for verb in profile.operations], extras)


def run_plan(plan: Plan, profile: Profile, *, target: str = "") -> CaseResult:
    """Run one plan against a profile's manager.

    Raises:
        UsageError: the profile does not fit the manager, or the story speaks of a session that is not there.
    """
    return Runner(profile, target=target).run(plan)


def run_all(
    plan_list: Iterable[Plan],
    profile: Profile,
    *,
    target: str = "",
    seed: int = 0,
    on_case: ON_CASE | None = None,
) -> Result:
    """Run every plan and return what became of them; an interruption ends the run and is told in the result.

    Raises:
        UsageError: see `run_plan`.
    """
    runner = Runner(profile, target=target)
    cases: list[CaseResult] = []
    began_s = time.perf_counter()
    interrupted = False
    try:
        for plan in plan_list:
            case = runner.run(plan)
            cases.append(case)
            if on_case is not None:
                on_case(case)
    except KeyboardInterrupt:
        interrupted = True
    return gather(
        cases, profile, target=runner.target, seed=seed, real_s=time.perf_counter() - began_s, interrupted=interrupted
    )


def gather(
    cases: Iterable[CaseResult],
    profile: Profile,
    *,
    target: str,
    seed: int = 0,
    real_s: float = 0.0,
    interrupted: bool = False,
) -> Result:
    """Return the result of cases that were run against a profile's manager."""
    ran = tuple(cases)
    judged: Counter[str] = Counter()
    for case in ran:
        judged.update(case.exercised)
    stories = (EXPECTATION,) if judged[EXPECTATION] else ()
    return merge_cases(
        ran,
        target=target,
        seed=seed,
        claimed=(*claims(profile), *stories),
        known=PROPERTIES,
        duration_s=real_s,
        warnings=profile.warnings,
        interrupted=interrupted,
    )


__all__ = ["Exploration", "Runner", "claims", "gather", "replay_of", "run_all", "run_plan"]
