"""Which unwritten policy keys might explain a finding: the policies worth trying, the likeliest first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from pytest_sessionguard.core import policy as policies
from pytest_sessionguard.core.findings import Finding
from pytest_sessionguard.core.history import Event
from pytest_sessionguard.core.operations import Refused, SessionId
from pytest_sessionguard.core.policy import KEYS, Policy
from pytest_sessionguard.core.values import FrozenMap

# What can explain an answer that no order of overlapping operations explains; a race is no matter of taste.
_CONCURRENT: Final = frozenset({"concurrent_updates", "limit_in_flight"})

# Operations that only look.  That one of them renews is the last thing to think of: that it tells of what is stored,
# expired or not, explains as much and is likelier.
_LOOKS: Final = frozenset({"exists", "ttl", "list", "count", "is_expired", "metrics", "history", "health"})

# What is asked first where a session lived or died at the wrong time.
_OF_TIME: Final = ("at_timeout", "activity", "clock", "clock_back")


def other_policies(
    policy: Policy, finding: Finding, operations: frozenset[str], issued: frozenset[SessionId]
) -> Iterator[tuple[str, Any]]:
    """Give other values of unwritten keys, those by which the answer was judged first.

    Args:
        issued: the ids of all sessions that were ever made.
    """
    judged = [line.partition(" ")[0] for line in finding.policy_lines]
    is_concurrent = finding.property.startswith("concurrency.")
    first = _OF_TIME if finding.property.startswith("expiry.") else ()
    for key in sorted(KEYS, key=lambda name: (name not in first, name not in judged)):
        if is_concurrent and key not in _CONCURRENT:
            continue
        if key not in policy.written:
            if key == "activity":
                yield from _activities(policy, operations - _LOOKS)
            yield from ((key, value) for value in _values(policy, key, finding, issued))
        if key == "expired" and "activity" not in policy.written:
            yield from _activities(policy, operations & _LOOKS)
    event = finding.event
    outcome = event.outcome if isinstance(event, Event) else None
    if "limit" not in policy.written and isinstance(outcome, Refused) and "limit" in outcome.kinds:
        yield "limit", len(issued)


def _activities(policy: Policy, verbs: frozenset[str]) -> Iterator[tuple[str, Any]]:
    """Give the activity with one of the operations put in, or left out."""
    for verb in sorted(verbs):
        rest = tuple(item for item in policy.activity if item != verb)
        yield "activity", rest if verb in policy.activity else (*policy.activity, verb)


def _values(policy: Policy, key: str, finding: Finding, issued: frozenset[SessionId]) -> Iterator[Any]:
    """Give the other words of a key: for the operation alone where that may be written, then for all."""
    event = finding.event
    verb = event.operation.verb if isinstance(event, Event) else ""
    was_made = isinstance(event, Event) and event.operation.id in issued
    for value in policies.other_values(policy, key):
        if value == "marked" and policy.expired_status is None:
            continue
        if value in ("creates", "new-id") and was_made:
            continue  # Whatever a session that ended answers, it could pass for a new one.
        if KEYS[key].by_verb and verb:
            yield FrozenMap({verb: value})
        yield value
