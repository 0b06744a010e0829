"""Every operation with something going wrong in its middle: a hook that fails, a full disk, a server out of reach."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from pytest_sessionguard.core.faults import Fault
from pytest_sessionguard.core.linearizability import LOOKS
from pytest_sessionguard.core.plan import Plan
from pytest_sessionguard.core.result import CaseResult
from pytest_sessionguard.core.scenario import AnyStep, Parallel, Place, Scenario, Step
from pytest_sessionguard.core.values import EMPTY, FrozenMap
from pytest_sessionguard.run import disturbed, fault_sweeps
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


# Between the manager and its server: what was asked arrives late, by half or not at all; an answer that is lost can be
# asked for soon after.  Of a server that answers no more after it has done what it was asked, see above.
_NETWORK_FAULTS: Final = (
    Fault(kind="partition", subject="both", at=None),
    Fault(kind="reset", subject="half", at=None, when="after"),
    Fault(kind="reset", subject="nothing", at=None),
    Fault(kind="partition", subject="from-server", at=None, options=FrozenMap({"for": 3_000_000})),
    Fault(kind="outage", subject=30_000_000, at=None),
    Fault(kind="latency", subject=200_000, at=None),
)


@dataclass(frozen=True, slots=True)
class _Program:
    """A plan, what may go wrong in it, and which of that is to."""

    plan: Plan
    faults: tuple[Fault, ...]
    column: int


def _faults(profile: Profile) -> Iterator[Fault]:
    hooks: Any = profile.hooks
    for role in sorted({declared.role for declared in hooks.values()}):
        for when in ("before", "after"):
            yield Fault(kind="fail_call", subject=role, at=None, when=when)
    if "dir" in profile.placeholders:
        yield from _FILE_FAULTS
    if disturbed.reaches_a_server(profile):
        yield from _NETWORK_FAULTS


@lru_cache(maxsize=8)
def _programs(bench: Bench) -> tuple[_Program, ...]:
    """Return every pair of a plan and a fault.

    Those come first whose operation writes, in the first of its states: each with one fault, then each with another.
    """
    survives = bench.profile.policy.survives
    restarts = survives != "nothing" if isinstance(survives, str) else bool(survives)
    faults = tuple(_faults(bench.profile))
    turns: Counter[str] = Counter()
    verbs: dict[str, int] = {}
    found: list[tuple[tuple[bool, int, int, bool, int], _Program]] = []
    for told, numbers in bench.cancelled:
        cut = _cut(told, numbers)
        if not cut:
            continue
        verb = told.scenario.steps[cut - 1].verb
        turns[verb] += 1
        row = verbs.setdefault(verb, len(verbs))
        for restarted in (False, True) if restarts else (False,):
            plan = _split(told, cut, restarted)
            for column in range(len(faults)):
                place = verb in LOOKS, turns[verb], (column - row) % len(faults), restarted, row
                found.append((place, _Program(plan, faults, column)))
    return tuple(program for _, program in sorted(found, key=lambda one: one[0]))


@lru_cache(maxsize=1_024)
def _plain(bench: Bench, plan: Plan, faults: tuple[Fault, ...]) -> tuple[CaseResult, tuple[int, ...]]:
    """Return what comes of a plan in which nothing goes wrong, and how many chances each fault has in it."""
    return fault_sweeps.count_chances(bench.runner, plan, faults)


def _cut(plan: Plan, numbers: tuple[int, ...]) -> int:
    """Return how many steps end with its chosen operation; 0 where more than one is chosen."""
    steps = plan.scenario.steps
    if len(numbers) != 1 or any(isinstance(step, Parallel) for step in steps):
        return 0
    operations = [n for n, step in enumerate(steps) if isinstance(step, Step) and step.verb not in _NO_OPERATIONS]
    return operations[numbers[0]] + 1


def _split(plan: Plan, cut: int, restarted: bool) -> Plan:
    """Return the plan with what follows its chosen operation, the last before `cut`, undisturbed.

    What follows looks for what was left behind or, restarted, whether what is kept agrees with what was shown.
    """
    story = plan.scenario
    before, after = _read_first(story.steps[: cut - 1], story.steps[cut:]), story.steps[cut:]
    if restarted:
        looks = tuple(step for step in after if step.verb in ("get", "exists", "list", "count"))
        after = (*looks, Step(verb="restart", arguments=EMPTY, place=Place(story.path, 0, 0)), *looks)
    told: Scenario = replace(story, start=(*story.start, *before), steps=story.steps[cut - 1 : cut], after_fault=after)
    return replace(plan, scenario=replace(told, title=told.title.replace(", cancelled", ", disturbed")), forgiving=True)


def _read_first(before: tuple[AnyStep, ...], after: tuple[AnyStep, ...]) -> tuple[AnyStep, ...]:
    """Return the steps before with a look at the session right after it is made, as the steps after look at it.

    Of data that nobody has read, nobody can say whether it was changed.
    """
    made = next((n for n, step in enumerate(before) if isinstance(step, Step) and step.verb == "create"), None)
    look = next((step for step in after if isinstance(step, Step) and step.verb == "get"), None)
    if made is None or look is None:
        return before
    return (*before[: made + 1], look, *before[made + 1 :])


_NO_OPERATIONS: Final = frozenset({"advance", "set_clock", "restart", "partition", "expect", "call"})


def _applies(bench: Bench) -> str:
    if not any(True for _ in _faults(bench.profile)):
        return "it has no hook and is told of no folder and of no endpoint: nothing can be made to go wrong"
    return "" if _programs(bench) else "no operation of it can be asked alone"


def _run(bench: Bench, number: int) -> Iterator[Tried]:
    program = _programs(bench)[number]
    plain, chances = _plain(bench, program.plan, program.faults)
    if plain.status not in ("held", "unproven"):
        yield Tried(plan=program.plan, case=plain)
        return
    fault = program.faults[program.column]
    told = replace(program.plan, scenario=replace(program.plan.scenario, faults=(fault,)))
    for plan, case in fault_sweeps.sweep_known(bench.runner, told, chances[program.column]):
        yield Tried(plan=plan, case=case, fault=str(plan.scenario.faults[0]))


FAMILY = Family(
    name="faults",
    summary="each operation with a hook that fails, a full disk or a server that is away in its middle",
    exercises=("fault.",),
    rank=4,
    share=20,
    applies=_applies,
    size=lambda bench: len(_programs(bench)),
    run=_run,
)
