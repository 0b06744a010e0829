"""Rules of the operations that work on one session.

Each rule looks at what the session may be (alive, dead, never there) and gives the answers that are right in each case.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, Final

from pytest_sessionguard.core.model import blame, moments
from pytest_sessionguard.core.model.expecting import Alternative, Facet, same
from pytest_sessionguard.core.model.moments import ALIVE, DEAD
from pytest_sessionguard.core.model.state import (
    EXPIRED,
    GONE,
    LIVE,
    Ask,
    Phantom,
    Record,
    State,
    left_us,
    limits,
    standing,
)
from pytest_sessionguard.core.operations import Answer
from pytest_sessionguard.core.policy import Policy
from pytest_sessionguard.core.values import UNSET, FrozenMap, Unset, show

_SECOND_US: Final = 1_000_000


# -- the three cases of a session -----------------------------------------------------------------------------------


def cases(state: State, ask: Ask, session_id: Any) -> Iterator[tuple[str, State, Record | None]]:
    """Give what the session may be: "alive", "dead" or "none", with the world in which it is that."""
    record = state.records.get(session_id)
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
        sure = replace(record, doubt=False) if record.doubt else record
        yield "alive", state.having(sure) if record.doubt else state, sure
    if found & DEAD:
        if record.doubt and found == (ALIVE | DEAD):
            lost = replace(record, phase=GONE, how=record.how or "restarted", doubt=False)
            yield "none", state.having(lost), lost
        if record.phase == EXPIRED or _by_clock(record, ask):
            yield "dead", state, record


def _by_clock(record: Record, ask: Ask) -> bool:
    return bool(standing(replace(record, doubt=False), ask.now, ask.policy) & DEAD)


def visible(state: State, record: Record, ask: Ask, verb: str) -> str:
    """Return how a dead session may show itself to an operation: "gone", "marked" or "stale"."""
    word = ask.policy.of("expired", verb)
    return "gone" if word != "gone" and overdue(state, record, ask) else word


def overdue(state: State, record: Record, ask: Ask) -> bool:
    """Say whether the background cleaner has promised to have removed the session by now."""
    interval_us = ask.policy.sweep_interval
    if interval_us is None or not state.running or record.how == "expired":
        return False
    for _, since, timeout_us in limits(record, ask.policy):
        late = moments.standing(
            since, ask.now, timeout_us + interval_us, dead_at_timeout=False, unit_us=ask.policy.granularity_us
        )
        if late == DEAD:
            return True
    return False


def died(record: Record, ask: Ask) -> Record:
    """Return the record of a session that an answer has shown dead: from now on it stays dead."""
    if record.phase != LIVE:
        return record
    return replace(record, phase=EXPIRED, how="", since=record.since - {"touched-dead"})


def seen(record: Record, ask: Ask, *, verb: str | None = None) -> Record:
    """Return the record of a session that an answer has shown alive; renewed where the operation is activity."""
    if ask.policy.renews(verb or ask.verb):
        return replace(
            record, active=ask.now, renewed=True, since=frozenset(), doubt=False, phase=LIVE, version=record.version
        )
    if record.since or record.doubt:
        return replace(record, since=frozenset(), doubt=False)
    return record


# -- what is answered where nothing is there ------------------------------------------------------------------------


def missing(state: State, ask: Ask, record: Record | None, *, dead: bool) -> Iterator[Alternative]:
    """Give the answers of an operation whose session is not there, or as good as not there."""
    verb, policy = ask.verb, ask.policy
    name = blame.absence(record, ask)
    after = _keeping(state.having(died(record, ask)) if record is not None and dead else state)
    word = policy.of("missing", verb)
    line = ("missing", "expired") if dead else ("missing",)
    if dead or (record is not None and record.how in {"idle", "absolute", "swept", "expired", ""}):
        yield Alternative(kind="refused", words=frozenset({"expired"}), after=after, property=name, line=line)
    if word == "error":
        yield Alternative(kind="refused", words=frozenset({"missing"}), after=after, property=name, line=line)
        if not policy.named_for("missing", verb):
            yield Alternative(kind="absent", words=frozenset(), after=after, property=name, line=line)
    elif word in ("none", "false", "empty"):
        yield Alternative(kind="absent", words=frozenset({word}), after=after, property=name, line=line)
    elif verb in _NEVER_MAKES:
        words = frozenset({"none", "false", "empty"})
        yield Alternative(kind="absent", words=words, after=after, property=name, line=line)
    else:
        yield from _making(state, ask, word, name)


_NEVER_MAKES: Final = frozenset(
    {
        "exists",
        "ttl",
        "delete",
        "expire",
        "is_expired",
        "history",
        "pop",
        "disconnect",
        "health",
        "checkpoint",
        "recover",
    }
)


def _making(state: State, ask: Ask, word: str, name: str) -> Iterator[Alternative]:
    """Give the answer of a manager that makes a session where it finds none."""
    operation = ask.event.operation

    def after(answer: Answer | None) -> Iterable[State]:
        told = UNSET if answer is None else answer.id
        session_id = told if told is not UNSET else operation.id if word == "creates" else _phantom(state)
        data = _first_data(ask)
        if data is UNSET and answer is not None:
            data = answer.data
        version = UNSET if answer is None else answer.version
        yield state.having(
            Record(id=session_id, created=ask.now, active=ask.now, data=data, version=version, wrote=ask.verb)
        )

    if word == "creates":
        facets: tuple[Facet, ...] = (same("id", operation.id, "lifecycle.get"),)
    else:
        facets = (fresh(state, ask), Facet("id", lambda told: told != operation.id, "another id", "security.fixation"))
    yield Alternative(kind="ok", facets=facets, after=after, property=name, line=("missing",))


def _first_data(ask: Ask) -> Any:
    """Return the data of a session that a writing operation makes, as far as it is known."""
    operation = ask.event.operation
    if operation.changes is not UNSET:
        return operation.changes
    if operation.data is not UNSET:
        return operation.data
    if operation.key is not UNSET and ask.verb == "put":
        return FrozenMap({operation.key: operation.value})
    return UNSET


def _phantom(state: State) -> Phantom:
    return Phantom(len(state.records))


def fresh(state: State, ask: Ask) -> Facet:
    """Expect an id that was never issued before."""
    known = state.records
    if ask.policy.ids == "content":
        return Facet("id", lambda _: True, "any id", "lifecycle.ids-unique")
    return Facet("id", lambda told: told not in known, "an id never issued before", "lifecycle.ids-unique")


def _keeping(state: State) -> Callable[[Answer | None], Iterable[State]]:
    return lambda _: (state,)


# -- what a live session answers -------------------------------------------------------------------------------------


def facets_of(record: Record, ask: Ask, *, data: Any = UNSET) -> tuple[Facet, ...]:
    """Expect what the session is known to be: id, owner, data, version, and that it is not marked expired."""
    expected = record.data if data is UNSET else data
    found: list[Facet] = [
        Facet("found", bool, "true", blame.presence(record, ask)),
        Facet("flag", bool, "true", blame.presence(record, ask)),
    ]
    if not isinstance(record.id, Phantom) and ask.policy.ids == "unique":
        found.append(same("id", record.id, "security.cross-session"))
    marked = ask.policy.expired_status
    if marked is not None:
        name = blame.presence(record, ask)
        found.append(Facet("status", lambda told: told != marked, f"not {marked!r}", name))
    if record.owner is not UNSET:
        found.append(same("owner", record.owner, "security.cross-session"))
    if expected is not UNSET and not record.loose:
        found.append(same("data", expected, blame.data(record)))
    found.append(_version_facet(record, ask, expected))
    return tuple(found)


def _version_facet(record: Record, ask: Ask, data: Any) -> Facet:
    """Expect the version known, or one that this session has not had with other data."""
    current, past = record.version, record.past
    if current is not UNSET and not ask.policy.renews(ask.verb):
        return same("version", current, "data.version")
    over = frozenset(version for version, had in past if had != data)
    return Facet("version", lambda told: told not in over, "a version not had before", "data.version")


def bound(record: Record, answer: Answer | None) -> Record:
    """Return the record with what the answer tells of data and version."""
    if answer is None:
        return record
    data = answer.data if record.data is UNSET and not record.loose else record.data
    version = answer.version if answer.version is not UNSET else record.version
    if data is record.data and version is record.version:
        return record
    return replace(record, data=data, version=version)


def written(record: Record, ask: Ask, data: Any, answer: Answer | None) -> Record:
    """Return the record after its data was written: renewed where that is activity, under a new version."""
    past = record.past if record.version is UNSET else record.past | {(record.version, record.data)}
    version = UNSET if answer is None else answer.version
    return replace(seen(record, ask), data=data, version=version, past=past, wrote=ask.verb)


def _plain(state: State, ask: Ask, record: Record, make: Callable[[Record], Record]) -> Alternative:
    """The live answer of an operation that gives the session, its data, or only that it was found."""

    def after(answer: Answer | None) -> Iterable[State]:
        yield state.having(bound(make(record), answer))

    return Alternative(
        kind="ok",
        facets=facets_of(record, ask),
        after=after,
        property=blame.presence(record, ask),
        line=_timeout_line(ask.policy),
    )


def _timeout_line(policy: Policy) -> tuple[str, ...]:
    return tuple(key for key in ("idle_timeout", "absolute_timeout") if getattr(policy, key) is not None)


# -- what a dead session answers ------------------------------------------------------------------------------------


def dead(state: State, ask: Ask, record: Record) -> Iterator[Alternative]:
    """Give the answers of an operation on an expired session, by `expired`."""
    word = visible(state, record, ask, ask.verb)
    yield from missing(state, ask, record, dead=True)
    if word == "marked":
        yield from _marked(state, ask, record)
    elif word == "stale":
        yield from _stale(state, ask, record)


def _marked(state: State, ask: Ask, record: Record) -> Iterator[Alternative]:
    """An expired session that is shown, but only to be read, and under the status that says so."""
    after = _keeping(state.having(died(record, ask)))
    name = blame.absence(record, ask)
    every = frozenset({"none", "false", "empty"})
    yield Alternative(kind="absent", words=every, after=after, property=name, line=("expired",))
    yield Alternative(kind="refused", words=frozenset({"missing"}), after=after, property=name, line=("expired",))
    if ask.verb != "get":
        return
    mark = ask.policy.expired_status
    facets = [Facet("status", lambda told: told == mark, show(mark), name)] if mark is not None else []
    if record.data is not UNSET and not record.loose:
        facets.append(same("data", record.data, blame.data(record)))
    facets.append(same("id", record.id, "security.cross-session"))
    yield Alternative(kind="ok", facets=tuple(facets), after=after, property=name, line=("expired",))


def _stale(state: State, ask: Ask, record: Record) -> Iterator[Alternative]:
    """An expired session that may be seen and used until it is swept."""
    revives = ask.policy.revivable and ask.policy.renews(ask.verb)
    rule = _LIVE.get(ask.verb, _read)
    still = replace(died(record, ask), phase=LIVE, unjudged=False)

    def settle(after: State) -> State:
        changed = after.records[record.id]
        if revives or changed.phase == GONE:
            return after
        return after.having(replace(changed, phase=EXPIRED, active=record.active, renewed=record.renewed))

    for alternative in rule(state.having(still), ask, still):
        keep = alternative.after

        def after(answer: Answer | None, keep: Any = keep) -> Iterable[State]:
            return [settle(world) for world in keep(answer)]

        facets = tuple(facet for facet in alternative.facets if facet.name not in {"seconds_us", "status"})
        yield replace(alternative, after=after, facets=facets, line=("expired", "revivable"))


# -- the operations --------------------------------------------------------------------------------------------------


def _read(state: State, ask: Ask, record: Record) -> Iterator[Alternative]:
    yield _plain(state, ask, record, lambda known: seen(known, ask))


def _ttl(state: State, ask: Ask, record: Record) -> Iterator[Alternative]:
    policy = ask.policy
    left = left_us(record, ask.now, policy)
    slack_us = (ask.now[0][1] - ask.now[0][0]) + policy.granularity_us + 1
    slack_us += record.active[0][1] - record.active[0][0] + abs(ask.now[-1][0] - ask.now[0][0])

    def right(told: Any) -> bool:
        if left is None or told is None or record.unjudged:
            return record.unjudged or left == told
        whole = told % _SECOND_US == 0
        return bool(abs(told - left) <= slack_us + (_SECOND_US - 1 if whole else 0))

    says = "no end" if left is None else f"{left / _SECOND_US:g} s"
    facet = Facet("seconds_us", right, says, "lifecycle.views-agree")
    others = facets_of(record, ask)
    never = left is None

    def after(answer: Answer | None) -> Iterable[State]:
        yield state.having(seen(record, ask))

    name = blame.presence(record, ask)
    yield Alternative(kind="ok", facets=(facet, *others), after=after, property=name, line=_timeout_line(policy))
    if never:
        words = frozenset({"none"})
        yield Alternative(kind="absent", words=words, after=after, property=name, line=("idle_timeout",))


def _touch(state: State, ask: Ask, record: Record) -> Iterator[Alternative]:
    asked = ask.event.operation.timeout_us
    told = record if asked is UNSET else replace(record, timeout_us=asked, unjudged=not asked or asked < 0)
    yield _plain(state, ask, told, lambda known: _unversioned(seen(known, ask), ask))


def _unversioned(record: Record, ask: Ask) -> Record:
    """Activity may count as a change: the version is unknown after it."""
    if record.version is UNSET or not ask.policy.renews(ask.verb):
        return record
    return replace(record, version=UNSET)


def _update(state: State, ask: Ask, record: Record) -> Iterator[Alternative]:
    changes = ask.event.operation.changes
    yield from _writing(state, ask, record, merged(record.data, changes, ask.policy.update))


def merged(data: Any, changes: Any, how: str) -> Any:
    """Return what update makes of the data."""
    if how == "replace":
        return changes
    if isinstance(data, FrozenMap) and isinstance(changes, FrozenMap):
        return data.merged(changes)
    return UNSET


def _save(state: State, ask: Ask, record: Record) -> Iterator[Alternative]:
    asked = ask.event.operation.data
    yield from _writing(state, ask, record, asked)


def _put(state: State, ask: Ask, record: Record) -> Iterator[Alternative]:
    operation = ask.event.operation
    data = record.data.merged({operation.key: operation.value}) if isinstance(record.data, FrozenMap) else UNSET
    yield from _writing(state, ask, record, data)


def _append(state: State, ask: Ask, record: Record) -> Iterator[Alternative]:
    operation, data = ask.event.operation, record.data
    longer: Any = UNSET
    if operation.key is not UNSET and isinstance(data, FrozenMap):
        known = data.get(operation.key, ())
        longer = data.merged({operation.key: (*known, operation.value)}) if isinstance(known, tuple) else UNSET
    elif isinstance(data, tuple):
        longer = (*data, operation.value)
    yield from _writing(state, ask, record, longer)


def _writing(state: State, ask: Ask, record: Record, data: Any) -> Iterator[Alternative]:
    """Give the answers of an operation that leaves the session with `data`; with a version it is compare-and-set."""
    asked = ask.event.operation.version
    name = blame.presence(record, ask)
    held = state.having(seen(record, ask)) if ask.verb in ask.policy.refused_activity else state
    known_stale = asked is not UNSET and any(asked == version for version, _ in record.past)
    if asked is not UNSET and record.version is not UNSET:
        stale: bool | None = asked != record.version
    else:
        stale = True if known_stale else None
    conflict_line = ("concurrent_updates",)
    if asked is not UNSET and stale is not False:
        words = frozenset({"conflict"})
        yield Alternative(
            kind="refused", words=words, after=_keeping(held), property="data.version", line=conflict_line
        )
        words = frozenset({"none", "false"})
        yield Alternative(kind="absent", words=words, after=_keeping(held), property="data.version", line=conflict_line)
        if stale:
            return
    elif ask.overlapped and ask.policy.concurrent_updates == "conflict":
        words = frozenset({"conflict"})
        yield Alternative(kind="refused", words=words, after=_keeping(held), property=name, line=conflict_line)
    lossy = ask.overlapped and ask.policy.concurrent_updates == "last-wins"
    yield _written(state, ask, record, UNSET if lossy else data)


def _written(state: State, ask: Ask, record: Record, data: Any) -> Alternative:
    """The ok of a write; a save may answer under a new id."""

    def after(answer: Answer | None) -> Iterable[State]:
        new_id = UNSET if answer is None else answer.id
        changed = written(record, ask, data, answer)
        if answer is not None and data is UNSET and answer.data is not UNSET:
            changed = replace(changed, data=answer.data)
        if new_id is UNSET or new_id == record.id:
            yield state.having(changed)
        else:
            yield renamed(state, ask, record, replace(changed, id=new_id))

    facets = tuple(facet for facet in facets_of(record, ask, data=data) if facet.name not in {"id", "version", "data"})
    if data is not UNSET and not record.loose:
        facets += (same("data", data, "data.merge" if ask.verb == "update" else "data.read-your-writes"),)
    over = frozenset(version for version, had in record.past if had != data)
    if record.version is not UNSET and record.data != data:
        over |= {record.version}
    facets += (Facet("version", lambda told: told not in over, "a new version", "data.version"),)
    known = state.records
    if ask.verb == "save":
        facets += (
            Facet(
                "id", lambda told: told == record.id or told not in known, "its own or a new id", "lifecycle.ids-unique"
            ),
        )
    else:
        facets += (same("id", record.id, "security.cross-session"),)
    if ask.policy.ids == "content":
        facets = tuple(facet for facet in facets if facet.name != "id")
    return Alternative(
        kind="ok", facets=facets, after=after, property=blame.presence(record, ask), line=_timeout_line(ask.policy)
    )


def renamed(state: State, ask: Ask, old: Record, new: Record) -> State:
    """Return the state after a session went on under a new id, the old one as `old_id` says.

    Whether a rotation counts as activity, or as a new beginning, is left open.
    """
    created = moments.span(old.created, ask.now)
    active = moments.span(old.active, ask.now)
    moved = replace(new, created=created, active=active, since=frozenset({"rotated"}))
    match ask.policy.old_id:
        case "alive":
            return state.having(replace(old, loose=True, resources=()), replace(moved, loose=True))
        case "snapshot":
            return state.having(replace(old, resources=()), moved)
        case _:
            return state.having(replace(old, phase=GONE, how="rotated", resources=()), moved)


def _pop(state: State, ask: Ask, record: Record) -> Iterator[Alternative]:
    operation, data = ask.event.operation, record.data
    if operation.key is UNSET:
        yield _ending(state, ask, record, "popped")
        return
    name = blame.presence(record, ask)
    if not isinstance(data, FrozenMap) or record.loose:
        yield _written(state, ask, replace(record, loose=True), UNSET)
        return
    if operation.key in data:

        def after(answer: Answer | None) -> Iterable[State]:
            yield state.having(written(record, ask, data.without(operation.key), answer))

        facet = same("value", data[operation.key], "data.read-your-writes")
        yield Alternative(kind="ok", facets=(facet,), after=after, property=name, line=())
        return
    keep = _keeping(state)
    yield Alternative(kind="absent", words=frozenset({"none", "false", "empty"}), after=keep, property=name, line=())
    yield Alternative(kind="refused", words=frozenset({"missing"}), after=keep, property=name, line=("missing",))


def _ending(state: State, ask: Ask, record: Record, how: str) -> Alternative:
    """The ok of an operation that ends the session."""
    over = state.having(replace(record, phase=GONE, how=how))
    return Alternative(
        kind="ok",
        facets=facets_of(record, ask),
        after=_keeping(over),
        property=blame.presence(record, ask),
        line=_timeout_line(ask.policy),
    )


def _delete(state: State, ask: Ask, record: Record) -> Iterator[Alternative]:
    yield _ending(state, ask, record, "deleted")


def _expire(state: State, ask: Ask, record: Record) -> Iterator[Alternative]:
    asked = ask.event.operation.timeout_us
    if asked is UNSET or asked == 0:
        yield _plain(state, ask, record, lambda known: replace(known, phase=EXPIRED, how="expired"))
    else:
        yield _plain(state, ask, record, lambda known: replace(known, timeout_us=asked, active=ask.now))


def _use(state: State, ask: Ask, record: Record) -> Iterator[Alternative]:
    yield _plain(state, ask, record, lambda known: _unversioned(seen(known, ask), ask))


def _use_of_dead(state: State, ask: Ask, record: Record) -> Iterator[Alternative]:
    """`use` of an expired session gives a new one: always the same while that lives (`one`), or its heir (`moves`)."""
    heir_id = record.replaced_by
    heir = None if isinstance(heir_id, Unset) else state.records.get(heir_id)
    heir_lives = heir is not None and heir.phase == LIVE and bool(standing(heir, ask.now, ask.policy) & ALIVE)
    if heir is not None and heir_lives:

        def again(_: Answer | None) -> Iterable[State]:
            yield state.having(seen(heir, ask))

        facets = (same("id", heir.id, "lifecycle.use"),)
        yield Alternative(kind="ok", facets=facets, after=again, property="lifecycle.use", line=("replacement",))
        if standing(heir, ask.now, ask.policy) == ALIVE and not heir.doubt:
            return

    def after(answer: Answer | None) -> Iterable[State]:
        told = UNSET if answer is None else answer.id
        new_id = _phantom(state) if told is UNSET else told
        new = Record(id=new_id, created=ask.now, active=ask.now, owner=record.owner, loose=True, wrote="use")
        old = replace(died(record, ask), replaced_by=new_id)
        if ask.policy.replacement == "moves":
            old = replace(old, phase=GONE, how="moved")
        yield state.having(old, new)

    yield Alternative(
        kind="ok", facets=(fresh(state, ask),), after=after, property="lifecycle.use", line=("replacement",)
    )


def _rotate(state: State, ask: Ask, record: Record) -> Iterator[Alternative]:
    def after(answer: Answer | None) -> Iterable[State]:
        told = UNSET if answer is None else answer.id
        new_id = _phantom(state) if told is UNSET else told
        yield renamed(state, ask, record, bound(replace(record, id=new_id, version=UNSET), None))

    found = Facet("found", bool, "true", "security.rotation")
    facets: tuple[Facet, ...] = (replace(fresh(state, ask), property="security.rotation"), found)
    if record.data is not UNSET and not record.loose:
        facets += (same("data", record.data, "security.rotation"),)
    yield Alternative(
        kind="ok", facets=facets, after=after, property=blame.presence(record, ask), line=_timeout_line(ask.policy)
    )


def _tagged(tag: str) -> Callable[[State, Ask, Record], Iterator[Alternative]]:
    def rule(state: State, ask: Ask, record: Record) -> Iterator[Alternative]:
        def make(known: Record) -> Record:
            return replace(_unversioned(seen(known, ask), ask), since=frozenset({tag}))

        yield _plain(state, ask, record, make)

    return rule


def _attach(state: State, ask: Ask, record: Record) -> Iterator[Alternative]:
    operation = ask.event.operation
    name = operation.resource if isinstance(operation.resource, str) else "resource"

    def make(known: Record) -> Record:
        faulty = known.faulty or operation.fails is True
        return replace(seen(known, ask), resources=(*known.resources, name), faulty=faulty)

    yield _plain(state, ask, record, make)


def _is_expired(state: State, ask: Ask, record: Record) -> Iterator[Alternative]:
    name = blame.presence(record, ask)
    facets = tuple(Facet(word, lambda told: not told, "false", name) for word in ("flag", "found"))
    keep = _keeping(state.having(seen(record, ask)))
    yield Alternative(kind="ok", facets=facets, after=keep, property=name, line=_timeout_line(ask.policy))


def _history(state: State, ask: Ask, record: Record) -> Iterator[Alternative]:
    most, asked = ask.policy.history_limit, ask.event.operation.n
    name = "data.history-bounded"

    def bounded(told: Any) -> bool:
        if most is not None and len(told) > most:
            return False
        if not isinstance(asked, Unset) and 0 <= asked < len(told):
            return False
        numbers = [item for item in told if isinstance(item, int)]
        if len(numbers) != len(told):
            return True
        rising = sorted(set(numbers))
        return numbers in (rising, rising[::-1])

    says = "versions in one order" + ("" if most is None else f", {most} at most")
    facets: tuple[Facet, ...] = (Facet("versions", bounded, says, name),)
    if most is not None:
        facets += (Facet("count", lambda told: told <= most, f"{most} at most", name),)
    keep = _keeping(state.having(seen(record, ask)))
    yield Alternative(kind="ok", facets=facets, after=keep, property=name, line=("history_limit",))


Rule = Callable[[State, Ask, Record], Iterator[Alternative]]

_LIVE: Final[dict[str, Rule]] = {
    "get": _read,
    "exists": _read,
    "ttl": _ttl,
    "touch": _touch,
    "update": _update,
    "save": _save,
    "put": _put,
    "append": _append,
    "pop": _pop,
    "delete": _delete,
    "expire": _expire,
    "use": _use,
    "rotate": _rotate,
    "disconnect": _tagged("disconnected"),
    "resume": _tagged("resumed"),
    "attach": _attach,
    "history": _history,
    "is_expired": _is_expired,
    "health": _read,
    "checkpoint": _read,
    "recover": _read,
}


def on_session(state: State, ask: Ask) -> Iterator[Alternative]:
    """Give every answer that an operation on one session may get."""
    for case, world, record in cases(state, ask, ask.event.operation.id):
        if case == "alive" and record is not None:
            yield from _LIVE[ask.verb](world, ask, record)
        elif case == "dead" and record is not None:
            yield from _on_dead(world, ask, record)
        else:
            yield from _on_none(world, ask, record)


def _on_dead(state: State, ask: Ask, record: Record) -> Iterator[Alternative]:
    tagged = record
    if ask.policy.renews(ask.verb) and "touched-dead" not in record.since:
        tagged = replace(record, since=record.since | {"touched-dead"})
    match ask.verb:
        case "use":
            yield from _use_of_dead(state, ask, record)
            if "replacement" not in ask.policy.written:
                yield from dead(state, ask, tagged)
        case "is_expired":
            yield _says_expired(state, ask, record)
            yield from dead(state, ask, record)
        case "delete" | "pop" if visible(state, record, ask, ask.verb) != "gone":
            how = "deleted" if ask.verb == "delete" else "popped"
            over = _keeping(state.having(replace(record, phase=GONE, how=how)))
            name = blame.absence(record, ask)
            if ask.verb == "delete":
                yield Alternative(kind="ok", after=over, property=name, line=("expired",))
            words = frozenset({"none", "false", "empty"})
            yield Alternative(kind="absent", words=words, after=over, property=name, line=("expired",))
            yield from dead(state, ask, record)
        case "delete":
            gone = state.having(replace(died(record, ask), phase=GONE))
            yield from missing(gone, ask, gone.records[record.id], dead=False)
        case _:
            yield from dead(state, ask, tagged)


def _says_expired(state: State, ask: Ask, record: Record) -> Alternative:
    name = blame.absence(record, ask)
    facets = tuple(Facet(word, bool, "true", name) for word in ("flag", "found"))
    keep = _keeping(state.having(died(record, ask)))
    return Alternative(kind="ok", facets=facets, after=keep, property=name, line=("idle_timeout",))


def _on_none(state: State, ask: Ask, record: Record | None) -> Iterator[Alternative]:
    if ask.verb == "is_expired":
        yield Alternative(kind="ok", after=_keeping(state), property="lifecycle.get", line=("missing",))
    if ask.verb == "use" and record is not None and record.how in {"idle", "absolute", "swept", "", "moved"}:
        yield from _use_of_dead(state, ask, record)
    if ask.verb in {"history", "health", "checkpoint", "recover"}:
        yield Alternative(
            kind="absent",
            words=frozenset({"none", "false", "empty"}),
            after=_keeping(state),
            property=blame.own(ask.verb),
            line=("missing",),
        )
    yield from missing(state, ask, record, dead=False)
