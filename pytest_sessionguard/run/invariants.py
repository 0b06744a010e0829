"""Properties that a story wants to hold after every step: looked at with operations that disturb nothing.

What could not be looked at without disturbing is unproven, and the reason is told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator
from typing import Final

from pytest_sessionguard.core.history import Event
from pytest_sessionguard.core.operations import Ok, Operation
from pytest_sessionguard.core.policy import Policy
from pytest_sessionguard.core.properties import PROPERTIES
from pytest_sessionguard.core.values import UNSET
from pytest_sessionguard.target.abilities import tells
from pytest_sessionguard.target.shape import Profile

ISOLATION: Final = "data.isolation"

# The first part of a property's name -> what must be looked at for it.
_KINDS: Final = {"limit": "whole", "data": "data", "metrics": "metrics", "resources": "record", "concurrency": "record"}

_LOOKS: Final = {
    "life": ("exists", "get", "is_expired", "ttl"),
    "data": ("get",),
    "whole": ("count", "list"),
    "metrics": ("metrics",),
    "record": (),
}

_FACETS: Final = {"data": "data", "metrics": "metrics"}


class Invariants:
    """The invariants of one case: how they are looked at, and how often they were."""

    def __init__(self, names: Iterable[str], profile: Profile, policy: Policy, claimed: Iterable[str]) -> None:
        self._names = tuple(dict.fromkeys(names))
        self._policy = policy
        self._looks: dict[str, str] = {}
        self._seen: Counter[str] = Counter()
        self._unjudged: dict[str, str] = {}
        promised = frozenset(claimed)
        for name in self._names:
            kind = _KINDS.get(name.partition(".")[0], "life")
            verb = self._quiet(kind, profile)
            if name not in promised and name in PROPERTIES:
                self._unjudged[name] = "the profile does not claim it"
            elif kind == "record" or verb is not None:
                if verb is not None:
                    self._looks.setdefault(kind, verb)
            else:
                self._unjudged[name] = self._why(kind, profile)

    def _quiet(self, kind: str, profile: Profile) -> str | None:
        """Return the operation to look with: offered, telling what is wanted, and no activity."""
        facet = _FACETS.get(kind)
        for verb in _LOOKS[kind]:
            if verb not in profile.operations or self._policy.renews(verb):
                continue
            if kind in ("life", "data") and self._policy.of("missing", verb) in ("creates", "new-id"):
                continue
            if facet is None or facet in tells(profile, verb):
                return verb
        return None

    def _why(self, kind: str, profile: Profile) -> str:
        offered = [verb for verb in _LOOKS[kind] if verb in profile.operations]
        if not offered:
            return f"it cannot be looked at: the profile has no {' and no '.join(_LOOKS[kind])}"
        renewing = [verb for verb in offered if self._policy.renews(verb)]
        if renewing:
            return f"it cannot be looked at after every step: {' and '.join(renewing)} would renew the sessions"
        return f"it cannot be looked at: {' and '.join(offered)} does not tell enough, or makes what is missing"

    @property
    def scribbles(self) -> bool:
        """Whether data that was handed over or answered is to be spoiled, to see whether the manager shares it."""
        return ISOLATION in self._names and self._policy.data == "copies"

    def operations(self, sessions: Iterable[Hashable]) -> Iterator[Operation]:
        """Give the operations that look at everything once."""
        known = tuple(sessions)
        by_session = {self._looks[kind] for kind in ("life", "data") if kind in self._looks}
        for verb in sorted(by_session):
            for session_id in known:
                yield Operation(verb=verb, id=session_id)
        for kind in ("whole", "metrics"):
            if kind in self._looks:
                yield Operation(verb=self._looks[kind])

    def saw(self, event: Event) -> None:
        """Note an answer that was judged and found right."""
        if not isinstance(event.outcome, Ok):
            return
        answer = event.outcome.answer
        for name in self._names:
            kind = _KINDS.get(name.partition(".")[0], "life")
            if self._looks.get(kind) != event.operation.verb or (kind == "data" and answer.data is UNSET):
                continue
            self._seen[name] += 1

    def exercised(self) -> Counter[str]:
        """Return how often each invariant was looked at."""
        return Counter(self._seen)

    def unjudged(self, exercised: Counter[str]) -> dict[str, str]:
        """Return why invariants are not shown: what could not be looked at, or never came to the test."""
        never = {
            name: "nothing in the story put it to the test"
            for name in self._names
            if not exercised[name] and name not in self._unjudged
        }
        return {**self._unjudged, **never}
