"""Every operation of a target, cancelled at each of its suspensions in turn, and what is left afterwards.

What follows a cancellation looks for whatever may have been left behind: the session is used again, which a lock that
was kept would stop; every session is ended, and as many are made as the limit allows, which a slot that was kept would
forbid.  A program that fails by itself, without any cancellation, says nothing of cancellations.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Final

from pytest_sessionguard.core import behaviour, durations
from pytest_sessionguard.core.behaviour import Claims
from pytest_sessionguard.core.behaviour_steps import asking, created, steps, whole, written
from pytest_sessionguard.core.operations import VERBS
from pytest_sessionguard.core.plan import Plan, cells
from pytest_sessionguard.core.result import CaseResult
from pytest_sessionguard.core.scenario import Scenario, Step, walk
from pytest_sessionguard.explore.cancelling import may_be_cancelled, with_cancellation
from pytest_sessionguard.run import scenario_files
from pytest_sessionguard.run.behaviour_gate import claims_of
from pytest_sessionguard.run.runner import Runner
from pytest_sessionguard.target.shape import Profile

# An operation with more suspensions than this is cancelled at the first ones alone.
SUSPENSIONS_MAX: Final = 200

# A limit above this is not filled up: what it takes is better spent elsewhere.
FILL_MAX: Final = 12

# Where a cleaner comes by more often than this before a session expires, no case waits for that.
SWEEPS_MAX: Final = 200

# In these states a target is before the operation that is cancelled.
_STATES: Final = frozenset({"live", "expired", "empty", "holding", "stale", "full"})

# These end the session, give it another id, or may be done once: they are not done again.
_ENDING: Final = frozenset({"delete", "pop", "pop_item", "clear", "expire", "rotate", "use", "save", "attach"})

_CHOSEN: Final = "chosen-1"
_BEYOND_US: Final = 1_000_000


def cancel_each(runner: Runner, plan: Plan, numbers: Iterable[int] | None = None) -> Iterator[tuple[Plan, CaseResult]]:
    """Run a plan as it is, then with each of its operations, or some, cancelled at each of its suspensions in turn.

    A plan that does not hold as it is, is not run again; the first violation ends it.

    Raises:
        UsageError: see `Runner.run`.
    """
    case = runner.run(plan)
    yield plan, case
    if case.status not in ("held", "unproven"):
        return
    for one in _unneeded(plan.scenario) if numbers is None else numbers:
        for at in range(1, SUSPENSIONS_MAX + 1):
            cut = replace(plan, scenario=with_cancellation(plan.scenario, one, at))
            case = runner.run(cut)
            if case.status != "violated" and not case.cancelled:
                break
            yield cut, case
            if case.status == "violated":
                return


def _unneeded(scenario: Scenario) -> Iterator[int]:
    """Give the numbers of the operations whose answer no later step needs: an id that nobody has chosen."""
    operations = [step for step in walk(scenario.steps) if may_be_cancelled([step])]
    for number, step in enumerate(operations):
        name = step.arguments.get("as") if isinstance(step, Step) and "id" not in step.arguments else None
        others = (other for other in walk(scenario.steps) if other is not step and isinstance(other, Step))
        if name is None or not any(name in other.arguments.values() for other in others):
            yield number


# -- programs for a target --------------------------------------------------------------------------------------------


def programs(profile: Profile) -> tuple[tuple[Plan, tuple[int, ...]], ...]:
    """Return programs in which every operation of the profile is asked once alone and once beside another.

    With each come the numbers of the operations that are to be cancelled.
    """
    claims = claims_of(profile)
    found = []
    for name in behaviour.universe(claims):
        verb, state, *side = name.split(":")
        if side or state not in _STATES or (state == "full" and not _can_fill(claims)):
            continue
        if state in ("expired", "stale") and not _is_cheap_to_wait(claims):
            continue
        *before, asked = steps(name, claims)
        if verb == "create":
            asked = _known(asked, claims)
        after = _aftermath(verb, claims, has_cart=any("create" in step for step in before))
        words = behaviour.words(name)
        found.append(_plan(f"{words}, cancelled", [*before, asked, *after], len(before)))
        if state in ("live", "empty", "full"):
            both: Any = {"parallel": [[asked], [_beside(asked)]]}
            found.append(_plan(f"{words} beside another, cancelled", [*before, both, *after], len(before)))
    return tuple(found)


def _plan(title: str, told: list[dict[str, Any]], at: int) -> tuple[Plan, tuple[int, ...]]:
    """Return the plan, and the numbers of the operations in its step `at`."""
    text = "\n".join([f"scenario: {title[0].upper()}{title[1:]}", "version: 1", "steps:"])
    text += "".join(f"\n  - {written(step)}" for step in told) + "\n"
    (plan,) = cells(scenario_files.load("cancelled.session.yaml", text))
    ahead, until = (may_be_cancelled(plan.scenario.steps[:end]) for end in (at, at + 1))
    return plan, tuple(range(ahead, until))


def _known(asked: dict[str, Any], claims: Claims) -> dict[str, Any]:
    """Return a create that can be asked after, whether it has answered or not: by the id that its caller chose."""
    takes, told = claims.arguments["create"], asked["create"]
    more: dict[str, Any] = {"data": whole(claims)} if "data" in takes else {}
    if "id" in takes:
        more["id"] = told.get("id", _CHOSEN)
    return {"create": {**told, **more}}


def _beside(asked: dict[str, Any]) -> dict[str, Any]:
    """Return the same step for another client: what it makes has another name."""
    ((verb, told),) = asked.items()
    if not isinstance(told, dict):
        return asked
    return {verb: {**told, **{name: f"{told[name]}-too" for name in ("as", "id", "resource") if name in told}}}


def _aftermath(verb: str, claims: Claims, *, has_cart: bool) -> list[dict[str, Any]]:
    """Return steps that find what a cancelled operation has left behind."""
    offered, after = claims.arguments, []
    if verb == "create" and "id" in offered["create"]:
        after += [asking(look, {"id": _CHOSEN}, claims) for look in ("get", "exists") if look in offered]
        after.append(created(claims, {"id": _CHOSEN}, "made-again"))
    after += [asking(look, "cart", claims) for look in ("list", "count") if look in offered]
    if has_cart:
        after += [asking(look, "cart", claims) for look in ("get", "exists") if look in offered][:1]
        if verb not in _ENDING and VERBS[verb].addresses == "session":
            after.append(asking(verb, "cart", claims))
    ends = _ended(claims)
    after += ends
    if ends and _can_fill(claims):
        limit = claims.policy.limit
        after.append({"repeat": {"times": limit, "steps": [created(claims, name="filler")]}})
    else:
        after.append(created(claims, name="once-more"))
    return [*after, *(asking(look, "cart", claims) for look in ("list", "count") if look in offered)]


def _ended(claims: Claims) -> list[dict[str, Any]]:
    """Return steps after which no session is left; none where that cannot be had."""
    if "clear" in claims.arguments:
        return [asking("clear", "cart", claims)]
    policy = claims.policy
    timeouts = [span_us for span_us in (policy.idle_timeout, policy.absolute_timeout) if span_us]
    if not timeouts or policy.per_session_timeout or not _is_cheap_to_wait(claims):
        return []
    after: list[dict[str, Any]] = [{"advance": durations.show(min(timeouts) + _BEYOND_US)}]
    return [*after, {"sweep": {}}] if "sweep" in claims.arguments else after


def _is_cheap_to_wait(claims: Claims) -> bool:
    """Say whether a cleaner does not come by too often while a session expires."""
    policy = claims.policy
    longest_us = max(policy.idle_timeout or 0, policy.absolute_timeout or 0)
    return not policy.sweep_interval or longest_us // policy.sweep_interval <= SWEEPS_MAX


def _can_fill(claims: Claims) -> bool:
    return claims.policy.limit is not None and 0 < claims.policy.limit <= FILL_MAX
