"""The limit: whether there is room for one more session, and who makes it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from math import comb
from typing import Any, Final

from pytest_sessionguard.core.model import moments
from pytest_sessionguard.core.model.cases import died, keeping, purged
from pytest_sessionguard.core.model.expecting import Alternative
from pytest_sessionguard.core.model.moments import ALIVE, DEAD
from pytest_sessionguard.core.model.state import GONE, LIVE, Ask, Record, State, limits, standing, tagged
from pytest_sessionguard.core.values import UNSET


def worlds_with_room(state: State, ask: Ask) -> Iterator[State]:
    """Give the worlds in which one more session may be admitted: as it is, or after an eviction."""
    limit = ask.policy.limit
    if limit is None:
        yield state
        return
    certain, perhaps = _counted(state, ask)
    if len(certain) < limit:
        yield from _with_others_dropped(state, perhaps, len(certain) + len(perhaps) - limit + 1, ask)
    if ask.policy.at_limit.startswith("evict") and _full(certain, perhaps, ask) and limit > 0:
        # Where the living alone reach the limit, one of them must go; the dead make no room that was not there.
        of = certain if len(certain) >= limit else [*certain, *perhaps]
        for victim in of:
            if _may_be_victim(victim, certain, ask):
                gone = replace(victim, phase=GONE, how="evicted", doubt=False)
                yield tagged(state.having(gone), "evicting")


def _with_others_dropped(state: State, perhaps: list[Record], least: int, ask: Ask) -> Iterator[State]:
    """Give the worlds in which so many of those that may have counted did not: they are dead, or dropped."""
    if least <= 0 or comb(len(perhaps), least) > _WAYS_MAX:
        yield state  # With very many ways, which of them it was is left open.
        return
    drop = purged if ask.policy.limit_counts == "stored" else died
    for chosen in combinations(perhaps, least):
        yield state.having(*(drop(record) for record in chosen))


# More ways than this to choose who was dropped are not told apart.
_WAYS_MAX: Final = 64


def refusals(state: State, ask: Ask) -> Iterator[Alternative]:
    """Give the answers that one session more may be refused with."""
    policy = ask.policy
    if policy.limit is None:
        return
    if policy.at_limit.startswith("evict") and policy.limit > 0:
        return
    if not _full(*_counted(state, ask), ask):
        return
    line, after = ("limit", "at_limit"), keeping(state)
    if policy.at_limit == "false":
        words = frozenset({"false", "none"})
        yield Alternative(kind="absent", words=words, means=_LIMIT, after=after, property="limit.enforced", line=line)
    else:
        yield Alternative(kind="refused", words=_LIMIT, after=after, property="limit.enforced", line=line)


_LIMIT = frozenset({"limit"})


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


def _full(certain: list[Record], perhaps: list[Record], ask: Ask) -> bool:
    """Say whether the limit may be reached: by the living, the stored, their other ids and what is being made."""
    assert ask.policy.limit is not None
    in_flight = ask.in_flight if ask.policy.limit_in_flight else 0
    names = sum(len(record.names) for record in certain)
    return len(certain) + len(perhaps) + names + in_flight >= ask.policy.limit


def _may_be_victim(record: Record, certain: list[Record], ask: Ask) -> bool:
    """Say whether eviction may choose the session: no living one surely comes before it."""
    rule = ask.policy.at_limit
    return rule == "evict-any" or not any(
        other is not record and _precedes(other, record, rule, ask) for other in certain
    )


def _precedes(one: Record, other: Record, rule: str, ask: Ask) -> bool:
    if rule == "evict-oldest":
        return moments.surely_before(one.created, other.created)
    if rule == "evict-idle":
        return moments.surely_before(one.active, other.active)
    if one.unjudged or other.unjudged:
        return False
    return all(_ends_before(one, other, scale, ask) for scale in range(len(ask.now)))


def _ends_before(one: Record, other: Record, scale: int, ask: Ask) -> bool:
    first, second = _end(one, scale, ask), _end(other, scale, ask)
    if first is None or second is None:
        return first is not None and second is None
    return first[1] < second[0]


def _end(record: Record, scale: int, ask: Ask) -> tuple[int, int] | None:
    """Return between which readings a session's first deadline lies, or None where it has none."""
    lows, highs = [], []
    for _, since, timeout_us in limits(record, ask.policy):
        low, high = moments.reading_of(since, scale)
        lows.append(low + timeout_us)
        highs.append(high + timeout_us)
    return (min(lows), min(highs)) if lows else None


def admission(state: State, ask: Ask) -> str:
    """Return the property that is broken where a session that has room is refused."""
    if ask.policy.limit is None:
        return "lifecycle.create"
    if ask.event.operation.id is not UNSET and ask.event.operation.id in state.records:
        return "lifecycle.id-reuse"
    over = any(
        record.phase != LIVE or standing(record, ask.now, ask.policy) & DEAD for record in state.records.values()
    )
    return "limit.released" if over else "limit.enforced"
