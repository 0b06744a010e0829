"""Rules of the operations that change a session's data: update, save, put, append, and pop of one key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pytest_sessionguard.core.model import blame, moments
from pytest_sessionguard.core.model.cases import (
    NOTHING,
    bound,
    facets_of,
    keeping,
    own_id,
    seen,
    timeout_line,
)
from pytest_sessionguard.core.model.expecting import Alternative, Facet, same
from pytest_sessionguard.core.model.state import GONE, Ask, Record, State
from pytest_sessionguard.core.operations import Answer
from pytest_sessionguard.core.quick import replace
from pytest_sessionguard.core.values import UNSET, FrozenMap

_CONFLICT = frozenset({"conflict"})


def update(state: State, ask: Ask, record: Record) -> Iterator[Alternative]:
    """Merge changes into the data, or replace it, as `update` says."""
    changes, data = ask.event.operation.changes, record.data
    if ask.policy.update == "replace":
        return _writing(state, ask, record, changes)
    return _merging(state, ask, record, data, changes)


def save(state: State, ask: Ask, record: Record) -> Iterator[Alternative]:
    """Replace the data."""
    return _writing(state, ask, record, ask.event.operation.data)


def put(state: State, ask: Ask, record: Record) -> Iterator[Alternative]:
    """Set one key."""
    operation = ask.event.operation
    return _merging(state, ask, record, record.data, FrozenMap({operation.key: operation.value}))


def _merging(state: State, ask: Ask, record: Record, data: Any, changes: Any) -> Iterator[Alternative]:
    """Write changes into the data; where that is not known, whatever is told must have taken them."""
    if isinstance(data, FrozenMap) and isinstance(changes, FrozenMap):
        yield from _writing(state, ask, record, data.merged(changes))
        return

    def has_taken(told: Any) -> bool:
        if not isinstance(told, FrozenMap) or not isinstance(changes, FrozenMap):
            return True
        return all(key in told and told[key] == value for key, value in changes.items())

    merged = Facet("data", has_taken, f"with {changes!r}", "data.merge")
    for one in _writing(state, ask, record, UNSET):
        yield replace(one, facets=(*one.facets, merged)) if one.kind == "ok" else one


def append(state: State, ask: Ask, record: Record) -> Iterator[Alternative]:
    """Add a value to the list that the data is, or to the one under a key."""
    operation, data = ask.event.operation, record.data
    longer: Any = UNSET
    if operation.key is not UNSET and isinstance(data, FrozenMap):
        known = data.get(operation.key, ())
        longer = data.merged({operation.key: (*known, operation.value)}) if isinstance(known, tuple) else UNSET
    elif isinstance(data, tuple):
        longer = (*data, operation.value)
    return _writing(state, ask, record, longer)


def pop_key(state: State, ask: Ask, record: Record) -> Iterator[Alternative]:
    """Take one key out of the data and give its value."""
    key, data = ask.event.operation.key, record.data
    name = blame.presence(record, ask)
    is_known = isinstance(data, FrozenMap) and not record.loose
    if not is_known or key in data:
        rest = data.without(key) if is_known else UNSET

        def after(answer: Answer | None) -> Iterable[State]:
            yield state.having(_written(record, ask, rest, answer))

        facets: tuple[Facet, ...] = (Facet("found", bool, "true", name), Facet("flag", bool, "true", name))
        if is_known:
            facets = (*facets, same("value", data[key], "data.read-your-writes"))
        yield Alternative(kind="ok", facets=facets, after=after, property=name)
    if not is_known or key not in data:
        # Whether taking what is not there is activity is left open.
        open_ones = (state, state.having(seen(record, ask))) if ask.policy.renews(ask.verb) else (state,)
        yield Alternative(kind="absent", words=NOTHING, after=lambda _: open_ones, property=name)
        words = frozenset({"missing"})
        yield Alternative(kind="refused", words=words, after=lambda _: open_ones, property=name, line=("missing",))


def _writing(state: State, ask: Ask, record: Record, data: Any) -> Iterator[Alternative]:
    """Give the answers of an operation that leaves the session with `data`; with a version it is compare-and-set."""
    asked = ask.event.operation.version
    held = state.having(seen(record, ask)) if ask.verb in ask.policy.refused_activity else state
    line = ("concurrent_updates",)
    if asked is not UNSET:
        stale = _is_stale(asked, record)
        if stale is not False:
            after = keeping(held)
            yield Alternative(kind="refused", words=_CONFLICT, after=after, property="data.version", line=line)
            words = frozenset({"none", "false"})
            yield Alternative(
                kind="absent", words=words, means=_CONFLICT, after=after, property="data.version", line=line
            )
        if stale:
            return
    elif _may_conflict(ask):
        name = blame.presence(record, ask)
        yield Alternative(kind="refused", words=_CONFLICT, after=keeping(held), property=name, line=line)
    yield _write(state, ask, record, UNSET if _is_lossy(ask) else data)


def _may_conflict(ask: Ask) -> bool:
    """Say whether a write without a version may be refused for another's: one at the same time, or read before it."""
    if ask.event.operation.stale is True:
        return True
    return ask.overlapped and ask.policy.concurrent_updates == "conflict"


def _is_lossy(ask: Ask) -> bool:
    """Say whether a write may take others' changes back: where the last one wins, or nothing is said of old objects."""
    policy = ask.policy
    if ask.event.operation.stale is True and ask.verb != "save" and "concurrent_updates" not in policy.written:
        return True
    is_late = ask.overlapped or (ask.event.operation.stale is True and ask.verb != "save")
    return is_late and policy.concurrent_updates == "last-wins"


def _is_stale(asked: Any, record: Record) -> bool | None:
    """Say whether a version is not the session's own any more; None where that is not known."""
    if record.version is not UNSET:
        return bool(asked != record.version)
    over = any(asked == version and had != record.data for version, had in record.past)
    return True if over else None


def _write(state: State, ask: Ask, record: Record, data: Any) -> Alternative:
    """Return the ok of a write; a save may answer under a new id."""

    def after(answer: Answer | None) -> Iterable[State]:
        new_id = UNSET if answer is None else answer.id
        changed = _written(record, ask, data, answer)
        if new_id is UNSET or record.answers_to(new_id):
            yield state.having(changed)
        else:
            yield renamed(state, ask, record, replace(changed, id=new_id))

    name = blame.presence(record, ask)
    kept = [one for one in facets_of(record, ask, name) if one.name not in {"id", "version", "data"}]
    if data is not UNSET and not record.loose:
        kept.append(same("data", data, "data.merge" if ask.verb == "update" else "data.read-your-writes"))
    over = frozenset(version for version, had in record.past if had != data)
    if record.version is not UNSET and record.data != data:
        over |= {record.version}
    kept.append(Facet("version", lambda told: told not in over, "a new version", "data.version"))
    if ask.policy.ids != "content":
        kept.append(_id_after_write(state, ask, record))
    return Alternative(kind="ok", facets=tuple(kept), after=after, property=name, line=timeout_line(ask.policy))


def _id_after_write(state: State, ask: Ask, record: Record) -> Facet:
    if ask.verb != "save":
        return own_id(record, "security.cross-session")
    known = state.records

    def right(told: Any) -> bool:
        return record.answers_to(told) or told not in known

    return Facet("id", right, "its own or a new id", "lifecycle.ids-unique")


def _written(record: Record, ask: Ask, data: Any, answer: Answer | None) -> Record:
    """Return the record after its data was written: renewed where that is activity, under a new version."""
    past = record.past if record.version is UNSET else record.past | {(record.version, record.data)}
    changed = replace(seen(record, ask), data=data, version=UNSET, past=past, wrote=ask.verb)
    return bound(changed, answer)


def renamed(state: State, ask: Ask, old: Record, new: Record) -> State:
    """Return the state after a session went on under a new id, the old one as `old_id` says.

    Whether a rotation that is not activity renews all the same, or makes a new beginning, is left open.
    """
    created = moments.span(old.created, ask.now)
    active = moments.span(old.active, ask.now) if new.active is old.active else new.active
    anew = None if old.anew is None else moments.span(old.anew, ask.now)
    moved = replace(new, created=created, active=active, anew=anew, since=frozenset({"rotated"}))
    match ask.policy.old_id:
        case "alive":
            name = replace(old, phase=GONE, how="alias", replaced_by=new.id, resources=())
            names = old.names | {old.id}
            others = [replace(state.records[one], replaced_by=new.id) for one in old.names if one in state.records]
            return state.having(*others, name, replace(moved, names=names - {new.id}))
        case "snapshot":
            return state.having(replace(old, resources=()), moved)
        case _:
            return state.having(replace(old, phase=GONE, how="rotated", resources=()), moved)
