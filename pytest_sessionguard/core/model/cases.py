"""What a session may be when an operation comes to it, and what follows once an answer has shown which.

A session is alive, dead (expired, perhaps still stored) or none (never there, or gone).  Where the answers so far leave
more than one open, each is a world of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from pytest_sessionguard.core.model import blame, moments
from pytest_sessionguard.core.model.expecting import Alternative, Facet, same, there
from pytest_sessionguard.core.model.moments import ALIVE, DEAD
from pytest_sessionguard.core.model.state import (
    EXPIRED,
    GONE,
    LIVE,
    Ask,
    Phantom,
    Record,
    State,
    by_deadlines,
    limits,
    standing,
)
from pytest_sessionguard.core.operations import Answer
from pytest_sessionguard.core.policy import Policy
from pytest_sessionguard.core.quick import replace
from pytest_sessionguard.core.values import UNSET

NOTHING: frozenset[str] = frozenset({"none", "false", "empty"})


def cases(state: State, ask: Ask, session_id: Any) -> Iterator[tuple[str, State, Record | None]]:
    """Give what the session may be: "alive", "dead" or "none", with the world in which it is that."""
    record = state.find(session_id)
    if record is None:
        yield "none", state, None
        for key, phantom in state.records.items():
            if isinstance(key, Phantom):  # It may be the one that an operation of unknown outcome has made.
                known = replace(phantom, id=session_id)
                yield from cases(state.renamed(key, known), ask, session_id)
        return
    if record.phase == GONE:
        yield "none", state, record
        return
    found = standing(record, ask.now, ask.policy)
    if found & ALIVE:
        sure = replace(record, doubt=False, how="") if record.doubt else record
        yield "alive", state.having(sure) if record.doubt else state, sure
    if found & DEAD:
        if record.doubt:
            lost = replace(record, phase=GONE, how=record.how or "restarted", doubt=False)
            yield "none", state.having(lost), lost
        if record.phase == EXPIRED or record.unjudged or by_deadlines(record, ask.now, ask.policy) & DEAD:
            yield "dead", state, record


def visible(state: State, record: Record, ask: Ask, verb: str) -> str:
    """Return how a dead session may show itself to an operation: "gone", "marked" or "stale"."""
    word = ask.policy.of("expired", verb)
    return "gone" if word != "gone" and overdue(state, record, ask) else word


def overdue(state: State, record: Record, ask: Ask) -> bool:
    """Say whether the background cleaner has promised to have removed the session by now."""
    interval_us = ask.policy.sweep_interval
    if interval_us is None or not state.running or record.how == "expired" or record.unjudged:
        return False
    if ask.undisturbed_us is not None and ask.undisturbed_us <= interval_us:
        return False  # A clock that was set forward gives the cleaner no time of its own.
    unit_us = ask.policy.granularity_us
    if state.begun is not None:
        swept = moments.standing(state.begun, ask.now, interval_us, dead_at_timeout=False, unit_us=unit_us)
        if swept != DEAD:
            return False  # Where nobody was there to sweep, the first sweep is still to come.
    for _, since, timeout_us in limits(record, ask.policy):
        late = moments.standing(since, ask.now, timeout_us + interval_us, dead_at_timeout=False, unit_us=unit_us)
        if late == DEAD:
            return True
    return False


# -- what follows ----------------------------------------------------------------------------------------------------


def died(record: Record) -> Record:
    """Return the record of a session that an answer has shown dead: from now on it stays dead."""
    if record.phase != LIVE:
        return record
    return replace(record, phase=EXPIRED, how="", doubt=False, since=record.since - {"touched-dead"})


def purged(record: Record) -> Record:
    """Return the record of an expired session that an answer has shown to be stored no more."""
    return replace(record, phase=GONE, how=record.how or "purged", doubt=False)


def seen(record: Record, ask: Ask, *, verb: str | None = None) -> Record:
    """Return the record of a session that an answer has shown alive; renewed where the operation is activity."""
    if ask.policy.renews(verb or ask.verb):
        return replace(
            record,
            active=ask.now,
            renewed=True,
            since=frozenset(),
            doubt=False,
            phase=LIVE,
            how="",
            unjudged=record.unjudged or record.by_hand,
        )
    if record.doubt:
        return replace(record, since=frozenset(), doubt=False, how="")
    return replace(record, since=frozenset()) if record.since else record


def unversioned(record: Record, ask: Ask) -> Record:
    """Return the record with its version not known: activity may count as a change."""
    if record.version is UNSET or not ask.policy.renews(ask.verb):
        return record
    return replace(record, version=UNSET)


def bound(record: Record, answer: Answer | None) -> Record:
    """Return the record with what the answer tells of data and version."""
    if answer is None:
        return record
    data = answer.data if record.data is UNSET and not record.loose else record.data
    version = answer.version if answer.version is not UNSET else record.version
    if data is record.data and version is record.version:
        return record
    return replace(record, data=data, version=version)


def keeping(state: State) -> Callable[[Answer | None], Iterable[State]]:
    """Return an `after` to which the answer makes no difference."""
    return lambda _: (state,)


# -- what a live session says ----------------------------------------------------------------------------------------


def plain(state: State, ask: Ask, record: Record, make: Callable[[Record], Record]) -> Alternative:
    """Return the live answer of an operation that gives the session, its data, or only that it was found."""

    def after(answer: Answer | None) -> Iterable[State]:
        changed = bound(make(record), answer)
        return (state if changed is record else state.having(changed),)

    name = blame.presence(record, ask)
    return Alternative(
        kind="ok", facets=facets_of(record, ask, name), after=after, property=name, line=timeout_line(ask.policy)
    )


def timeout_line(policy: Policy) -> tuple[str, ...]:
    """Return the keys that decide whether a session is alive."""
    idle = () if policy.idle_timeout is None else ("idle_timeout",)
    return idle if policy.absolute_timeout is None else (*idle, "absolute_timeout")


def facets_of(record: Record, ask: Ask, name: str) -> tuple[Facet, ...]:
    """Expect what the session is known to be: id, owner, data, version, and that it is not marked expired.

    Args:
        name: the property that is broken where it is said not to be there.
    """
    found: list[Facet] = [*there(name)]
    if not isinstance(record.id, Phantom) and ask.policy.ids == "unique":
        found.append(own_id(record, "security.cross-session"))
    marked = ask.policy.expired_status
    if marked is not None:
        found.append(Facet("status", lambda told: told != marked, f"not {marked!r}", name))
    if record.owner is not UNSET:
        found.append(same("owner", record.owner, "security.cross-session"))
    if record.data is not UNSET and not record.loose:
        found.append(same("data", record.data, blame.data(record)))
    found.append(_version(record, ask))
    return tuple(found)


def own_id(record: Record, name: str) -> Facet:
    """Expect one of the session's own ids."""
    if not record.names:
        return same("id", record.id, name)
    return Facet("id", record.answers_to, repr(record.id), name)


def _version(record: Record, ask: Ask) -> Facet:
    """Expect the version known, or one that this session has not had with other data."""
    if record.version is not UNSET and not ask.policy.renews(ask.verb):
        return same("version", record.version, "data.version")
    data, past = record.data, record.past
    if not past:
        return _ANY_VERSION
    return Facet(
        "version",
        lambda told: told not in {version for version, had in past if had != data},
        "a version not had before",
        "data.version",
    )


_ANY_VERSION: Final = Facet("version", lambda _: True, "a version not had before", "data.version")


def fresh_id(state: State, ask: Ask, name: str = "lifecycle.ids-unique") -> Facet:
    """Expect an id that was never issued before."""
    known = state.records
    if ask.policy.ids == "content":
        return Facet("id", lambda _: True, "any id", name)
    return Facet("id", lambda told: told not in known, "an id never issued before", name)
