"""Rules of the operations that work on the manager: sweep, clear, pop_item, start, stop, close."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from pytest_sessionguard.core.model import blame
from pytest_sessionguard.core.model.cases import NOTHING, died, facets_of, keeping
from pytest_sessionguard.core.model.expecting import Alternative, Facet
from pytest_sessionguard.core.model.moments import ALIVE, DEAD
from pytest_sessionguard.core.model.state import (
    EXPIRED,
    GONE,
    LIVE,
    Ask,
    Record,
    State,
    by_deadlines,
    standing,
    tagged,
)
from pytest_sessionguard.core.model.views import concerned, counting, listing, measuring
from pytest_sessionguard.core.operations import Answer
from pytest_sessionguard.core.quick import replace
from pytest_sessionguard.core.values import Unset

# -- sweep and clear -------------------------------------------------------------------------------------------------


def _sweep(state: State, ask: Ask) -> Iterator[Alternative]:
    """Remove what has expired; the count may leave out what was dropped before, and nothing else."""
    over: list[Record] = []
    untouched, most, is_faulty = 0, 0, False
    for record in concerned(state, ask):
        found = standing(record, ask.now, ask.policy)
        if found == ALIVE:
            continue
        most += 1
        is_faulty = is_faulty or record.faulty
        if found == DEAD:
            over.append(record)
            untouched += _is_untouched(state, record, ask)
    is_bounded = not isinstance(ask.event.operation.n, Unset)

    def after(answer: Answer | None) -> Iterable[State]:
        # One that was cut off, or that has a bound, may have come to some of them and not to others.
        is_partial = is_bounded or answer is None
        swept = [_perhaps_swept(record) if is_partial else _swept(record, ask) for record in over]
        return (tagged(state.having(*swept), "swept"),)

    name = "sweep.survives-errors" if is_faulty else "sweep.complete"
    least = 0 if is_bounded or state.running else untouched
    facets = (
        Facet("count", lambda told: told >= least, f"{least} at least", name),
        Facet("count", lambda told: told <= most, f"{most} at most", "sweep.only-expired"),
    )
    yield Alternative(
        kind="ok",
        facets=facets,
        after=after,
        property=name,
        proves=name if over else "lifecycle.errors",  # One that had nothing to do has shown nothing.
        line=("idle_timeout", "absolute_timeout"),
    )
    if not least:
        yield Alternative(kind="absent", words=NOTHING, after=after, property=name, line=("idle_timeout",))


def _perhaps_swept(record: Record) -> Record:
    return replace(died(record), how=record.how or "purged", doubt=True)


def _swept(record: Record, ask: Ask) -> Record:
    """Return the record of an expired session that a sweep has removed."""
    shown = any(ask.policy.of("expired", verb) != "gone" for verb in ("get", "list", "count"))
    return replace(record, phase=GONE, doubt=False, how=record.how or ("swept" if shown else "purged"))


def _is_untouched(state: State, record: Record, ask: Ask) -> bool:
    """Say whether nothing at all was asked since the session died, so that it must still be stored."""
    if record.phase == EXPIRED or record.doubt:
        return False
    return state.last is not None and by_deadlines(record, state.last, ask.policy) == ALIVE


def _clear(state: State, ask: Ask) -> Iterator[Alternative]:
    stored = concerned(state, ask)
    least = sum(standing(record, ask.now, ask.policy) == ALIVE for record in stored)

    def after(answer: Answer | None) -> Iterable[State]:
        return (_ended(state, ask, stored, cut_off=answer is None),)

    says = str(least) if least == len(stored) else f"{least} to {len(stored)}"
    facet = Facet("count", lambda told: least <= told <= len(stored), says, "lifecycle.delete")
    yield Alternative(kind="ok", facets=(facet,), after=after, property="lifecycle.delete")
    if not least:
        yield Alternative(kind="absent", words=NOTHING, after=after, property="lifecycle.delete", line=("missing",))


def _ended(state: State, ask: Ask, stored: list[Record], *, cut_off: bool) -> State:
    """Return the state after sessions were ended one by one; cut off, each of them may live still."""
    if cut_off:
        return state.having(*(replace(one, doubt=True, how="cleared") for one in stored if one.phase == LIVE))
    ended = []
    for one in stored:
        how = "cleared" if standing(one, ask.now, ask.policy) == ALIVE else "purged"
        ended.append(replace(one, phase=GONE, how=how, doubt=False))
    return state.having(*ended)


def _pop_item(state: State, ask: Ask) -> Iterator[Alternative]:
    name, some = "lifecycle.views-agree", False
    for record in concerned(state, ask):
        found = standing(record, ask.now, ask.policy)
        if not found & ALIVE:
            continue
        some = some or found == ALIVE
        facets = tuple(facet for facet in facets_of(record, ask, name) if facet.name != "version")
        after = keeping(state.having(replace(record, phase=GONE, how="popped", doubt=False)))
        yield Alternative(kind="ok", facets=facets, after=after, property=name)
    if not some:
        words = frozenset({"missing", "expired"})
        keep = keeping(state)
        yield Alternative(kind="absent", words=NOTHING, after=keep, property=name, line=("missing",))
        yield Alternative(kind="refused", words=words, after=keep, property=name, line=("missing",))


# -- the manager itself ----------------------------------------------------------------------------------------------


def _start(state: State, ask: Ask) -> Iterator[Alternative]:
    begun = state.begun if state.running else ask.now
    after = keeping(replace(state, running=True, closed=False, begun=begun))
    yield Alternative(kind="ok", after=after, property="lifecycle.errors")


def _stop(state: State, ask: Ask) -> Iterator[Alternative]:
    if not _is_late(ask):
        after = keeping(replace(state, running=False, closed=True))
        yield Alternative(kind="ok", after=after, property="resources.stop-in-time", line=("stop_within",))


def _close(state: State, ask: Ask) -> Iterator[Alternative]:
    if _is_late(ask):
        return

    def after(answer: Answer | None) -> Iterable[State]:
        shut = replace(state, running=False, closed=True)
        ends = ask.policy.close == "ends"
        return (_ended(shut, ask, concerned(state, ask), cut_off=answer is None) if ends else shut,)

    yield Alternative(kind="ok", after=after, property="resources.stop-in-time", line=("stop_within", "close"))


def _is_late(ask: Ask) -> bool:
    """Say whether stop or close took longer than `stop_within` promises."""
    within_us, event = ask.policy.stop_within, ask.event
    return within_us is not None and event.returned.mono_us - event.called.mono_us > within_us


def _anything(state: State, ask: Ask) -> Iterator[Alternative]:
    """Expect of an operation, of which nothing is promised here, that it answers."""
    name, after = blame.own(ask.verb), keeping(state)
    yield Alternative(kind="ok", after=after, property=name)
    yield Alternative(kind="absent", words=NOTHING, after=after, property=name)


def _checkpoint(state: State, ask: Ask) -> Iterator[Alternative]:
    """Expect that it answers; what lives by then is kept by it."""
    name = blame.own(ask.verb)

    def after(answer: Answer | None) -> Iterable[State]:
        del answer
        kept = (one for one in state.records.values() if one.phase == LIVE and not one.doubt)
        yield state.having(*(replace(one, saved=(one.id, one.data, one.version, one.active)) for one in kept))

    yield Alternative(kind="ok", after=after, property=name)
    yield Alternative(kind="absent", words=NOTHING, after=after, property=name)


Rule = Callable[[State, Ask], Iterator[Alternative]]

RULES: Final[dict[str, Rule]] = {
    "list": listing,
    "count": counting,
    "sweep": _sweep,
    "clear": _clear,
    "pop_item": _pop_item,
    "metrics": measuring,
    "start": _start,
    "stop": _stop,
    "close": _close,
    "checkpoint": _checkpoint,
    "recover": _anything,
    "health": _anything,
}
