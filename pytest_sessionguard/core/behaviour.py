"""Behaviour coverage: which operations were exercised on which states, and on which side of a deadline.

Pure.  A behaviour is (state x operation), or (operation x side of a deadline).  Which there are follows from what a
target offers and promises; which were exercised, from judged histories.  Only what is certain counts: an answer that
was judged right, on a state that every world the answers allow agrees on.

Other dimensions are rows of `DIMENSIONS`: what there is, and what one judged event exercised.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from pytest_sessionguard.core.history import Entry, Event
from pytest_sessionguard.core.judging import Examination
from pytest_sessionguard.core.linearizability import batches
from pytest_sessionguard.core.model import Record, State
from pytest_sessionguard.core.model.moments import ALIVE, DEAD, Moment
from pytest_sessionguard.core.model.state import EXPIRED, GONE, LIVE, limits, standing
from pytest_sessionguard.core.operations import VERBS, Ok, Refused
from pytest_sessionguard.core.policy import Policy
from pytest_sessionguard.core.values import UNSET

# These frame a case; they are asked of no session and of no store.
FRAMING: Final = frozenset({"start", "stop", "close"})

BEFORE: Final = "before"
AT: Final = "at"
AFTER: Final = "after"
SIDES: Final = (BEFORE, AT, AFTER)

# A side of a deadline is where the deadline decides: at most this far from it.
NEAR_US: Final = 1_000_000

# State -> how a sentence says it of an operation.
SESSION_STATES: Final[Mapping[str, str]] = {
    "unknown": "an id that was never issued",
    "live": "a live session",
    "expired": "an expired session",
    "swept": "a session that was swept away",
    "deleted": "a deleted session",
    "cleared": "a session that was cleared away",
    "evicted": "an evicted session",
    "rotated": "the old id of a rotated session",
}
MANAGER_STATES: Final[Mapping[str, str]] = {
    "empty": "no session",
    "holding": "live sessions",
    "stale": "expired sessions",
    "full": "as many sessions as the limit allows",
}

_SIDE_WORDS: Final = {BEFORE: "just before", AT: "at", AFTER: "just after"}

# How a session that is not stored any more came to its end -> the state that this is.
_ENDS: Final = {
    "deleted": "deleted",
    "popped": "deleted",
    "cleared": "cleared",
    "evicted": "evicted",
    "rotated": "rotated",
    "swept": "swept",
    "purged": "swept",
    "expired": "swept",
    "timeout": "swept",
}

Timed: TypeAlias = tuple[Examination, Event, Moment]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a target offers, as far as behaviours depend on it.

    Shape: `arguments` verb -> the names of what its templates take.
    """

    policy: Policy
    arguments: Mapping[str, frozenset[str]]
    data_type: str = "dict"

    @property
    def verbs(self) -> tuple[str, ...]:
        """The operations, in the order of the catalogue."""
        return tuple(verb for verb in VERBS if verb in self.arguments and verb not in FRAMING)

    @property
    def expires(self) -> bool:
        """Whether a session can expire."""
        policy = self.policy
        return bool(policy.idle_timeout or policy.absolute_timeout or policy.per_session_timeout)


@dataclass(frozen=True, slots=True)
class Dimension:
    """One way in which behaviours are told apart.

    Attributes:
        there_are: gives the names of all behaviours of a target.
        exercised: gives the names of those that one event, judged right, has exercised.
    """

    there_are: Callable[[Claims], Iterator[str]]
    exercised: Callable[[Timed], Iterable[str]]


def universe(claims: Claims) -> tuple[str, ...]:
    """Return the names of all behaviours of a target."""
    return tuple(name for dimension in DIMENSIONS for name in dimension.there_are(claims))


def feed(examination: Examination, entries: Iterable[Entry]) -> tuple[Examination, Mapping[str, int]]:
    """Return the examination after more entries, and how often each behaviour was exercised by them.

    Operations that overlap are judged together and count for nothing here: which state each of them met is not known.
    """
    exercised: Counter[str] = Counter()
    for batch in batches(entries):
        after = examination.feed(batch)
        entry = batch[0]
        if after.legal and len(batch) == 1 and isinstance(entry, Event):
            exercised.update(by_event(examination, entry))
        examination = after
    return examination, exercised


def by_event(examination: Examination, event: Event) -> Iterator[str]:
    """Give the behaviours that one event has exercised; `examination` is what was known before it."""
    if event.operation.verb in FRAMING or not isinstance(event.outcome, (Ok, Refused)):
        return
    timeline = examination.timeline.seen(event.called).seen(event.returned)
    now = timeline.moment(event.called, event.returned)
    for dimension in DIMENSIONS:
        yield from dimension.exercised((examination, event, now))


def words(name: str) -> str:
    """Return a behaviour as a reader says it: "touch of an expired session", "get at the idle timeout"."""
    verb, what, *side = name.split(":")
    if side:
        return f"{verb} {_SIDE_WORDS[side[0]]} the {what} timeout"
    if what in SESSION_STATES:
        return f"{verb} of {SESSION_STATES[what]}"
    return f"{verb} with {MANAGER_STATES[what]}"


# -- state x operation ----------------------------------------------------------------------------------------------


def session_states(claims: Claims) -> tuple[str, ...]:
    """Return the states that a session of the target can be in."""
    policy, verbs = claims.policy, claims.arguments
    can_be = {
        "unknown": True,
        "live": True,
        "expired": claims.expires,
        "swept": claims.expires and "sweep" in verbs,
        "deleted": "delete" in verbs,
        "cleared": "clear" in verbs,
        # Which one is evicted must follow from the policy, or nobody knows whom to ask.
        "evicted": bool(policy.limit) and policy.at_limit in ("evict-oldest", "evict-idle", "evict-soonest"),
        "rotated": "rotate" in verbs and policy.old_id == "dead",
    }
    return tuple(state for state in SESSION_STATES if can_be[state])


def manager_states(claims: Claims) -> tuple[str, ...]:
    """Return the states that the target as a whole can be in."""
    can_be = {"empty": True, "holding": True, "stale": claims.expires, "full": bool(claims.policy.limit)}
    return tuple(state for state in MANAGER_STATES if can_be[state])


def _states(claims: Claims) -> Iterator[str]:
    for verb in claims.verbs:
        if VERBS[verb].addresses != "session":
            yield from (f"{verb}:{state}" for state in manager_states(claims))
        if VERBS[verb].addresses == "session" or (verb == "create" and "id" in claims.arguments[verb]):
            yield from (f"{verb}:{state}" for state in session_states(claims))


def _met(timed: Timed) -> Iterator[str]:
    examination, event, now = timed
    operation, policy = event.operation, examination.model.policy
    if VERBS[operation.verb].addresses != "session":
        worlds = [_of_manager(state, now, policy) for state in examination.states]
        yield from (f"{operation.verb}:{state}" for state in sorted(frozenset.intersection(*worlds)))
    if operation.id is UNSET:
        return
    found = {_of_session(state.find(operation.id), now, policy) for state in examination.states}
    if found == {"expired", "swept"}:
        found = {"expired"}  # A cleaner may have come by; that it had expired is certain.
    (state, *others) = found
    if state and not others:
        yield f"{operation.verb}:{state}"


def _of_session(record: Record | None, now: Moment, policy: Policy) -> str:
    """Return the state of a session, or "" where it is not certain, or none that is told apart."""
    if record is None:
        return "unknown"
    found = standing(record, now, policy)
    if found == ALIVE:
        return "live"
    if found != DEAD or record.doubt:
        return ""
    if record.phase in (LIVE, EXPIRED):
        return "expired"
    return _ENDS.get(record.how, "")


def _of_manager(state: State, now: Moment, policy: Policy) -> frozenset[str]:
    """Return the states that the manager is in."""
    stored = [(record, standing(record, now, policy)) for record in state.records.values() if record.phase != GONE]
    alive = [record for record, found in stored if found == ALIVE]
    told = set()
    if not stored:
        told.add("empty")
    if alive:
        told.add("holding")
    if any(found == DEAD for _, found in stored):
        told.add("stale")
    if policy.limit and alive:
        owners = Counter(record.owner for record in alive) if policy.limit_scope == "owner" else {"": len(alive)}
        if max(owners.values()) >= policy.limit:
            told.add("full")
    return frozenset(told)


# -- operation x side of a deadline ---------------------------------------------------------------------------------


def deadlines(claims: Claims) -> tuple[str, ...]:
    """Return the deadlines that a session of the target can reach first."""
    policy = claims.policy
    idle_us, absolute_us = policy.idle_timeout, policy.absolute_timeout
    if idle_us and absolute_us:
        if absolute_us <= idle_us:
            return ("absolute",)
        return ("idle", "absolute") if renewing(claims) else ("idle",)
    if absolute_us:
        return ("absolute",)
    return ("idle",) if claims.expires else ()


def renewing(claims: Claims) -> str:
    """Return an operation that renews a session and takes nothing but the session, or "" where there is none."""
    verbs = [verb for verb in ("touch", "get", "use") if verb in claims.verbs and verb in claims.policy.activity]
    return verbs[0] if verbs else ""


def near_us(timeout_us: int, granularity_us: int) -> int:
    """Return how far from a deadline a side of it reaches.

    Units: microseconds.
    """
    return max(2 * granularity_us, min(NEAR_US, timeout_us // 2))


def _sides(claims: Claims) -> Iterator[str]:
    sides = [side for side in SIDES if side != AT or not claims.policy.granularity_us]
    for verb in claims.verbs:
        if VERBS[verb].addresses == "session":
            yield from (f"{verb}:{deadline}:{side}" for deadline in deadlines(claims) for side in sides)


def _stood(timed: Timed) -> Iterator[str]:
    examination, event, now = timed
    operation, policy = event.operation, examination.model.policy
    if VERBS[operation.verb].addresses != "session" or operation.id is UNSET or len(now) > 1:
        return
    found = {_side(state.find(operation.id), now, policy) for state in examination.states}
    (side, *others) = found
    if side and not others:
        yield f"{operation.verb}:{side}"


def _side(record: Record | None, now: Moment, policy: Policy) -> str:
    """Return the side of its first deadline that a session is on, near to it, or ""."""
    if record is None or record.unjudged or record.doubt or record.phase == GONE:
        return ""
    if record.how not in ("", "expired"):
        return ""
    spans = []
    for name, since, timeout_us in limits(record, policy):
        if len(since) > 1:
            return ""
        low, high = since[0][0] + timeout_us - now[0][1], since[0][1] + timeout_us - now[0][0]
        spans.append((low, high, name, timeout_us))
    if not spans:
        return ""
    low, high, name, timeout_us = min(spans)
    near, unjudged = near_us(timeout_us, policy.granularity_us), policy.granularity_us
    if unjudged < low and high <= near:
        return f"{name}:{BEFORE}"
    if low == high == 0 and not unjudged:
        return f"{name}:{AT}"
    if high < -unjudged and -low <= near:
        return f"{name}:{AFTER}"
    return ""


DIMENSIONS: Final = (Dimension(_states, _met), Dimension(_sides, _stood))
