"""Timeouts of a session's own: what 0, None and less than nothing mean when they are asked for."""

from __future__ import annotations

from pytest_sessionguard.core.model.state import EXPIRED, Ask, Record
from pytest_sessionguard.core.operations import Operation
from pytest_sessionguard.core.policy import Policy
from pytest_sessionguard.core.quick import replace
from pytest_sessionguard.core.values import UNSET, Unset


def may_be_refused(operation: Operation, policy: Policy) -> bool:
    """Say whether the timeout asked for may be refused as invalid."""
    asked = operation.timeout_us
    if isinstance(asked, Unset) or (asked is not None and asked > 0):
        return False
    return _meaning(asked, policy) in ("undeclared", "error")


def must_be_refused(operation: Operation, policy: Policy) -> bool:
    """Say whether the timeout asked for must be refused as invalid."""
    asked = operation.timeout_us
    if isinstance(asked, Unset) or (asked is not None and asked != 0):
        return False
    return _meaning(asked, policy) == "error"


def is_declared_edge(operation: Operation, policy: Policy) -> bool:
    """Say whether a timeout of 0 or None is asked for, and the policy says what that means."""
    asked = operation.timeout_us
    if isinstance(asked, Unset) or (asked is not None and asked != 0):
        return False
    return operation.verb in ("create", "touch") and _meaning(asked, policy) != "undeclared"


def may_begin_anew(operation: Operation, policy: Policy) -> bool:
    """Say whether a timeout given to a session that lives may count from now: where nothing but a lifetime is promised.

    A key that is given another time to live counts from then; an object that keeps when it was made counts from that.
    """
    asked = operation.timeout_us
    if isinstance(asked, Unset) or asked is None or asked <= 0:
        return False
    return policy.idle_timeout is None and policy.absolute_timeout is not None


def anew(record: Record, ask: Ask) -> Record:
    """Return the session with the timeout that the operation asks for, counted from now."""
    return replace(given(record, ask), anew=ask.now)


def given(record: Record, ask: Ask) -> Record:
    """Return the session with the timeout that the operation asks for, as `zero_timeout` and `none_timeout` read it."""
    asked = ask.event.operation.timeout_us
    if isinstance(asked, Unset):
        return record
    record = replace(record, by_hand=False)
    if asked is not None and asked != 0:
        return replace(record, timeout_us=asked, unjudged=asked < 0)
    match _meaning(asked, ask.policy):
        case "expired":
            return replace(record, timeout_us=0, phase=EXPIRED, how="timeout")
        case "never":
            return replace(record, timeout_us=None, unjudged=False)
        case "default":
            return replace(record, timeout_us=UNSET, unjudged=False)
        case _:
            return replace(record, timeout_us=asked, unjudged=True)


def _meaning(asked: int | None, policy: Policy) -> str:
    return policy.none_timeout if asked is None else policy.zero_timeout
