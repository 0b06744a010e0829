"""A scenario for a behaviour that nothing exercised: how to bring a session into a state, then the operation.

Pure.  What is written here loads and runs as it stands against the target that it was written for; what the manager
must be given beyond it (an owner, data) is filled in by the run.
"""

from __future__ import annotations

import re
from typing import Any, Final

from pytest_sessionguard.core import durations
from pytest_sessionguard.core.behaviour import AFTER, BEFORE, Claims, near_us, renewing, words
from pytest_sessionguard.core.operations import VERBS
from pytest_sessionguard.core.scenario import REPEATS_MAX, flow
from pytest_sessionguard.core.values import freeze

_ID: Final = "cart-1"
_NEVER: Final = "never-issued-1"
_OWNER: Final = "ann"
# Where sessions have a timeout of their own and the policy has none.
_TIMEOUT: Final = "30m"

# State -> the steps that lead a session that was just created into it, beside those that need more than that.
_ENDINGS: Final = {"deleted": ({"delete": "cart"},), "rotated": ({"rotate": {"session": "cart", "as": "renewed"}},)}


def scenario(name: str, claims: Claims) -> str:
    """Return a scenario file that exercises the behaviour."""
    title = words(name)
    lines = [f"scenario: {title[0].upper()}{title[1:]}", "version: 1", "steps:"]
    lines += [f"  - {written(step)}" for step in steps(name, claims)]
    return "\n".join(lines) + "\n"


def file_name(title: str) -> str:
    """Return what the file of a behaviour is called."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") + ".session.yaml"


def steps(name: str, claims: Claims) -> list[dict[str, Any]]:
    """Return the steps that exercise the behaviour."""
    verb, state, *side = name.split(":")
    if side:
        return [*_to_deadline(state, side[0], claims), asking(verb, "cart", claims, dead=side[0] != BEFORE)]
    if VERBS[verb].addresses == "session":
        target: Any = {"id": _NEVER} if state == "unknown" else "cart"
        return [*_to_state(state, claims), asking(verb, target, claims, dead=state != "live")]
    if verb == "create" and state not in ("empty", "holding", "stale", "full"):
        again = {"create": {"as": "again", "id": _ID}}
        return [*_to_state(state, claims, {"id": _ID}), again]
    return [*_to_fill(state, claims), asking(verb, "other", claims)]


# -- into a state ---------------------------------------------------------------------------------------------------


def created(claims: Claims, given: dict[str, Any] | None = None, name: str = "cart") -> dict[str, Any]:
    """Return the step that makes a session."""
    told: dict[str, Any] = {"as": name, **(given or {})}
    policy = claims.policy
    if "owner" in claims.arguments["create"]:
        told["owner"] = _OWNER
    if policy.per_session_timeout and not policy.idle_timeout and not policy.absolute_timeout:
        told["timeout"] = _TIMEOUT
    if "append" in claims.arguments and claims.data_type == "dict" and "data" in claims.arguments["create"]:
        told["data"] = {"items": []}
    return {"create": told}


def expired(claims: Claims) -> dict[str, Any]:
    """Return the step after which the session has expired."""
    return {"advance": {"to_timeout_of": "cart", "plus": durations.show(_near(claims, "idle"))}}


def _to_state(state: str, claims: Claims, given: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    made = created(claims, given)
    match state:
        case "unknown":
            return []
        case "expired":
            return [made, expired(claims)]
        case "swept":
            return [made, expired(claims), {"sweep": {}}]
        case "cleared":
            return [made, {"clear": {"owner": _OWNER} if "owner" in claims.arguments["clear"] else {}}]
        case "evicted":
            # A second later, so that it is the oldest, the longest idle and the next to expire.
            return [made, {"advance": "1s"}, *filled(claims)]
        case _:
            return [made, *_ENDINGS.get(state, ())]


def _to_fill(state: str, claims: Claims) -> list[dict[str, Any]]:
    match state:
        case "empty":
            return []
        case "holding":
            return [created(claims)]
        case "stale":
            return [created(claims), expired(claims)]
        case _:
            return filled(claims)


def filled(claims: Claims) -> list[dict[str, Any]]:
    """Return the step that fills the manager up to its limit."""
    return [{"repeat": {"times": claims.policy.limit, "steps": [created(claims, name="another")]}}]


# -- to a deadline --------------------------------------------------------------------------------------------------


def _to_deadline(deadline: str, side: str, claims: Claims) -> list[dict[str, Any]]:
    near = durations.show(_near(claims, deadline))
    told: dict[str, Any] = {"to_timeout_of": "cart"}
    if side == BEFORE:
        told["minus"] = near
    elif side == AFTER:
        told["plus"] = near
    return [created(claims), *_kept_alive(deadline, claims), {"advance": told}]


def _kept_alive(deadline: str, claims: Claims) -> list[dict[str, Any]]:
    """Return the steps that keep a session alive until the absolute timeout is nearer than the idle one."""
    idle_us, absolute_us = claims.policy.idle_timeout, claims.policy.absolute_timeout
    if deadline != "absolute" or not idle_us or not absolute_us or absolute_us <= idle_us:
        return []
    span_us = idle_us // 2
    times = min((absolute_us - 1) // span_us, REPEATS_MAX)
    rest: list[dict[str, Any]] = [{"advance": durations.show(span_us)}, {renewing(claims): "cart"}]
    return [{"repeat": {"times": times, "steps": rest}}]


def _near(claims: Claims, deadline: str) -> int:
    policy = claims.policy
    own_us = policy.idle_timeout if deadline == "idle" else policy.absolute_timeout
    timeout_us = own_us or policy.idle_timeout or policy.absolute_timeout or durations.parse(_TIMEOUT)
    return near_us(timeout_us, policy.granularity_us)


# -- the operation --------------------------------------------------------------------------------------------------


def whole(claims: Claims) -> Any:
    """Return data of a session, all of it."""
    return {"str": "changed", "bytes": "changed", "list": ["changed"]}.get(claims.data_type, {"note": "changed"})


def asking(verb: str, target: Any, claims: Claims, *, dead: bool = False) -> dict[str, Any]:
    """Return the step that does the operation; of a dead session nobody can be told the version."""
    takes = claims.arguments[verb]
    more: dict[str, Any] = {}
    match verb:
        case "create":
            return created(claims, name=str(target))
        case "update":
            more = {"set": {"note": "changed"}}
        case "save":
            more = {"data": whole(claims)}
        case "put":
            more = {"key": "note", "value": "changed"}
        case "append":
            more = {"key": "items", "value": "added"} if "key" in takes else {"value": "added"}
        case "pop":
            more = {"key": "note"} if "key" in takes else {}
        case "attach":
            more = {"resource": "lock"}
        case "list" | "count" | "clear" if "owner" in takes:
            more = {"owner": _OWNER}
        case _:
            pass
    if dead and "version" in takes:
        more["version"] = 1
    if VERBS[verb].addresses != "session":
        return {verb: more}
    return {verb: {"session": target, **more}} if more else {verb: target}


def written(step: dict[str, Any]) -> str:
    """Return a step as YAML on one line."""
    ((verb, value),) = step.items()
    return f"{verb}: {flow(freeze(value))}"
