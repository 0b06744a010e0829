"""Long histories of a simple object: is there an order of the calls that explains every answer?

Pure.  The object is a `Specification`: a deterministic step from state to state.  The search goes from return to return
and lets other calls take effect only where the call that returns next needs it.

Sources: J. Wing, C. Gong, "Testing and verifying concurrent objects", 1993 (the search); G. Lowe, "Testing for
linearizability", 2017 (orders extended just in time, states remembered).  What is left out beside that is argued where
it is done.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, TypeAlias

Call: TypeAlias = Hashable
"""What was asked together with what was answered, as the specification understands it."""


class _Illegal:
    def __repr__(self) -> str:
        return "ILLEGAL"


ILLEGAL: Final = _Illegal()
"""What `step` gives where the answer cannot be right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Specification:
    """A sequential object.

    Attributes:
        step: the state after a call, or ILLEGAL where it is not answered so from that state.
        looks: whether a call changes nothing, whatever the state; such a call is never worth putting off.
        near: whether a call that is not right in a state may become so by calls that do not feed it.
        feeds: whether a call (the first) may make another right whatever the state was before it.
    """

    name: str
    initial: Hashable
    step: Callable[[Any, Any], Hashable]
    looks: Callable[[Any], bool]
    near: Callable[[Any, Any], bool] = lambda state, call: True
    feeds: Callable[[Any, Any], bool] = lambda call, other: True


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One call of one client, as it was recorded.

    Attributes:
        object: which register or key it is about.
        returned: when it returned, a number of the one sequence that `called` is of; None: nobody saw it return.
    """

    client: Hashable
    object: Hashable
    call: tuple[Any, ...]
    called: int
    returned: int | None


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls of one object in the order in which they were seen.

    Shape: `events` holds `i` where call `i` was made and `~i` where it returned; one that never returned may have taken
        effect at any time after it was made, or never.
    """

    calls: tuple[Call, ...]
    events: tuple[int, ...]
    lost: frozenset[int]
    # Equal calls are of one kind: the kind of each call, and a call of each kind.
    kinds: tuple[int, ...]
    kind_calls: tuple[Call, ...]
    # Where in `events` each call returned.
    ends: dict[int, int]


def calls_of(spans: Iterable[tuple[Call, int, int | None]]) -> Calls:
    """Return calls given as (call, when it was made, when it returned or None), in numbers of one sequence.

    Raises:
        ValueError: a call that returned before it was made, or two that share a number.
    """
    ordered = sorted(spans, key=lambda span: span[1])
    marks: list[tuple[int, int]] = []
    for index, (call, called, returned) in enumerate(ordered):
        marks.append((called, index))
        if returned is not None:
            if returned <= called:
                raise ValueError(f"{call!r} returned (number {returned}) before it was made (number {called})")
            marks.append((returned, ~index))
    marks.sort()
    for (one, _), (other, index) in pairwise(marks):
        if one == other:
            raise ValueError(f"two events share the number {one}: {ordered[max(index, ~index)][0]!r} and another")
    lost = frozenset(index for index, span in enumerate(ordered) if span[2] is None)
    events = tuple(index for _, index in marks)
    ends = {~event: position for position, event in enumerate(events) if event < 0}
    calls = tuple(span[0] for span in ordered)
    numbers: dict[Call, int] = {}
    kinds = tuple(numbers.setdefault(call, len(numbers)) for call in calls)
    return Calls(calls, events, lost, kinds, tuple(numbers), ends)


def by_object(told: Iterable[Told]) -> list[Calls]:
    """Return the calls of each object apart.

    Raises:
        ValueError: as `calls_of` does.
    """
    objects: dict[Hashable, list[tuple[Call, int, int | None]]] = {}
    for one in told:
        objects.setdefault(one.object, []).append((one.call, one.called, one.returned))
    return [calls_of(spans) for spans in objects.values()]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderVerdict:
    """What the search says.

    Attributes:
        verdict: "legal", "illegal" or "undecided".
        explained: how many returns the longest order that was found explains.
        stuck: the first call whose answer no order explains; None unless illegal.
        steps: states that were looked into.
    """

    verdict: str
    explained: int
    stuck: Call | None = None
    steps: int = 0


def explain(calls: Calls, specification: Specification, *, steps_max: int = 10_000_000) -> OrderVerdict:
    """Search for an order of the calls, each between its call and its return, that explains all answers."""
    return _Search(calls, specification).run(steps_max)


def explain_all(parts: Sequence[Calls], specification: Specification, *, steps_max: int = 10_000_000) -> OrderVerdict:
    """Search each part apart, in turns of growing length: one that is quickly illegal ends the search.

    Source: M. Herlihy, J. Wing, "Linearizability", 1990, section 3.3 (a history is linearizable if each object's is).
    """
    searches = [_Search(part, specification) for part in parts]
    share, explained, steps = 500, 0, 0
    while searches:
        left = []
        for search in searches:
            found = search.run(min(share, steps_max))
            if found.verdict == "illegal":
                return found
            if found.verdict == "legal":
                explained += found.explained
                steps += found.steps
            else:
                left.append(search)
        if left and share > steps_max:
            return OrderVerdict(verdict="undecided", explained=explained, steps=steps)
        searches = left
        share *= 4
    return OrderVerdict(verdict="legal", explained=explained, steps=steps)


# What a call that is under way is to the search: its bit, its kind, the bit of an equal lost call that must come before
# it, and whether it was lost.  Lost calls have bits of their own, which are never given back.
_Pending: TypeAlias = tuple[int, int, int, bool]

_Many: TypeAlias = tuple[_Pending, ...]

# A look that is under way: its bit and kind, and where the last call is made that may feed it before it returns.
_Look: TypeAlias = tuple[int, int, int]

_UNKNOWN: Final = -2
_NOT: Final = -1


class _Search:
    """A depth-first search that can be interrupted and taken up again.

    A configuration is (the next return, which pending calls have taken effect, which lost ones, the state).  Calls are
    known by kind (equal calls are one kind) and states by number, so that each step of the specification is taken once.
    """

    def __init__(self, calls: Calls, specification: Specification) -> None:
        self.calls = calls
        self.spec = specification
        self.states: list[Any] = [specification.initial]
        self.numbers: dict[Hashable, int] = {specification.initial: 0}
        self.kind_calls = calls.kind_calls
        kinds = range(len(calls.kind_calls))
        # By kind: state -> the state after it; whether it looks; kind of another -> whether that one feeds it.
        self.follow: list[dict[int, int]] = [{} for _ in kinds]
        self.is_look = [specification.looks(call) for call in calls.kind_calls]
        self.fed_by: list[dict[int, bool]] = [{} for _ in kinds]
        self.near: list[dict[int, bool]] = [{} for _ in kinds]
        # What was read of the history, by return: its bit and kind, looks under way, other calls, itself unless it
        # looks, lost calls, and where it stands.
        self.returns: list[tuple[int, int, tuple[_Look, ...], _Many, _Many, _Many, int]] = []
        self.seen: list[dict[tuple[int, int], list[int]]] = []
        self.stack: list[tuple[int, int, int, int]] = [(0, 0, 0, 0)]
        self.best = 0
        self.steps = 0
        self._position = 0
        self._pending: dict[int, _Pending] = {}
        self._looking: dict[int, _Look] = {}
        self._free: list[int] = []
        self._used = self._lost_used = 0
        self._last_lost: dict[int, int] = {}
        self._lost: tuple[_Pending, ...] = ()

    # -- reading the history, only as far as the search has come: what is wrong early is not read to its end

    def _read_on(self) -> bool:
        """Read events up to the next return; false at the end."""
        events, pending, looking = self.calls.events, self._pending, self._looking
        position, end = self._position, len(self.calls.events)
        while position < end:
            event = events[position]
            position += 1
            if event >= 0:
                self._made(event, position)
                continue
            bit, kind = (looking.pop(~event) if ~event in looking else pending.pop(~event))[:2]
            looks = tuple(looking.values())
            # The others pushed last are tried first: those that were made first.
            rest = tuple(reversed(pending.values()))
            mine = () if self.is_look[kind] else ((bit, kind, 0, False),)
            self.returns.append((bit, kind, looks, rest, mine, self._lost, position))
            self.seen.append({})
            self._free.append(bit)
            self._position = position
            return True
        self._position = position
        return False

    def _made(self, event: int, position: int) -> None:
        kind = self.calls.kinds[event]
        is_lost = event in self.calls.lost
        if is_lost:
            if self.is_look[kind]:
                return  # What it saw was told to nobody.
            bit = 1 << self._lost_used
            self._lost_used += 1
            self._lost = (*self._lost, (bit, kind, self._last_lost.get(kind, 0), True))
            self._last_lost[kind] = bit
            return
        if self._free:
            bit = self._free.pop()
        else:
            bit = 1 << self._used
            self._used += 1
        if self.is_look[kind]:
            self._looking[event] = (bit, kind, self._last_feeder(kind, event, position))
        else:
            self._pending[event] = (bit, kind, 0, False)

    def _last_feeder(self, kind: int, event: int, position: int) -> int:
        """Return where the last call is made that may feed a look, after the look was and before it returns; else 0."""
        look, calls, feeds = self.kind_calls[kind], self.calls, self.spec.feeds
        for at in range(calls.ends[event] - 1, position - 1, -1):
            other = calls.events[at]
            if other >= 0 and not self.is_look[calls.kinds[other]] and feeds(calls.calls[other], look):
                return at
        return 0

    # -- the specification, asked once for each question

    def _after(self, kind: int, state: int) -> int:
        following = self.spec.step(self.states[state], self.kind_calls[kind])
        if following is ILLEGAL:
            number = _NOT
        else:
            found = self.numbers.get(following)
            if found is None:
                found = self.numbers[following] = len(self.states)
                self.states.append(following)
            number = found
        self.follow[kind][state] = number
        return number

    def _may_come(self, kind: int, state: int, rest: tuple[_Pending, ...], done: int, lost: int) -> bool:
        """Say whether a call that is not right now may become so by the calls that are under way."""
        is_near = self.near[kind].get(state)
        if is_near is None:
            is_near = self.near[kind][state] = self.spec.near(self.states[state], self.kind_calls[kind])
        if is_near:
            return True
        fed_by = self.fed_by[kind]
        for bit, other, need, is_lost in rest:
            if (lost if is_lost else done) & bit or (need and not lost & need):
                continue
            feeds = fed_by.get(other)
            if feeds is None:
                feeds = fed_by[other] = self.spec.feeds(self.kind_calls[other], self.kind_calls[kind])
            if feeds:
                return True
        return False

    # -- the search

    def run(self, steps_max: int) -> OrderVerdict:
        """Go on searching for so many steps."""
        stack, returns, seen = self.stack, self.returns, self.seen
        follow, is_look, after = self.follow, self.is_look, self._after
        budget = steps_max
        while stack:
            if not budget:
                self.steps += steps_max
                return OrderVerdict(verdict="undecided", explained=self.best, steps=self.steps)
            at, done, lost, state = stack.pop()
            while True:
                if at == len(returns) and not self._read_on():
                    self.steps += steps_max - budget
                    return OrderVerdict(verdict="legal", explained=at, steps=self.steps)
                bit, kind, looks, rest, mine, losts, position = returns[at]
                if not done & bit:
                    break
                done ^= bit
                at += 1
            # A look that is right where it stands is let happen at once: it changes nothing, so whatever explains the
            # rest with it later explains it with it now.
            hopeless = False
            for other, other_kind, last_feeder in looks:
                if not done & other:
                    number = follow[other_kind].get(state, _UNKNOWN)
                    if number == _UNKNOWN:
                        number = after(other_kind, state)
                    if number != _NOT:
                        done |= other
                    elif last_feeder < position and not self._may_come(
                        other_kind, state, (*mine, *rest, *losts), done, lost
                    ):
                        hopeless = True
                        break
            if hopeless:
                continue
            # Of two ways to one state, the one that used up fewer of the lost calls can do all that the other can.
            key = done, state
            ways = seen[at].get(key)
            if ways is None:
                seen[at][key] = [lost]
            else:
                for way in ways:
                    if way & lost == way:
                        break
                else:
                    ways[:] = [way for way in ways if lost & way != lost]
                    ways.append(lost)
                    ways = None
                if ways is not None:
                    continue
            budget -= 1
            if at > self.best:
                self.best = at
            number = follow[kind].get(state, _UNKNOWN)
            if number == _UNKNOWN:
                number = after(kind, state)
            if number == _NOT:
                # Nothing that is under way could make it right, so nothing will before it returns.
                if not self._may_come(kind, state, (*rest, *losts), done, lost):
                    continue
            elif is_look[kind]:
                stack.append((at + 1, done, lost, state))
                continue
            for other, other_kind, need, _ in losts:
                if lost & other or (need and not lost & need):
                    continue
                following = follow[other_kind].get(state, _UNKNOWN)
                if following == _UNKNOWN:
                    following = after(other_kind, state)
                if following not in (_NOT, state):
                    stack.append((at, done, lost | other, following))
            for other, other_kind, _, _ in rest:
                if done & other:
                    continue
                following = follow[other_kind].get(state, _UNKNOWN)
                if following == _UNKNOWN:
                    following = after(other_kind, state)
                if following != _NOT:
                    stack.append((at, done | other, lost, following))
            if number != _NOT:
                stack.append((at + 1, done, lost, number))
        self.steps += steps_max - budget
        stuck = self.kind_calls[returns[self.best][1]]
        return OrderVerdict(verdict="illegal", explained=self.best, stuck=stuck, steps=self.steps)
