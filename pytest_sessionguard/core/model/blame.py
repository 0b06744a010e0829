"""Which property a wrong answer breaks, told from the life of the session that it is about."""

from __future__ import annotations

from typing import Final

from pytest_sessionguard.core.history import CRASHES
from pytest_sessionguard.core.model import moments
from pytest_sessionguard.core.model.state import EXPIRED, GONE, LIVE, Ask, Record, cause, left_us, limits
from pytest_sessionguard.core.values import UNSET, Unset

# A deadline nearer than this is a question of the boundary.
NEAR_US: Final = 1_000

VIEWS: Final = frozenset({"exists", "ttl", "list", "count", "pop", "pop_item", "is_expired"})

# What happened to a live session since it was last seen, most telling first.
_CRASHES: Final = {how: f"durability.{survived}" for how, survived in CRASHES.items()}
_SINCE: Final = (
    *_CRASHES.items(),
    ("restarted", "durability.restart"),
    ("swept", "sweep.only-expired"),
    ("evicting", "limit.eviction"),
    ("rotated", "security.rotation"),
    ("disconnected", "lifecycle.resume"),
    ("resumed", "lifecycle.resume"),
    ("used", "lifecycle.use"),
)

_HOW: Final = {
    "deleted": "lifecycle.delete",
    "popped": "lifecycle.delete",
    "cleared": "lifecycle.delete",
    "evicted": "limit.eviction",
    "rotated": "security.rotation",
    "moved": "lifecycle.use",
    "swept": "sweep.complete",
    "expired": "expiry.no-resurrection",
    "restarted": "durability.restart",
    **_CRASHES,
    "timeout": "lifecycle.edge-values",
}


def presence(record: Record, ask: Ask) -> str:
    """Return the property that is broken where a live session is answered as if it were not there."""
    if record.since:
        for happened, name in _SINCE:
            if happened in record.since:
                return name
    if _set_back_since(record, ask):
        return "expiry.clock-back"
    policy = ask.policy
    left = left_us(record, ask.now, policy)
    if left is not None and ask.now[0][1] > record.created[0][1]:
        if left <= max(_near_us(ask), policy.granularity_us):
            return "expiry.boundary"
        if record.renewed and _over_without_activity(record, ask):
            return "expiry.touch-renews"
        if not isinstance(record.timeout_us, Unset):
            return "expiry.per-session"
        return "expiry.not-early"
    return own(ask.verb)


def _near_us(ask: Ask) -> int:
    """Return how near to a deadline is at it: an operation that takes its time comes no nearer than that.

    Units: microseconds.
    """
    return NEAR_US + ask.now[0][1] - ask.now[0][0]


def _set_back_since(record: Record, ask: Ask) -> bool:
    """Say whether the wall clock was set back since the session was last active."""
    if ask.policy.clock == "monotonic":
        return "set-back" in record.since and bool(limits(record, ask.policy))
    return len(ask.now) > len(record.active)


def own(verb: str) -> str:
    """Return the property that is about the operation itself."""
    if verb in {"get", "delete", "list", "resume", "use", "create"}:
        return f"lifecycle.{verb}"
    if verb in VIEWS:
        return "lifecycle.views-agree"
    return _OWN.get(verb, "lifecycle.get")


_OWN: Final = {
    "update": "data.read-your-writes",
    "save": "data.read-your-writes",
    "put": "data.read-your-writes",
    "append": "data.read-your-writes",
    "touch": "lifecycle.get",
    "rotate": "security.rotation",
    "disconnect": "lifecycle.resume",
    "attach": "resources.closed-once",
    "sweep": "sweep.complete",
    "clear": "lifecycle.delete",
    "metrics": "metrics.consistent",
    "history": "data.history-bounded",
    "checkpoint": "recovery.complete",
    "recover": "recovery.complete",
    "health": "recovery.no-false-alarm",
}


def _over_without_activity(record: Record, ask: Ask) -> bool:
    """Say whether the session would be dead by now had nothing renewed it."""
    for name, _, timeout_us in limits(record, ask.policy):
        if name == "idle":
            reached = moments.standing(
                record.created,
                ask.now,
                timeout_us,
                dead_at_timeout=ask.policy.at_timeout == "expired",
                unit_us=ask.policy.granularity_us,
            )
            return bool(reached & moments.DEAD)
    return False


def absence(record: Record | None, ask: Ask) -> str:
    """Return the property that is broken where a dead session, or none at all, is answered as if it lived."""
    if record is None:
        return own(ask.verb)
    crash = _crash(record)
    if crash:
        return crash
    if "clock-back" in record.since:
        return "expiry.clock-back"
    if record.how in _HOW:
        return _HOW[record.how]
    if record.phase in (EXPIRED, GONE):
        return "lifecycle.views-agree" if ask.verb in VIEWS else "expiry.no-resurrection"
    if "touched-dead" in record.since:
        return "expiry.no-resurrection"
    return _deadline(record, ask)


def _crash(record: Record) -> str:
    """Return the property of the crash that the session was not seen since; empty where there was none."""
    return next((name for happened, name in _CRASHES.items() if happened in record.since), "")


def _deadline(record: Record, ask: Ask) -> str:
    """Name the property of the deadline that a session, not yet seen dead, has passed."""
    assert record.phase == LIVE
    left = left_us(record, ask.now, ask.policy)
    if _set_back_since(record, ask):
        return "expiry.clock-back"
    if left is not None and -_near_us(ask) <= left <= ask.policy.granularity_us:
        return "expiry.boundary"
    if record.timeout_us is not UNSET:
        return "expiry.per-session"
    return f"expiry.{cause(record, ask.now, ask.policy)}"


def data(record: Record) -> str:
    """Return the property that is broken where a session answers other data than it should hold."""
    crash = _crash(record)
    if crash:
        return crash
    if "restarted" in record.since:
        return "durability.restart"
    if "rotated" in record.since:
        return "security.rotation"
    return "data.merge" if record.wrote == "update" else "data.read-your-writes"
