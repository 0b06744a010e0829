"""Every operation of a durable target, then programs drawn at random, crashed wherever a crash may come.

By turns the process is killed and the power fails; the manager is made anew on what that leaves.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Final

from pytest_sessionguard.core.faults import CRASH, Fault
from pytest_sessionguard.core.operations import VERBS
from pytest_sessionguard.core.plan import Plan
from pytest_sessionguard.core.scenario import Parallel, Place, Step
from pytest_sessionguard.core.values import FrozenMap
from pytest_sessionguard.explore import generate
from pytest_sessionguard.run import cancelling, crash_cases
from pytest_sessionguard.run.bench import Bench, Tried
from pytest_sessionguard.run.families import Family, endless
from pytest_sessionguard.run.runner import claims
from pytest_sessionguard.target.shape import Profile

# What a crash is called -> the persistence models that say what it leaves, by turns.
_MODELS: Final = {"durability.kill": ("kill",), "durability.power-loss": ("strict", "ordered")}

# So many states of one case, and as many after crashes during recovery: other programs show more than more states.
_STATES_MAX: Final = 80

# These write nothing, as a rule: their programs come last.
_LOOKS: Final = frozenset({"get", "exists", "ttl", "list", "count", "metrics", "history", "is_expired", "health"})


def _crashes(profile: Profile) -> tuple[str, ...]:
    claimed = claims(profile)
    return tuple(model for name, models in _MODELS.items() if name in claimed for model in models)


@lru_cache(maxsize=8)
def _programs(bench: Bench) -> tuple[Plan, ...]:
    """Return programs that ask for each operation: in each state once, those that write in the first of them first."""
    turns: Counter[str] = Counter()
    found: list[tuple[tuple[bool, int], Plan]] = []
    for told, numbers in cancelling.programs(bench.profile):
        steps = told.scenario.steps
        if any(isinstance(step, Parallel) for step in steps) or len(numbers) != 1:
            continue
        at = [n for n, step in enumerate(steps) if step.verb in VERBS][numbers[0]]
        verb = steps[at].verb
        turns[verb] += 1
        found.append(((verb in _LOOKS, turns[verb]), _crashed(bench.profile, told, at)))
    return tuple(plan for _, plan in sorted(found, key=lambda one: one[0]))


@lru_cache(maxsize=8)
def _first(bench: Bench) -> int:
    """Return how many programs come first, under every kind of crash: one for each operation that writes."""
    writes = {step.verb for plan in _programs(bench) for step in plan.scenario.steps if isinstance(step, Step)}
    offered = {str(verb) for verb in bench.profile.operations}
    return min(len(_programs(bench)), max(1, len((writes & offered & set(VERBS)) - _LOOKS)))


def _crashed(profile: Profile, told: Plan, at: int) -> Plan:
    """Return the plan without what only a cancellation asks for; some time passes ahead of its chosen step.

    What is renewed then lives longer than what is not.
    """
    story = told.scenario
    before, chosen, after = story.steps[:at], story.steps[at], story.steps[at + 1 :]
    waits = any(step.verb == "advance" for step in before)
    span_us = min(filter(None, (profile.policy.idle_timeout, profile.policy.absolute_timeout)), default=0) * 3 // 5
    sweeps_us = profile.policy.sweep_interval or span_us
    if before and not waits and span_us and span_us <= sweeps_us * cancelling.SWEEPS_MAX:
        more = FrozenMap({"by_us": span_us})
        before = (*before, Step(verb="advance", arguments=more, place=Place(story.path, 0, 0)))
    after = tuple(itertools.takewhile(lambda step: step.verb != "advance", after))
    title = story.title.replace(", cancelled", ", crashed")
    return replace(told, scenario=replace(story, title=title, steps=(*before, chosen, *after)), forgiving=True)


def _applies(bench: Bench) -> str:
    profile = bench.profile
    if not _crashes(profile):
        return "nothing of it is said to survive a kill or a power loss"
    if "dir" not in profile.placeholders:
        return "it is told of no folder by {dir}: what a crash leaves cannot be made"
    return crash_cases.ONE_PROCESS if profile.isolation == "process" else ""


def _run(bench: Bench, number: int) -> Iterator[Tried]:
    models, made, first = _crashes(bench.profile), _programs(bench), _first(bench)
    both = min(2, len(models))
    if number < first * both:  # A kill and a loss of power by turns.
        turn, kind = divmod(number, both)
        plan = made[turn]
    elif number < first * len(models):
        kind, turn = divmod(number, first)
        plan = made[turn]
    else:
        turn, kind = divmod(number - first * len(models), len(models))
        chosen, is_drawn = divmod(turn, 2)
        chosen += first
        if not is_drawn and chosen < len(made):
            plan = made[chosen]
        else:
            plan = generate.sequential(bench.repertoire, bench.rng("crashes", turn), f"program {turn}, crashed").plan
    crashed = crash_cases.crash_case(
        bench.profile, plan, models[kind], _STATES_MAX, seed=bench.seed + turn, target=bench.runner.target
    )
    faults = [violation.fault for violation in crashed.result.violations]
    yield Tried(
        plan=_as_story(plan, models[kind]), case=crashed.result, fault="".join(faults), is_costly=crashed.from_outside
    )


def _as_story(plan: Plan, model: str) -> Plan:
    """Return the plan as a story that is crashed everywhere, which whoever replays it runs."""
    fault = Fault(kind=CRASH, subject="kill" if model == "kill" else "power-loss")
    return replace(plan, scenario=replace(plan.scenario, faults=(fault,)))


FAMILY = Family(
    name="crashes",
    summary="each operation, then programs drawn at random, with the process killed or the power failing in the middle",
    exercises=(
        "durability.kill",
        "durability.power-loss",
        "recovery.complete",
        "recovery.idempotent",
        "recovery.crash-during",
    ),
    rank=1,
    share=30,
    cost=60.0,
    applies=_applies,
    size=endless,
    run=_run,
)
