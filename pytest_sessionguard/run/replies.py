"""What a story says of an answer: that it is a refusal, what its facets are, what is kept of them.

Pure.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from pytest_sessionguard.core import durations
from pytest_sessionguard.core.history import Event
from pytest_sessionguard.core.operations import Answer, Ok, Outcome, Refused
from pytest_sessionguard.core.policy import Policy
from pytest_sessionguard.core.scenario import Step
from pytest_sessionguard.core.values import UNSET, FrozenMap, show
from pytest_sessionguard.run.looking import Mismatch, contains, same_span
from pytest_sessionguard.target.session_objects import conform
from pytest_sessionguard.target.shape import Profile


def refusal_mismatch(step: Step, event: Event, policy: Policy, *, performed: bool) -> Mismatch | None:
    """Return why an answer is no refusal of the wanted kind; None where it is one.

    What the policy says instead of an error is a refusal too: None, false, empty, or nothing at all of an operation
    that answers nothing.  Whether the policy says so was judged before.  Where the operation was not even done, because
    there was no session to do it with, it was refused.
    """
    wanted = step.refused or frozenset()
    outcome = event.outcome
    if isinstance(outcome, Refused):
        if not wanted or wanted & outcome.kinds:
            return None
    elif isinstance(outcome, Ok):
        answer = outcome.answer
        if answer.absent is not UNSET or answer.found is False or answer.flag is False or not performed:
            return None
        quiet = policy.of("missing", event.operation.verb) != "error" or "missing" not in policy.written
        if answer == Answer() and quiet:
            return None
    kinds = f" ({' or '.join(sorted(wanted))})" if wanted else ""
    return Mismatch(expected=f"refused{kinds}", given=str(outcome))


def answer_mismatch(facet: str, wanted: Any, event: Event, profile: Profile, policy: Policy) -> Mismatch | None:
    """Return how one facet of an answer differs from the one wanted; None where it is as wanted."""
    answer = event.outcome.answer if isinstance(event.outcome, Ok) else Answer()
    told = getattr(answer, facet)
    name = facet.removesuffix("_us")
    if told is UNSET:
        if facet == "ids" and answer.absent is not UNSET and not wanted:
            return None
        return Mismatch(expected=f"{name}: {_shown(facet, wanted)}", given=str(event.outcome))
    match facet:
        case "ids":
            right = Counter(told) == Counter(wanted)
        case "seconds_us":
            right = same_span(wanted, told, policy.granularity_us)
        case "metrics":
            right = contains(told, wanted)
        case "data":
            right = told == conform(wanted, profile.session)
        case "value":
            right = contains(told, wanted) and contains(wanted, told)
        case _:
            right = bool(told == wanted)
    if right:
        return None
    return Mismatch(expected=f"{name}: {_shown(facet, wanted)}", given=f"{name}: {_shown(facet, told)}")


def captured(path: Any, outcome: Outcome) -> Any:
    """Return what the path leads to: a facet of the answer, then keys and positions in it.

    Raises:
        LookupError: it is not there; the error names the path so far.
    """
    found: Any = outcome.answer if isinstance(outcome, Ok) else Answer()
    walked: list[str] = []
    for number, name in enumerate(path):
        walked.append(str(name))
        if number == 0:
            found = getattr(found, str(name))
        elif isinstance(found, FrozenMap) and name in found:
            found = found[name]
        elif isinstance(found, tuple) and str(name).isdecimal() and int(name) < len(found):
            found = found[int(name)]
        else:
            found = UNSET
        if found is UNSET:
            raise LookupError(".".join(walked))
    return found


def _shown(facet: str, value: Any) -> str:
    if facet == "seconds_us":
        return "never" if value is None else durations.show(value)
    return show(value)
