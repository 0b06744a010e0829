"""Rules of the operations on one session, where that session has expired, by `expired`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pytest_sessionguard.core.model import blame, live, room
from pytest_sessionguard.core.model.cases import NOTHING, died, fresh_id, keeping, overdue, own_id, seen, visible
from pytest_sessionguard.core.model.expecting import Alternative, Facet, same
from pytest_sessionguard.core.model.missing import missing
from pytest_sessionguard.core.model.moments import ALIVE
from pytest_sessionguard.core.model.state import EXPIRED, GONE, LIVE, Ask, Record, State, standing
from pytest_sessionguard.core.operations import Answer
from pytest_sessionguard.core.quick import replace
from pytest_sessionguard.core.values import UNSET, Unset, show


def on_dead(state: State, ask: Ask, record: Record) -> Iterator[Alternative]:
    """Give the answers of an operation on an expired session."""
    tried = record
    if ask.policy.renews(ask.verb) and "touched-dead" not in record.since:
        tried = replace(record, since=record.since | {"touched-dead"})
    match ask.verb:
        case "use":
            yield from use_of_dead(state, ask, record)
            if "replacement" not in ask.policy.written:
                yield from _by_word(state, ask, tried)
            elif state.running and ask.policy.sweep_interval is not None:
                # The background cleaner may have been here, and nobody can tell what it has taken away.
                yield from missing(state, ask, tried, dead=True, dropped=True)
        case "is_expired":
            yield _says_expired(state, ask, record)
            yield from missing(state, ask, record, dead=True)
        case "delete" | "pop" if visible(state, record, ask, ask.verb) != "gone":
            yield from _ending(state, ask, record)
            yield from _by_word(state, ask, record)
        case "delete":
            # Who says that there was nothing may have removed what was stored, or may have left it to the next sweep.
            yield from missing(state, ask, record, dead=True, dropped=True)
            yield from missing(state, ask, record, dead=True)
        case _:
            yield from _by_word(state, ask, tried)


def _by_word(state: State, ask: Ask, record: Record) -> Iterator[Alternative]:
    word = visible(state, record, ask, ask.verb)
    is_shown = word == "stale" or (word == "marked" and ask.verb == "get")
    late = ask.policy.of("expired", ask.verb) != "gone" and overdue(state, record, ask)
    for one in missing(state, ask, record, dead=True, dropped=is_shown):
        yield replace(one, property="sweep.background", line=("sweep_interval",)) if late else one
    match word:
        case "marked":
            yield from _marked(state, ask, record)
        case "stale":
            yield from _stale(state, ask, record)


def _ending(state: State, ask: Ask, record: Record) -> Iterator[Alternative]:
    """Give the answers of delete and pop, which work on an expired session that is shown."""
    how = "deleted" if ask.verb == "delete" else "popped"
    over = keeping(state.having(replace(record, phase=GONE, how=how)))
    name = blame.absence(record, ask)
    if ask.verb == "delete":
        yield Alternative(kind="ok", after=over, property=name, line=("expired",))
    yield Alternative(kind="absent", words=NOTHING, after=over, property=name, line=("expired",))


def _says_expired(state: State, ask: Ask, record: Record) -> Alternative:
    name = blame.absence(record, ask)
    facets = tuple(Facet(word, bool, "true", name) for word in ("flag", "found"))
    after = keeping(state.having(died(record)))
    return Alternative(kind="ok", facets=facets, after=after, property=name, line=("idle_timeout",))


def _marked(state: State, ask: Ask, record: Record) -> Iterator[Alternative]:
    """An expired session that is shown, but only to be read, and under the status that says so."""
    after = keeping(state.having(died(record)))
    name = blame.absence(record, ask)
    if ask.verb != "get":
        yield Alternative(kind="absent", words=NOTHING, after=after, property=name, line=("expired",))
        yield Alternative(kind="refused", words=frozenset({"missing"}), after=after, property=name, line=("expired",))
        return
    mark = ask.policy.expired_status
    facets = [Facet("status", lambda told: told == mark, show(mark), name)] if mark is not None else []
    if record.data is not UNSET and not record.loose:
        facets.append(same("data", record.data, blame.data(record)))
    facets.append(own_id(record, "security.cross-session"))
    yield Alternative(kind="ok", facets=tuple(facets), after=after, property=name, line=("expired",))


def _stale(state: State, ask: Ask, record: Record) -> Iterator[Alternative]:
    """An expired session that may be seen and used until it is swept."""
    revives = ask.policy.revivable and ask.policy.renews(ask.verb)
    still = replace(died(record), phase=LIVE, unjudged=False)
    before = state.having(still)

    def settled(world: State) -> State:
        if revives:
            return world
        changed = [one for key, one in world.records.items() if one is not state.records.get(key) and one.phase == LIVE]
        return world.having(
            *(
                replace(one, phase=EXPIRED, how=record.how, active=record.active, renewed=record.renewed)
                for one in changed
            )
        )

    for alternative in live.RULES.get(ask.verb, live.read)(before, ask, still):
        keep = alternative.after

        def after(answer: Answer | None, keep: object = keep) -> Iterable[State]:
            assert callable(keep)
            return [settled(world) for world in keep(answer)]

        facets = tuple(facet for facet in alternative.facets if facet.name not in {"seconds_us", "status"})
        yield replace(alternative, after=after, facets=facets, line=("expired", "revivable"))


# -- replacements -----------------------------------------------------------------------------------------------------


def use_of_dead(state: State, ask: Ask, record: Record) -> Iterator[Alternative]:
    """Give the answers of `use` of an expired session: a new one, and always the same while that lives.

    By `replacement = "moves"` the old id dies with it.
    """
    heir = None if isinstance(record.replaced_by, Unset) else state.find(record.replaced_by)
    if heir is not None and heir.phase == LIVE and standing(heir, ask.now, ask.policy) & ALIVE:
        again = keeping(state.having(seen(heir, ask)))
        facets = (own_id(heir, "lifecycle.use"),)
        yield Alternative(kind="ok", facets=facets, after=again, property="lifecycle.use", line=("replacement",))
        if standing(heir, ask.now, ask.policy) == ALIVE:
            return
    dead = died(record)
    for world in room.worlds_with_room(state.having(dead), ask):
        yield _replacing(world, ask, dead)
    yield from room.refusals(state.having(dead), ask)


def _replacing(state: State, ask: Ask, record: Record) -> Alternative:
    def after(answer: Answer | None) -> Iterable[State]:
        told = UNSET if answer is None else answer.id
        new_id = state.fresh_phantom() if isinstance(told, Unset) else told
        data = UNSET if answer is None else answer.data
        new = Record(id=new_id, created=ask.now, active=ask.now, owner=record.owner, data=data, wrote="use")
        old = replace(record, replaced_by=new_id)
        if ask.policy.replacement == "moves":
            old = replace(old, phase=GONE, how="moved")
        yield state.having(old, new)
        # Whether it has the timeout that the old one was given is not declared.
        if record.timeout_us is not UNSET:
            yield state.having(old, replace(new, timeout_us=record.timeout_us, unjudged=record.unjudged))

    facets = (fresh_id(state, ask, "lifecycle.use"),)
    return Alternative(kind="ok", facets=facets, after=after, property="lifecycle.use", line=("replacement",))
