"""What a crash may make of a session, by what the policy says that acknowledged operations survive.

What survives is as before.  What does not may be as it was at any time before: there, not there, with older data.
"""

from __future__ import annotations

from typing import Final

from pytest_sessionguard.core.history import CRASHES
from pytest_sessionguard.core.model.state import EXPIRED, GONE, LIVE, Record, limits
from pytest_sessionguard.core.policy import Policy
from pytest_sessionguard.core.quick import replace
from pytest_sessionguard.core.values import UNSET

SURVIVES: Final = ("nothing", "restart", "kill", "power-loss")

# How a session ended -> the operation whose acknowledgement says that it stays ended.
_ENDED_BY: Final = {
    "deleted": "delete",
    "popped": "pop",
    "cleared": "clear",
    "swept": "sweep",
    "rotated": "rotate",
    "moved": "use",
    "evicted": "create",
    "expired": "expire",
}


def survives(policy: Policy, verb: str, level: str) -> bool:
    """Say whether what the operation has acknowledged survives a "restart", a "kill" or a "power-loss"."""
    return SURVIVES.index(policy.of("survives", verb)) >= SURVIVES.index(level)


def expires(record: Record, policy: Policy) -> bool:
    """Say whether the session has a timeout."""
    return bool(limits(record, policy))


def crashed(record: Record, policy: Policy, how: str) -> Record:
    """Return the record after a crash: "killed" or "power-lost"."""
    level = CRASHES[how]
    marked = replace(record, since=record.since | {how}, resources=())
    if record.phase == GONE:
        return _after_its_end(marked, policy, level, how)
    if record.phase == EXPIRED:
        ended = _ENDED_BY.get(record.how)
        if ended is not None and not survives(policy, ended, level):
            return _in_doubt(marked, how)
        return replace(marked, doubt=True)  # Who cleans up when it is opened may have removed it.
    if not survives(policy, "create", level):
        return _as_saved(marked, policy, level, how)
    if not survives(policy, record.wrote, level):
        marked = replace(marked, data=UNSET, version=UNSET)
    if not expires(record, policy):
        return marked
    renewed_for_sure = all(survives(policy, verb, level) for verb in policy.activity)
    is_judged = policy.clock != "monotonic" and (renewed_for_sure or not record.renewed)
    return marked if is_judged else replace(marked, unjudged=True)


def _as_saved(record: Record, policy: Policy, level: str, how: str) -> Record:
    """Return a living record of which only a checkpoint is kept: what was done since is there or is not."""
    saved = record.saved
    if saved is None or saved[0] != record.id or not survives(policy, "checkpoint", level):
        return _in_doubt(record, how)
    if (record.data, record.version) != saved[1:3]:
        record = replace(record, data=UNSET, version=UNSET, past=frozenset(), saved=None)
    is_judged = policy.clock != "monotonic" and record.active == saved[3]
    return record if is_judged or not expires(record, policy) else replace(record, unjudged=True)


def _after_its_end(record: Record, policy: Policy, level: str, how: str) -> Record:
    """Return the record of a session that was not stored any more: what removed it need not have survived."""
    if record.how == "alias":
        return record
    ended = _ENDED_BY.get(record.how)
    if ended is None:  # Removed in passing, since it had expired: nobody was told of that.
        return replace(record, phase=EXPIRED, doubt=True) if record.how == "purged" else record
    return record if survives(policy, ended, level) else _in_doubt(record, how)


def _in_doubt(record: Record, how: str) -> Record:
    """Return the record of a session of which nothing is sure any more."""
    return replace(record, phase=LIVE, how=how, doubt=True, unjudged=True, data=UNSET, version=UNSET)
