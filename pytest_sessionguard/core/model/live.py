"""Rules of the operations on one session, where that session lives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from pytest_sessionguard.core.model import blame, timeouts, writing
from pytest_sessionguard.core.model.cases import (
    bound,
    facets_of,
    fresh_id,
    keeping,
    own_id,
    plain,
    seen,
    timeout_line,
    unversioned,
)
from pytest_sessionguard.core.model.expecting import Alternative, Facet, same
from pytest_sessionguard.core.model.state import EXPIRED, GONE, Ask, Record, State, left_between_us
from pytest_sessionguard.core.operations import Answer
from pytest_sessionguard.core.quick import replace
from pytest_sessionguard.core.values import UNSET, Unset

_SECOND_US: Final = 1_000_000


def read(state: State, ask: Ask, record: Record) -> Iterator[Alternative]:
    """Look at a session, whatever is told of it."""
    yield plain(state, ask, record, lambda known: seen(known, ask))


def _ttl(state: State, ask: Ask, record: Record) -> Iterator[Alternative]:
    name = blame.presence(record, ask)
    left = left_between_us(record, ask.now, ask.policy)
    slack_us = ask.policy.granularity_us + 1

    def right(told: Any) -> bool:
        if record.unjudged:
            return True
        if left is None or told is None:
            return left is None and told is None
        whole_us = _SECOND_US - 1 if told % _SECOND_US == 0 else 0  # Told in whole seconds, rounded either way.
        return bool(left[0] - slack_us - whole_us <= told <= left[1] + slack_us + whole_us)

    says = "no end" if left is None else f"{left[1] / _SECOND_US:g} s"
    facet = Facet("seconds_us", right, says, "lifecycle.views-agree")
    after = keeping(state.having(seen(record, ask)))
    facets = (facet, *facets_of(record, ask, name))
    yield Alternative(kind="ok", facets=facets, after=after, property=name, line=timeout_line(ask.policy))
    if left is None or record.unjudged:
        words = frozenset({"none"})
        yield Alternative(kind="absent", words=words, after=after, property=name, line=("idle_timeout",))


def _touch(state: State, ask: Ask, record: Record) -> Iterator[Alternative]:
    operation, policy = ask.event.operation, ask.policy
    if timeouts.may_be_refused(operation, policy):
        yield Alternative(
            kind="refused",
            words=frozenset({"invalid"}),
            after=keeping(state),
            property="lifecycle.edge-values",
            line=("zero_timeout", "none_timeout"),
        )
    if not timeouts.must_be_refused(operation, policy):
        yield plain(state, ask, record, lambda known: timeouts.given(unversioned(seen(known, ask), ask), ask))
        if timeouts.may_begin_anew(operation, policy):
            yield plain(state, ask, record, lambda known: timeouts.anew(unversioned(seen(known, ask), ask), ask))


def _pop(state: State, ask: Ask, record: Record) -> Iterator[Alternative]:
    if ask.event.operation.key is not UNSET:
        yield from writing.pop_key(state, ask, record)
    else:
        yield _ending(state, ask, record, "popped")


def _delete(state: State, ask: Ask, record: Record) -> Iterator[Alternative]:
    yield _ending(state, ask, record, "deleted")


def _ending(state: State, ask: Ask, record: Record, how: str) -> Alternative:
    """Return the ok of an operation that ends the session."""
    name = blame.presence(record, ask)
    return Alternative(
        kind="ok",
        facets=facets_of(record, ask, name),
        after=keeping(state.having(replace(record, phase=GONE, how=how))),
        property=name,
        line=timeout_line(ask.policy),
    )


def _expire(state: State, ask: Ask, record: Record) -> Iterator[Alternative]:
    asked = ask.event.operation.timeout_us

    def make(known: Record) -> Record:
        if isinstance(asked, Unset) or asked == 0:
            return replace(known, phase=EXPIRED, how="expired")
        counted = ask.now if ask.policy.idle_timeout is None else known.anew
        changed = replace(known, timeout_us=asked, active=ask.now, anew=counted, by_hand=True, since=frozenset())
        return replace(changed, unjudged=asked is None or asked < 0)

    yield plain(state, ask, record, make)


def _use(state: State, ask: Ask, record: Record) -> Iterator[Alternative]:
    one = plain(state, ask, record, lambda known: unversioned(seen(known, ask), ask))
    others = tuple(facet for facet in one.facets if facet.name != "id")
    yield replace(one, facets=(own_id(record, "lifecycle.use"), *others))


def _rotate(state: State, ask: Ask, record: Record) -> Iterator[Alternative]:
    def after(answer: Answer | None) -> Iterable[State]:
        told = UNSET if answer is None else answer.id
        new_id = state.fresh_phantom() if isinstance(told, Unset) else told
        active = seen(record, ask).active
        yield renamed_to(replace(record, id=new_id, version=UNSET, active=active), answer)

    def renamed_to(new: Record, answer: Answer | None) -> State:
        return writing.renamed(state, ask, record, bound(new, answer))

    name = blame.presence(record, ask)
    facets: tuple[Facet, ...] = (
        fresh_id(state, ask, "security.rotation"),
        Facet("found", bool, "true", "security.rotation"),
    )
    if record.data is not UNSET and not record.loose:
        facets += (same("data", record.data, "security.rotation"),)
    yield Alternative(kind="ok", facets=facets, after=after, property=name, line=timeout_line(ask.policy))


def _marking(tag: str) -> Callable[[State, Ask, Record], Iterator[Alternative]]:
    def rule(state: State, ask: Ask, record: Record) -> Iterator[Alternative]:
        def make(known: Record) -> Record:
            return replace(unversioned(seen(known, ask), ask), since=frozenset({tag}))

        yield plain(state, ask, record, make)

    return rule


def _attach(state: State, ask: Ask, record: Record) -> Iterator[Alternative]:
    operation = ask.event.operation
    name = operation.resource if isinstance(operation.resource, str) else "resource"

    def make(known: Record) -> Record:
        faulty = known.faulty or operation.fails is True
        return replace(seen(known, ask), resources=(*known.resources, name), faulty=faulty)

    yield plain(state, ask, record, make)


def _is_expired(state: State, ask: Ask, record: Record) -> Iterator[Alternative]:
    name = blame.presence(record, ask)
    facets = tuple(Facet(word, lambda told: not told, "false", name) for word in ("flag", "found"))
    after = keeping(state.having(seen(record, ask)))
    yield Alternative(kind="ok", facets=facets, after=after, property=name, line=timeout_line(ask.policy))


def _history(state: State, ask: Ask, record: Record) -> Iterator[Alternative]:
    most, asked = ask.policy.history_limit, ask.event.operation.n
    name = "data.history-bounded"

    def bounded(told: Any) -> bool:
        if most is not None and len(told) > most:
            return False
        if not isinstance(asked, Unset) and 0 <= asked < len(told):
            return False
        return _in_one_order(told)

    says = "versions in one order" + ("" if most is None else f", {most} at most")
    facets: tuple[Facet, ...] = (Facet("versions", bounded, says, name),)
    if most is not None:
        facets += (Facet("count", lambda told: told <= most, f"{most} at most", name),)
    after = keeping(state.having(seen(record, ask)))
    yield Alternative(kind="ok", facets=facets, after=after, property=name, line=("history_limit",))


def _in_one_order(told: Any) -> bool:
    """Say whether versions, where they are numbers, are all rising or all falling."""
    numbers = [item for item in told if isinstance(item, int)]
    rising = sorted(set(numbers))
    return len(numbers) != len(told) or numbers in (rising, rising[::-1])


Rule = Callable[[State, Ask, Record], Iterator[Alternative]]

RULES: Final[dict[str, Rule]] = {
    "get": read,
    "exists": read,
    "ttl": _ttl,
    "touch": _touch,
    "update": writing.update,
    "save": writing.save,
    "put": writing.put,
    "append": writing.append,
    "pop": _pop,
    "delete": _delete,
    "expire": _expire,
    "use": _use,
    "rotate": _rotate,
    "disconnect": _marking("disconnected"),
    "resume": _marking("resumed"),
    "attach": _attach,
    "history": _history,
    "is_expired": _is_expired,
    "health": read,
    "checkpoint": read,
    "recover": read,
}
