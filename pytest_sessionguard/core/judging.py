"""Judging: a history against the model.

Pure.  `Examination` is a value that grows entry by entry: the states that the answers so far allow and, once an answer
fits none of them, the finding.  Operations that overlap are judged together: some order of them, each between its call
and its answer, must explain all answers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from pytest_sessionguard.core import policy as policies
from pytest_sessionguard.core.closings import Closings, closing
from pytest_sessionguard.core.findings import (
    DATA,
    SCRIBBLE,
    Finding,
    broken_by,
    concurrently,
    is_scribbled,
    told_properties,
)
from pytest_sessionguard.core.history import CRASHES, Entry, Event, History, Note, Stamp, order_of
from pytest_sessionguard.core.linearizability import WORLDS_MAX, batches, deduped, linearize, parts
from pytest_sessionguard.core.model import Alternative, Ask, Model, State, Timeline, timeouts
from pytest_sessionguard.core.model import state as states
from pytest_sessionguard.core.operations import Ok, SessionId
from pytest_sessionguard.core.policy import KEYS
from pytest_sessionguard.core.quick import quick, replace
from pytest_sessionguard.core.undeclared import other_policies
from pytest_sessionguard.core.values import UNSET

__all__ = ["SCRIBBLE", "WORLDS_MAX", "Examination", "Finding", "begin", "is_scribbled", "judge", "with_undeclared"]

_WRITES: Final = frozenset({"update", "save", "put", "append"})


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What is known after some entries of a history.

    Attributes:
        states: the worlds that the answers allow.
        exercised: how often each property was put to the test and stood it.
        undecided: why the history could not be judged to its end, or empty.
        contended: sessions that were written by several at once and not read since.
        closings: what sessions own, and what of it was closed.
    """

    model: Model
    timeline: Timeline
    states: tuple[State, ...]
    finding: Finding | None = None
    exercised: Mapping[str, int] = field(default_factory=dict)
    undecided: str = ""
    contended: frozenset[SessionId] = frozenset()
    closings: Closings = field(default_factory=Closings)

    @property
    def legal(self) -> bool:
        """Whether everything so far is explained."""
        return self.finding is None and not self.undecided

    def feed(self, entries: Iterable[Entry]) -> Examination:
        """Return the examination after more entries: one after the other, or a batch that overlaps."""
        new = entries if isinstance(entries, tuple) else tuple(entries)
        if not new or not self.legal:
            return self
        if len(new) == 1:
            return self._one(new[0])
        after = self
        for batch in batches(new):
            if not after.legal:
                return after
            after = after._one(batch[0]) if len(batch) == 1 else after._overlapping(batch)
        return after

    def left_us(self, session_id: SessionId, at: Stamp) -> int | None:
        """Return the time from `at` to the session's first deadline, or None where it has none or is not known.

        Units: microseconds.
        """
        now = self.timeline.seen(at).moment(at, at)
        for state in self.states:
            record = state.find(session_id)
            if record is not None and record.phase == states.LIVE:
                return states.left_us(record, now, self.model.policy)
        return None

    def finish(self) -> Examination:
        """Return the examination after the end: what should have been closed by now was closed."""
        if not self.legal:
            return self
        left_open = self.closings.never_closed(self.states)
        if left_open is None:
            return self
        name, session_id = left_open
        note = Note(kind="closed", at=self.timeline.last or Stamp(0, 0), order=_AT_THE_END, subject=name, id=session_id)
        return self._found(
            "resources.closed-once", note, (f"{name} closed once",), f"{name} was never closed", ("resource",)
        )

    # -- one entry after the other

    def _one(self, entry: Entry) -> Examination:
        if isinstance(entry, Note):
            return self._noted(entry)
        before = self._reading(entry.called)
        if entry.returned is not entry.called:
            before = before._reading(entry.returned)
        ask = before._ask(entry)
        following: list[State] = []
        first: tuple[State, Alternative] | None = None
        for state in before.states:
            worlds, alternative = self.model.follow(state, ask, entry.outcome)
            following.extend(worlds)
            if first is None and alternative is not None:
                first = state, alternative
        if not following:
            return before._blamed(entry, ask, before.states)
        if len(following) > WORLDS_MAX:
            return replace(
                before, undecided=f"more than {WORLDS_MAX} worlds explain the answers up to {entry.operation}"
            )
        contended = self.contended
        if entry.operation.id in contended and isinstance(entry.outcome, Ok) and entry.outcome.answer.data is not UNSET:
            contended -= {entry.operation.id}
        after = replace(
            before,
            states=tuple(following) if len(following) == 1 else deduped(following),
            exercised=before._proven(entry, ask, first),
            contended=contended,
        )
        return after._with_closings(entry)

    def _reading(self, stamp: Stamp) -> Examination:
        """Return the examination after the clocks showed `stamp`; what had expired before a set-back stays expired."""
        last = self.timeline.last
        if stamp is last or stamp == last:
            return self
        timeline = self.timeline.seen(stamp)
        if timeline.backs == self.timeline.backs or last is None:
            return replace(self, timeline=timeline)
        if timeline.monotonic:  # It has not noticed.
            return replace(self, timeline=timeline, states=tuple(states.tagged(one, "set-back") for one in self.states))
        before = self.timeline.moment(last, last)
        worlds = deduped(self.model.clock_set_back(state, before) for state in self.states)
        return replace(self, timeline=timeline, states=worlds)

    def _ask(self, event: Event, *, others: tuple[Event, ...] = (), about: frozenset[SessionId] | None = None) -> Ask:
        return Ask(
            event=event,
            now=self.timeline.moment(event.called, event.returned),
            policy=self.model.policy,
            operations=self.model.operations,
            overlapped=bool(others),
            in_flight=sum(other.operation.verb == "create" for other in others) if others else 0,
            about=about,
            undisturbed_us=self.timeline.undisturbed_us(event.called),
        )

    def _noted(self, note: Note) -> Examination:
        if note.kind in ("restarted", *CRASHES):
            timeline = self.timeline.restarted(note.at)
            now = timeline.moment(note.at, note.at)
            following = deduped(self.model.restarted(state, now, how=note.kind) for state in self.states)
            return replace(self, timeline=timeline, states=following, closings=Closings())
        if note.kind == "clock":
            # Not a reading: perhaps nobody but the harness has seen what the clock showed just before it was set.
            return replace(self, timeline=self.timeline.about_to_be_set(note.at))
        after = self._reading(note.at)
        name = closing(note)
        if name is None:
            return after
        if name in self.closings.closed:
            again = f"{name} was closed again"
            return after._found(
                "resources.closed-once", note, (f"{name} closed once",), again, ("resource", "close_hook")
            )
        return replace(after, closings=self.closings.noted(name, note))

    def _with_closings(self, event: Event, *, overlaps: bool = False) -> Examination:
        """Return the examination with what the event attached; nothing closed may belong to a living session."""
        closings = self.closings.after(event, self.model, self.states, overlaps=overlaps)
        if not closings.open_cases:
            return self if closings is self.closings else replace(self, closings=closings)
        now = self.timeline.moment(event.returned, event.returned)
        closings, note, name = closings.too_early(event, self.model, self.states, now)
        after = replace(self, closings=closings)
        if note is None:
            return after
        given = f"{name} was closed while its session lives"
        return after._found("resources.closed-once", note, (f"{name} open",), given, ("resource", "close_hook"))

    # -- many at once

    def _overlapping(self, batch: list[Entry]) -> Examination:
        ordered = sorted(batch, key=order_of)
        events = [entry for entry in batch if isinstance(entry, Event)]
        before = self
        for stamp in _stamps(batch):
            before = before._reading(stamp)
        asks = []
        for event in events:
            others = tuple(other for other in events if other is not event and other.overlaps(event))
            asks += [
                before._ask(part, others=others, about=about)
                for part, about in parts(event, others, before.states, events)
            ]
        outcome = linearize(self.model, before.states, asks)
        if isinstance(outcome, str):
            return replace(before, undecided=outcome)
        if outcome and isinstance(outcome[0], Ask):
            ask, worlds = outcome
            assert isinstance(ask, Ask)
            assert isinstance(worlds, tuple)
            whole = next(event for event in events if event.call_order == ask.event.call_order)
            return before._blamed(whole, ask, worlds, concurrent=True)
        after = before._proven_together(events, [state for state in outcome if isinstance(state, State)])
        after = replace(after, closings=after.closings.made_at_once(_made(events)))
        for entry in ordered:
            after = after._noted(entry) if isinstance(entry, Note) else after._with_closings(entry, overlaps=True)
            if not after.legal:
                return after
        return after

    def _proven_together(self, events: list[Event], worlds: list[State]) -> Examination:
        proven = Counter(self.exercised)
        proven.update(("concurrency.linearizable", "concurrency.no-error", "concurrency.deadlock-free"))
        writes = Counter(event.operation.id for event in events if event.operation.verb in _WRITES)
        contended = frozenset(session_id for session_id, times in writes.items() if times > 1)
        if contended:
            proven["concurrency.no-lost-update"] += 1
        creates = sum(event.operation.verb == "create" for event in events)
        limit = self.model.policy.limit
        if creates > 1 and limit is not None:
            stored = max(sum(one.phase != states.GONE for one in world.records.values()) for world in self.states)
            if stored + creates > limit:
                proven["concurrency.limit"] += 1
        return replace(self, states=tuple(worlds), exercised=proven, contended=self.contended | contended)

    # -- what went wrong, and what went right

    def _found(
        self, name: str, entry: Entry, expected: tuple[str, ...], given: str, line: tuple[str, ...] = ()
    ) -> Examination:
        lines = tuple(self.model.policy.line(key) for key in line if key in KEYS)
        finding = Finding(property=name, event=entry, expected=expected, given=given, policy_lines=lines)
        return replace(self, finding=finding)

    def _blamed(self, event: Event, ask: Ask, worlds: tuple[State, ...], *, concurrent: bool = False) -> Examination:
        policy = self.model.policy
        offered = [(state, one) for state in worlds for one in self.model.alternatives(state, ask)]
        expected = tuple(dict.fromkeys(one.describe(event.outcome) for _, one in offered))
        keys = dict.fromkeys(key for _, one in offered for key in one.line if getattr(policy, key, None) is not None)
        name = broken_by(ask.event, ask, offered)
        if concurrent or ask.overlapped:
            name = concurrently(event, name)
        elif event.operation.id in self.contended and name in DATA:
            name = "concurrency.no-lost-update"
        return self._found(name, event, expected, str(event.outcome), tuple(keys))

    def _proven(self, event: Event, ask: Ask, first: tuple[State, Alternative] | None) -> Mapping[str, int]:
        """Count what the answer has put to the test, in the first world that allows it."""
        if first is None:
            return self.exercised
        state, alternative = first
        proven = dict(self.exercised)
        names = ["lifecycle.errors"]
        proved = alternative.proves or alternative.property
        operation = event.operation
        if proved != "lifecycle.errors":
            names.append(proved)
        if proved == "limit.eviction":
            names.append("limit.enforced")
        if operation.verb == "list" and state.records:
            names.append("lifecycle.views-agree")
        if proved != "lifecycle.edge-values" and timeouts.is_declared_edge(operation, self.model.policy):
            names.append("lifecycle.edge-values")
        if operation.verb != "create" and operation.id is not UNSET and state.find(operation.id) is None:
            names.append("security.fixation")
        if isinstance(event.outcome, Ok):
            names.extend(told_properties(alternative, event.outcome.answer, ask, state))
        for name in names:
            proven[name] = proven.get(name, 0) + 1
        return proven


# The number of a note that nothing in the history made: it stands after everything.
_AT_THE_END: Final = 1 << 62


def _made(events: Iterable[Event]) -> Iterator[SessionId]:
    """Give the ids of the sessions that were made, or may have been."""
    for event in events:
        if event.operation.verb != "create":
            continue
        told = event.outcome.answer.id if isinstance(event.outcome, Ok) else UNSET
        for one in (event.operation.id, told):
            if one is not UNSET:
                yield one


def _stamps(batch: list[Entry]) -> list[Stamp]:
    """Return what the clocks showed during a batch, in the order in which it was seen."""
    shown: list[tuple[int, Stamp]] = []
    for entry in batch:
        if isinstance(entry, Event):
            shown += [(entry.call_order, entry.called), (entry.return_order, entry.returned)]
        else:
            shown.append((entry.order, entry.at))
    return [stamp for _, stamp in sorted(shown)]


def begin(model: Model) -> Examination:
    """Return the examination of a history of which nothing is known yet."""
    return Examination(model=model, timeline=model.timeline(), states=(model.initial(),))


def judge(history: History, model: Model) -> Examination:
    """Return the examination of a whole history; a finding names the unwritten policy key that would explain it."""
    after = begin(model).feed(history.entries).finish()
    return with_undeclared(after, history)


def _shows_a_mark(entry: Entry) -> bool:
    """Say whether the answer holds what the harness wrote into a caller's copy."""
    if not isinstance(entry, Event) or not isinstance(entry.outcome, Ok):
        return False
    return is_scribbled(entry.outcome.answer.data) or is_scribbled(entry.outcome.answer.value)


def with_undeclared(examination: Examination, history: History) -> Examination:
    """Return the examination with its finding naming an unwritten key of which another value would explain it."""
    finding = examination.finding
    if finding is None:
        return examination
    if "data" not in examination.model.policy.written and _shows_a_mark(finding.event):
        # A manager that shares its data on purpose says so, and no caller's mark is put into it.
        told = replace(finding, undeclared="data", undeclared_value='data = "live"')
        return replace(examination, finding=told)
    end = order_of(finding.event)
    upto = [entry for entry in history.entries if order_of(entry) <= end]
    model = examination.model
    issued = frozenset(key for state in examination.states for key in state.records)
    explained: Finding | None = None
    for key, value in other_policies(model.policy, finding, model.operations, issued):
        changed = replace(model, policy=policies.with_value(model.policy, key, value))
        again = begin(changed).feed(upto)
        if not (again.finish() if end == _AT_THE_END else again).legal:
            continue
        written = changed.policy.line(key).partition(" (the default)")[0]
        told = replace(finding, undeclared=key, undeclared_value=written)
        if begin(changed).feed(history.entries).finish().legal:
            return replace(examination, finding=told)  # It explains not only this answer, but all that came after.
        explained = explained or told
    return replace(examination, finding=explained or finding)
