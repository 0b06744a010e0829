"""Rules of the operations that work on all sessions: list, count, sweep, clear, metrics, start, stop, close."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, Final

from pytest_sessionguard.core.model import blame
from pytest_sessionguard.core.model.expecting import Alternative, Facet
from pytest_sessionguard.core.model.moments import ALIVE, DEAD
from pytest_sessionguard.core.model.sessions import died, facets_of, seen, visible
from pytest_sessionguard.core.model.state import EXPIRED, GONE, LIVE, Ask, Phantom, Record, State, standing
from pytest_sessionguard.core.operations import Answer
from pytest_sessionguard.core.values import FrozenMap, Unset

_SECOND_US: Final = 1_000_000
_AGE_SLACK_S: Final = 0.001


def _of_owner(state: State, ask: Ask) -> list[Record]:
    """Return the sessions that the operation is about: all that are stored, or one owner's."""
    owner = ask.event.operation.owner
    return [
        record
        for record in state.records.values()
        if record.phase != GONE and (isinstance(owner, Unset) or record.owner == owner) and _meant(record, ask)
    ]


def _meant(record: Record, ask: Ask) -> bool:
    """Say whether the operation is about this session: while others run, a view of all is judged one by one."""
    return isinstance(ask.event.operation.id, Unset) or record.id == ask.event.operation.id


def _parted(state: State, ask: Ask, verb: str) -> tuple[list[Record], list[Record]]:
    """Return the sessions that must be seen by a view of all, and those that may be."""
    certain, perhaps = [], []
    for record in _of_owner(state, ask):
        found = standing(record, ask.now, ask.policy)
        if found == ALIVE:
            certain.append(record)
        elif found & ALIVE or visible(state, record, ask, verb) != "gone":
            perhaps.append(record)
    return certain, perhaps


def _to(state: State) -> Callable[[Answer | None], Iterable[State]]:
    return lambda _: (state,)


def _ok(
    after: Callable[[Answer | None], Iterable[State]], name: str, *facets: Facet, line: tuple[str, ...] = ()
) -> Any:
    return Alternative(kind="ok", facets=facets, after=after, property=name, line=line)


# -- list and count --------------------------------------------------------------------------------------------------


def _list(state: State, ask: Ask) -> Iterator[Alternative]:
    certain, perhaps = _parted(state, ask, "list")
    must = {record.id for record in certain if not isinstance(record.id, Phantom)}
    may = {record.id for record in perhaps}
    phantoms = sum(isinstance(key, Phantom) for key in state.records)
    known = state.records

    def right(told: Any) -> bool:
        strangers = [one for one in told if one not in must and one not in may]
        if len(set(told)) != len(told) or not must.issubset(told):
            return False
        return len(strangers) <= phantoms and not any(one in known for one in strangers)

    def after(answer: Answer | None) -> Iterable[State]:
        if answer is None or isinstance(answer.ids, Unset):
            return (state,)
        return (_viewed(state, ask, frozenset(answer.ids), certain, perhaps),)

    says = "[" + ", ".join(sorted(repr(one) for one in must)) + "]"
    if may - must:
        says += " and perhaps " + ", ".join(sorted(repr(one) for one in may))
    facet = Facet("ids", right, says, _view_property(state, ask, certain))
    count = _range("count", len(certain), len(certain) + len(perhaps), facet.property)
    yield _ok(after, facet.property, facet, count, line=("idle_timeout", "expired"))
    if not certain:
        words = frozenset({"none", "empty", "false"})
        yield Alternative(
            kind="absent", words=words, after=lambda _: (state,), property=facet.property, line=("missing",)
        )


def _viewed(state: State, ask: Ask, told: frozenset[Any], certain: list[Record], perhaps: list[Record]) -> State:
    """Return the state after a view showed some sessions and not others."""
    changed = []
    for record in perhaps:
        if record.phase == LIVE and standing(record, ask.now, ask.policy) != DEAD:
            is_there = record.id in told
            changed.append(replace(record, doubt=False) if is_there else _missed(record, ask))
    for record in certain:
        renewed = seen(record, ask)
        if renewed is not record:
            changed.append(renewed)
    return state.having(*changed) if changed else state


def _missed(record: Record, ask: Ask) -> Record:
    """Return a session that may have been dead, or lost, now that a view has not shown it."""
    if record.doubt and standing(replace(record, doubt=False), ask.now, ask.policy) == ALIVE:
        return replace(record, phase=GONE, how="restarted", doubt=False)
    return died(record, ask)


def _view_property(state: State, ask: Ask, certain: list[Record]) -> str:
    """Return what a wrong view of all breaks: the telling session's own story, else that views agree."""
    for record in _of_owner(state, ask):
        if record.phase == LIVE and standing(record, ask.now, ask.policy) == DEAD:
            return blame.absence(record, ask)
    for record in certain:
        name = blame.presence(record, ask)
        if not name.startswith("lifecycle."):
            return name
    return "lifecycle.list" if ask.verb == "list" else "lifecycle.views-agree"


def _range(name: str, least: int, most: int, property_name: str) -> Facet:
    says = str(least) if least == most else f"{least} to {most}"
    return Facet(name, lambda told: least <= told <= most, says, property_name)


def _count(state: State, ask: Ask) -> Iterator[Alternative]:
    certain, perhaps = _parted(state, ask, "count")
    name = _view_property(state, ask, certain)
    facet = _range("count", len(certain), len(certain) + len(perhaps), name)
    yield _ok(lambda _: (state,), name, facet, line=("idle_timeout", "expired"))
    if not certain:
        words = frozenset({"none", "empty", "false"})
        yield Alternative(kind="absent", words=words, after=lambda _: (state,), property=name, line=("missing",))


# -- sweep and clear -------------------------------------------------------------------------------------------------


def _sweep(state: State, ask: Ask) -> Iterator[Alternative]:
    """A sweep removes what has expired; its count may leave out what was dropped before, and nothing else."""
    most = ask.event.operation.n
    over: list[Record] = []
    open_ones: list[Record] = []
    untouched, faulty = 0, False
    for record in state.records.values():
        if record.phase == GONE or not _meant(record, ask):
            continue
        found = standing(record, ask.now, ask.policy)
        if found == ALIVE:
            continue
        (over if found == DEAD else open_ones).append(record)
        faulty = faulty or record.faulty
        if found == DEAD and _untouched(state, record, ask):
            untouched += 1
    bounded = not isinstance(most, Unset)

    def after(answer: Answer | None) -> Iterable[State]:
        del answer
        swept = [_swept(record, ask) for record in over]
        live = [
            replace(record, since=record.since | {"swept"})
            for record in state.records.values()
            if record.phase == LIVE and standing(record, ask.now, ask.policy) & ALIVE
        ]
        return (state.having(*live) if bounded else state.having(*live, *swept),)

    name = "sweep.survives-errors" if faulty else "sweep.complete"
    low = 0 if bounded or state.running else untouched
    high = len(over) + len(open_ones)
    facets = (
        Facet("count", lambda told: told >= low, f"{low} at least", name),
        Facet("count", lambda told: told <= high, f"{high} at most", "sweep.only-expired"),
    )
    yield _ok(after, name, *facets, line=("idle_timeout", "absolute_timeout"))
    if not untouched:
        words = frozenset({"none", "empty", "false"})
        yield Alternative(kind="absent", words=words, after=after, property=name, line=("idle_timeout",))


def _swept(record: Record, ask: Ask) -> Record:
    """Return the record of an expired session that a sweep has removed."""
    shown = any(ask.policy.of("expired", verb) != "gone" for verb in ("get", "list", "count"))
    how = record.how or ("swept" if shown else "")
    return replace(record, phase=GONE, how=how, since=frozenset({"removed"}))


def _untouched(state: State, record: Record, ask: Ask) -> bool:
    """Say whether nothing at all was asked since the session died, so that it must still be stored."""
    if record.phase == EXPIRED or record.how == "timeout":
        return False
    return state.last is None or standing(record, state.last, ask.policy) == ALIVE


def _clear(state: State, ask: Ask) -> Iterator[Alternative]:
    stored = _of_owner(state, ask)
    certain = [record for record in stored if standing(record, ask.now, ask.policy) == ALIVE]
    perhaps = [record for record in stored if record not in certain]

    def after(answer: Answer | None) -> Iterable[State]:
        del answer
        return (state.having(*(replace(record, phase=GONE, how="cleared") for record in stored)),)

    facet = _range("count", len(certain), len(certain) + len(perhaps), "lifecycle.delete")
    yield _ok(after, "lifecycle.delete", facet)
    if not certain:
        words = frozenset({"none", "empty", "false"})
        yield Alternative(kind="absent", words=words, after=after, property="lifecycle.delete", line=("missing",))


def _pop_item(state: State, ask: Ask) -> Iterator[Alternative]:
    some = False
    for record in _of_owner(state, ask):
        found = standing(record, ask.now, ask.policy)
        if not found & ALIVE:
            continue
        some = some or found == ALIVE
        facets = tuple(facet for facet in facets_of(record, ask) if facet.name != "version")
        yield _ok(_to(state.having(replace(record, phase=GONE, how="popped"))), "lifecycle.views-agree", *facets)
    if not some:
        words = frozenset({"none", "false", "empty"})
        keep = _to(state)
        yield Alternative(kind="absent", words=words, after=keep, property="lifecycle.views-agree", line=("missing",))
        words = frozenset({"missing", "expired"})
        yield Alternative(kind="refused", words=words, after=keep, property="lifecycle.views-agree", line=("missing",))


# -- metrics ---------------------------------------------------------------------------------------------------------


def _metrics(state: State, ask: Ask) -> Iterator[Alternative]:
    alive = [one for one in state.records.values() if one.phase != GONE and standing(one, ask.now, ask.policy) == ALIVE]
    stored = [one for one in state.records.values() if one.phase != GONE]
    ages = [_age_s(one, ask) for one in stored]
    living = [_age_s(one, ask) for one in alive]

    def right(told: Any) -> bool:
        if not isinstance(told, FrozenMap):
            return False
        return all(_metric_is_right(key, value, living, ages) for key, value in told.items())

    span_s = f"{min(ages, default=0):g} to {max(ages, default=0):g}"
    says = f"active {len(alive)}, total {len(alive)} to {len(stored)}, ages {span_s} s"
    facet = Facet("metrics", right, says, "metrics.consistent")
    yield _ok(lambda _: (state,), "metrics.consistent", facet)


def _age_s(record: Record, ask: Ask) -> float:
    return (ask.now[0][1] - record.created[0][0]) / _SECOND_US


def _metric_is_right(key: Any, told: Any, living: list[float], stored: list[float]) -> bool:
    """Judge one number; whether the expired but unswept take part is the manager's choice."""
    if key in ("total", "active"):
        return isinstance(told, int) and len(living) <= told <= len(stored)
    if not stored:
        return not told
    if told is None:
        return not living
    if not isinstance(told, (int, float)):
        return False
    picks: dict[str, Callable[[list[float]], float]] = {
        "oldest_age": max,
        "newest_age": min,
        "average_age": _average,
    }
    if key not in picks:
        return True
    bounds = [picks[key](ages) for ages in (living, stored) if ages]
    if not living:
        bounds.append(0.0)
    return min(bounds) - _AGE_SLACK_S <= told <= max(bounds) + _AGE_SLACK_S


def _average(ages: list[float]) -> float:
    return sum(ages) / len(ages)


# -- the manager itself ----------------------------------------------------------------------------------------------


def _start(state: State, ask: Ask) -> Iterator[Alternative]:
    del ask
    yield _ok(lambda _: (replace(state, running=True, closed=False),), "sweep.background")


def _stop(state: State, ask: Ask) -> Iterator[Alternative]:
    after: State = replace(state, running=False, closed=True)
    within_us = ask.policy.stop_within
    event = ask.event
    took_us = event.returned.mono_us - event.called.mono_us
    if within_us is not None and took_us > within_us:
        return
    yield _ok(lambda _: (after,), "resources.stop-in-time", line=("stop_within",))


def _close(state: State, ask: Ask) -> Iterator[Alternative]:
    after: State = replace(state, running=False, closed=True)
    if ask.policy.close == "ends":
        ended = [replace(one, phase=GONE, how="cleared") for one in state.records.values() if one.phase != GONE]
        after = after.having(*ended)
    yield _ok(lambda _: (after,), "resources.stop-in-time", line=("close",))


def _anything(state: State, ask: Ask) -> Iterator[Alternative]:
    """An operation of which nothing is promised here but that it answers."""
    name = blame.own(ask.verb)
    yield _ok(lambda _: (state,), name)
    words = frozenset({"none", "false", "empty"})
    yield Alternative(kind="absent", words=words, after=lambda _: (state,), property=name)


Rule = Callable[[State, Ask], Iterator[Alternative]]

RULES: Final[dict[str, Rule]] = {
    "list": _list,
    "count": _count,
    "sweep": _sweep,
    "clear": _clear,
    "pop_item": _pop_item,
    "metrics": _metrics,
    "start": _start,
    "stop": _stop,
    "close": _close,
    "checkpoint": _anything,
    "recover": _anything,
    "health": _anything,
}
