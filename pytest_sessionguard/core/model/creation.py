"""Rules of create: ids, timeouts of its own, what exists already, and the limit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from pytest_sessionguard.core.model import moments
from pytest_sessionguard.core.model.expecting import Alternative, Facet, same
from pytest_sessionguard.core.model.moments import ALIVE, DEAD
from pytest_sessionguard.core.model.sessions import cases, died, facets_of, fresh, seen, visible
from pytest_sessionguard.core.model.state import GONE, LIVE, Ask, Phantom, Record, State, limits, standing
from pytest_sessionguard.core.operations import Answer
from pytest_sessionguard.core.values import UNSET, Unset, show

_ODD_LENGTH: int = 128


def on_create(state: State, ask: Ask) -> Iterator[Alternative]:
    """Give every answer that create may get."""
    operation, policy = ask.event.operation, ask.policy
    if _may_be_invalid(ask):
        yield _refused("invalid", state, "lifecycle.edge-values", "id_pattern", "zero_timeout", "none_timeout")
    if _must_be_invalid(ask):
        return
    if isinstance(operation.id, Unset):
        yield from _new(state, ask)
        return
    for case, world, record in cases(state, ask, operation.id):
        if case == "alive" and record is not None:
            yield from _existing(world, ask, record)
        elif case == "dead" and record is not None:
            if policy.expired_id == "taken":
                yield from _says_taken(world.having(died(record, ask)), "lifecycle.id-reuse", "expired_id")
            if visible(world, record, ask, "create") == "stale" and policy.existing == "return":
                yield from _existing(world, ask, record)
            yield from _new(world, ask)
        else:
            yield from _new(world, ask)


def _refused(kind: str, state: State, name: str, *line: str) -> Alternative:
    return Alternative(kind="refused", words=frozenset({kind}), after=lambda _: (state,), property=name, line=line)


def _says_taken(state: State, name: str, line: str) -> Iterator[Alternative]:
    yield _refused("exists", state, name, line)
    words = frozenset({"none", "false"})
    yield Alternative(kind="absent", words=words, after=lambda _: (state,), property=name, line=(line,))


# -- arguments on the edge -------------------------------------------------------------------------------------------


def _may_be_invalid(ask: Ask) -> bool:
    operation, policy = ask.event.operation, ask.policy
    if not isinstance(operation.id, Unset) and _odd_id(operation.id, policy.id_pattern):
        return True
    asked = operation.timeout_us
    if isinstance(asked, Unset):
        return False
    meaning = policy.none_timeout if asked is None else policy.zero_timeout
    return (asked is None or asked <= 0) and meaning in ("undeclared", "error")


def _must_be_invalid(ask: Ask) -> bool:
    operation, policy = ask.event.operation, ask.policy
    if isinstance(operation.id, str) and policy.id_pattern is not None:
        return re.fullmatch(policy.id_pattern, operation.id) is None
    return (operation.timeout_us is None and policy.none_timeout == "error") or (
        operation.timeout_us == 0 and policy.zero_timeout == "error"
    )


def _odd_id(asked: Any, pattern: str | None) -> bool:
    """Say whether a manager may well refuse such an id although nothing is declared of it."""
    if not isinstance(asked, str):
        return True
    if pattern is not None:
        return re.fullmatch(pattern, asked) is None
    return not asked or len(asked) > _ODD_LENGTH or re.fullmatch(r"[A-Za-z0-9_.:\-]+", asked) is None


def _own_timeout(ask: Ask) -> tuple[int | Unset | None, bool, bool]:
    """Return a new session's own timeout, whether its expiry goes unjudged, and whether it is dead at once."""
    asked, policy = ask.event.operation.timeout_us, ask.policy
    if isinstance(asked, Unset):
        return UNSET, False, False
    if asked is None or asked == 0:
        match policy.none_timeout if asked is None else policy.zero_timeout:
            case "expired":
                return 0, False, True
            case "never":
                return None, False, False
            case "default":
                return UNSET, False, False
            case _:
                return asked, True, False
    return asked, asked < 0, False


# -- an id that lives already ----------------------------------------------------------------------------------------


def _existing(state: State, ask: Ask, record: Record) -> Iterator[Alternative]:
    name, line = "lifecycle.create", "existing"
    operation = ask.event.operation
    match ask.policy.existing:
        case "error":
            yield _refused("exists", state, name, line)
        case "false":
            words = frozenset({"false", "none"})
            yield Alternative(kind="absent", words=words, after=lambda _: (state,), property=name, line=(line,))
        case "return":

            def after(answer: Answer | None) -> Iterable[State]:
                known = seen(replace(record, phase=LIVE), ask, verb="create")
                if answer is not None and known.data is UNSET and not known.loose:
                    known = replace(known, data=answer.data)
                yield state.having(known)

            facets = tuple(facet for facet in facets_of(record, ask) if facet.name not in {"found", "flag"})
            yield Alternative(kind="ok", facets=facets, after=after, property=name, line=(line,))
        case _:
            yield from _made(state.having(replace(record, phase=GONE, how="deleted")), ask, name)
    if operation.id is not UNSET and ask.policy.existing != "return" and _full(state, ask):
        yield from _at_limit_refusals(state, ask)


# -- a new session and the limit -------------------------------------------------------------------------------------


def _new(state: State, ask: Ask) -> Iterator[Alternative]:
    for room, world in _room(state, ask):
        if room == "admit":
            released = ask.policy.limit is not None and len(state.records) >= ask.policy.limit
            proves = "limit.released" if released else "lifecycle.create"
            for made in _made(world, ask, _admission(world, ask)):
                yield replace(made, proves=proves)
        else:
            yield from _at_limit_refusals(world, ask)


def _admission(state: State, ask: Ask) -> str:
    """Return what is broken where a create that has room is refused."""
    if ask.policy.limit is None:
        return "lifecycle.create"
    operation = ask.event.operation
    known = None if isinstance(operation.id, Unset) else state.records.get(operation.id)
    if known is not None:
        return "lifecycle.id-reuse"
    over = any(
        record.phase != LIVE or standing(record, ask.now, ask.policy) & DEAD for record in state.records.values()
    )
    return "limit.released" if over else "limit.enforced"


def _at_limit_refusals(state: State, ask: Ask) -> Iterator[Alternative]:
    yield _refused("limit", state, "limit.enforced", "limit", "at_limit")
    if ask.policy.at_limit == "false":
        words = frozenset({"false", "none"})
        yield Alternative(
            kind="absent", words=words, after=lambda _: (state,), property="limit.enforced", line=("limit", "at_limit")
        )


def _counted(state: State, ask: Ask) -> tuple[list[Record], list[Record]]:
    """Return the sessions that count to the limit for certain, and those that may."""
    operation, policy = ask.event.operation, ask.policy
    certain, perhaps = [], []
    for record in state.records.values():
        if record.phase == GONE:
            continue
        if policy.limit_scope == "owner" and not _same_owner(record.owner, operation.owner):
            continue
        found = standing(record, ask.now, policy)
        if found == ALIVE:
            certain.append(record)
        elif found & ALIVE or policy.limit_counts == "stored":
            perhaps.append(record)
    return certain, perhaps


def _same_owner(one: Any, other: Any) -> bool:
    return bool(one == other) or (one is UNSET and other is None) or (one is None and other is UNSET)


def _full(state: State, ask: Ask) -> bool:
    limit = ask.policy.limit
    if limit is None:
        return False
    certain, perhaps = _counted(state, ask)
    in_flight = ask.in_flight if ask.policy.limit_in_flight else 0
    return len(certain) + len(perhaps) + in_flight >= limit


def _room(state: State, ask: Ask) -> Iterator[tuple[str, State]]:
    """Give what the limit may do with one more session: "admit" it, into which world, or "refuse" it."""
    limit = ask.policy.limit
    if limit is None:
        yield "admit", state
        return
    certain, perhaps = _counted(state, ask)
    if len(certain) < limit:
        yield "admit", state
    if not _full(state, ask):
        return
    if ask.policy.at_limit in ("error", "false") or limit == 0:
        yield "refuse", state
        return
    for victim in _victims(certain, perhaps, ask):
        yield "admit", state.having(replace(victim, phase=GONE, how="evicted"))


def _victims(certain: list[Record], perhaps: list[Record], ask: Ask) -> Iterator[Record]:
    """Give the sessions that eviction may choose: those that no counted one surely precedes."""
    rule = ask.policy.at_limit
    for record in (*certain, *perhaps):
        if rule == "evict-any" or not any(
            other is not record and _precedes(other, record, rule, ask) for other in certain
        ):
            yield record


def _precedes(one: Record, other: Record, rule: str, ask: Ask) -> bool:
    if rule == "evict-oldest":
        return moments.surely_before(one.created, other.created)
    if rule == "evict-idle":
        return moments.surely_before(one.active, other.active)
    first, second = _ends(one, ask), _ends(other, ask)
    if first is None or second is None:
        return first is not None
    return first[1] < second[0]


def _ends(record: Record, ask: Ask) -> tuple[int, int] | None:
    """Return between which readings a session's first deadline lies, or None where it has none."""
    spans = [
        (moments.reading_of(since, 0)[0] + timeout_us, moments.reading_of(since, 0)[1] + timeout_us)
        for _, since, timeout_us in limits(record, ask.policy)
    ]
    return min(spans, default=None)


def _made(state: State, ask: Ask, name: str) -> Iterator[Alternative]:
    """Give the ok of a create: a new session, alive from now on."""
    operation, policy = ask.event.operation, ask.policy
    timeout_us, unjudged, dead_at_once = _own_timeout(ask)
    chosen = operation.id

    def after(answer: Answer | None) -> Iterable[State]:
        session_id = chosen
        if isinstance(session_id, Unset):
            told = UNSET if answer is None else answer.id
            session_id = Phantom(len(state.records)) if isinstance(told, Unset) else told
        data = operation.data
        if data is UNSET and answer is not None:
            data = answer.data
        made = Record(
            id=session_id,
            created=ask.now,
            active=ask.now,
            owner=operation.owner,
            data=data,
            version=UNSET if answer is None else answer.version,
            timeout_us=timeout_us,
            unjudged=unjudged,
            how="timeout" if dead_at_once else "",
        )
        evicting = policy.limit is not None and policy.at_limit.startswith("evict")
        yield (_tagging(state, "evicting") if evicting else state).having(made)

    facets: list[Facet] = [Facet("found", bool, "true", name), Facet("flag", bool, "true", name)]
    if isinstance(chosen, Unset):
        facets.append(fresh(state, ask))
    elif policy.ids == "unique":
        facets.append(same("id", chosen, "lifecycle.create"))
    if operation.owner is not UNSET:
        facets.append(same("owner", operation.owner, "security.cross-session"))
    if operation.data is not UNSET:
        facets.append(same("data", operation.data, "data.read-your-writes"))
    if policy.expired_status is not None and not dead_at_once:
        mark = policy.expired_status
        facets.append(Facet("status", lambda told: told != mark, f"not {show(mark)}", "lifecycle.create"))
    yield Alternative(kind="ok", facets=tuple(facets), after=after, property=name, line=("limit",))


def _tagging(state: State, tag: str) -> State:
    """Return the state with a word put on every live session, for the blame."""
    marked = [
        replace(record, since=record.since | {tag})
        for record in state.records.values()
        if record.phase == LIVE and tag not in record.since
    ]
    return state.having(*marked)
