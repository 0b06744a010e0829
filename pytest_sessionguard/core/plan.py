"""From a scenario to the cases that run, and what a case needs of its target.

Pure.  A plan is a scenario with one value for every variable of its matrix.  Whether a target can run it is a question
about values: what the steps use against what the profile offers.  What is missing is named; nothing is guessed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from pytest_sessionguard.core import durations, requirements
from pytest_sessionguard.core import scenario as scenarios
from pytest_sessionguard.core.operations import VERBS
from pytest_sessionguard.core.policy import KEYS, Policy
from pytest_sessionguard.core.scenario import FIGURES, Scenario, Step
from pytest_sessionguard.core.values import EMPTY, FrozenMap

LOOKS: Final[Mapping[str, tuple[str, ...]]] = {
    "alive": ("exists", "get", "is_expired", "ttl", "list", "touch", "resume", "use"),
    "data": ("get",),
    "has": ("get",),
    "version": ("get",),
    "owner": ("get",),
    "status": ("get",),
    "expires_in_us": ("ttl",),
    "count": ("count", "list"),
    "ids": ("list",),
    "metrics": ("metrics",),
}
"""What `expect` speaks of -> the operations that can tell it, the ones least likely to disturb first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One case of a scenario.

    Attributes:
        cell: variable of the matrix -> its value in this case.
        name: the cell as text ("early=1s,limit=3"), empty where there is no matrix.
        overlapping: clients at once call as soon as they can and wait for their turn: even operations that nothing
            can interrupt then happen at the same time, and answers in any order of them are right.
        forgiving: a step that turns out to have nothing to work with is passed over: nobody has thought the story out.
    """

    scenario: Scenario
    cell: FrozenMap = EMPTY
    name: str = ""
    overlapping: bool = False
    forgiving: bool = False

    @property
    def title(self) -> str:
        """The scenario's title, with the cell where there is one."""
        return f"{self.scenario.title} [{self.name}]" if self.name else self.scenario.title

    @property
    def zone(self) -> str:
        """The time zone that this case runs in; empty: whatever the process is in."""
        return str(scenarios.substitute(self.scenario.zone, self.cell))

    @property
    def begins_us(self) -> int | None:
        """The wall time at which this case begins; None: that of every other case.

        Units: microseconds since the Unix epoch.
        """
        filled: int | None = scenarios.substitute(self.scenario.begins_us, self.cell)
        return filled

    @property
    def figures(self) -> FrozenMap:
        """The figures of the policy that this case wishes for.

        Units: microseconds where the policy's key is a duration.
        """
        filled: FrozenMap = scenarios.substitute(self.scenario.figures, self.cell)
        return filled


def cells(scenario: Scenario) -> tuple[Plan, ...]:
    """Return the cases of the scenario, one for each combination of its matrix, the last variable turning fastest."""
    names = tuple(scenario.matrix)
    choices: list[tuple[Any, ...]] = [scenario.matrix[name] for name in names]
    plans = []
    for chosen in itertools.product(*choices):
        cell = FrozenMap(dict(zip(names, chosen, strict=True)))
        plans.append(Plan(scenario=scenario, cell=cell, name=_name(cell)))
    return tuple(plans)


def _name(cell: FrozenMap) -> str:
    words = ((name, value if isinstance(value, str) else scenarios.flow(value)) for name, value in cell.items())
    return ",".join(f"{name}={word}" for name, word in words)


# -- what a case needs ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a scenario asks of its target.

    Attributes:
        verbs: the operations that its steps use.
        looks: what its expectations speak of; one of the operations in `LOOKS` must tell it.
        figures: the figures of the policy that its variables stand for.
        requires: what it names itself.
        timeout: whether it goes to some session's timeout.
        per_session_timeout: whether it creates sessions with a timeout of their own.
        at_once: whether it calls from several clients at once.
        resource: whether it speaks of resources.
    """

    verbs: tuple[str, ...]
    looks: tuple[str, ...]
    figures: tuple[str, ...]
    requires: tuple[str, ...]
    timeout: bool
    per_session_timeout: bool
    at_once: bool
    resource: bool


def needs(scenario: Scenario) -> Needs:
    """Return what the scenario asks of its target."""
    every = tuple(scenario.all_steps)
    alone = tuple(step for step in every if isinstance(step, Step))
    looks = (name for step in alone if step.verb == "expect" for name in step.arguments if name in LOOKS)
    created = tuple(step for step in alone if step.verb == "create")
    return Needs(
        verbs=tuple(dict.fromkeys(step.verb for step in alone if step.verb in VERBS)),
        looks=tuple(dict.fromkeys(looks)),
        figures=tuple(name for name in FIGURES if name in set(_variables(scenario)) - set(scenario.matrix)),
        requires=scenario.requires,
        timeout=any("to_timeout_of" in step.arguments for step in alone),
        per_session_timeout=any("timeout_us" in step.arguments for step in created),
        at_once=any(step.verb == "parallel" for step in every),
        resource=any("closed" in step.arguments for step in alone),
    )


def _variables(scenario: Scenario) -> Iterator[str]:
    for step in scenario.all_steps:
        match step:
            case scenarios.Step():
                parts: tuple[Any, ...] = (step.arguments, step.answer, step.client)
            case scenarios.Repeat(times=times):
                parts = (times,)
            case scenarios.Eventually(within_us=within_us, every_us=every_us):
                parts = (within_us, every_us)
            case scenarios.Parallel():
                parts = ()
        yield from scenarios.variables_of((*parts, step.label))


def effective(plan: Plan, policy: Policy) -> Policy:
    """Return the policy with the figures that the case wishes for."""
    if not plan.figures:
        return policy
    wished: dict[str, Any] = dict(plan.figures)
    return replace(policy, **wished, written=policy.written | frozenset(wished))


def variables(plan: Plan, policy: Policy) -> dict[str, Any]:
    """Return the variables that have a value before the first step: the policy's figures, then the matrix over them.

    Shape: durations as text ("30m"), which reads the same in a duration, in a text and in data.
    """
    begun = effective(plan, policy)
    found: dict[str, Any] = {}
    for name in FIGURES:
        value = getattr(begun, name)
        if value is not None:
            found[name] = durations.show(value) if KEYS[name].takes == "duration" else value
    return {**found, **plan.cell}


# -- what is missing ------------------------------------------------------------------------------------------------


def unmet(
    plan: Plan, policy: Policy, operations: frozenset[str], callers: str, adjustable: frozenset[str]
) -> tuple[str, ...]:
    """Return what the case needs and the target lacks, each named; empty when the case can run.

    `adjustable` are the figures that the profile hands to the manager's factory by a placeholder.
    """
    asked = needs(plan.scenario)
    begun = effective(plan, policy)
    missing = [f"operation {verb}" for verb in asked.verbs if verb not in operations]
    missing += [
        f"an operation that tells {name.removesuffix('_us')}: {' or '.join(LOOKS[name])}"
        for name in asked.looks
        if not operations.intersection(LOOKS[name])
    ]
    for name, value in plan.figures.items():
        if getattr(policy, name) != value and name not in adjustable:
            missing.append(f"{_figure(name, value)}: the profile says {policy.line(name)} and hands over no {{{name}}}")
    missing += [f"policy key {name}" for name in asked.figures if getattr(begun, name) is None]
    for text in asked.requires:
        missing.append(requirements.lacks(requirements.parse(text), begun, operations, callers, asked.verbs))
    if asked.timeout and not asked.per_session_timeout and begun.idle_timeout is begun.absolute_timeout is None:
        missing.append("policy key idle_timeout or absolute_timeout")
    if asked.per_session_timeout and not begun.per_session_timeout:
        missing.append("policy key per_session_timeout")
    if asked.resource and begun.resource is None:
        missing.append("policy key resource")
    if callers != "tasks" and any(getattr(step, "cancel_at", 0) for step in plan.scenario.all_steps):
        missing.append(f"callers that are tasks, to be cancelled (the profile says callers = {callers})")
    if asked.at_once and callers == "one":
        missing.append("callers at once (the profile says callers = one)")
    return tuple(dict.fromkeys(filter(None, missing)))


def _figure(name: str, value: Any) -> str:
    return f"{name} = {durations.show(value) if KEYS[name].takes == 'duration' else value}"
