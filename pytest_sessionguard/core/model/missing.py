"""What is answered where a session is not there, or as good as not there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from pytest_sessionguard.core.model import blame, room
from pytest_sessionguard.core.model.cases import NOTHING, died, fresh_id, keeping, purged
from pytest_sessionguard.core.model.expecting import Alternative, Facet, same
from pytest_sessionguard.core.model.state import Ask, Record, State
from pytest_sessionguard.core.operations import Answer
from pytest_sessionguard.core.values import UNSET, FrozenMap, Unset

# Operations that make no session even where a missing one is made: they look, or they end.
_NEVER_MAKES: Final = frozenset(
    "exists ttl delete expire is_expired history pop disconnect health checkpoint recover".split()  # noqa: SIM905
)

# Ends of which a manager may still know that the session has expired.
_EXPIRY: Final = frozenset({"swept", "purged", "moved", "expired", "timeout", ""})


def missing(
    state: State, ask: Ask, record: Record | None, *, dead: bool, dropped: bool = False
) -> Iterator[Alternative]:
    """Give the answers of an operation whose session is not there.

    Args:
        dead: it expired, and may be stored still.
        dropped: while it is stored it would be shown, so that it is stored no more.
    """
    verb, policy = ask.verb, ask.policy
    name = blame.absence(record, ask)
    line = ("missing", "expired") if dead else ("missing",)
    left = state
    if record is not None and dead:
        left = state.having(died(record))
    if dead or (record is not None and record.how in _EXPIRY):
        yield Alternative(kind="refused", words=frozenset({"expired"}), after=keeping(left), property=name, line=line)
    if record is not None and dropped:
        left = state.having(purged(record))
    after = keeping(left)
    word = policy.of("missing", verb)
    if word == "error":
        yield Alternative(kind="refused", words=frozenset({"missing"}), after=after, property=name, line=line)
        if not policy.named_for("missing", verb):
            yield Alternative(kind="absent", words=frozenset(), after=after, property=name, line=line)
    elif word in NOTHING:
        yield Alternative(kind="absent", words=frozenset({word}), after=after, property=name, line=line)
    elif verb in _NEVER_MAKES:
        yield Alternative(kind="absent", words=NOTHING, after=after, property=name, line=line)
    else:
        for world in room.worlds_with_room(left, ask):
            yield _making(world, ask, word, name)
        yield from room.refusals(left, ask)


def _making(state: State, ask: Ask, word: str, name: str) -> Alternative:
    """Return the answer of a manager that makes a session where it finds none."""
    operation = ask.event.operation
    first = _first_data(ask)

    def after(answer: Answer | None) -> Iterable[State]:
        told = UNSET if answer is None else answer.id
        session_id = operation.id if word == "creates" else told
        data = answer.data if first is UNSET and answer is not None else first
        made = Record(
            id=state.fresh_phantom() if isinstance(session_id, Unset) else session_id,
            created=ask.now,
            active=ask.now,
            data=data,
            version=UNSET if answer is None else answer.version,
            wrote=ask.verb,
        )
        yield state.having(made)

    if word == "creates":
        facets: tuple[Facet, ...] = (same("id", operation.id, "lifecycle.get"),)
    else:
        other = Facet("id", lambda told: told != operation.id, "another id", "security.fixation")
        facets = (other, fresh_id(state, ask))
    if first is not UNSET:
        facets = (*facets, same("data", first, "data.read-your-writes"))
    return Alternative(kind="ok", facets=facets, after=after, property=name, line=("missing",))


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
