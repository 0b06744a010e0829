"""Stories in which something goes wrong that takes more than one run: at every chance in turn, or a crash anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

from pytest_sessionguard.core.faults import CRASH, PARTITION, Fault, Fired
from pytest_sessionguard.core.model.crashes import survives
from pytest_sessionguard.core.plan import Plan
from pytest_sessionguard.core.requirements import FILES
from pytest_sessionguard.core.result import CaseResult
from pytest_sessionguard.core.scenario import Scenario, Step
from pytest_sessionguard.core.values import FrozenMap
from pytest_sessionguard.faults import kinds
from pytest_sessionguard.run import fault_sweeps
from pytest_sessionguard.target.shape import Profile

if TYPE_CHECKING:
    from pytest_sessionguard.run.runner import Runner

DAMAGED: Final = "damaged_file"

# What only a checkpoint keeps is lost by a story that takes none.
_WRITES: Final = ("create", "update", "save", "put")

MODELS: Final = {"kill": "kill", "power-loss": "strict"}


def crashes(scenario: Scenario) -> frozenset[str]:
    """Return how the steps of a story end its manager: "kill", "power-loss"."""
    steps = (step for step in scenario.all_steps if isinstance(step, Step) and step.verb == CRASH)
    return frozenset(str(step.arguments["how"]) for step in steps)


def is_on_network(scenario: Scenario) -> bool:
    """Say whether anything is to go wrong between the manager and its server."""
    return any(kinds()[fault.kind].port == "network" for fault in scenario.faults) or any(
        isinstance(step, Step) and step.verb == PARTITION for step in scenario.all_steps
    )


def reaches_a_server(profile: Profile) -> bool:
    """Say whether the manager is told where its server is: then it can be told of a proxy."""
    return profile.endpoint is not None and bool({"endpoint", "port"} & profile.placeholders)


def takes_runs(plan: Plan) -> bool:
    """Say whether the plan stands for many runs."""
    return fault_sweeps.is_swept(plan) or any(fault.kind == CRASH for fault in plan.scenario.faults)


def run(runner: Runner, plan: Plan) -> CaseResult:
    """Run a plan that stands for many runs; what they come to is one case.

    Raises:
        UsageError: see `Runner.run`.
    """
    planned = plan.scenario.faults
    crash = next((fault for fault in planned if fault.kind == CRASH), None)
    if crash is not None:
        case = _crashed(runner, plan, crash)
    else:
        case = fault_sweeps.together([case for _, case in fault_sweeps.sweep(runner, plan)])
    return replace(case, planned=planned)


def _crashed(runner: Runner, plan: Plan, fault: Fault) -> CaseResult:
    """Crash a story at every moment of it; what `after_fault` looks at is looked at after each crash."""
    from pytest_sessionguard.run import crash_cases  # It needs a runner itself.

    options: Any = fault.options
    name = f"durability.{fault.subject}"
    story = replace(plan.scenario, faults=(), after_fault=())
    crashed = crash_cases.crash_case(
        runner.profile,
        replace(plan, scenario=story),
        MODELS[str(fault.subject)],
        options.get("budget", crash_cases.BUDGET),
        target=runner.target,
        during=options.get("during", ""),
    )
    case, report = crashed.result, crashed.report
    if report is None or case.status not in ("held", "unproven"):
        return case
    fired = Fired(fault=fault, chance=report.states, point=f"process: {report.states:,} states")
    case = replace(case, fired=(*case.fired, fired) if report.states else case.fired)
    told = f"{report.states:,} states of {report.moments:,} moments"
    if report.exhaustive:
        return case if case.reason else replace(case, reason=f"exhaustive: {told}")
    left_out = "; ".join((*report.cut, *report.incomplete))
    if options.get("explore") != "exhaustive":
        return case if case.reason else replace(case, reason=f"bounded: {told}; {left_out}")
    reason = f"not exhaustive: {told}; {left_out}"
    unjudged = cast("dict[str, str]", FrozenMap({**case.unjudged, name: reason}))
    return replace(case, status="unproven", reason=case.reason or f"{name}: {reason}", unjudged=unjudged)


# -- what a target must have ------------------------------------------------------------------------------------------


def lacking(plan: Plan, profile: Profile, claimed: tuple[str, ...]) -> tuple[str, ...]:
    """Return what the faults and crashes of a plan need and the target lacks."""
    return tuple(dict.fromkeys(_lacking(plan, profile, claimed)))


def _lacking(plan: Plan, profile: Profile, claimed: tuple[str, ...]) -> Iterator[str]:
    told = {str(fault.subject) for fault in plan.scenario.faults if fault.kind == CRASH}
    # Of what a checkpoint keeps the policy says nothing: there the story itself says what must be left.
    checkpoints = any(isinstance(step, Step) and step.verb == "checkpoint" for step in plan.scenario.all_steps)
    told |= frozenset() if checkpoints else crashes(plan.scenario)
    for how in sorted(told):
        kept = checkpoints or any(survives(profile.policy, verb, how) for verb in _WRITES)
        if f"durability.{how}" not in claimed or not kept:
            yield f"a manager whose sessions survive {how} (the profile says {profile.policy.line('survives')})"
    hooks: Any = profile.hooks
    roles = {declared.role for declared in hooks.values()}
    for fault in plan.scenario.faults:
        port = kinds()[fault.kind].port
        if port == "hook" and fault.subject not in roles and (fault.subject != "any" or not roles):
            yield f"a hook {fault.subject}" if fault.subject != "any" else "a hook"
    if is_on_network(plan.scenario) and not reaches_a_server(profile):
        yield "a manager that reaches its server by {endpoint} (the profile says where that is)"
    if "checkpoint" not in profile.operations and any(fault.kind == DAMAGED for fault in plan.scenario.faults):
        yield "a manager that takes checkpoints: what becomes of others' files that are damaged is for the search"
    on_files = any(kinds()[fault.kind].port in ("file", "process") for fault in plan.scenario.faults)
    if (
        on_files or told or crashes(plan.scenario) or FILES in plan.scenario.requires
    ) and "dir" not in profile.placeholders:
        yield "a manager that is told of its folder by {dir}"
