"""Operations at the same time: the search for an order that explains all answers.

Pure.  Source: G. Lowe, "Testing for linearizability", 2017, section 4 (just-in-time linearization): orders are extended
only as far as the next answer makes it necessary.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, TypeAlias

from pytest_sessionguard.core.history import Entry, Event, order_of
from pytest_sessionguard.core.model import Ask, Model, State
from pytest_sessionguard.core.operations import Answer, Ok, Refused, SessionId, Unknown
from pytest_sessionguard.core.quick import replace
from pytest_sessionguard.core.values import UNSET, Unset

# More worlds than this at once are not followed: the history is undecided.
WORLDS_MAX: Final = 20_000

# Which of the pending operations have taken effect, as the bits of an int, and the world after them.
Configuration: TypeAlias = tuple[int, State]

_BY_SESSION: Final = frozenset({"list", "sweep", "clear", "close"})
_UNJUDGED: Final = frozenset({"count", "metrics"})

# Operations that make nothing of what they find.
LOOKS: Final = frozenset({"get", "exists", "ttl", "is_expired", "history", "list", "count", "metrics", "health"})


def linearize(
    model: Model, worlds: tuple[State, ...], asks: Sequence[Ask]
) -> tuple[State, ...] | tuple[Ask, tuple[State, ...]] | str:
    """Return the states after some order of the operations; else the one that fits nowhere; else why undecided."""
    configurations: dict[Configuration, None] = {(0, state): None for state in worlds}
    points = sorted(
        [(ask.event.call_order, False, index) for index, ask in enumerate(asks)]
        + [(ask.event.return_order, True, index) for index, ask in enumerate(asks)]
    )
    pending: list[int] = []
    for _, returns, index in points:
        if not returns:
            pending.append(index)
            continue
        grown = _extended(model, configurations, asks, pending, index)
        if isinstance(grown, str):
            return grown
        if not grown:
            return asks[index], deduped(state for _, state in configurations)
        pending.remove(index)
        bit = 1 << index
        configurations = {(done & ~bit, state): None for done, state in grown}
    return deduped(state for _, state in configurations)


def _extended(
    model: Model, configurations: dict[Configuration, None], asks: Sequence[Ask], pending: list[int], index: int
) -> dict[Configuration, None] | str:
    """Return the configurations in which operation `index` has taken effect, after any of the pending ones.

    A look that is right where it stands and changes nothing is let take effect at once: whatever order explains the
    answers with it later, explains them with it now.  Of what writes or ends that is not true: later it may find more.
    """
    bit = 1 << index
    found: dict[Configuration, None] = {}
    seen = dict(configurations)
    frontier = list(configurations)
    while frontier:
        done, state = frontier.pop()
        if done & bit:
            found[done, state] = None
            continue
        changes: list[tuple[int, State]] = []
        for other in pending:
            if done & (1 << other):
                continue
            following = model.step(state, asks[other], asks[other].event.outcome)
            if len(following) == 1 and _only_looks(asks[other]) and _changes_nothing(state, following[0]):
                done |= 1 << other
                state = following[0]
            else:
                changes.extend((1 << other, world) for world in following)
        if done & bit:
            found[done, state] = None
            continue
        for one, world in changes:
            configuration = (done | one, world)
            if configuration not in seen:
                seen[configuration] = None
                frontier.append(configuration)
        if len(seen) > WORLDS_MAX:
            return f"more than {WORLDS_MAX} orders of {len(asks)} operations at once"
    return found


def _only_looks(ask: Ask) -> bool:
    """Say whether the operation, answered as it was, can have changed nothing wherever it stands."""
    if isinstance(ask.event.outcome, Refused):
        return ask.verb not in ask.policy.refused_activity
    makes = ask.policy.of("missing", ask.verb) in ("creates", "new-id")
    return ask.verb in LOOKS and not makes and not ask.policy.renews(ask.verb)


def _changes_nothing(before: State, after: State) -> bool:
    return (
        before.running == after.running
        and before.closed == after.closed
        and (before.records is after.records or before.records == after.records)
    )


def deduped(worlds: Iterable[State]) -> tuple[State, ...]:
    """Return the worlds, each once."""
    return tuple(dict.fromkeys(worlds))


# -- who overlaps whom -----------------------------------------------------------------------------------------------


def batches(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Give the entries in groups that overlap; notes go with the group that they fall into."""
    batch: list[Entry] = []
    reach = -1
    for entry in sorted(entries, key=lambda one: one.call_order if isinstance(one, Event) else one.order):
        start = entry.call_order if isinstance(entry, Event) else entry.order
        if batch and start > reach:
            yield from _settled(_certain(batch))
            batch = []
        batch.append(entry)
        reach = max(reach, order_of(entry))
    if batch:
        yield from _settled(_certain(batch))


def _certain(batch: list[Entry]) -> list[Entry]:
    """Return a group without the closings during a create that was cut off: nobody can tell whose they were.

    They may have been of the session that had the id before, or of the one that was made and unmade again.
    """
    cut = {
        entry.operation.id
        for entry in batch
        if isinstance(entry, Event) and isinstance(entry.outcome, Unknown) and entry.operation.verb == "create"
    }
    if not cut:
        return batch
    return [entry for entry in batch if isinstance(entry, Event) or entry.kind != "hook" or entry.id not in cut]


def _settled(batch: list[Entry]) -> Iterator[list[Entry]]:
    """Give one group as it is judged: a single operation and the notes made during it come one after the other."""
    if sum(isinstance(entry, Event) for entry in batch) > 1:
        yield batch
        return
    for entry in sorted(batch, key=order_of):
        yield [entry]


# -- a view of all, taken apart ---------------------------------------------------------------------------------------


def parts(
    event: Event, others: Sequence[Event], worlds: tuple[State, ...], batch: Iterable[Event] = ()
) -> Iterator[tuple[Event, Any]]:
    """Give the event as it is judged beside the others: whole, or apart, each part with the sessions it is about.

    List, sweep, clear and close are judged session by session, not as one atomic step; a count or metrics that overlap
    others are the sum of many instants, and are not judged.
    """
    verb, outcome = event.operation.verb, event.outcome
    if not others or not isinstance(outcome, (Ok, Unknown)):
        yield event, None
        return
    if verb in _UNJUDGED:
        return
    if verb not in _BY_SESSION:
        yield event, None
        return
    if verb == "close":
        yield event, frozenset()  # It closes the manager; its sessions end apart.
    known: dict[SessionId, None] = {key: None for state in worlds for key in state.records}
    known.update(
        (key, None) for one in batch for key in _named(one)
    )  # Some are made in the batch, and no more under way.
    named: dict[SessionId, None] = {key: None for one in (event, *others) for key in _named(one)}
    if verb == "list" or any(one.operation.verb in _BY_SESSION for one in others):
        alone, rest = {**known, **named}, frozenset[SessionId]()
    else:
        alone, rest = named, frozenset(key for key in known if key not in named)
    for key in alone:
        yield _part(event, key), frozenset({key})
    if rest:
        yield _part(event, UNSET), rest


def _named(event: Event) -> Iterator[SessionId]:
    """Give the ids that an operation and its answer speak of."""
    if not isinstance(event.operation.id, Unset):
        yield event.operation.id
    if isinstance(event.outcome, Ok):
        answer = event.outcome.answer
        if not isinstance(answer.id, Unset):
            yield answer.id
        if not isinstance(answer.ids, Unset):
            yield from answer.ids


def _part(event: Event, session_id: SessionId | Unset) -> Event:
    """Return the part of an event that is about one session, or about those that nobody else speaks of."""
    if not isinstance(event.outcome, Ok):
        return event
    told = event.outcome.answer.ids
    ids: Any = UNSET if isinstance(told, Unset) else tuple(one for one in told if one == session_id)
    return replace(event, outcome=Ok(Answer(ids=ids)))
