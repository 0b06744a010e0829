"""Rules of the views of all sessions: list, count and metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import permutations
from typing import Any, Final

from pytest_sessionguard.core.model import blame, moments
from pytest_sessionguard.core.model.cases import NOTHING, died, keeping, overdue, purged, seen, visible
from pytest_sessionguard.core.model.expecting import Alternative, Facet
from pytest_sessionguard.core.model.moments import ALIVE, DEAD
from pytest_sessionguard.core.model.state import GONE, LIVE, Ask, Phantom, Record, State, standing
from pytest_sessionguard.core.operations import Answer, SessionId
from pytest_sessionguard.core.quick import replace
from pytest_sessionguard.core.values import FrozenMap, Unset

_SECOND_US: Final = 1_000_000
_AGE_SLACK_S: Final = 0.001


def concerned(state: State, ask: Ask) -> list[Record]:
    """Return the stored sessions that the operation is about: all, one owner's, or the part that is judged apart."""
    owner = ask.event.operation.owner
    records: Iterable[Record] = state.records.values()
    if ask.about is not None:
        records = [state.records[key] for key in ask.about if key in state.records]
    return [one for one in records if one.phase != GONE and (isinstance(owner, Unset) or one.owner == owner)]


def _parted(state: State, ask: Ask) -> tuple[list[Record], list[Record]]:
    """Return the sessions that must be seen by a view of all, and those that may be."""
    certain, perhaps = [], []
    for record in concerned(state, ask):
        found = standing(record, ask.now, ask.policy)
        if found == ALIVE:
            certain.append(record)
        elif found & ALIVE or visible(state, record, ask, ask.verb) != "gone":
            perhaps.append(record)
    return certain, perhaps


def _own(ask: Ask) -> str:
    return "lifecycle.list" if ask.verb == "list" else "lifecycle.views-agree"


def _if_too_many(state: State, ask: Ask) -> str:
    """Return what is broken where a view shows one that is dead: that one's own story."""
    for record in concerned(state, ask):
        if standing(record, ask.now, ask.policy) != DEAD:
            continue
        if ask.policy.of("expired", ask.verb) != "gone" and overdue(state, record, ask):
            return "sweep.background"
        if record.phase == LIVE:
            return blame.absence(record, ask)
    return _own(ask)


def _if_too_few(ask: Ask, certain: list[Record]) -> str:
    """Return what is broken where a view leaves a living one out: that one's own story, where it has a telling one."""
    for record in certain:
        name = blame.presence(record, ask)
        if not name.startswith("lifecycle.") and name != "expiry.not-early":
            return name
    return _own(ask)


# -- list ------------------------------------------------------------------------------------------------------------


def listing(state: State, ask: Ask) -> Iterator[Alternative]:
    """Show every live session once, and no other; an id never heard of must be one of unknown outcome."""
    certain, perhaps = _parted(state, ask)
    known = [one for one in certain if not isinstance(one.id, Phantom)]
    phantoms = [one for one in certain + perhaps if isinstance(one.id, Phantom)]
    least = sum(isinstance(one.id, Phantom) for one in certain)
    must = {one.id for one in known if not one.names}
    any_of = [one for one in known if one.names]
    may = {key for one in (*known, *perhaps) for key in (one.id, *one.names)}

    def shows_no_stranger(told: Any) -> bool:
        return len(set(told)) == len(told) and least <= sum(key not in state.records for key in told) <= len(phantoms)

    def shows_nothing_over(told: Any) -> bool:
        return all(key in may or key not in state.records for key in told)

    def shows_every_one(told: Any) -> bool:
        return must.issubset(told) and all(any(one.answers_to(key) for key in told) for one in any_of)

    def after(answer: Answer | None) -> Iterable[State]:
        if answer is None or (isinstance(answer.ids, Unset) and not _is_empty(answer)):
            return (state,)
        told = frozenset() if isinstance(answer.ids, Unset) else frozenset(answer.ids)
        return _recognised(_viewed(state, ask, told, certain, perhaps), phantoms, told - may)

    def says() -> str:
        surely = {one.id for one in known}
        text = f"[{', '.join(sorted(repr(one.id) for one in known))}]"
        return f"{text} and perhaps {', '.join(sorted(map(repr, may - surely)))}" if may - surely else text

    name, over = _if_too_few(ask, certain), _if_too_many(state, ask)
    facets = (
        Facet("ids", shows_no_stranger, says, _own(ask)),
        Facet("ids", shows_nothing_over, says, over),
        Facet("ids", shows_every_one, says, name),
        *_number(certain, perhaps, name, over),
    )
    yield Alternative(kind="ok", facets=facets, after=after, property=name, proves=_proves(name, over), line=_LINE)
    if not certain:
        yield Alternative(kind="absent", words=NOTHING, after=after, property=name, line=("missing",))


def _is_empty(answer: Answer) -> bool:
    return not isinstance(answer.absent, Unset)


def _viewed(state: State, ask: Ask, told: frozenset[Any], certain: list[Record], perhaps: list[Record]) -> State:
    """Return the state after a view showed some sessions and not others."""
    renews = ask.policy.renews(ask.verb)
    changed = []
    for record in perhaps:
        if isinstance(record.id, Phantom):
            continue
        is_shown = any(record.answers_to(key) for key in told)
        found = standing(record, ask.now, ask.policy)
        if not is_shown and visible(state, record, ask, ask.verb) == "stale":
            changed.append(purged(record))
        elif found == DEAD:
            continue
        elif not is_shown:
            changed.append(_missed(record, ask))
        elif visible(state, record, ask, ask.verb) == "gone":
            active = moments.span(record.active, ask.now) if renews else record.active
            changed.append(replace(record, doubt=False, how="", active=active))
    for record in certain:
        renewed = seen(record, ask)
        if renewed is not record:
            changed.append(renewed)
    return state.having(*changed)


def _missed(record: Record, ask: Ask) -> Record:
    """Return a session that may have been dead, or lost, now that a view has not shown it."""
    if record.doubt and standing(replace(record, doubt=False), ask.now, ask.policy) == ALIVE:
        return replace(record, phase=GONE, how=record.how or "restarted", doubt=False)
    return died(record)


def _recognised(state: State, phantoms: list[Record], strangers: frozenset[SessionId]) -> Iterable[State]:
    """Give the worlds in which the strangers shown are sessions of unknown outcome, each another one."""
    if not strangers:
        return (state,)
    ordered = sorted(strangers, key=repr)
    worlds = []
    for chosen in permutations(phantoms, len(ordered)):
        world = state
        for phantom, key in zip(chosen, ordered, strict=True):
            world = world.renamed(phantom.id, replace(phantom, id=key))
        worlds.append(world)
    return worlds


# -- count -----------------------------------------------------------------------------------------------------------


def _number(certain: list[Record], perhaps: list[Record], name: str, over: str) -> tuple[Facet, Facet]:
    least = len(certain)
    most = least + len(perhaps) + sum(len(one.names) for one in (*certain, *perhaps))
    says = str(least) if least == most else f"{least} to {most}"
    return Facet("count", lambda told: told <= most, says, over), Facet("count", lambda told: told >= least, says, name)


def _proves(name: str, over: str) -> str:
    """Return what a right view has put to the test: the dead not shown before the living shown."""
    return name if over.startswith("lifecycle.") else over


_LINE: Final = ("idle_timeout", "absolute_timeout", "expired")


def counting(state: State, ask: Ask) -> Iterator[Alternative]:
    """Count what a list would show."""
    certain, perhaps = _parted(state, ask)
    name, over = _if_too_few(ask, certain), _if_too_many(state, ask)
    after = keeping(state.having(*(seen(record, ask) for record in certain)) if ask.policy.renews("count") else state)
    facets = _number(certain, perhaps, name, over)
    yield Alternative(kind="ok", facets=facets, after=after, property=name, proves=_proves(name, over), line=_LINE)
    if not certain:
        yield Alternative(kind="absent", words=NOTHING, after=after, property=name, line=("missing",))


# -- metrics ---------------------------------------------------------------------------------------------------------


def measuring(state: State, ask: Ask) -> Iterator[Alternative]:
    """Tell totals and ages; whether the expired but unswept take part in totals and ages is the manager's choice."""
    stored = [one for one in state.records.values() if one.phase != GONE]
    standings = [standing(one, ask.now, ask.policy) for one in stored]
    least = sum(found == ALIVE for found in standings)
    most = sum(bool(found & ALIVE) for found in standings)
    living = [_age_s(one, ask) for one, found in zip(stored, standings, strict=True) if found == ALIVE]
    ages = [_age_s(one, ask) for one in stored]

    def right(told: Any) -> bool:
        if not isinstance(told, FrozenMap):
            return False
        for key, value in told.items():
            if key == "active":
                fits = isinstance(value, int) and least <= value <= most
            elif key == "total":
                fits = isinstance(value, int) and least <= value <= len(stored)
            else:
                fits = _age_is_right(key, value, living, ages)
            if not fits:
                return False
        return True

    span_s = f"{min((age[0] for age in ages), default=0):g} to {max((age[1] for age in ages), default=0):g}"
    says = f"active {least}, total {least} to {len(stored)}, ages {span_s} s"
    facet = Facet("metrics", right, says, "metrics.consistent")
    yield Alternative(kind="ok", facets=(facet,), after=keeping(state), property="metrics.consistent")


def _age_s(record: Record, ask: Ask) -> tuple[float, float]:
    """Return between which seconds a session's age lies, however a clock that was set back is understood."""
    readings = [(now, moments.reading_of(record.created, scale)) for scale, now in enumerate(ask.now)]
    low = min(now[0] - created[1] for now, created in readings) / _SECOND_US
    high = max(now[1] - created[0] for now, created in readings) / _SECOND_US
    return low, max(high, 0.0) if low < 0 else high


def _age_is_right(key: Any, told: Any, living: list[tuple[float, float]], stored: list[tuple[float, float]]) -> bool:
    picks: dict[str, Callable[[list[float]], float]] = {"oldest_age": max, "newest_age": min, "average_age": _average}
    if key not in picks:
        return True
    if not stored:
        return not told
    if told is None:
        return not living
    if not isinstance(told, (int, float)):
        return False
    pick = picks[key]
    bounds = [pick([age[end] for age in ages]) for ages in (living, stored) if ages for end in (0, 1)]
    if not living:
        bounds.append(0.0)
    return min(bounds) - _AGE_SLACK_S <= told <= max(bounds) + _AGE_SLACK_S


def _average(ages: list[float]) -> float:
    return sum(ages) / len(ages)
