"""Rules of create: ids, timeouts of its own, what exists already, and the limit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from pytest_sessionguard.core.model import room, timeouts
from pytest_sessionguard.core.model.cases import bound, cases, died, facets_of, fresh_id, keeping, seen, visible
from pytest_sessionguard.core.model.expecting import Alternative, Facet, same, there
from pytest_sessionguard.core.model.state import EXPIRED, GONE, LIVE, Ask, Record, State
from pytest_sessionguard.core.operations import Answer
from pytest_sessionguard.core.quick import replace
from pytest_sessionguard.core.values import UNSET, Unset, show

_ODD_LENGTH: Final = 128
_EXISTS: Final = frozenset({"exists"})
_NO: Final = frozenset({"false", "none"})


def on_create(state: State, ask: Ask) -> Iterator[Alternative]:
    """Give every answer that create may get."""
    operation, policy = ask.event.operation, ask.policy
    if timeouts.may_be_refused(operation, policy) or _is_odd(operation.id, policy.id_pattern):
        yield Alternative(
            kind="refused",
            words=frozenset({"invalid"}),
            after=keeping(state),
            property="lifecycle.edge-values",
            line=("id_pattern", "zero_timeout", "none_timeout"),
        )
    if timeouts.must_be_refused(operation, policy) or _breaks(operation.id, policy.id_pattern):
        return
    if isinstance(operation.id, Unset):
        yield from _new(state, ask)
        return
    for case, world, record in cases(state, ask, operation.id):
        if case == "alive" and record is not None:
            yield from _existing(world, ask, record)
            continue
        if case == "dead" and record is not None:
            record = died(record)
            world = world.having(record)
            if policy.expired_id == "taken":
                yield from _says_taken(world, "lifecycle.id-reuse", "expired_id")
            if policy.existing == "return" and visible(world, record, ask, "create") == "stale":
                yield _returned(world, ask, record)
        yield from _new(world, ask)


def _says_taken(state: State, name: str, line: str) -> Iterator[Alternative]:
    after = keeping(state)
    yield Alternative(kind="refused", words=_EXISTS, after=after, property=name, line=(line,))
    yield Alternative(kind="absent", words=_NO, means=_EXISTS, after=after, property=name, line=(line,))


# -- ids on the edge -------------------------------------------------------------------------------------------------


def _breaks(asked: Any, pattern: str | None) -> bool:
    """Say whether the id is one that must be refused."""
    return isinstance(asked, str) and pattern is not None and re.fullmatch(pattern, asked) is None


def _is_odd(asked: Any, pattern: str | None) -> bool:
    """Say whether a manager may well refuse such an id although nothing is declared of it."""
    if isinstance(asked, Unset):
        return False
    if not isinstance(asked, str):
        return True
    if pattern is not None:
        return re.fullmatch(pattern, asked) is None
    return not asked or len(asked) > _ODD_LENGTH or re.fullmatch(r"[A-Za-z0-9_.:\-]+", asked) is None


# -- an id that lives already ----------------------------------------------------------------------------------------


def _existing(state: State, ask: Ask, record: Record) -> Iterator[Alternative]:
    policy = ask.policy
    held = state.having(seen(record, ask)) if "create" in policy.refused_activity else state
    match policy.existing:
        case "error":
            yield Alternative(
                kind="refused", words=_EXISTS, after=keeping(held), property="lifecycle.create", line=("existing",)
            )
        case "false":
            yield Alternative(
                kind="absent",
                words=_NO,
                means=_EXISTS,
                after=keeping(held),
                property="lifecycle.create",
                line=("existing",),
            )
        case "return":
            yield _returned(state, ask, record)
            return
        case _:
            yield _made(state.having(replace(record, phase=GONE, how="deleted", replaced_by=UNSET)), ask)
    yield from room.refusals(state, ask)  # The limit may be looked at first.


def _returned(state: State, ask: Ask, record: Record) -> Alternative:
    """Return the answer of get-or-create that found one; an expired one stays what it was unless it is revivable."""
    stays = record.phase != LIVE and not ask.policy.revivable

    def after(answer: Answer | None) -> Iterable[State]:
        known = bound(seen(replace(record, phase=LIVE), ask), answer)
        yield state.having(replace(known, phase=EXPIRED, active=record.active) if stays else known)

    name = "lifecycle.create"
    facets = tuple(one for one in facets_of(record, ask, name) if one.name not in {"found", "flag", "status"})
    return Alternative(kind="ok", facets=facets, after=after, property=name, line=("existing",))


# -- a new session ---------------------------------------------------------------------------------------------------


def _new(state: State, ask: Ask) -> Iterator[Alternative]:
    limit = ask.policy.limit
    name = room.admission(state, ask)
    proves = "limit.released" if limit is not None and len(state.records) >= limit else "lifecycle.create"
    if ask.event.operation.id in state.records:
        proves = "lifecycle.id-reuse"
    for world in room.worlds_with_room(state, ask):
        yield replace(_made(world, ask, name), proves=proves)
    yield from room.refusals(state, ask)


def _made(state: State, ask: Ask, name: str = "lifecycle.create") -> Alternative:
    """Return the ok of a create: a new session, alive from now on."""
    operation, policy = ask.event.operation, ask.policy
    chosen = operation.id
    new = Record(id=chosen, created=ask.now, active=ask.now, owner=operation.owner, data=operation.data, version=UNSET)
    new = timeouts.given(new, ask)

    def after(answer: Answer | None) -> Iterable[State]:
        session_id = chosen
        if isinstance(session_id, Unset):
            told = UNSET if answer is None else answer.id
            session_id = state.fresh_phantom() if isinstance(told, Unset) else told
        yield state.having(bound(replace(new, id=session_id), answer))

    facets: list[Facet] = [*there(name)]
    if isinstance(chosen, Unset):
        facets.append(fresh_id(state, ask))
    elif policy.ids == "unique":
        facets.append(same("id", chosen, "lifecycle.create"))
    if operation.owner is not UNSET:
        facets.append(same("owner", operation.owner, "security.cross-session"))
    if operation.data is not UNSET:
        facets.append(same("data", operation.data, "data.read-your-writes"))
    if policy.expired_status is not None and new.phase == LIVE:
        mark = policy.expired_status
        facets.append(Facet("status", lambda told: told != mark, f"not {show(mark)}", "lifecycle.create"))
    return Alternative(kind="ok", facets=tuple(facets), after=after, property=name, line=("limit",))
