"""Judging: a history against the model.

Pure.  `Examination` is a value that grows entry by entry: the states that the answers so far allow and, once an answer
fits none of them, the finding.  Operations that overlap are judged together: some order of them, each between its call
and its answer, must explain all answers.

Source: G. Lowe, "Testing for linearizability", 2017, section 4 (just-in-time linearization): orders are extended only
as far as the next answer makes it necessary.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from pytest_sessionguard.core import policy as policies
from pytest_sessionguard.core.history import Entry, Event, History, Note, Stamp, order_of
from pytest_sessionguard.core.model import Alternative, Ask, Model, State, Timeline
from pytest_sessionguard.core.model import state as states
from pytest_sessionguard.core.model.moments import ALIVE
from pytest_sessionguard.core.operations import Answer, Failed, Ok, Operation, Refused, SessionId, Unknown
from pytest_sessionguard.core.policy import KEYS, Policy
from pytest_sessionguard.core.values import UNSET, FrozenMap, Unset

# More worlds than this at once are not followed: the history is undecided.
WORLDS_MAX: Final = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One answer that no legal order explains.

    Attributes:
        property: what it breaks.
        event: the operation, or the note, that cannot be explained.
        expected: the answers that were allowed.
        given: the one that came.
        policy_lines: the policy keys by which it was judged, as a profile has them.
        undeclared: an unwritten key of which another value would explain the history, with that value as written.
    """

    property: str
    event: Entry
    expected: tuple[str, ...]
    given: str
    policy_lines: tuple[str, ...] = ()
    undeclared: str | None = None
    undeclared_value: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What is known after some entries of a history.

    Attributes:
        states: the worlds that the answers allow.
        exercised: how often each property was put to the test and stood it.
        undecided: why the history could not be judged to its end, or empty.
        contended: sessions that were written by several at once and not read since.
        attached, closed: what sessions own, and what of it was closed.
    """

    model: Model
    timeline: Timeline
    states: tuple[State, ...]
    finding: Finding | None = None
    exercised: Mapping[str, int] = field(default_factory=dict)
    undecided: str = ""
    contended: frozenset[SessionId] = frozenset()
    attached: Mapping[str, SessionId] = field(default_factory=dict)
    closed: Mapping[str, Note] = field(default_factory=dict)

    @property
    def legal(self) -> bool:
        """Whether everything so far is explained."""
        return self.finding is None and not self.undecided

    def feed(self, entries: Iterable[Entry]) -> Examination:
        """Return the examination after more entries: one after the other, or a batch that overlaps."""
        if not self.legal:
            return self
        ordered = sorted(entries, key=order_of)
        after = self
        for batch in _batches(ordered):
            after = after._one(batch[0]) if len(batch) == 1 else after._overlapping(batch)
            if not after.legal:
                return after
        return after

    def left_us(self, session_id: SessionId, at: Stamp) -> int | None:
        """Return the time from `at` to the session's first deadline, or None where it has none or is not known.

        Units: microseconds.
        """
        now = self.timeline.seen(at).moment(at, at)
        for state in self.states:
            record = state.records.get(session_id)
            if record is not None and record.phase == states.LIVE:
                return states.left_us(record, now, self.model.policy)
        return None

    def finish(self) -> Examination:
        """Return the examination after the end: what should have been closed by now was closed."""
        if not self.legal:
            return self
        for name, session_id in self.attached.items():
            if name not in self.closed and all(_was_removed(state, session_id) for state in self.states):
                note = Note(kind="closed", at=self.timeline.last or Stamp(0, 0), order=0, subject=name, id=session_id)
                return self._found(
                    "resources.closed-once", note, (f"{name} closed once",), f"{name} was never closed", ("resource",)
                )
        return self

    # -- one entry after the other

    def _one(self, entry: Entry) -> Examination:
        if isinstance(entry, Note):
            return self._noted(entry)
        timeline = self.timeline.seen(entry.called).seen(entry.returned)
        ask = self._ask(entry, timeline)
        following = _dedupe(world for state in self.states for world in self.model.step(state, ask, entry.outcome))
        if not following:
            return replace(self._blamed(entry, ask, self.states), timeline=timeline)
        if len(following) > WORLDS_MAX:
            return replace(self, undecided=f"more than {WORLDS_MAX} worlds explain the answers up to {entry.operation}")
        proven = self._proven(entry, ask)
        contended = self.contended
        if entry.operation.id in contended and isinstance(entry.outcome, Ok) and entry.outcome.answer.data is not UNSET:
            contended -= {entry.operation.id}
        after = replace(self, timeline=timeline, states=following, exercised=proven, contended=contended)
        return after._with_resources(entry)

    def _ask(self, event: Event, timeline: Timeline, *, overlapped: bool = False, in_flight: int = 0) -> Ask:
        return Ask(
            event=event,
            now=timeline.moment(event.called, event.returned),
            policy=self.model.policy,
            operations=self.model.operations,
            backs=timeline.backs,
            overlapped=overlapped,
            in_flight=in_flight,
        )

    def _noted(self, note: Note) -> Examination:
        timeline = self.timeline.seen(note.at)
        if note.kind == "restarted":
            following = _dedupe(self.model.restarted(state) for state in self.states)
            return replace(self, timeline=timeline, states=following, attached={}, closed={})
        name = _closing(note)
        if name is None:
            return replace(self, timeline=timeline)
        if name in self.closed:
            again = f"{name} was closed again"
            return self._found(
                "resources.closed-once", note, (f"{name} closed once",), again, ("resource", "close_hook")
            )
        return replace(self, timeline=timeline, closed={**self.closed, name: note})

    def _with_resources(self, event: Event) -> Examination:
        """Return the examination with what the event attached; nothing closed may belong to a living session."""
        operation, after = event.operation, self
        done = isinstance(event.outcome, Ok)
        if operation.verb == "attach" and done and isinstance(operation.resource, str):
            after = replace(after, attached={**after.attached, operation.resource: operation.id})
        if operation.verb == "create" and done and self.model.close_hook:
            after = after._hooked(event)
        if not after.closed:
            return after
        now = after.timeline.moment(event.returned, event.returned)
        for name, note in after.closed.items():
            session_id = note.id if note.id is not UNSET else after.attached.get(name, UNSET)
            if note.order < event.call_order and all(
                _is_alive(state, session_id, now, self.model.policy) for state in after.states
            ):
                given = f"{name} was closed while its session lives"
                return after._found("resources.closed-once", note, (f"{name} open",), given, ("resource", "close_hook"))
        return after

    def _hooked(self, event: Event) -> Examination:
        """Expect the close hook once more for a session just made."""
        outcome = event.outcome
        assert isinstance(outcome, Ok)
        made = outcome.answer.id if outcome.answer.id is not UNSET else event.operation.id
        known = any(made in state.records for state in self.states)
        if made is UNSET or not known:
            return self
        name = f"close hook of {made!r}"
        closed = {key: note for key, note in self.closed.items() if key != name}
        return replace(self, attached={**self.attached, name: made}, closed=closed)

    # -- many at once

    def _overlapping(self, batch: list[Entry]) -> Examination:
        events = [entry for entry in batch if isinstance(entry, Event)]
        timeline = self.timeline
        for entry in sorted(batch, key=order_of):
            timeline = (
                timeline.seen(entry.called).seen(entry.returned)
                if isinstance(entry, Event)
                else timeline.seen(entry.at)
            )
        creates = [event for event in events if event.operation.verb == "create"]
        asks = []
        for event in self._parts(events):
            others = [other for other in events if other is not event and other.overlaps(event)]
            in_flight = sum(1 for other in creates if other in others)
            asks.append(self._ask(event, timeline, overlapped=bool(others), in_flight=in_flight))
        outcome = _linearize(self.model, self.states, asks)
        after = self
        if isinstance(outcome, str):
            return replace(self, timeline=timeline, undecided=outcome)
        if isinstance(outcome, tuple) and outcome and isinstance(outcome[0], Ask):
            ask, worlds = outcome[0], outcome[1]
            return replace(self._blamed(ask.event, ask, worlds, concurrent=True), timeline=timeline)
        proven = Counter(self.exercised)
        proven["concurrency.linearizable"] += 1
        writes = Counter(event.operation.id for event in events if event.operation.verb in _WRITES)
        contended = frozenset(session_id for session_id, times in writes.items() if times > 1)
        if contended:
            proven["concurrency.no-lost-update"] += 1
        if len(creates) > 1 and self.model.policy.limit is not None:
            proven["concurrency.limit"] += 1
        proven["concurrency.no-error"] += 1
        after = replace(self, timeline=timeline, states=outcome, exercised=proven, contended=self.contended | contended)
        for entry in sorted(batch, key=order_of):
            after = after._noted(entry) if isinstance(entry, Note) else after._with_resources(entry)
            if not after.legal:
                return after
        return after

    def _parts(self, events: list[Event]) -> Iterator[Event]:
        """Give the events, each view of all taken apart into one for each session.

        List, sweep, clear and close are judged session by session, not as one atomic step; a count or metrics that
        overlaps others is the sum of many instants, and is not judged.
        """
        known = {session_id for state in self.states for session_id in state.records}
        for event in events:
            if isinstance(event.outcome, Ok):
                known.update(_told_ids(event.outcome.answer))
            if not isinstance(event.operation.id, Unset):
                known.add(event.operation.id)
        for event in events:
            verb = event.operation.verb
            alone = not any(other is not event and other.overlaps(event) for other in events)
            if alone or verb not in _WHOLE or not isinstance(event.outcome, Ok):
                yield event
            elif verb in ("list", "sweep", "clear"):
                for session_id in known:
                    yield _part(event, event.outcome.answer, session_id)

    # -- what went wrong

    def _found(
        self, name: str, entry: Entry, expected: tuple[str, ...], given: str, line: tuple[str, ...] = ()
    ) -> Examination:
        lines = tuple(self.model.policy.line(key) for key in line if key in KEYS)
        finding = Finding(property=name, event=entry, expected=expected, given=given, policy_lines=lines)
        return replace(self, finding=finding)

    def _blamed(self, event: Event, ask: Ask, worlds: tuple[State, ...], *, concurrent: bool = False) -> Examination:
        offered = [(state, one) for state in worlds for one in self.model.alternatives(state, ask)]
        expected = tuple(dict.fromkeys(one.describe(event.outcome) for _, one in offered))
        lines = tuple(dict.fromkeys(key for _, one in offered for key in one.line if _is_set(self.model.policy, key)))
        name = _broken(event, ask, offered)
        if concurrent or ask.overlapped:
            name = _concurrent_name(event, name)
        elif event.operation.id in self.contended and name in _DATA:
            name = "concurrency.no-lost-update"
        return self._found(name, event, expected, str(event.outcome), lines)

    def _proven(self, event: Event, ask: Ask) -> Mapping[str, int]:
        """Count what the answer has put to the test, in the first world that allows it."""
        proven = Counter(self.exercised)
        for state in self.states:
            for alternative in self.model.alternatives(state, ask):
                if alternative.fits(event.outcome):
                    proven[alternative.proves or alternative.property] += 1
                    if isinstance(event.outcome, Ok):
                        proven.update(_told_properties(alternative, event.outcome.answer, ask, state))
                    return proven
        return proven


_CONCURRENT_KEYS: Final = frozenset({"concurrent_updates", "limit_in_flight"})
_DATA: Final = frozenset({"data.merge", "data.read-your-writes"})
_WRITES: Final = frozenset({"update", "save", "put", "append"})
_WHOLE: Final = frozenset({"list", "sweep", "clear", "count", "metrics"})


def begin(model: Model) -> Examination:
    """Return the examination of a history of which nothing is known yet."""
    return Examination(model=model, timeline=model.timeline(), states=(model.initial(),))


def judge(history: History, model: Model) -> Examination:
    """Return the examination of a whole history; a finding names the unwritten policy key that would explain it."""
    after = begin(model).feed(history.entries).finish()
    return with_undeclared(after, history)


def with_undeclared(examination: Examination, history: History) -> Examination:
    """Return the examination with its finding naming an unwritten key of which another value would explain it."""
    finding = examination.finding
    if finding is None:
        return examination
    upto = History(tuple(entry for entry in history.entries if order_of(entry) <= order_of(finding.event)))
    if order_of(finding.event) == 0:
        upto = history
    model = examination.model
    for key, value in _other_policies(model.policy, finding, examination):
        changed = replace(model, policy=policies.with_value(model.policy, key, value))
        if begin(changed).feed(upto.entries).legal:
            written = changed.policy.line(key).partition(" (the default)")[0]
            told = replace(finding, undeclared=key, undeclared_value=written)
            return replace(examination, finding=told)
    return examination


def _other_policies(policy: Policy, finding: Finding, examination: Examination) -> Iterator[tuple[str, Any]]:
    """Give other values of unwritten keys, those by which the answer was judged first."""
    judged = [line.partition(" ")[0] for line in finding.policy_lines]
    verb = finding.event.operation.verb if isinstance(finding.event, Event) else ""
    concurrent = finding.property.startswith("concurrency.")
    first = ("at_timeout", "activity") if finding.property.startswith("expiry.") else ()
    for key in sorted(KEYS, key=lambda name: (name not in first, name not in judged)):
        if key in policy.written or (concurrent and key not in _CONCURRENT_KEYS):
            continue
        if key == "activity":
            for one in sorted(examination.model.operations):
                rest = tuple(item for item in policy.activity if item != one)
                yield "activity", rest if one in policy.activity else (*policy.activity, one)
        for value in policies.other_values(policy, key):
            if value == "marked" and policy.expired_status is None:
                continue
            if KEYS[key].by_verb and verb:
                yield key, FrozenMap({verb: value})
            yield key, value
    if "limit" not in policy.written and isinstance(finding.event, Event):
        outcome = finding.event.outcome
        if isinstance(outcome, Refused) and "limit" in outcome.kinds:
            yield "limit", max((len(state.records) for state in examination.states), default=0)


# -- the search for an order ------------------------------------------------------------------------------------------


def _linearize(
    model: Model, worlds: tuple[State, ...], asks: list[Ask]
) -> tuple[State, ...] | tuple[Ask, tuple[State, ...]] | str:
    """Return the states after some order of the operations; else the one that fits nowhere; else why undecided.

    A configuration is a state and the set of pending operations that have taken effect, as the bits of an int.
    """
    configurations: dict[tuple[int, State], None] = {(0, state): None for state in worlds}
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
            return asks[index], _dedupe(state for _, state in configurations)
        pending.remove(index)
        bit = 1 << index
        configurations = {(done & ~bit, state): None for done, state in grown}
    return _dedupe(state for _, state in configurations)


def _extended(
    model: Model, configurations: dict[tuple[int, State], None], asks: list[Ask], pending: list[int], index: int
) -> dict[tuple[int, State], None] | str:
    """Return the configurations in which operation `index` has taken effect, after any of the pending ones."""
    bit = 1 << index
    found: dict[tuple[int, State], None] = {}
    seen = dict(configurations)
    frontier = list(configurations)
    while frontier:
        done, state = frontier.pop()
        if done & bit:
            found[done, state] = None
            continue
        for other in pending:
            if done & (1 << other):
                continue
            for world in model.step(state, asks[other], asks[other].event.outcome):
                configuration = (done | (1 << other), world)
                if configuration not in seen:
                    seen[configuration] = None
                    frontier.append(configuration)
        if len(seen) > WORLDS_MAX:
            return f"more than {WORLDS_MAX} orders of {len(asks)} operations at once"
    return found


# -- small pieces ----------------------------------------------------------------------------------------------------


def _batches(entries: list[Entry]) -> Iterator[list[Entry]]:
    """Give the entries in groups that overlap; notes go with the group that they fall into."""
    batch: list[Entry] = []
    reach = -1
    for entry in sorted(entries, key=lambda one: one.call_order if isinstance(one, Event) else one.order):
        start = entry.call_order if isinstance(entry, Event) else entry.order
        if batch and start > reach:
            yield from _settled(batch)
            batch = []
        batch.append(entry)
        reach = max(reach, order_of(entry))
    if batch:
        yield from _settled(batch)


def _settled(batch: list[Entry]) -> Iterator[list[Entry]]:
    """Give one group as it is judged: a single operation and the notes made during it come one after the other."""
    events = [entry for entry in batch if isinstance(entry, Event)]
    if len(events) > 1:
        yield batch
        return
    for entry in sorted(batch, key=order_of):
        yield [entry]


def _dedupe(worlds: Iterable[State]) -> tuple[State, ...]:
    return tuple(dict.fromkeys(worlds))


def _told_ids(answer: Answer) -> set[SessionId]:
    found: set[SessionId] = set()
    if not isinstance(answer.ids, Unset):
        found.update(answer.ids)
    if not isinstance(answer.id, Unset):
        found.add(answer.id)
    return found


def _part(event: Event, answer: Answer, session_id: SessionId) -> Event:
    """Return the part of a view of all that is about one session."""
    operation: Operation = replace(event.operation, id=session_id)
    told = answer.ids
    ids: Any = UNSET
    if not isinstance(told, Unset):
        ids = tuple(one for one in told if one == session_id)
    return replace(event, operation=operation, outcome=Ok(Answer(ids=ids)))


def _closing(note: Note) -> str | None:
    """Return what was closed, by the name under which it is counted, or None for any other note."""
    if note.kind == "closed":
        return note.subject
    if note.kind == "hook" and note.subject == "close" and note.id is not UNSET:
        return f"close hook of {note.id!r}"
    return None


def _was_removed(state: State, session_id: SessionId) -> bool:
    record = state.records.get(session_id)
    if record is None or record.phase != states.GONE:
        return False
    return record.how in {"deleted", "popped", "cleared", "evicted", "swept"} or "removed" in record.since


def _is_alive(state: State, session_id: Any, now: Any, policy: Policy) -> bool:
    record = state.records.get(session_id)
    return record is not None and record.phase == states.LIVE and states.standing(record, now, policy) == ALIVE


def _is_set(policy: Policy, key: str) -> bool:
    return key in KEYS and getattr(policy, key) is not None


def _broken(event: Event, ask: Ask, offered: list[tuple[State, Alternative]]) -> str:
    """Name the property: of the wrong facet where the answer was nearly right, else of the answer that did not come."""
    outcome = event.outcome
    if isinstance(outcome, Failed):
        named = {one.property for _, one in offered} & {"sweep.survives-errors"}
        return named.pop() if named else "lifecycle.errors"
    if isinstance(outcome, Unknown) or not offered:
        return "resources.stop-in-time" if ask.verb in ("stop", "close") else "lifecycle.errors"
    if isinstance(outcome, Ok):
        for state, one in offered:
            wrong = one.wrong(outcome.answer) if one.kind == "ok" else None
            if wrong is not None:
                return _leaked(wrong.property, outcome.answer, state, event) if wrong.name == "data" else wrong.property
    for _, one in offered:
        if one.kind == "ok":
            return one.property
    return offered[0][1].property


def _leaked(name: str, answer: Answer, state: State, event: Event) -> str:
    """Tell data that is merely wrong from data that belongs to another session or to a caller."""
    told = answer.data
    if not isinstance(told, FrozenMap):
        return name
    if SCRIBBLE in told:
        return "data.isolation"
    session_id = event.operation.id
    own = state.records.get(session_id)
    expected = own.data if own is not None and isinstance(own.data, FrozenMap) else FrozenMap({})
    strange = {item for item in told.items() if item not in set(expected.items())}
    for record in state.records.values():
        if record is own or not isinstance(record.data, FrozenMap):
            continue
        if strange and strange <= set(record.data.items()):
            kept = set(told.items()) & set(expected.items())
            return "data.isolation" if kept or not expected else "security.cross-session"
    return name


# The key that the harness writes into data that it has handed over or been given, to see whether it is shared.
SCRIBBLE: Final = "sessionguard-scribble"


def _concurrent_name(event: Event, name: str) -> str:
    """Name the property that is broken where only the overlap can explain it."""
    if name in _DATA:
        return "concurrency.no-lost-update"
    if name.startswith("limit."):
        return "concurrency.limit"
    if isinstance(event.outcome, Failed):
        return "concurrency.no-error"
    return "concurrency.linearizable"


def _told_properties(alternative: Alternative, answer: Answer, ask: Ask, state: State) -> Iterator[str]:
    """Give the properties that the told facets of a right answer have put to the test."""
    for facet in alternative.facets:
        if facet.name in ("found", "flag"):
            continue
        if getattr(answer, facet.name) is not UNSET and facet.property != alternative.property:
            yield facet.property
    others = [
        record for record in state.records.values() if record.data is not UNSET and record.id != ask.event.operation.id
    ]
    if answer.data is not UNSET and others:
        yield "data.isolation"
