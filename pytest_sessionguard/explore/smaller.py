"""Ways to make a scenario smaller or simpler, each as a value to be tried.

Pure.  Nothing here knows whether the smaller one still shows what the larger one did: who shrinks tries it.
A step is named by its path: the section it is in, then its index there, then branch and index inside a block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, Final, TypeAlias

from pytest_sessionguard.core import schedule as schedules
from pytest_sessionguard.core.durations import UNITS_US
from pytest_sessionguard.core.faults import Fault
from pytest_sessionguard.core.scenario import AnyStep, Eventually, Parallel, RawId, Repeat, Scenario, Step
from pytest_sessionguard.core.schedule import Schedule
from pytest_sessionguard.core.values import EMPTY, FrozenMap

Path: TypeAlias = tuple[str | int, ...]
Edit: TypeAlias = Callable[[Path, AnyStep], tuple[AnyStep, ...]]

SECTIONS: Final = ("start", "steps", "after_fault", "finally_")

# What a step can do without, in the order in which it is tried.
_OPTIONAL: Final = (
    "owner", "data", "timeout_us", "version", "id", "n", "fails", "plus_us", "minus_us", "expires_in_us", "status",
)  # fmt: skip
_PLAIN_DATA: Final = FrozenMap({"a": 1})
_SPANS_US: Final = (0, UNITS_US["s"], UNITS_US["m"], UNITS_US["h"])
_UNITS_US: Final = tuple(UNITS_US[unit] for unit in ("d", "h", "m", "s", "ms"))
_WORD: Final = "a"

# A fault is not tried at later chances than this in place of the one at which it struck.
_EARLIER_MAX: Final = 12


# -- editing ----------------------------------------------------------------------------------------------------------


def edited(scenario: Scenario, edit: Edit) -> Scenario:
    """Return the scenario with every step given to `edit`, blocks before what is in them.

    A block that nothing is left in goes; what is left of a `parallel` with one branch stands on its own.
    """
    sections: dict[str, Any] = {section: _edited(getattr(scenario, section), edit, (section,)) for section in SECTIONS}
    return replace(scenario, **sections)


def _edited(steps: Iterable[AnyStep], edit: Edit, at: Path) -> tuple[AnyStep, ...]:
    kept: list[AnyStep] = []
    for number, step in enumerate(steps):
        here = (*at, number)
        for one in edit(here, step):
            match one:
                case Parallel(branches=branches):
                    inner = [_edited(branch, edit, (*here, index)) for index, branch in enumerate(branches)]
                    left = tuple(branch for branch in inner if branch)
                    kept += [replace(one, branches=left)] if len(left) > 1 else left[0] if left else ()
                case Repeat(steps=steps_inside):
                    inside = _edited(steps_inside, edit, here)
                    kept += [replace(one, steps=inside)] if inside else ()
                case _:
                    kept.append(one)
    return tuple(kept)


def paths(scenario: Scenario) -> tuple[Path, ...]:
    """Return where every step is that stands alone, in the order of the file."""
    return tuple(path for path in every_path(scenario) if isinstance(step_at(scenario, path), (Step, Eventually)))


def every_path(scenario: Scenario) -> tuple[Path, ...]:
    """Return where every step is, blocks too."""
    found: list[Path] = []

    def note(path: Path, step: AnyStep) -> tuple[AnyStep, ...]:
        found.append(path)
        return (step,)

    edited(scenario, note)
    return tuple(found)


def without(scenario: Scenario, gone: Iterable[Path]) -> Scenario:
    """Return the scenario without the steps at these paths."""
    left_out = frozenset(gone)
    return edited(scenario, lambda path, step: () if path in left_out else (step,))


def with_step(scenario: Scenario, at: Path, step: AnyStep) -> Scenario:
    """Return the scenario with another step at the path."""
    return edited(scenario, lambda path, old: (step,) if path == at else (old,))


def step_at(scenario: Scenario, at: Path) -> AnyStep:
    """Return the step at the path.

    Raises:
        KeyError: there is none.
    """
    found: dict[Path, AnyStep] = {}

    def note(path: Path, step: AnyStep) -> tuple[AnyStep, ...]:
        found[path] = step
        return (step,)

    edited(scenario, note)
    return found[at]


# -- the whole scenario -----------------------------------------------------------------------------------------------


def barer(scenario: Scenario) -> Iterator[Scenario]:
    """Give the scenario without what stands around its steps, and with smaller figures."""
    if scenario.start:
        yield replace(scenario, start=(), steps=(*scenario.start, *scenario.steps))
    for name in ("invariants", "requires", "fixtures", "markers"):
        if getattr(scenario, name):
            none: dict[str, Any] = {name: ()}
            yield replace(scenario, **none)
    if scenario.zone:
        yield replace(scenario, zone="")
    if scenario.begins_us is not None:
        yield replace(scenario, begins_us=None)
    for name, value in scenario.figures.items():
        yield replace(scenario, figures=scenario.figures.without(name))
        for smaller in (1, 2):
            if not name.endswith(("_timeout", "_interval")) and isinstance(value, int) and value > smaller:
                yield replace(scenario, figures=scenario.figures.merged({name: smaller}))


def milder(scenario: Scenario, struck: Iterable[Fault] = ()) -> Iterator[Scenario]:
    """Give the scenario with a fault less, or with one that strikes earlier, once, or in a plainer way.

    Args:
        struck: the faults as they have struck: of one that is tried at every chance, at which.
    """
    known = tuple(struck)
    for number, fault in enumerate(scenario.faults):
        others = scenario.faults[:number], scenario.faults[number + 1 :]
        yield replace(scenario, faults=(*others[0], *others[1]))
        for plainer in _milder(fault, known):
            yield replace(scenario, faults=(*others[0], plainer, *others[1]))


def _milder(fault: Fault, struck: tuple[Fault, ...]) -> Iterator[Fault]:
    if fault.at is None:
        yield from (one for one in struck if one.at is not None and replace(one, at=None) == fault)
    else:
        yield from (replace(fault, at=at) for at in range(1, min(fault.at, _EARLIER_MAX)))
    if fault.lasting:
        yield replace(fault, lasting=False)
    if fault.when != "before":
        yield replace(fault, when="before")
    for name in fault.options:
        yield replace(fault, options=fault.options.without(name))


def sessions(scenario: Scenario) -> tuple[str, ...]:
    """Return the names of the sessions that the scenario makes, in the order in which it does."""
    made = (step.arguments.get("as") for step in scenario.all_steps if isinstance(step, Step))
    return tuple(dict.fromkeys(name for name in made if isinstance(name, str)))


def mentions(step: AnyStep, session: str) -> bool:
    """Say whether the step speaks of the session."""
    if isinstance(step, Eventually):
        return mentions(step.expect, session)
    if not isinstance(step, Step):
        return False
    arguments = step.arguments
    return session in (arguments.get("as"), arguments.get("session"), arguments.get("to_timeout_of"))


def is_whole(scenario: Scenario) -> bool:
    """Say whether every session that is spoken of is made somewhere."""
    made = set(sessions(scenario))
    for step in scenario.all_steps:
        if isinstance(step, Step):
            spoken_of = (step.arguments.get("session"), step.arguments.get("to_timeout_of"))
            if any(isinstance(name, str) and name not in made for name in spoken_of):
                return False
    return True


def about(scenario: Scenario, session: str) -> tuple[Path, ...]:
    """Return where the steps are that speak of the session."""
    return tuple(path for path in paths(scenario) if mentions(step_at(scenario, path), session))


def renamed(scenario: Scenario, names: dict[str, str]) -> Scenario:
    """Return the scenario with sessions under other names."""

    def rename(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(rename, value))
        return names.get(value, value) if isinstance(value, str) else value

    def edit(path: Path, step: AnyStep) -> tuple[AnyStep, ...]:
        if isinstance(step, Eventually):
            return (replace(step, expect=alone(step.expect)),)
        return (alone(step),) if isinstance(step, Step) else (step,)

    def alone(step: Step) -> Step:
        named = ("as", "session", "to_timeout_of", "ids")
        arguments = {name: rename(value) if name in named else value for name, value in step.arguments.items()}
        answer = {name: rename(value) if name in ("id", "ids") else value for name, value in step.answer.items()}
        return replace(step, arguments=FrozenMap(arguments), answer=FrozenMap(answer))

    return edited(scenario, edit)


# -- what happens at once ---------------------------------------------------------------------------------------------


def sequential(scenario: Scenario) -> Iterator[Scenario]:
    """Give the scenario with operations of a branch taken out of their block, to before or after it."""
    for section in SECTIONS:
        steps: tuple[AnyStep, ...] = getattr(scenario, section)
        for at, step in enumerate(steps):
            if not isinstance(step, Parallel):
                continue
            for before, branches, after in _split(step):
                block: tuple[AnyStep, ...] = (replace(step, branches=branches),) if len(branches) > 1 else branches[0]
                moved: dict[str, Any] = {section: (*steps[:at], *before, *block, *after, *steps[at + 1 :])}
                yield replace(scenario, **moved)


_Branches: TypeAlias = tuple[tuple[AnyStep, ...], ...]


def _split(step: Parallel) -> Iterator[tuple[tuple[AnyStep, ...], _Branches, tuple[AnyStep, ...]]]:
    """Give what may come before, what stays at once, and what may come after."""
    branches = step.branches
    for number, branch in enumerate(branches):
        others = (*branches[:number], *branches[number + 1 :])
        yield branch, others, ()
        yield (), others, branch
    for number, branch in enumerate(branches):
        if len(branch) > 1:
            yield branch[:1], (*branches[:number], branch[1:], *branches[number + 1 :]), ()
            yield (), (*branches[:number], branch[:-1], *branches[number + 1 :]), branch[-1:]


# -- one step ---------------------------------------------------------------------------------------------------------


def simpler(step: AnyStep) -> Iterator[AnyStep]:
    """Give simpler steps that could stand in this one's place, the simplest first."""
    if step.label:
        yield replace(step, label="")
    match step:
        case Step():
            yield from _simpler_alone(step)
        case Repeat(times=times):
            for fewer in (1, 2):
                if isinstance(times, int) and times > fewer:
                    yield replace(step, times=fewer)
        case Eventually(within_us=within_us):
            for fewer in _shorter(within_us):
                yield replace(step, within_us=fewer)
        case Parallel():
            pass


def _simpler_alone(step: Step) -> Iterator[Step]:
    plain: dict[str, Any]
    for earlier in (0, 1):
        if isinstance(step.cancel_at, int) and step.cancel_at > earlier:
            yield replace(step, cancel_at=earlier)
    for plain in ({"client": ""}, {"capture": EMPTY}, {"answer": EMPTY}, {"refused": None}):
        bare = replace(step, **plain)
        if bare != step:
            yield bare
    arguments = step.arguments
    for name in _OPTIONAL:
        # What is expected, and what a save saves, is the step itself.
        if name in arguments and len(arguments) > 1 and (step.verb, name) not in _NEEDED and step.verb != "expect":
            yield replace(step, arguments=arguments.without(name))
    for name, value in arguments.items():
        for simple in _simpler_argument(step.verb, name, value):
            yield replace(step, arguments=arguments.merged({name: simple}))


_NEEDED: Final = frozenset({("save", "data"), ("create", "as")})


def _simpler_argument(verb: str, name: str, value: Any) -> Iterator[Any]:
    if name.endswith("_us"):
        yield from _shorter(value)
    elif isinstance(value, RawId):
        if value != RawId("x"):
            yield RawId("x")
    elif name in ("data", "set") and verb != "expect":
        yield from simpler_data(value)
    elif name in ("key", "owner", "id") and value not in (_WORD, 1):
        yield _WORD
    elif name == "value" and value != 1:
        yield 1


def _shorter(span_us: Any) -> Iterator[int]:
    """Give spans that are shorter or rounder, the shortest first."""
    if not isinstance(span_us, int):
        return
    for short in _SPANS_US:
        if short < span_us:
            yield short
    for unit_us in _UNITS_US:
        if span_us > unit_us and span_us % unit_us:
            yield span_us - span_us % unit_us


def simpler_data(data: Any) -> Iterator[Any]:
    """Give simpler data, the simplest first."""
    if not isinstance(data, FrozenMap):
        return
    for plain in (EMPTY, _PLAIN_DATA):
        if _weight(plain) < _weight(data):
            yield plain
    if len(data) > 1:
        for key in data:
            yield data.without(key)
    for key, value in data.items():
        for simple in (1, 2):
            if _weight(value) > _weight(simple):
                yield data.merged({key: simple})


def _weight(value: Any) -> int:
    """Say how much there is to read in a value."""
    if isinstance(value, FrozenMap):
        return 1 + sum(_weight(key) + _weight(item) for key, item in value.items())
    if isinstance(value, tuple):
        return 1 + sum(map(_weight, value))
    return len(repr(value))


# -- schedules of what became of a block ------------------------------------------------------------------------------


def as_before(before: Scenario, after: Scenario, schedule: str) -> str:
    """Return the schedule with its letters as `after` has the branches that it took over from `before`."""
    old, new = _branches(before), _branches(after)
    choices = schedules.parse(schedule).choices
    if len(old) == len(new):
        return schedule
    numbers: dict[int, int] = {}
    at = 0
    for number, branch in enumerate(new):
        while at < len(old) and not _is_part(branch, old[at]):
            at += 1
        numbers[at] = number
        at += 1
    shift = len(new) - len(old)
    moved = ((numbers.get(one) if one < len(old) else one + shift) for one in choices)
    return str(Schedule(tuple(one for one in moved if one is not None)))


def _branches(scenario: Scenario) -> _Branches:
    return next((step.branches for step in scenario.all_steps if isinstance(step, Parallel)), ())


def _is_part(some: tuple[AnyStep, ...], every: tuple[AnyStep, ...]) -> bool:
    left = iter(every)
    return all(any(one == other for other in left) for one in some)
