"""Every operation with something going wrong in its middle: hooks that fail, files that cannot be written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from pytest_sessionguard.core.faults import Fault
from pytest_sessionguard.core.plan import Plan
from pytest_sessionguard.core.scenario import Parallel, Place, Scenario, Step
from pytest_sessionguard.core.values import EMPTY, FrozenMap
from pytest_sessionguard.run import cancelling, fault_sweeps
from pytest_sessionguard.run.bench import Bench, Tried
from pytest_sessionguard.run.families import Family
from pytest_sessionguard.target.shape import Profile

# What fails before it has taken effect, and before anything else can have: of an error after a rename, or of syncing a
# folder, nobody can say whether it has happened, and a store that does not know either is not called wrong here.
_FILE_FAULTS: Final = (
    Fault(kind="io_error", subject="ENOSPC", at=None),
    Fault(kind="torn_write", subject="error", at=None),
    Fault(kind="io_error", subject="EIO", at=None, options=FrozenMap({"operation": "write"})),
    Fault(kind="io_error", subject="EMFILE", at=None),
    Fault(kind="io_error", subject="ENOSPC", at=None, lasting=True),
)


@dataclass(frozen=True, slots=True)
class _Program:
    """A plan that holds as it is, and what is to go wrong in it."""

    plan: Plan
    fault: Fault


def _faults(profile: Profile) -> Iterator[Fault]:
    hooks: Any = profile.hooks
    for role in sorted({declared.role for declared in hooks.values()}):
        for when in ("before", "after"):
            yield Fault(kind="fail_call", subject=role, at=None, when=when)
    if "dir" in profile.placeholders:
        yield from _FILE_FAULTS


@lru_cache(maxsize=8)
def _programs(bench: Bench) -> tuple[_Program, ...]:
    """Return every pair of a program and a fault, those that differ in the program first."""
    survives = bench.profile.policy.survives
    restarts = survives != "nothing" if isinstance(survives, str) else bool(survives)
    plans = [
        plan
        for told, numbers in cancelling.programs(bench.profile)
        for restarted in ((False, True) if restarts else (False,))
        if (plan := _split(told, numbers, restarted)) is not None
    ]
    return tuple(_Program(plan, fault) for fault in _faults(bench.profile) for plan in plans)


def _split(plan: Plan, numbers: tuple[int, ...], restarted: bool) -> Plan | None:
    """Return the plan with what follows its chosen operation undisturbed; None where more than one is chosen.

    What follows looks for what was left behind or, restarted, whether what is kept agrees with what was shown.
    """
    story = plan.scenario
    at = numbers[0] if len(numbers) == 1 else -1
    if at < 0 or any(isinstance(step, Parallel) for step in story.steps):
        return None
    operations = [n for n, step in enumerate(story.steps) if isinstance(step, Step) and step.verb not in _NO_OPERATIONS]
    cut = operations[at] + 1
    after = story.steps[cut:]
    if restarted:
        looks = tuple(step for step in after if step.verb in ("get", "exists", "list", "count"))
        after = (*looks, Step(verb="restart", arguments=EMPTY, place=Place(story.path, 0, 0)), *looks)
    told: Scenario = replace(
        story, start=(*story.start, *story.steps[: cut - 1]), steps=story.steps[cut - 1 : cut], after_fault=after
    )
    return replace(plan, scenario=replace(told, title=told.title.replace(", cancelled", ", disturbed")), forgiving=True)


_NO_OPERATIONS: Final = frozenset({"advance", "set_clock", "restart", "expect", "call"})


def _applies(bench: Bench) -> str:
    if not any(True for _ in _faults(bench.profile)):
        return "it has no hook and is told of no folder: nothing can be made to go wrong"
    return "" if _programs(bench) else "no operation of it can be asked alone"


def _run(bench: Bench, number: int) -> Iterator[Tried]:
    programs = _programs(bench)
    # A stride that is no divisor of the count: neighbours differ in program and fault.
    program = programs[(number * _STRIDE) % len(programs)]
    plain = bench.runner.run(program.plan)
    if plain.status not in ("held", "unproven"):
        yield Tried(plan=program.plan, case=plain)
        return
    told = replace(program.plan, scenario=replace(program.plan.scenario, faults=(program.fault,)))
    for plan, case in fault_sweeps.sweep(bench.runner, told):
        if case.fired:
            yield Tried(plan=plan, case=case, fault=str(plan.scenario.faults[0]))


_STRIDE: Final = 7_919

FAMILY = Family(
    name="faults",
    summary="each operation with a hook that fails or a file that cannot be written in its middle",
    exercises=("fault.",),
    rank=4,
    share=20,
    applies=_applies,
    size=lambda bench: len(_programs(bench)),
    run=_run,
)
