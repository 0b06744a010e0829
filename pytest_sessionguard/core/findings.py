"""What a wrong answer is told as: the finding, and the property that it breaks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from pytest_sessionguard.core.history import Entry, Event
from pytest_sessionguard.core.model import Alternative, Ask, State
from pytest_sessionguard.core.operations import Answer, Failed, Ok, Unknown
from pytest_sessionguard.core.values import UNSET, FrozenMap

# The mark that the harness writes into data that it has handed over or been given, to see whether it is shared.
SCRIBBLE: Final = "scribbled-by-sessionguard"

# Properties of what a session's data should be.
DATA: Final = frozenset({"data.merge", "data.read-your-writes"})

Offered: TypeAlias = Sequence[tuple[State, Alternative]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One answer that no legal order explains.

    Attributes:
        property: what it breaks.
        event: the operation, or the note, that cannot be explained.
        expected: the answers that were allowed.
        given: the one that came.
        policy_lines: the policy keys by which it was judged, as a profile has them.
        undeclared: an unwritten key of which another value would explain the history, with that value as written.
    """

    property: str
    event: Entry
    expected: tuple[str, ...]
    given: str
    policy_lines: tuple[str, ...] = ()
    undeclared: str | None = None
    undeclared_value: str | None = None


def broken_by(event: Event, ask: Ask, offered: Offered) -> str:
    """Name the property: of the wrong facet where the answer was nearly right, else of the answer that did not come."""
    outcome = event.outcome
    if isinstance(outcome, Failed):
        named = {one.property for _, one in offered} & {"sweep.survives-errors"}
        return named.pop() if named else "lifecycle.errors"
    if isinstance(outcome, Unknown) or not offered:
        return "resources.stop-in-time" if ask.verb in ("stop", "close") else "lifecycle.errors"
    if isinstance(outcome, Ok):
        for state, one in offered:
            wrong = one.wrong(outcome.answer) if one.kind == "ok" else None
            if wrong is not None:
                return _leaked(wrong.property, outcome.answer, state, event) if wrong.name == "data" else wrong.property
    for _, one in offered:
        if one.kind == "ok":
            return one.property
    return offered[0][1].property


def _leaked(name: str, answer: Answer, state: State, event: Event) -> str:
    """Tell data that is merely wrong from data that belongs to another session or to a caller."""
    told = answer.data
    if is_scribbled(told):
        return "data.isolation"
    if not isinstance(told, FrozenMap):
        return name
    own = state.find(event.operation.id)
    expected = own.data if own is not None and isinstance(own.data, FrozenMap) else FrozenMap({})
    strange = {item for item in told.items() if item not in set(expected.items())}
    for record in state.records.values():
        if record is own or not isinstance(record.data, FrozenMap):
            continue
        if strange and strange <= set(record.data.items()):
            kept = set(told.items()) & set(expected.items())
            return "data.isolation" if kept or not expected else "security.cross-session"
    return name


def is_scribbled(value: object) -> bool:
    """Say whether the mark of a caller is anywhere in a frozen value."""
    if isinstance(value, FrozenMap):
        return any(is_scribbled(key) or is_scribbled(item) for key, item in value.items())
    if isinstance(value, (tuple, frozenset)):
        return any(is_scribbled(item) for item in value)
    return isinstance(value, str) and SCRIBBLE in value


def concurrently(event: Event, name: str) -> str:
    """Name the property that is broken where only the overlap can explain it."""
    if name in DATA:
        return "concurrency.no-lost-update"
    if name.startswith("limit."):
        return "concurrency.limit"
    if isinstance(event.outcome, Failed):
        return "concurrency.no-error"
    return "concurrency.linearizable"


def told_properties(alternative: Alternative, answer: Answer, ask: Ask, state: State) -> Iterator[str]:
    """Give the properties that the told facets of a right answer have put to the test."""
    own = alternative.property
    for facet in alternative.facets:
        if facet.property != own and facet.name not in ("found", "flag") and getattr(answer, facet.name) is not UNSET:
            yield facet.property
    if answer.data is not UNSET:
        asked = ask.event.operation.id
        if any(record.data is not UNSET and record.id != asked for record in state.records.values()):
            yield "data.isolation"
            yield "security.cross-session"
