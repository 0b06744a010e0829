"""The catalogue of properties: what each means, what it needs of a profile, and when it may be called held.

Pure.  A profile claims every property whose needs it meets.  A need is an operation ("get"), several of which one is
enough ("get|exists"), a promise of the policy ("policy.limit"), or what the profile says of the manager
("callers", "hook.close", "files": see `EXTRAS`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from pytest_sessionguard.core.policy import KEYS, Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """One thing that a session manager may promise.

    Attributes:
        needs: all of these must be met for a profile to claim it.
        minimum: what must have been exercised before it may be called held.
        least: how often a search must have exercised it; one case is enough for a story that was thought out.
    """

    name: str
    summary: str
    needs: tuple[str, ...]
    minimum: str
    least: int = 1

    def page(self) -> str:
        """Return what a user should know of it, as text."""
        needs = "\n".join(f"  - {describe(need)}" for need in self.needs)
        claimed = f"Claimed by a profile with:\n{needs}"
        held = f"Held once: {self.minimum}\nHeld by a search: so many times: {self.least}"
        return f"{self.name}\n\n{self.summary}\n\n{claimed}\n\n{held}\n"


_LOOK: Final = "get|exists|ttl|is_expired|list|count"
_WRITE: Final = "update|save|put|append"
_TIMEOUT: Final = "policy.idle_timeout|policy.absolute_timeout|policy.per_session_timeout"
_ENDS: Final = "delete|pop|clear"

_ROWS: Final = (
    (
        "lifecycle.create",
        "create",
        "A create that has room makes a session, and answers as `existing` says where there is one.",
        "a session was made and its answer judged",
    ),
    (
        "lifecycle.get",
        f"create {_LOOK}",
        "A session that was made is there; one that was never made is not.",
        "a session was looked at",
    ),
    (
        "lifecycle.delete",
        f"create {_ENDS} {_LOOK}",
        "A session that was ended is gone, and stays gone.",
        "a session was looked at after it was ended",
    ),
    (
        "lifecycle.list",
        "create list",
        "List shows every live session once, and no other.",
        "a list was judged",
    ),
    (
        "lifecycle.ids-unique",
        "create ids.given",
        "No id is given twice.",
        "two sessions were made without choosing their ids",
    ),
    (
        "lifecycle.id-reuse",
        f"create ids.chosen {_ENDS}",
        "An id is free again once its session has ended.",
        "an id was created again after its session had ended",
    ),
    (
        "lifecycle.views-agree",
        "create get|exists|ttl exists|ttl|list|count|pop|is_expired",
        "The views get, exists, ttl, list, count and pop tell one story.",
        "one session was looked at in two ways",
    ),
    (
        "lifecycle.edge-values",
        "create policy.zero_timeout|policy.none_timeout|policy.id_pattern",
        "Timeouts of 0 and None and odd ids do what the policy declares.",
        "an edge value was handed over",
    ),
    (
        "lifecycle.errors",
        "create",
        "Nothing fails with an error that the profile does not declare.",
        "an operation was judged",
    ),
    (
        "lifecycle.resume",
        "create disconnect|resume resume",
        "A session survives its client's going away until it is taken up again.",
        "a session was resumed",
    ),
    (
        "lifecycle.use",
        "create use",
        "`use` gives a live session's own id, and one replacement for an expired one.",
        "`use` was asked of a live session or of an expired one",
    ),
    (
        "expiry.idle",
        f"create {_LOOK} policy.idle_timeout",
        "A session unused for its idle timeout is expired.",
        "a session was looked at after its idle timeout",
    ),
    (
        "expiry.absolute",
        f"create {_LOOK} policy.absolute_timeout",
        "A session older than the absolute timeout is expired, used or not.",
        "a session was looked at after its absolute timeout",
    ),
    (
        "expiry.boundary",
        f"create {_LOOK} {_TIMEOUT} exact",
        "Just before the timeout a session lives; at it and after it, it is as `at_timeout` says.",
        "a session was looked at within a millisecond of its timeout",
    ),
    (
        "expiry.not-early",
        f"create {_LOOK} {_TIMEOUT}",
        "No session expires before its timeout.",
        "a session was seen alive after time had passed",
    ),
    (
        "expiry.touch-renews",
        f"create touch|update|save|put|append|use|resume {_LOOK} policy.idle_timeout",
        "Activity renews a session: its idle timeout counts anew.",
        "a session lived past the timeout that it had before it was renewed",
    ),
    (
        "expiry.per-session",
        f"create {_LOOK} policy.per_session_timeout",
        "A session's own timeout counts in place of the manager's.",
        "a session with its own timeout was looked at before or after it",
    ),
    (
        "expiry.no-resurrection",
        f"create {_LOOK} {_TIMEOUT}",
        "A session once expired never lives again.",
        "activity was tried on an expired session, or it was looked at again",
    ),
    (
        "expiry.clock-back",
        f"create {_LOOK} {_TIMEOUT} policy.clock_back",
        "A clock set back expires nothing and revives nothing.",
        "a session was looked at after the clock had been set back",
    ),
    (
        "expiry.timezone",
        f"create {_LOOK} {_TIMEOUT}",
        "Time zones and daylight saving time move no deadline.",
        "a deadline was crossed under another time zone",
    ),
    (
        "sweep.complete",
        f"create sweep {_TIMEOUT}",
        "A sweep removes every expired session.",
        "a sweep found expired sessions",
    ),
    (
        "sweep.only-expired",
        f"create sweep {_LOOK}",
        "A sweep removes no live session.",
        "a live session was looked at after a sweep",
    ),
    (
        "sweep.survives-errors",
        f"create sweep {_TIMEOUT} policy.resource|hook.close",
        "An error while one session is closed stops neither the sweep nor the others.",
        "a sweep met a session whose closing fails",
    ),
    (
        "sweep.background",
        f"create policy.sweep_interval {_TIMEOUT}",
        "The background cleaner removes what has expired within its interval.",
        "an expired session was looked at after the interval",
    ),
    (
        "limit.enforced",
        "create policy.limit",
        "There are never more sessions than the limit.",
        "a create was refused at the limit, or a session was seen to have made room",
    ),
    (
        "limit.released",
        "create policy.limit",
        "A session that has ended makes room for another.",
        "a session was made in the place of one that had ended",
    ),
    (
        "limit.eviction",
        f"create {_LOOK} policy.limit evicts",
        "At the limit the right session makes room, and no other.",
        "a session was looked at after an eviction",
    ),
    (
        "data.merge",
        "create get update",
        "An update changes what it names and keeps the rest.",
        "an updated session was read",
    ),
    (
        "data.isolation",
        f"create get {_WRITE}|create",
        "What one session or caller writes shows in no other.",
        "a session was read while another held data",
    ),
    (
        "data.read-your-writes",
        "create get",
        "A session's data is what was last written.",
        "written data was read",
    ),
    (
        "data.version",
        "create save|update version",
        "A version stands for one state of the data; a stale one is refused.",
        "a version was told twice, or a stale one handed in",
    ),
    (
        "data.history-bounded",
        "create history policy.history_limit",
        "The history keeps the newest versions, and no more than its limit.",
        "a history was judged",
    ),
    (
        "concurrency.linearizable",
        "create callers",
        "Operations at the same time answer as if they had come one after the other.",
        "two operations overlapped",
    ),
    (
        "concurrency.no-lost-update",
        f"create get {_WRITE} callers",
        "Updates made at the same time are all kept, as `concurrent_updates` says.",
        "two writes of one session overlapped",
    ),
    (
        "concurrency.limit",
        "create callers policy.limit",
        "Callers at the same time do not pass the limit together.",
        "two creates overlapped at the limit",
    ),
    (
        "concurrency.deadlock-free",
        "create callers",
        "Callers at the same time never wait for each other for ever.",
        "two operations overlapped",
    ),
    (
        "concurrency.no-error",
        "create callers",
        "Being called at the same time makes nothing fail.",
        "two operations overlapped",
    ),
    (
        "cancel.no-leak",
        "create callers.tasks",
        "A cancelled operation leaves no slot, lock, half-made session or resource behind.",
        "every operation was cancelled at each of its suspensions",
    ),
    (
        "cancel.atomic",
        "create callers.tasks",
        "A cancelled operation happened, or did not.",
        "every operation was cancelled at each of its suspensions",
    ),
    (
        "fault.atomic",
        "create files|hooks|server",
        "An operation that met a fault happened, or did not.",
        "each fault of the plan fired",
    ),
    (
        "fault.no-leak",
        "create files|hooks|server",
        "A fault leaves nothing behind.",
        "each fault of the plan fired",
    ),
    (
        "fault.reported",
        "create files|hooks|server",
        "A fault is told, not swallowed.",
        "each fault of the plan fired",
    ),
    (
        "durability.restart",
        f"create {_LOOK} survives.restart",
        "What was acknowledged is there after a restart.",
        "a session was looked at after a restart",
    ),
    (
        "durability.kill",
        f"create {_LOOK} survives.kill",
        "What was acknowledged is there after the process was killed.",
        "a session was looked at after a kill",
    ),
    (
        "durability.power-loss",
        f"create {_LOOK} survives.power-loss",
        "What was acknowledged is there after the power failed.",
        "crash states of every write were judged",
    ),
    (
        "durability.damage",
        f"create {_LOOK} policy.damage",
        "A damaged record is detected, repaired or skipped, as declared.",
        "a record was damaged and looked at",
    ),
    (
        "recovery.complete",
        "create recover",
        "Recovery brings back everything that was acknowledged.",
        "a crash was recovered",
    ),
    (
        "recovery.idempotent",
        "create recover",
        "Recovering twice is recovering once: what is opened again after a crash shows no less than before.",
        "a recovery was repeated",
    ),
    (
        "recovery.crash-during",
        "create recover",
        "A crash during recovery can be recovered.",
        "a recovery was crashed",
    ),
    (
        "recovery.detects-crash",
        "create health",
        "A crash is told by what it left.",
        "health was asked after a crash",
    ),
    (
        "recovery.no-false-alarm",
        "create health",
        "A live, fresh and sound manager is never called crashed.",
        "health was asked of a sound manager",
    ),
    (
        "resources.closed-once",
        "create policy.resource|hook.close",
        "What a session owns is closed exactly once, whichever way it ends.",
        "a session that owned something ended",
    ),
    (
        "resources.none-left",
        "create probes",
        "Once every session is gone, nothing is left behind.",
        "a probe was read after the last session was gone",
    ),
    (
        "resources.stop-in-time",
        "stop|close",
        "Stop and close come back in time.",
        "the manager was stopped",
    ),
    (
        "security.id-entropy",
        "create policy.id_bits",
        "Ids cannot be guessed.",
        "ids enough for the estimate were given",
    ),
    (
        "security.rotation",
        f"create rotate {_LOOK}",
        "A rotated session lives on under its new id alone, with its data.",
        "a rotated session was looked at under both ids",
    ),
    (
        "security.fixation",
        "create use|get",
        "An id that a stranger chose becomes no session of the manager's.",
        "an id never issued was handed in",
    ),
    (
        "security.cross-session",
        "create get",
        "An id answers with its own session, never with another's.",
        "a session told its id or its owner",
    ),
    (
        "metrics.consistent",
        "create metrics",
        "Totals and ages agree with the sessions that there are.",
        "metrics were judged",
    ),
)

# How often a search must have exercised a property: a few times what is rare in programs drawn at random, more often
# what comes about in many ways.  Of what overlaps, so often that a race which shows once in a hundred had its chance.
LEAST: Final = 10
_LEAST: Final = {
    **dict.fromkeys(("lifecycle.create", "lifecycle.get", "lifecycle.errors", "lifecycle.ids-unique"), 50),
    **dict.fromkeys(("data.read-your-writes", "data.isolation", "expiry.not-early", "security.cross-session"), 20),
    **dict.fromkeys(("expiry.idle", "expiry.absolute", "expiry.boundary", "expiry.no-resurrection"), 10),
    **dict.fromkeys(("concurrency.linearizable", "concurrency.no-error", "concurrency.deadlock-free"), 100),
    **dict.fromkeys(("concurrency.no-lost-update", "concurrency.limit"), 25),
    **dict.fromkeys(("sweep.survives-errors", "resources.closed-once", "resources.none-left"), 5),
    **dict.fromkeys(("expiry.clock-back", "expiry.timezone", "expiry.touch-renews", "sweep.background"), 5),
    "security.id-entropy": 1,
}

PROPERTIES: Final[Mapping[str, Property]] = {
    name: Property(
        name=name, summary=summary, needs=tuple(needs.split()), minimum=minimum, least=_LEAST.get(name, LEAST)
    )
    for name, needs, summary, minimum in _ROWS
}

ONLY_BY_SEARCH: Final = frozenset(
    {
        "cancel.no-leak",
        "cancel.atomic",
        "fault.atomic",
        "fault.no-leak",
        "fault.reported",
        "durability.kill",
        "durability.power-loss",
        "durability.damage",
        "recovery.idempotent",
        "recovery.crash-during",
        "recovery.detects-crash",
        "resources.none-left",
        "security.id-entropy",
    }
)
"""What no story puts to the test: it takes faults, cancellations, crashes or probes, or very many sessions."""

EXTRAS: Final[Mapping[str, str]] = {
    "ids.given": "ids that the manager gives (`create` can do without `id`)",
    "ids.chosen": "ids that callers choose (`create` takes `id`)",
    "callers": "callers that may call at once (`callers`)",
    "callers.tasks": "callers that are tasks (`callers`)",
    "hooks": "a hook (`hooks`)",
    "hook.close": "a hook of the role `close`",
    "files": "files below {dir}",
    "server": "a server that it is told of by {endpoint} or {port} (`endpoint`)",
    "probes": "a probe (`[probes]`)",
    "version": "a version of the session (`[session] version`)",
    "evicts": "at_limit that evicts",
    "exact": "deadlines finer than a whole unit (no `granularity`)",
}


def describe(need: str) -> str:
    """Return one need in words."""
    return " or ".join(_described(word) for word in need.split("|"))


def _described(word: str) -> str:
    if word.startswith("policy."):
        return f"the policy key `{word.removeprefix('policy.')}`"
    if word.startswith("survives."):
        return f'survives = "{word.removeprefix("survives.")}" or more'
    return EXTRAS.get(word, f"the operation `{word}`")


_KEEPING: Final = ("create", "update", "save", "put", "checkpoint")
_SURVIVES: Final = ("nothing", "restart", "kill", "power-loss")


def meets(need: str, policy: Policy, operations: Iterable[str], extras: Iterable[str]) -> bool:
    """Say whether a profile meets one need."""
    offered = {*operations, *extras}
    return any(_met(word, policy, offered) for word in need.split("|"))


def _met(word: str, policy: Policy, offered: set[str]) -> bool:
    if word.startswith("policy."):
        return promised(policy, word.removeprefix("policy."))
    if word.startswith("survives."):
        least = _SURVIVES.index(word.removeprefix("survives."))
        return any(
            _SURVIVES.index(policy.of("survives", verb)) >= least
            for verb in ("create", "update", "save", "put", "checkpoint")
        )
    if word == "evicts":
        return policy.limit is not None and policy.at_limit.startswith("evict")
    if word == "exact":
        return not policy.granularity_us  # One unit either side of a deadline is not judged.
    return word in offered


def promised(policy: Policy, key: str) -> bool:
    """Say whether the policy promises anything under this key: it has a value, and not one that leaves it open."""
    value = getattr(policy, key)
    if KEYS[key].takes == "word" and value == "undeclared":
        return False
    return value is not None and value is not False and value != ()  # A limit of 0 is a promise.


def claimed(policy: Policy, operations: Iterable[str], extras: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the names of the properties that a profile claims, in the order of the catalogue.

    Args:
        extras: what the profile says beside operations and policy: "callers", "callers.tasks", "hooks", "hook.close",
            "files", "server", "probes", "version".
    """
    offered = frozenset(operations)
    more = frozenset(extras)
    return tuple(
        name for name, one in PROPERTIES.items() if all(meets(need, policy, offered, more) for need in one.needs)
    )
