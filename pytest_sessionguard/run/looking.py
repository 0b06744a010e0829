"""Looking at a manager: which operation tells what a story expects, and what its answer says.

Pure.  The operation that disturbs least is chosen: one that is no activity before one that renews.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pytest_sessionguard.core import durations
from pytest_sessionguard.core.history import Event, Stamp
from pytest_sessionguard.core.judging import Examination
from pytest_sessionguard.core.model import state as states
from pytest_sessionguard.core.model.moments import ALIVE, DEAD, EITHER
from pytest_sessionguard.core.operations import VERBS, Answer, Ok, Operation, Refused
from pytest_sessionguard.core.plan import LOOKS
from pytest_sessionguard.core.policy import Policy
from pytest_sessionguard.core.values import UNSET, FrozenMap, Unset, show
from pytest_sessionguard.run.fit import FACET_OF, WHOLE
from pytest_sessionguard.target.abilities import must_be_given, tells, templates_of
from pytest_sessionguard.target.session_objects import conform
from pytest_sessionguard.target.shape import Profile

_SECOND_US: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One operation to look with.

    Attributes:
        expects: what of the expectation its answer tells, by the names of the file.
        renews: whether it is activity.
    """

    verb: str
    expects: tuple[str, ...]
    renews: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """What was expected and what came, in words; `open` where the answer does not tell at all.

    `event` is the look that showed it.
    """

    expected: str
    given: str
    open: bool = False
    event: Event | None = None


def looks_for(expected: Mapping[Any, Any], profile: Profile, policy: Policy) -> tuple[Look, ...]:
    """Return the operations that tell everything that is expected of a session or of the manager, few and quiet."""
    names = [name for name in expected if name in LOOKS]
    chosen: dict[str, list[str]] = {}
    # Whatever is not life itself comes first: what tells the data tells the life as well.
    for name in sorted(names, key=lambda one: one == "alive"):
        able = [verb for verb in LOOKS[name] if _can_tell(verb, name, profile, policy)]
        if not able:
            continue
        quiet = [verb for verb in able if not policy.renews(verb)] or able
        if name == "alive":  # What shows an expired session like a live one tells nothing, where another can.
            quiet = [verb for verb in quiet if policy.of("expired", verb) != "stale"] or quiet
        best = next((verb for verb in quiet if verb in chosen), quiet[0])
        chosen.setdefault(best, []).append(name)
    return tuple(Look(verb=verb, expects=tuple(told), renews=policy.renews(verb)) for verb, told in chosen.items())


def _can_tell(verb: str, name: str, profile: Profile, policy: Policy) -> bool:
    if not templates_of(profile, verb):
        return False
    if name in WHOLE and "owner" in must_be_given(profile, verb):
        return False
    if name != "alive":
        return FACET_OF[name] in tells(profile, verb)
    # Where a missing session is made when it is asked for, asking whether one lives changes the story.
    if VERBS[verb].addresses == "session" and policy.of("missing", verb) in ("creates", "new-id"):
        return False
    told = tells(profile, verb)
    if verb in ("ttl", "list"):
        return bool(told & {"seconds_us", "ids"})
    return bool(told) or policy.of("missing", verb) == "error"


def at_everything(profile: Profile, policy: Policy, ids: Iterable[Hashable]) -> Iterator[Operation]:
    """Give the operations that look at every session, and at all of them, and make none."""
    for verb in _LOOK_AT_ALL:
        if verb not in profile.operations:
            continue
        if verb in ("list", "count"):
            if "owner" not in must_be_given(profile, verb):
                yield Operation(verb=verb)
        elif policy.of("missing", verb) not in ("creates", "new-id") and (verb != "exists" or tells(profile, verb)):
            yield from (Operation(verb=verb, id=session_id) for session_id in ids)


_LOOK_AT_ALL: Final = ("list", "get", "exists", "count")


# -- what the record says of a session's life -----------------------------------------------------------------------


def life(examination: Examination, session_id: Hashable, at: Stamp) -> int:
    """Return what the session may be by the record so far: ALIVE, DEAD or EITHER."""
    now = examination.timeline.seen(at).moment(at, at)
    found = 0
    for state in examination.states:
        record = state.find(session_id)
        found |= DEAD if record is None else states.standing(record, now, examination.model.policy)
    return found or EITHER


# -- reading an answer ----------------------------------------------------------------------------------------------


def reads_alive(event: Event, policy: Policy, by_record: int, known_data: Any) -> bool | None:
    """Say whether an answer shows the session alive; None where neither it nor the record can tell.

    `by_record` is the session's life by the record, for answers that a dead session may get as well as a live one.
    """
    verb, outcome = event.operation.verb, event.outcome
    recorded = None if by_record == EITHER else by_record == ALIVE
    if isinstance(outcome, Refused):
        return False if outcome.kinds & {"missing", "expired"} else None
    if not isinstance(outcome, Ok):
        return None
    shown = _shows(event, outcome.answer, policy, known_data)
    if shown is None:
        return recorded
    if not shown or verb in ("is_expired", "ttl"):
        return shown
    word = policy.of("expired", verb)
    may_be_seen_dead = word == "stale" or (word == "marked" and verb in ("list", "count"))
    return recorded if may_be_seen_dead else True


def _shows(event: Event, answer: Answer, policy: Policy, known_data: Any) -> bool | None:
    """Say whether the answer shows a session at all."""
    operation = event.operation
    verb = operation.verb
    if verb == "is_expired":
        told = [word for word in (answer.flag, answer.found) if word is not UNSET]
        return not told[0] if told else None
    if answer.found is False or answer.flag is False:
        return False
    if verb == "list":
        return answer.ids is not UNSET and operation.id in _ids(answer)
    if not isinstance(answer.seconds_us, Unset):
        if answer.seconds_us is not None:
            return answer.seconds_us > 0
        return None if answer.absent is not UNSET else True
    if answer.status is not UNSET and policy.expired_status is not None and answer.status == policy.expired_status:
        return False
    if verb == "use" and answer.id is not UNSET:
        return bool(answer.id == operation.id)
    if answer.absent in ("none", "false"):
        return False
    empty = answer.absent == "empty" or (answer.data is not UNSET and not answer.data)
    if empty and policy.of("missing", verb) == "empty":
        return None if not known_data else False
    return True


def _ids(answer: Answer) -> tuple[Hashable, ...]:
    return answer.ids if isinstance(answer.ids, tuple) else ()


def session_mismatch(
    name: str,
    wanted: Any,
    event: Event,
    *,
    profile: Profile,
    by_record: int,
    known_data: Any,
    policy: Policy,
) -> Mismatch | None:
    """Return how an answer differs from one thing that is expected of a session; None where it is as expected."""
    if name == "alive":
        alive = reads_alive(event, policy, by_record, known_data)
        if alive is None:
            return Mismatch(expected=f"alive: {_word(wanted)}", given=str(event.outcome), open=True)
        if alive == wanted:
            return None
        return Mismatch(expected=f"alive: {_word(wanted)}", given=f"alive: {_word(alive)} ({event.outcome})")
    answer = event.outcome.answer if isinstance(event.outcome, Ok) else Answer()
    facet = FACET_OF[name]
    told = getattr(answer, facet)
    if told is UNSET:
        return Mismatch(expected=f"{name.removesuffix('_us')}: {_shown(name, wanted)}", given=str(event.outcome))
    if name == "expires_in_us":
        right = same_span(wanted, told, policy.granularity_us)
    elif name == "has":
        right = contains(told, wanted)
    elif name == "data":
        right = told == conform(wanted, profile.session)
    else:
        right = told == wanted
    if right:
        return None
    label = name.removesuffix("_us")
    return Mismatch(
        expected=f"{label}: {_shown(name, wanted)}", given=f"{facet.removesuffix('_us')}: {_shown(name, told)}"
    )


def contains(told: Any, wanted: Any) -> bool:
    """Say whether data has every wanted entry, however deep; lists and plain values are compared whole."""
    if isinstance(told, FrozenMap) and isinstance(wanted, FrozenMap):
        return all(key in told and contains(told[key], item) for key, item in wanted.items())
    return bool(told == wanted) or (isinstance(told, str) and not isinstance(wanted, str) and told == str(wanted))


def same_span(wanted: Any, told: Any, granularity_us: int) -> bool:
    """Say whether a time left is the one wanted; a manager may tell whole seconds, rounded up or down."""
    if wanted is None or told is None:
        return wanted is told
    slack_us = granularity_us + 1
    if told % _SECOND_US == 0 and wanted % _SECOND_US:
        slack_us += _SECOND_US - 1
    return bool(abs(told - wanted) <= slack_us)


def ids_mismatch(
    wanted: tuple[Hashable, ...], event: Event, examination: Examination, policy: Policy
) -> Mismatch | None:
    """Return how a list differs from the sessions that are expected; dead ones may show where the policy says so."""
    outcome = event.outcome
    if not isinstance(outcome, Ok) or not (isinstance(outcome.answer.ids, tuple) or outcome.answer.absent is not UNSET):
        return Mismatch(expected=f"ids: {show(wanted)}", given=str(outcome))
    told = Counter(_ids(outcome.answer))
    missing = Counter(wanted) - told
    extra = told - Counter(wanted)
    allowed = policy.of("expired", "list") != "gone"
    wrong = [one for one in extra if not (allowed and life(examination, one, event.returned) & DEAD)]
    if not missing and not wrong:
        return None
    return Mismatch(expected=f"ids: {show(wanted)}", given=f"ids: {show(tuple(told.elements()))}")


def count_mismatch(wanted: int, event: Event, examination: Examination, policy: Policy) -> Mismatch | None:
    """Return how a count differs from the one expected; dead sessions may count where the policy says so."""
    outcome = event.outcome
    answer = outcome.answer if isinstance(outcome, Ok) else Answer()
    told: Any = answer.count
    if told is UNSET:
        if answer.absent is not UNSET and wanted == 0:
            return None
        return Mismatch(expected=f"count: {wanted}", given=str(outcome))
    unswept = 0
    if policy.of("expired", event.operation.verb) != "gone":
        unswept = max((_unswept(state, examination, event.returned) for state in examination.states), default=0)
    if wanted <= told <= wanted + unswept:
        return None
    return Mismatch(expected=f"count: {wanted}", given=f"count: {told}")


def _unswept(state: states.State, examination: Examination, at: Stamp) -> int:
    now = examination.timeline.seen(at).moment(at, at)
    return sum(
        1
        for record in state.records.values()
        if record.phase != states.GONE and states.standing(record, now, examination.model.policy) & DEAD
    )


def metrics_mismatch(wanted: Mapping[Any, Any], event: Event) -> Mismatch | None:
    """Return how metrics differ from those that are expected; others are not looked at."""
    outcome = event.outcome
    told: Any = outcome.answer.metrics if isinstance(outcome, Ok) else UNSET
    if not isinstance(told, FrozenMap):
        return Mismatch(expected=f"metrics: {show(wanted)}", given=str(outcome))
    wrong = {key: told.get(key, UNSET) for key, value in wanted.items() if told.get(key, UNSET) != value}
    if not wrong:
        return None
    expected = FrozenMap({key: wanted[key] for key in wrong})
    return Mismatch(expected=f"metrics: {show(expected)}", given=f"metrics: {show(FrozenMap(wrong))}")


def _word(flag: Any) -> str:
    return "true" if flag else "false"


def _shown(name: str, value: Any) -> str:
    if name == "expires_in_us":
        return "never" if value is None else durations.show(value)
    return show(value)
