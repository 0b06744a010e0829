"""Whether a story fits the templates of a profile: what they take, and what their answers tell.

Pure.  An operation may be there and still not take an owner, or not tell a count; a story that speaks of it is skipped,
and told which.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pytest_sessionguard.core import durations
from pytest_sessionguard.core.operations import VERBS
from pytest_sessionguard.core.plan import LOOKS, Plan, variables
from pytest_sessionguard.core.scenario import Step, substitute, variables_of
from pytest_sessionguard.target.abilities import must_be_given, takes, tells
from pytest_sessionguard.target.shape import Profile

# What a step says -> the arguments of a template, one of which hands it over.
_TAKEN: Final[Mapping[str, tuple[str, ...]]] = {
    "id": ("id",),
    "owner": ("owner",),
    "data": ("data", "mutate"),
    "set": ("changes", "data", "mutate"),
    "key": ("key", "mutate"),
    "value": ("value", "mutate"),
    "version": ("version",),
    "timeout_us": ("timeout",),
    "n": ("n",),
    "resource": ("resource",),
}

# These can be done to the session object itself, as its user would.
_EDITS: Final = frozenset({"data", "set", "key", "value"})

# What a template must be handed and nobody but the story can know.
_STORYS_OWN: Final = ("key", "value", "resource")

# What `expect` speaks of -> the facet that tells it.
FACET_OF: Final[Mapping[str, str]] = {
    "data": "data",
    "has": "data",
    "version": "version",
    "owner": "owner",
    "status": "status",
    "expires_in_us": "seconds_us",
    "count": "count",
    "ids": "ids",
    "metrics": "metrics",
}


# What is expected of the whole manager: what only ever answers for one owner does not tell it.
WHOLE: Final = frozenset({"count", "ids"})


def data_is_left_out(plan: Plan, profile: Profile) -> bool:
    """Say whether the story's sessions are made without data: `create` takes none and the story never looks at it.

    Many stories give their sessions data so that they are told apart in a report; none of these fails for want of it.
    """
    if takes(profile, "create").intersection(_TAKEN["data"]):
        return False
    return not any(_speaks_of_data(step) for step in plan.scenario.all_steps if isinstance(step, Step))


def _speaks_of_data(step: Step) -> bool:
    paths: Any = step.capture.values()
    if step.verb == "expect":
        return any(FACET_OF.get(str(name)) == "data" for name in step.arguments)
    if step.verb != "create" and _EDITS.intersection(map(str, step.arguments)):
        return True
    return "data" in step.answer or any(path[0] == "data" for path in paths)


def misfits(plan: Plan, profile: Profile) -> tuple[str, ...]:
    """Return what the story says and the profile's templates cannot take or tell, each in words."""
    found: list[str] = []
    left_out = frozenset({"data"}) if data_is_left_out(plan, profile) else frozenset()
    for step in plan.scenario.all_steps:
        if not isinstance(step, Step):
            continue
        if step.verb in VERBS and step.verb in profile.operations:
            found += _untaken(step, profile, left_out if step.verb == "create" else frozenset())
            found += _untold(step, profile)
        elif step.verb == "expect":
            found += _unseen(step, profile)
        elif step.verb == "advance":
            found += _blurred(step, plan, profile)
    return tuple(dict.fromkeys(found))


def _blurred(step: Step, plan: Plan, profile: Profile) -> Iterator[str]:
    """Tell of a step that goes nearer to a deadline than the manager can tell it: nothing is judged there."""
    told: Any = step.arguments
    unit_us = profile.policy.granularity_us
    if not unit_us or "to_timeout_of" not in told:
        return
    known = variables(plan, profile.policy)
    spans = [told.get(name, 0) for name in ("plus_us", "minus_us")]
    if any(name not in known for span in spans for name in variables_of(span)):
        return  # A counter of the story, or what it captures: known only when it runs.
    plus_us, minus_us = (substitute(span, known) for span in spans)
    if abs(plus_us - minus_us) <= unit_us:
        yield f"a granularity finer than {durations.show(unit_us)}, to stand so near to a timeout"


def _untaken(step: Step, profile: Profile, left_out: frozenset[str]) -> Iterator[str]:
    taken = takes(profile, step.verb)
    editable = "session" in taken  # A create that works on a session object was given it by a step of its own.
    for name in step.arguments:
        wanted = _TAKEN.get(str(name))
        if wanted is None or name in left_out or taken.intersection(wanted) or (editable and name in _EDITS):
            continue
        yield f"{step.verb} that takes {_shown(str(name))}"
    required = must_be_given(profile, step.verb)
    for name in _STORYS_OWN:
        if name in required and name not in step.arguments:
            yield f"{step.verb} without {name}"


def _untold(step: Step, profile: Profile) -> Iterator[str]:
    told = tells(profile, step.verb)
    paths: Any = step.capture.values()
    asked = [*step.answer, *(path[0] for path in paths)]
    if step.verb == "create":
        asked.append("id")
    for facet in asked:
        if facet not in told:
            yield f"{step.verb} that tells {_shown(str(facet))}"


def _unseen(step: Step, profile: Profile) -> Iterator[str]:
    for name, wanted in step.arguments.items():
        facet = FACET_OF.get(str(name))
        if facet is None:
            continue
        if name == "metrics":
            yield from (f"metrics that tell {figure}" for figure in wanted if figure not in profile.metrics)
        looks = LOOKS[str(name)]
        if not any(
            facet in tells(profile, verb) and not (name in WHOLE and "owner" in must_be_given(profile, verb))
            for verb in looks
        ):
            yield f"{' or '.join(looks)} that tells {_shown(facet)}"


def _shown(name: str) -> str:
    return "changes" if name == "set" else name.removesuffix("_us")
