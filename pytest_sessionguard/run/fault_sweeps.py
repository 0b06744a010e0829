"""A plan whose fault strikes at every chance in turn: a case for each, until it has no chance left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final, cast

from pytest_sessionguard.core.faults import Fault
from pytest_sessionguard.core.plan import Plan
from pytest_sessionguard.core.result import CaseResult, counts
from pytest_sessionguard.core.values import FrozenMap

if TYPE_CHECKING:
    from pytest_sessionguard.run.conversation import Conversation
    from pytest_sessionguard.run.runner import Runner

# A fault with more chances than this is tried at the first ones alone, and the case says so.
CHANCES_MAX: Final = 500

# A fault that is to strike at this chance never does, and yet its chances are counted.
_NEVER: Final = 1 << 60


def is_swept(plan: Plan) -> bool:
    """Say whether a fault of the plan is to strike at every chance in turn."""
    return any(fault.at is None for fault in plan.scenario.faults)


def struck_at(plan: Plan, chance: int) -> Plan:
    """Return the plan with each swept fault striking at one chance."""
    faults = tuple(replace(fault, at=chance) if fault.at is None else fault for fault in plan.scenario.faults)
    return replace(plan, scenario=replace(plan.scenario, faults=faults))


class _Counting:
    """Looks on while a case runs in which faults may strike; keeps how many chances each of them had."""

    folder = None

    def __init__(self) -> None:
        self.chances: tuple[int, ...] = ()

    @contextmanager
    def watching(self, talk: Conversation) -> Iterator[None]:
        """Look on."""
        yield
        injections = talk.stage.injections
        self.chances = () if injections is None else injections.chances


def count_chances(runner: Runner, plan: Plan, faults: Sequence[Fault]) -> tuple[CaseResult, tuple[int, ...]]:
    """Run a plan in which nothing goes wrong; return with the case how many chances each fault would have had.

    Raises:
        UsageError: see `Runner.run`.
    """
    never = tuple(replace(fault, at=_NEVER, lasting=False) for fault in faults)
    watch = _Counting()
    case = runner.run(replace(plan, scenario=replace(plan.scenario, faults=never)), watch=watch)
    return case, tuple(min(count, CHANCES_MAX) for count in watch.chances) or (0,) * len(never)


def sweep_known(runner: Runner, plan: Plan, chances: int) -> Iterator[tuple[Plan, CaseResult]]:
    """Run a plan with its swept faults at each of so many chances; the first violation ends it.

    Raises:
        UsageError: see `Runner.run`.
    """
    for chance in range(1, chances + 1):
        one = struck_at(plan, chance)
        case = runner.run(one)
        yield one, case
        if case.status in ("violated", "skipped", "error"):
            return


def sweep(runner: Runner, plan: Plan) -> Iterator[tuple[Plan, CaseResult]]:
    """Run a plan with its swept faults at the first chance, the second, and so on, until none of them strikes.

    The first violation ends it, and so does a case that is skipped or broken.  Where not even the first chance came,
    that case is given: it is vacuous, and says so.

    Raises:
        UsageError: see `Runner.run`.
    """
    for chance in range(1, CHANCES_MAX + 1):
        one = struck_at(plan, chance)
        case = runner.run(one)
        struck = {fired.fault for fired in case.fired}
        swept = [
            fault for fault, told in zip(one.scenario.faults, plan.scenario.faults, strict=True) if told.at is None
        ]
        if chance > 1 and case.status != "violated" and not struck & set(swept):
            return
        yield one, case
        if case.status in ("violated", "skipped", "error") or not struck & set(swept):
            return


def together(cases: Sequence[CaseResult]) -> CaseResult:
    """Return what the cases of a sweep come to as one: the violated one if any is, else all that they have shown."""
    last = cases[-1]
    if last.status in ("violated", "skipped", "error"):
        return last
    exercised = dict(last.exercised)
    unjudged = dict(last.unjudged)
    for case in cases[:-1]:
        for name, times in case.exercised.items():
            exercised[name] = exercised.get(name, 0) + times
        unjudged.update(case.unjudged)
    if len(cases) == CHANCES_MAX:
        unjudged["fault.atomic"] = f"only the first {CHANCES_MAX} chances were tried"
    reason = "; ".join(f"{name}: {why}" for name, why in unjudged.items())
    return replace(
        last,
        status="unproven" if unjudged else "held",
        reason=reason,
        exercised=counts(exercised),
        unjudged=cast("dict[str, str]", FrozenMap(unjudged)),
        fired=tuple(fired for case in cases for fired in case.fired),
        steps=sum(case.steps for case in cases),
        operations=sum(case.operations for case in cases),
        virtual_us=sum(case.virtual_us for case in cases),
        real_s=sum(case.real_s for case in cases),
    )
