"""What sessions own, and what of it was closed: each once, and never while its session lives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_sessionguard.core.history import Event, Note
from pytest_sessionguard.core.model import Model, State
from pytest_sessionguard.core.model import state as states
from pytest_sessionguard.core.model.moments import ALIVE, Moment
from pytest_sessionguard.core.model.state import Record
from pytest_sessionguard.core.operations import Ok, SessionId, Unknown
from pytest_sessionguard.core.quick import quick, replace
from pytest_sessionguard.core.values import UNSET


@quick
@dataclass(frozen=True, slots=True)
class Closings:
    """Resources by name.

    Attributes:
        attached: the session that each belongs to.
        closed: the note of its closing.
        open_cases: those closed whose sessions may be alive still.
        held: those that a session was seen to own, and so is told by them, whoever has its id later.
        unclear: those of ids that several sessions had at once, so that nobody can tell whose was closed.
    """

    attached: Mapping[str, SessionId] = field(default_factory=dict)
    closed: Mapping[str, Note] = field(default_factory=dict)
    open_cases: tuple[str, ...] = ()
    held: frozenset[str] = frozenset()
    unclear: frozenset[str] = frozenset()

    def noted(self, name: str, note: Note) -> Closings:
        """Return these with one more closed."""
        if name in self.unclear:
            return self
        return replace(self, closed={**self.closed, name: note}, open_cases=(*self.open_cases, name))

    def after(self, event: Event, model: Model, worlds: tuple[State, ...], *, overlaps: bool = False) -> Closings:
        """Return these with what an event has attached."""
        operation, outcome = event.operation, event.outcome
        if operation.verb not in ("attach", "create"):
            return self
        if isinstance(outcome, Unknown) and operation.verb == "create" and operation.id is not UNSET:
            return self.forgotten(hooked(operation.id))
        if not isinstance(outcome, Ok):
            return self
        refused = outcome.answer.absent is not UNSET or False in (outcome.answer.found, outcome.answer.flag)
        if operation.verb == "attach" and isinstance(operation.resource, str) and not refused:
            name = operation.resource
            held = self.held | {name} if all(_holder(state, name) for state in worlds) else self.held
            return replace(self, attached={**self.attached, name: operation.id}, held=held)
        if operation.verb != "create" or not model.close_hook:
            return self
        made = outcome.answer.id if outcome.answer.id is not UNSET else operation.id
        if made is UNSET or not any(made in state.records for state in worlds):
            return self
        name = hooked(made)
        if name in self.unclear and overlaps:
            return self
        note = self.closed.get(name)
        unclear = self.unclear - {name}
        if note is not None and name not in self.attached and note.order > event.call_order:
            return replace(self, attached={**self.attached, name: made}, unclear=unclear)  # Ended as it was made.
        return replace(self.forgotten(name), attached={**self.attached, name: made}, unclear=unclear)

    def made_at_once(self, ids: Iterable[Any]) -> Closings:
        """Return these while sessions of these ids are made at the same time as others end."""
        after = self
        for name in map(hooked, ids):
            if name in self.attached:
                after = replace(after.forgotten(name), unclear=after.unclear | {name})
        return after

    def forgotten(self, name: str) -> Closings:
        """Return these without what another session may own by now."""
        attached = {key: session_id for key, session_id in self.attached.items() if key != name}
        closed = {key: note for key, note in self.closed.items() if key != name}
        still = tuple(one for one in self.open_cases if one != name)
        return replace(self, attached=attached, closed=closed, open_cases=still)

    def too_early(
        self, event: Event, model: Model, worlds: tuple[State, ...], now: Moment
    ) -> tuple[Closings, Note | None, str]:
        """Return these, and what was closed before the event although its session lives after it."""
        still = []
        for name in self.open_cases:
            note = self.closed[name]
            session_id: Any = note.id if note.id is not UNSET else self.attached.get(name, UNSET)
            alive = [_is_alive(self._owner(state, name, session_id), now, model) for state in worlds]
            if note.order < event.call_order and all(alive):
                return self, note, name
            if any(alive):
                still.append(name)
        return replace(self, open_cases=tuple(still)), None, ""

    def never_closed(self, worlds: tuple[State, ...]) -> tuple[str, SessionId] | None:
        """Return a resource, and its session, that was not closed although the session was removed."""
        for name, session_id in self.attached.items():
            if name not in self.closed and all(self._has_ended(state, name, session_id) for state in worlds):
                return name, session_id
        return None

    def _owner(self, state: State, name: str, session_id: Any) -> Record | None:
        return _holder(state, name) if name in self.held else state.find(session_id)

    def _has_ended(self, state: State, name: str, session_id: SessionId) -> bool:
        """Say whether the owner was removed, or another session has its id now."""
        record = self._owner(state, name, session_id)
        return name in self.held if record is None else _was_removed(record)


def hooked(session_id: SessionId) -> str:
    """Return the name under which the closing of a session itself is counted."""
    return f"close hook of {session_id!r}"


def closing(note: Note) -> str | None:
    """Return what was closed, by the name under which it is counted, or None for any other note."""
    if note.kind == "closed":
        return note.subject
    if note.kind == "hook" and note.subject == "close" and note.id is not UNSET:
        return hooked(note.id)
    return None


def _holder(state: State, name: str) -> Record | None:
    return next((record for record in state.records.values() if name in record.resources), None)


def _was_removed(record: Record) -> bool:
    return record.phase == states.GONE and record.how in {"deleted", "popped", "cleared", "evicted", "swept", "purged"}


def _is_alive(record: Record | None, now: Moment, model: Model) -> bool:
    return record is not None and record.phase == states.LIVE and states.standing(record, now, model.policy) == ALIVE
