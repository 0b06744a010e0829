"""The limit: whether there is room for one more session, and who makes it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from math import comb
from typing import Any, Final

from pytest_sessionguard.core.model import moments
from pytest_sessionguard.core.model.cases import died, keeping, purged
from pytest_sessionguard.core.model.expecting import Alternative
from pytest_sessionguard.core.model.moments import ALIVE, DEAD, Moment
from pytest_sessionguard.core.model.state import GONE, LIVE, Ask, Record, State, limits, standing, tagged
from pytest_sessionguard.core.quick import replace
from pytest_sessionguard.core.values import UNSET


def worlds_with_room(state: State, ask: Ask) -> Iterator[State]:
    """Give the worlds in which one more session may be admitted: as it is, or after an eviction."""
    limit = ask.policy.limit
    if limit is None:
        yield state
        return
    if _is_far_from_full(state, ask):
        yield state
        return
    certain, perhaps = _counted(state, ask)
    evicts = ask.policy.at_limit.startswith("evict") and _full(certain, perhaps, ask) and limit > 0
    # Where the living alone reach the limit, one of them must go; the dead make no room that was not there.
    of = certain if len(certain) >= limit else [*certain, *perhaps]
    victims = _victims(of, certain, ask) if evicts else []
    if victims and _is_beyond_telling(state, victims):
        lost = (replace(one, how="evicted", doubt=True) for one in victims if not one.doubt or one.how != "evicted")
        yield tagged(state.having(*lost), "evicting")
        return
    if len(certain) < limit:
        yield from _with_others_dropped(state, perhaps, len(certain) + len(perhaps) - limit + 1, ask)
    for victim in victims:
        yield tagged(state.having(replace(victim, phase=GONE, how="evicted", doubt=False)), "evicting")


def _is_far_from_full(state: State, ask: Ask) -> bool:
    """Say whether there is room even if every session counts that was ever made, without a look at any deadline."""
    assert ask.policy.limit is not None
    spare = ask.policy.limit - len(state.records) - ask.in_flight
    return spare > 0 and spare > sum(len(record.names) for record in state.records.values())


def _is_beyond_telling(state: State, victims: list[Record]) -> bool:
    """Say whether the victims so far can have been chosen in so many ways that each of them is left in doubt instead.

    Without a limit to it there are as many worlds as ways to choose, which is soon more than anyone can follow.
    """
    evicted = [record for record in state.records.values() if record.how == "evicted"]
    if any(record.doubt for record in evicted):
        return True
    return comb(len(evicted) + len(victims), len(evicted) + 1) > _CHOICES_MAX


# More ways than this to choose who was evicted, over all evictions so far, are not told apart.
_CHOICES_MAX: Final = 24


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
    if _is_far_from_full(state, ask) or not _full(*_counted(state, ask), ask):
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


def _victims(of: list[Record], certain: list[Record], ask: Ask) -> list[Record]:
    """Return the sessions that eviction may choose: no living one surely comes before."""
    rule = ask.policy.at_limit
    if rule == "evict-any":
        return of
    if rule != "evict-soonest" and len(ask.now) == 1:
        # On one scale the living one that surely began first comes before all that any other comes before.
        begins = [_begin(record, rule) for record in of]
        first = min((_begin(record, rule)[0][1] for record in certain), default=None)
        return [one for one, begin in zip(of, begins, strict=True) if first is None or first >= begin[0][0]]
    return [one for one in of if not any(other is not one and _precedes(other, one, rule, ask) for other in certain)]


def _begin(record: Record, rule: str) -> Moment:
    return record.created if rule == "evict-oldest" else record.active


def _precedes(one: Record, other: Record, rule: str, ask: Ask) -> bool:
    if rule != "evict-soonest":
        return moments.surely_before(_begin(one, rule), _begin(other, rule))
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
    if len(state.records) < ask.policy.limit:
        return "limit.enforced"  # Fewer were ever made: none had to end to make room.
    over = any(
        record.phase != LIVE or standing(record, ask.now, ask.policy) & DEAD for record in state.records.values()
    )
    return "limit.released" if over else "limit.enforced"
