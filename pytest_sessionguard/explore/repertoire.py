"""What may be drawn for a profile: its operations, what they take, and the values that its policy judges.

Pure.  Worked out once; a program whose answers the policy leaves open is useless, so nothing of that kind is in here.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pytest_sessionguard.core.model.moments import EXACT_STEP_US
from pytest_sessionguard.core.operations import VERBS
from pytest_sessionguard.core.policy import Policy
from pytest_sessionguard.core.scenario import FIGURES
from pytest_sessionguard.target.abilities import must_be_given, takes, tells, templates_of
from pytest_sessionguard.target.shape import Profile

SECOND_US: Final = 1_000_000
OWNERS: Final = ("alice", "bob")
KEYS: Final = ("a", "b", "c")

# These frame a case.
_FRAMING: Final = frozenset({"start", "stop", "close"})
_LOOKS: Final = ("get", "exists", "ttl", "is_expired", "list", "count")
_ODD_IDS: Final = ("", " ", " padded ", "tab\tbed", "ünïcödé-✓", "a/../b", "x" * 300, "0", "None")


@dataclass(frozen=True, slots=True, kw_only=True)
class Repertoire:
    """What may be drawn for one profile.

    Units: spans in microseconds.
    Shape: `taken` and `required` verb -> arguments; `figures` name -> the values that a program may wish for.
    Attributes:
        verbs: what may be drawn, `create` and what frames a case left out.
        looks: the operations that look at sessions without changing them, those that are activity too.
        ids: ids that callers may choose; odd_ids: those that managers may trip over.
        timeouts: timeouts of a session's own, the usual ones; edge_timeouts: those with a meaning of their own.
        spans: how long nothing happens; near: how far from a deadline.
        holds: the operations that can work on a session object read before.
        zones: whether time zones may be set.
        limit: the limit where it can be reached.
    """

    profile: Profile
    verbs: tuple[str, ...]
    looks: tuple[str, ...]
    taken: Mapping[str, frozenset[str]]
    required: Mapping[str, frozenset[str]]
    ids: tuple[str, ...]
    odd_ids: tuple[str, ...]
    timeouts: tuple[int, ...]
    edge_timeouts: tuple[int | None, ...]
    spans: tuple[int, ...]
    near: tuple[int, ...]
    figures: Mapping[str, tuple[Any, ...]]
    holds: frozenset[str]
    expires: bool
    restarts: bool

    @property
    def policy(self) -> Policy:
        """What the profile promises."""
        return self.profile.policy

    def takes(self, verb: str, argument: str) -> bool:
        """Say whether the operation can be handed the argument."""
        return argument in self.taken.get(verb, ())

    def must(self, verb: str, argument: str) -> bool:
        """Say whether the operation is handed the argument in every call."""
        return argument in self.required.get(verb, ())


def repertoire(profile: Profile) -> Repertoire:
    """Return what may be drawn for a profile."""
    policy = profile.policy
    offered = tuple(verb for verb in VERBS if verb in profile.operations)
    verbs = tuple(verb for verb in offered if verb not in _FRAMING and verb != "create" and _is_judged(verb, profile))
    own = policy.per_session_timeout and "timeout" in takes(profile, "create")
    return Repertoire(
        profile=profile,
        verbs=verbs,
        looks=tuple(verb for verb in _LOOKS if verb in offered and _can_look(verb, profile)),
        taken={verb: takes(profile, verb) for verb in offered},
        required={verb: must_be_given(profile, verb) for verb in offered},
        ids=_ids(policy),
        odd_ids=_ODD_IDS,
        timeouts=_own_timeouts(policy) if own else (),
        edge_timeouts=_edge_timeouts(policy) if own else (),
        spans=_spans(policy),
        near=_near(policy),
        figures=_figures(profile),
        holds=frozenset(verb for verb in verbs if _works_on_objects(verb, profile)),
        expires=policy.idle_timeout is not None or policy.absolute_timeout is not None or own,
        restarts=any(policy.of("survives", verb) != "nothing" for verb in ("create", "update", "save", "put")),
    )


def _is_judged(verb: str, profile: Profile) -> bool:
    if verb == "attach":
        return profile.policy.resource is not None
    if verb in ("put", "append", "pop") and profile.session.data_type in ("str", "bytes"):
        return verb == "pop" and "key" not in must_be_given(profile, "pop")
    if verb == "update":
        return profile.session.data_type not in ("str", "bytes", "list")
    return not (VERBS[verb].addresses == "session" and not _gives_object(verb, profile))


def _gives_object(verb: str, profile: Profile) -> bool:
    """Say whether the session object that the operation works on, if it does, can be had."""
    return not _works_on_given(verb, profile) or any(
        templates and templates[-1].result == "session"
        for templates in (templates_of(profile, one) for one in ("get", "create"))
    )


def _works_on_given(verb: str, profile: Profile) -> bool:
    for template in templates_of(profile, verb):
        if template.root == "session" or "session" in template.names:
            return True
        if template.result == "session":
            return False
    return False


def _works_on_objects(verb: str, profile: Profile) -> bool:
    """Say whether the operation works on an object that a client may have read long before."""
    gets = templates_of(profile, "get")
    if not gets or gets[-1].result != "session" or VERBS[verb].addresses != "session":
        return False
    return _works_on_given(verb, profile)


def _can_look(verb: str, profile: Profile) -> bool:
    return "owner" not in must_be_given(profile, verb) and bool(tells(profile, verb)) and _gives_object(verb, profile)


# -- ids -------------------------------------------------------------------------------------------------------------


def _ids(policy: Policy) -> tuple[str, ...]:
    """Return ids that a caller may choose."""
    if policy.id_pattern is None:
        return ("red", "green", "blue")
    digests = [uuid.uuid5(uuid.NAMESPACE_OID, str(number)) for number in range(3)]
    candidates = ["red", "green", "blue", "id-1", "id-2", "id1", "id2", "id_1", "id_2", "A1", "B2"]
    candidates += [str(digest) for digest in digests]
    candidates += [(digest.hex * 4)[:length] for length in (*range(1, 65), 128) for digest in digests]
    candidates += [str(number).zfill(length) for length in range(1, 20) for number in (1, 2, 3)]
    candidates += [f"{prefix}{rest}" for prefix in ("user:", "sess_", "session-", "s-", "s:") for rest in ("1", "ab")]
    fitting = [one for one in candidates if re.fullmatch(policy.id_pattern, one)]
    return tuple(dict.fromkeys(fitting))[:3]


# -- time ------------------------------------------------------------------------------------------------------------


def _exact(span_us: int) -> int:
    """Return the span on the raster of instants that float seconds hold exactly."""
    return max(EXACT_STEP_US, span_us // EXACT_STEP_US * EXACT_STEP_US)


def _usual_us(policy: Policy) -> int:
    """Return the timeout that decides most."""
    return policy.idle_timeout or policy.absolute_timeout or 60 * SECOND_US


def _own_timeouts(policy: Policy) -> tuple[int, ...]:
    usual = _usual_us(policy)
    unit = max(SECOND_US, policy.granularity_us * 4)
    found = (2 * unit, 10 * unit, 90 * unit, _exact(usual // 2), usual, 2 * usual)
    return tuple(dict.fromkeys(span // SECOND_US * SECOND_US or unit for span in found))


def _edge_timeouts(policy: Policy) -> tuple[int | None, ...]:
    found: list[int | None] = [10 * 365 * 86_400 * SECOND_US]
    if policy.zero_timeout != "undeclared":
        found.append(0)
    if policy.zero_timeout == "error":
        found.append(-SECOND_US)
    if policy.none_timeout != "undeclared":
        found.append(None)
    return tuple(found)


def _spans(policy: Policy) -> tuple[int, ...]:
    usual = _usual_us(policy)
    found = [SECOND_US, _exact(usual // 3), _exact(usual // 2), _exact(usual * 3 // 4), usual, 2 * usual + SECOND_US]
    for other in (policy.idle_timeout, policy.absolute_timeout, policy.sweep_interval):
        if other:
            found += [other, _exact(other // 2), other + SECOND_US]
    return tuple(dict.fromkeys(found))


def _near(policy: Policy) -> tuple[int, ...]:
    """Return distances from a deadline at which it is judged, the deadline itself too where that can be told."""
    unit = policy.granularity_us
    if unit:
        return (-2 * unit, -unit - 1, unit + 1, 2 * unit)
    return (-SECOND_US, -EXACT_STEP_US, -1, 0, 0, 1, EXACT_STEP_US, SECOND_US)


def _figures(profile: Profile) -> Mapping[str, tuple[Any, ...]]:
    """Return the figures that a program may wish for: those that the factory is handed."""
    policy, handed = profile.policy, profile.placeholders & frozenset(FIGURES)
    found: dict[str, tuple[Any, ...]] = {}
    unit = max(SECOND_US, 8 * policy.granularity_us)
    if "limit" in handed and policy.limit is not None:
        found["limit"] = (1, 2, 3)
    if "history_limit" in handed and policy.history_limit is not None:
        found["history_limit"] = (1, 2, 3)
    if "idle_timeout" in handed and policy.idle_timeout is not None:
        found["idle_timeout"] = (10 * unit, 64 * unit)
    if "absolute_timeout" in handed and policy.absolute_timeout is not None:
        found["absolute_timeout"] = (25 * unit, 100 * unit)
    return found
