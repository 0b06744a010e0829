"""What a scenario file says, as values.

Pure.  Everything that could be checked was checked when the file was read; what stays open until the run are variables
alone: `Variable` and `Text` where any value may stand, `Span`, `Count` and `Instant` where the value must turn out to
be a duration, a whole number or an instant.  `fill` puts values in their place and leaves nothing of a step open.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias, TypeVar

from pytest_sessionguard.core import durations
from pytest_sessionguard.core.faults import Fault as InjectedFault
from pytest_sessionguard.core.quick import quick, replace
from pytest_sessionguard.core.values import EMPTY, FrozenMap
from pytest_sessionguard.errors import Fault, HarnessError, UsageError

FIGURES: Final = ("idle_timeout", "absolute_timeout", "limit", "sweep_interval", "history_limit")
"""The figures of a policy that a scenario may speak of (`$limit`) and wish for (`with`)."""

REPEATS_MAX: Final = 100_000


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where something stands in a user's file; lines and columns count from 1."""

    path: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


# -- what is filled in at run time ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, repr=False)
class Variable:
    """A value that is a variable as a whole: it keeps the variable's type."""

    name: str

    def __repr__(self) -> str:
        return f"${self.name}"


@dataclass(frozen=True, slots=True, repr=False)
class Text:
    """A text with variables in it."""

    parts: tuple[str | Variable, ...]

    def __repr__(self) -> str:
        shown = (f"${{{part.name}}}" if isinstance(part, Variable) else part.replace("$", "$$") for part in self.parts)
        return repr("".join(shown))


Template: TypeAlias = Variable | Text


@dataclass(frozen=True, slots=True, repr=False)
class Span:
    """A duration that holds a variable; filled, it is an integer of microseconds."""

    template: Template

    def __repr__(self) -> str:
        return repr(self.template)


@dataclass(frozen=True, slots=True, repr=False)
class Count:
    """A whole number, zero or more, that holds a variable."""

    template: Template

    def __repr__(self) -> str:
        return repr(self.template)


@dataclass(frozen=True, slots=True, repr=False)
class Instant:
    """A point of wall-clock time that holds a variable; filled, it is microseconds since the Unix epoch."""

    template: Template

    def __repr__(self) -> str:
        return repr(self.template)


@dataclass(frozen=True, slots=True, repr=False)
class RawId:
    """An id written out instead of a session's name: one never issued, or one that was captured."""

    value: Hashable

    def __repr__(self) -> str:
        return f"{{id: {self.value!r}}}"


SessionReference: TypeAlias = str | Template | RawId

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def instant(text: str) -> int:
    """Return an instant such as "2026-03-29T00:59:59Z" as microseconds since the Unix epoch.

    Raises:
        ValueError: not an instant, or without a zone.
    """
    try:
        at = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise ValueError(f'{text!r} is not an instant: write it as "2026-03-29T00:59:59Z"') from None
    if at.tzinfo is None:
        raise ValueError(f'{text!r} names no zone: end it with Z, as "2026-03-29T00:59:59Z"')
    return (at - _EPOCH) // timedelta(microseconds=1)


def _whole_number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= REPEATS_MAX:
        raise ValueError(f"{value!r} is not a whole number from 0 to {REPEATS_MAX}")
    return value


# Most values are of these classes.
_WITHOUT_VARIABLES: Final[frozenset[type]] = frozenset({str, int, bool, float, bytes, type(None)})


def substitute(value: Any, variables: Mapping[str, Any]) -> Any:
    """Return the value with every variable in it put in its place.

    Raises:
        KeyError: a variable that has no value.
        ValueError: a variable whose value is no duration, number or instant where one must stand.
    """
    if type(value) in _WITHOUT_VARIABLES:
        return value
    match value:
        case Variable(name):
            return variables[name]
        case Text(parts):
            return "".join(str(variables[part.name]) if isinstance(part, Variable) else part for part in parts)
        case Span(template):
            return durations.parse(_spelled(substitute(template, variables)))
        case Count(template):
            return _whole_number(substitute(template, variables))
        case Instant(template):
            return instant(str(substitute(template, variables)))
        case RawId(inner):
            return RawId(substitute(inner, variables))
        case FrozenMap():
            return FrozenMap({substitute(key, variables): substitute(item, variables) for key, item in value.items()})
        case tuple():
            return tuple(substitute(item, variables) for item in value)
        case _:
            return value


def _spelled(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        raise ValueError(f"{value} has no unit: a duration is written 90s, 30m, 1h30m or 5ms")
    raise ValueError(f"{flow(value)} is not a duration")


def variables_of(value: Any) -> Iterator[str]:
    """Give the names of the variables in a value, in the order in which they stand."""
    if type(value) in _WITHOUT_VARIABLES:
        return
    match value:
        case Variable(name):
            yield name
        case Text(parts):
            yield from (part.name for part in parts if isinstance(part, Variable))
        case Span(template) | Count(template) | Instant(template):
            yield from variables_of(template)
        case RawId(inner):
            yield from variables_of(inner)
        case FrozenMap():
            for key, item in value.items():
                yield from variables_of(key)
                yield from variables_of(item)
        case tuple():
            for item in value:
                yield from variables_of(item)


# -- steps ----------------------------------------------------------------------------------------------------------


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One verb that stands alone: an operation, `advance`, `set_clock`, `restart`, `expect` or `call`.

    Shape of `arguments`, by the names of the file, durations and instants renamed to end in `_us`:
        an operation    as, session, id, owner, data, set, key, value, version, timeout_us, resource, n
        advance         by_us or to_timeout_of, minus_us, plus_us
        set_clock       back_us, forward_us or to_us
        restart         nothing
        expect          session, alive, data, has, version, owner, status, expires_in_us | count, ids, metrics |
                        resource, closed
        call            function ("module:name"), args
    `session`, `to_timeout_of`, the items of `ids`, and `id` and `ids` of `answer`, name a session, or are a `RawId`.

    Attributes:
        refused: the kinds of refusal it must meet: None where nothing is said, empty where any will do.
        answer: what its answer must be, by facet; `seconds_us` for `seconds`.
        capture: variable -> the path of what it takes of the answer: ("data", "items"), ("seconds_us",).  A captured
            duration is bound as text ("30m"), as those of the policy are.
        client: who calls, or empty.
        cancel_at: at which of its suspensions it is cancelled, counted from 1; 0 where it is not.
    """

    verb: str
    arguments: FrozenMap
    place: Place
    refused: frozenset[str] | None = None
    answer: FrozenMap = EMPTY
    capture: FrozenMap = EMPTY
    client: str | Template = ""
    cancel_at: int | Count = 0
    label: str | Template = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parallel:
    """Branches that run at once, started in the order of the file.

    Attributes:
        schedules: in which orders they run: empty, as they come; a number of different ones; "exhaustive", all that
            there are; or one, as letters ("ABBA").
    """

    branches: tuple[tuple[AnyStep, ...], ...]
    place: Place
    schedules: str | int = ""
    label: str | Template = ""
    verb: str = "parallel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """Steps done several times over; the counter counts from 1."""

    times: int | Count
    counter: str
    steps: tuple[AnyStep, ...]
    place: Place
    label: str | Template = ""
    verb: str = "repeat"


@dataclass(frozen=True, slots=True, kw_only=True)
class Eventually:
    """An expectation that must come true within a span of virtual time, looked at every so often."""

    within_us: int | Span
    every_us: int | Span
    expect: Step
    place: Place
    label: str | Template = ""
    verb: str = "eventually"


AnyStep: TypeAlias = Step | Parallel | Repeat | Eventually

StepT = TypeVar("StepT", Step, Parallel, Repeat, Eventually)

# Filled on their own when their turn comes: a counter or a capture inside them has no value before that.
_INNER: Final = frozenset({"branches", "steps"})


def fill(step: StepT, variables: Mapping[str, Any]) -> StepT:
    """Return the step with every variable of its own in its place; steps inside a block stay as they are.

    Raises:
        UsageError: a variable whose value does not fit where it stands.
    """
    filled: dict[str, Any] = {}
    for part in fields(step):
        value = getattr(step, part.name)
        if part.name in _INNER or isinstance(value, Place):
            continue
        try:
            new = fill(value, variables) if isinstance(value, Step) else substitute(value, variables)
        except (ValueError, ArithmeticError) as error:
            place = step.place
            raise UsageError([Fault(place.path, place.line, place.column, f"{step.verb}: {error}")]) from None
        except KeyError as error:
            raise HarnessError(f"{step.place}: the variable {error} has no value when its step runs") from None
        if new is not value:
            filled[part.name] = new
    if isinstance(filled.get("label"), (int, float)):
        filled["label"] = str(filled["label"])
    if isinstance(filled.get("client"), (int, float)):
        filled["client"] = str(filled["client"])
    return replace(step, **filled) if filled else step


def walk(steps: Iterable[AnyStep]) -> Iterator[AnyStep]:
    """Give every step, those inside blocks too, in the order of the file."""
    for step in steps:
        yield step
        if type(step) is Step:
            continue
        match step:
            case Parallel(branches=branches):
                for branch in branches:
                    yield from walk(branch)
            case Repeat(steps=inner):
                yield from walk(inner)
            case Eventually(expect=expect):
                yield expect
            case Step():
                pass


def show(step: AnyStep) -> str:
    """Return one line that says what the step does, as a reader of the file knows it."""
    match step:
        case Parallel(branches=branches):
            told = f"parallel: {len(branches)} branches of {', '.join(str(len(branch)) for branch in branches)} steps"
            told += f", schedules: {step.schedules}" if step.schedules else ""
        case Repeat(times=times, counter=counter, steps=steps):
            told = f"repeat: {times!r} times {len(steps)} step{'s'[: len(steps) != 1]}" + (counter and f" (${counter})")
        case Eventually(within_us=within_us, every_us=every_us, expect=expect):
            told = f"eventually: within {_span(within_us)}, every {_span(every_us)}, {show(expect)}"
        case Step():
            told = _show_alone(step)
    return told + (f"  # {step.label if isinstance(step.label, str) else repr(step.label)}" if step.label else "")


def _show_alone(step: Step) -> str:
    arguments = step.arguments
    if set(arguments) == {"session"}:
        told = f"{step.verb}: {_show_value('session', arguments['session'])}"
    elif set(arguments) == {"by_us"}:
        told = f"{step.verb}: {_show_value('by_us', arguments['by_us'])}"
    else:
        told = f"{step.verb}: {_show_map(arguments)}"
    if step.refused is not None:
        told += f", refused: {' or '.join(sorted(step.refused)) or 'true'}"
    if step.answer:
        told += f", answer: {_show_map(step.answer)}"
    if step.capture:
        captures: dict[str, Any] = dict(step.capture)
        paths = (f"{name}: {'.'.join(path).replace('seconds_us', 'seconds', 1)}" for name, path in captures.items())
        told += f", capture: {{{', '.join(paths)}}}"
    if step.cancel_at:
        told += f", cancel_at: {step.cancel_at!r}"
    if step.client:
        told += f", client: {step.client if isinstance(step.client, str) else repr(step.client)}"
    return told


def _show_map(entries: FrozenMap) -> str:
    return "{" + ", ".join(f"{name.removesuffix('_us')}: {_show_value(name, entries[name])}" for name in entries) + "}"


_NAMES: Final = frozenset({"session", "as", "to_timeout_of", "resource", "function", "ids", "id"})
_BARE: Final = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)


def _show_value(name: str, value: Any) -> str:
    if name.endswith("_us"):
        return _instant(value) if name == "to_us" else _span(value)
    if name in _NAMES and isinstance(value, str):
        return value
    if name in _NAMES and isinstance(value, tuple):
        return "[" + ", ".join(_show_value(name, item) for item in value) + "]"
    return flow(value)


def flow(value: Any) -> str:
    """Return the value as it would stand in the file, on one line."""
    match value:
        case None | True | False:
            return {None: "null", True: "true", False: "false"}[value]
        case str() if _BARE.fullmatch(value) and value not in ("true", "false", "null"):
            return value
        case FrozenMap():
            return "{" + ", ".join(f"{flow(key)}: {flow(item)}" for key, item in value.items()) + "}"
        case tuple():
            return "[" + ", ".join(map(flow, value)) + "]"
        case _:
            return repr(value)


def _span(value: int | Span | None) -> str:
    if value is None:
        return "null"
    return durations.show(value) if isinstance(value, int) else repr(value)


def _instant(value: Any) -> str:
    if not isinstance(value, int):
        return repr(value)
    return (_EPOCH + timedelta(microseconds=value)).isoformat().replace("+00:00", "Z")


# -- the whole file -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One scenario file.

    Attributes:
        requires: what the target must offer, as written: "touch", "idle_timeout", "at_limit=error", "callers=tasks".
        matrix: variable -> the tuple of its values.
        figures: the figures of the policy that the story wishes for; durations in microseconds, or open.
        zone: the time zone of the process, empty: whatever it is.
        begins_us: the instant at which the story begins, None: that of every other; microseconds since the Unix epoch.
        start: steps before the story, `finally_` those after it however it ends.
        faults: what goes wrong during the story; `after_fault` are the steps that follow it undisturbed.
        lines: the text of the file.
    """

    title: str
    path: str
    place: Place
    steps: tuple[AnyStep, ...]
    requires: tuple[str, ...] = ()
    matrix: FrozenMap = EMPTY
    figures: FrozenMap = EMPTY
    zone: str | Template = ""
    begins_us: int | Instant | None = None
    start: tuple[AnyStep, ...] = ()
    faults: tuple[InjectedFault, ...] = ()
    after_fault: tuple[AnyStep, ...] = ()
    finally_: tuple[AnyStep, ...] = ()
    invariants: tuple[str, ...] = ()
    markers: tuple[str, ...] = ()
    fixtures: tuple[str, ...] = ()
    lines: tuple[str, ...] = field(default=(), compare=False, repr=False)

    @property
    def all_steps(self) -> Iterator[AnyStep]:
        """Give every step of the file, those inside blocks too."""
        return walk((*self.start, *self.steps, *self.after_fault, *self.finally_))
