"""Rules of the operations that work on one session: which rule applies to what the session may be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pytest_sessionguard.core.model import blame, live
from pytest_sessionguard.core.model.cases import NOTHING, cases, keeping
from pytest_sessionguard.core.model.dead import on_dead, use_of_dead
from pytest_sessionguard.core.model.expecting import Alternative
from pytest_sessionguard.core.model.missing import missing
from pytest_sessionguard.core.model.state import Ask, Record, State

# Ends after which `use` may still know whom to replace.
_REPLACEABLE: Final = frozenset({"swept", "purged", "moved", "expired", "timeout", ""})


def on_session(state: State, ask: Ask) -> Iterator[Alternative]:
    """Give every answer that an operation on one session may get."""
    for case, world, record in cases(state, ask, ask.event.operation.id):
        if case == "alive" and record is not None:
            yield from live.RULES[ask.verb](world, ask, record)
        elif case == "dead" and record is not None:
            yield from on_dead(world, ask, record)
        else:
            yield from _on_none(world, ask, record)


def _on_none(state: State, ask: Ask, record: Record | None) -> Iterator[Alternative]:
    if ask.verb == "is_expired":
        yield Alternative(kind="ok", after=keeping(state), property="lifecycle.get", line=("missing",))
    if ask.verb == "use" and record is not None and record.how in _REPLACEABLE:
        yield from use_of_dead(state, ask, record)
    if ask.verb in {"history", "health", "checkpoint", "recover"}:
        name = blame.own(ask.verb)
        yield Alternative(kind="absent", words=NOTHING, after=keeping(state), property=name, line=("missing",))
    yield from missing(state, ask, record, dead=False)
