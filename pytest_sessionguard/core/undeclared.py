"""Which unwritten policy keys might explain a finding: the policies worth trying, the likeliest first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from pytest_sessionguard.core import policy as policies
from pytest_sessionguard.core.findings import Finding
from pytest_sessionguard.core.history import Event
from pytest_sessionguard.core.operations import Refused
from pytest_sessionguard.core.policy import KEYS, Policy
from pytest_sessionguard.core.values import FrozenMap

# What can explain an answer that no order of overlapping operations explains; a race is no matter of taste.
_CONCURRENT: Final = frozenset({"concurrent_updates", "limit_in_flight"})


def other_policies(
    policy: Policy, finding: Finding, operations: frozenset[str], sessions_max: int
) -> Iterator[tuple[str, Any]]:
    """Give other values of unwritten keys, those by which the answer was judged first."""
    judged = [line.partition(" ")[0] for line in finding.policy_lines]
    is_concurrent = finding.property.startswith("concurrency.")
    first = ("at_timeout", "activity") if finding.property.startswith("expiry.") else ()
    for key in sorted(KEYS, key=lambda name: (name not in first, name not in judged)):
        if key in policy.written or (is_concurrent and key not in _CONCURRENT):
            continue
        if key == "activity":
            for verb in sorted(operations):
                rest = tuple(item for item in policy.activity if item != verb)
                yield key, rest if verb in policy.activity else (*policy.activity, verb)
        yield from ((key, value) for value in _values(policy, key, finding))
    event = finding.event
    outcome = event.outcome if isinstance(event, Event) else None
    if "limit" not in policy.written and isinstance(outcome, Refused) and "limit" in outcome.kinds:
        yield "limit", sessions_max


def _values(policy: Policy, key: str, finding: Finding) -> Iterator[Any]:
    """Give the other words of a key: for the operation alone where that may be written, then for all."""
    verb = finding.event.operation.verb if isinstance(finding.event, Event) else ""
    for value in policies.other_values(policy, key):
        if value == "marked" and policy.expired_status is None:
            continue
        if KEYS[key].by_verb and verb:
            yield FrozenMap({verb: value})
        yield value
