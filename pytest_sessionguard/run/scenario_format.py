"""The format of scenario files as tables: the header, the verbs, what may go with a step, what may be expected.

The reader, the JSON Schema and the reference page are all made from these; what is not in them is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pytest_sessionguard.core.operations import KINDS, VERBS

VERSION: Final = 1
CELLS_MAX: Final = 1000
SCHEDULES_MAX: Final = 100_000
EXHAUSTIVE: Final = "exhaustive"
KEPT: Final = "kept"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One key that may stand in a mapping of the file.

    Attributes:
        takes: the kind of its value, a key of `TAKES`.
        becomes: its name in the step's arguments.
    """

    name: str
    takes: str
    summary: str
    required: bool = False

    @property
    def becomes(self) -> str:
        """The name under which the value is kept: a duration or an instant says its unit."""
        return f"{self.name}_us" if self.takes in ("duration", "timeout", "instant") else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class StepKind:
    """What one verb takes.

    Attributes:
        short: the entry that a value which is no mapping stands for: `touch: cart`.
        one_of: entries of which exactly one must stand.
        modifiers: what may go with the verb, besides `label`.
        block: whether it holds other steps.
    """

    verb: str
    summary: str
    entries: tuple[Entry, ...] = ()
    short: str = ""
    one_of: tuple[str, ...] = ()
    modifiers: tuple[str, ...] = ()
    block: bool = False


TAKES: Final[Mapping[str, str]] = {
    "text": "text",
    "name": "a name: a letter, then letters, digits, `_`, `-` or `.`",
    "identifier": "a word of letters, digits and `_`",
    "session": 'a session\'s name, or `{id: "x"}` for an id written out',
    "sessions": "a list of sessions' names",
    "id": "an id: text or a number",
    "duration": "a duration such as 90s, 30m, 1h30m or 5ms",
    "timeout": "a duration such as 90s or 30m, or null for none",
    "whole": "a whole number, zero or more",
    "integer": "a whole number",
    "flag": "true or false",
    "value": "any value",
    "mapping": "a mapping",
    "instant": 'an instant such as "2026-03-29T00:59:59Z"',
    "zone": "a time zone such as Europe/Berlin",
    "function": 'a function as "module:name"',
    "words": "a list of words",
    "version": f"{VERSION}",
    "requirements": "a list of operations, policy keys, `key=value` or `callers=tasks`",
    "matrix": "a mapping of variables to lists of values",
    "figures": "a mapping of a policy's figures to values",
    "properties": "a list of properties",
    "steps": "a list of steps",
    "faults": "a list of faults, such as `{fail_call: close, at: 2}`",
    "crash": "kill or power-loss",
    "partition": "both, to-server, from-server or heal",
    "kept": "the word kept",
    "branches": "a list of at least two lists of steps",
    "schedules": "exhaustive, a number of schedules, or one schedule such as ABBA or A12B",
    "expectation": "what `expect` takes",
    "kinds": f"true, a kind of refusal ({', '.join(KINDS)}), or a list of kinds",
    "answer": "a mapping of facets of the answer to values",
    "capture": "a mapping of new variables to facets of the answer, dotted: `data.items`",
}

_SESSION: Final = Entry(name="session", takes="session", summary="the session", required=True)
_OPTIONAL_SESSION: Final = Entry(name="session", takes="session", summary="one session; absent: the whole manager")
_NEW_NAME: Final = Entry(
    name="as", takes="name", summary="names the session that the answer gives; absent: `session` names it from now on"
)
_KEY: Final = Entry(name="key", takes="text", summary="the key in the session's data", required=True)
_VALUE: Final = Entry(name="value", takes="value", summary="the value", required=True)
_OWNER: Final = Entry(name="owner", takes="value", summary="only this owner's sessions")
_STALE: Final = Entry(
    name="stale", takes="flag", summary="works on the session object that the client holds, however old it is by now"
)
_VERSION: Final = Entry(name="version", takes="value", summary="the version that the change builds on")

HEADER: Final = (
    Entry(name="scenario", takes="text", summary="the story as one sentence: its title", required=True),
    Entry(name="version", takes="version", summary="the version of this format", required=True),
    Entry(
        name="requires",
        takes="requirements",
        summary="what the manager must offer or promise; unmet, the story is skipped, naming what is missing",
    ),
    Entry(
        name="matrix", takes="matrix", summary="variables and their values; the story runs once for each combination"
    ),
    Entry(
        name="with",
        takes="figures",
        summary="figures of the policy that the story wishes for; skipped where the profile cannot hand them over",
    ),
    Entry(name="zone", takes="zone", summary="the time zone that the manager's process is in; absent: whatever it is"),
    Entry(name="begins", takes="instant", summary="the instant at which the story begins; absent: that of all others"),
    Entry(name="start", takes="steps", summary="steps before the story"),
    Entry(name="steps", takes="steps", summary="the story", required=True),
    Entry(name="faults", takes="faults", summary="what is made to go wrong during `steps`"),
    Entry(name="after_fault", takes="steps", summary="steps after the story, in which nothing is made to go wrong"),
    Entry(name="finally", takes="steps", summary="steps after the story, however it ends"),
    Entry(name="invariants", takes="properties", summary="properties that must hold after every step"),
    Entry(name="markers", takes="words", summary="pytest markers of the story's items"),
    Entry(name="fixtures", takes="words", summary="pytest fixtures that the story's items use"),
)

_PLAIN: Final = ("refused", "answer", "capture", "client", "cancel_at")

# What a scenario hands to an operation, beside the session or instead of it.
_OPERATION_ENTRIES: Final[Mapping[str, tuple[Entry, ...]]] = {
    "create": (
        Entry(name="as", takes="name", summary="names the session in the rest of the file", required=True),
        Entry(name="id", takes="id", summary="the id that the caller chooses"),
        Entry(name="owner", takes="value", summary="who owns the session"),
        Entry(name="data", takes="value", summary="its data"),
        Entry(name="timeout", takes="timeout", summary="the idle timeout of this session"),
    ),
    "touch": (_SESSION, Entry(name="timeout", takes="timeout", summary="its idle timeout from now on")),
    "update": (
        _SESSION,
        Entry(name="set", takes="mapping", summary="what to merge into its data", required=True),
        _VERSION,
    ),
    "save": (_SESSION, Entry(name="data", takes="value", summary="its whole new data", required=True), _VERSION),
    "put": (_SESSION, _KEY, _VALUE),
    "append": (
        _SESSION,
        Entry(name="key", takes="text", summary="the list's key in the session's data; absent: the data is the list"),
        _VALUE,
    ),
    "pop": (
        _SESSION,
        Entry(name="key", takes="text", summary="takes out this key of its data; absent: the whole session"),
    ),
    "pop_item": (Entry(name="as", takes="name", summary="names the session that was taken out"),),
    "expire": (_SESSION, Entry(name="timeout", takes="timeout", summary="after this long; absent: now")),
    "use": (_SESSION, _NEW_NAME),
    "rotate": (_SESSION, _NEW_NAME),
    "resume": (_SESSION, _NEW_NAME),
    "attach": (
        _SESSION,
        Entry(name="resource", takes="name", summary="names the resource", required=True),
        Entry(name="fails", takes="flag", summary="its closing raises an error"),
    ),
    "list": (_OWNER,),
    "count": (_OWNER,),
    "clear": (_OWNER,),
    "sweep": (Entry(name="n", takes="integer", summary="removes at most so many"),),
    "history": (_SESSION, Entry(name="n", takes="integer", summary="the last so many versions")),
    "health": (_OPTIONAL_SESSION,),
    "checkpoint": (_OPTIONAL_SESSION,),
    "recover": (_OPTIONAL_SESSION,),
}

EXPECT_SESSION: Final = (
    Entry(name="alive", takes="flag", summary="whether it lives"),
    Entry(name="data", takes="value", summary="its data, exactly"),
    Entry(name="has", takes="mapping", summary="entries that its data has, among others"),
    Entry(name="version", takes="value", summary="its version"),
    Entry(name="owner", takes="value", summary="its owner"),
    Entry(name="status", takes="value", summary="its status"),
    Entry(name="expires_in", takes="timeout", summary="how long it has to live"),
)
EXPECT_MANAGER: Final = (
    Entry(name="count", takes="whole", summary="how many sessions there are"),
    Entry(name="ids", takes="sessions", summary="exactly these sessions are listed, in any order"),
    Entry(name="metrics", takes="mapping", summary="these metrics; others are not looked at"),
    Entry(
        name="acknowledged",
        takes="kept",
        summary="looks at every session of the story: what was acknowledged is kept, the rest whole or absent",
    ),
)
EXPECT_RESOURCE: Final = (Entry(name="closed", takes="flag", summary="whether the resource is closed"),)

EXPECT_ENTRIES: Final = (
    Entry(name="session", takes="session", summary="the session that is looked at"),
    *EXPECT_SESSION,
    *EXPECT_MANAGER,
    Entry(name="resource", takes="name", summary="the resource that is looked at"),
    *EXPECT_RESOURCE,
)


def _operation(verb: str) -> StepKind:
    described = VERBS[verb]
    entries = _OPERATION_ENTRIES.get(verb, (_SESSION,) if described.addresses == "session" else ())
    entries += (_STALE,) if described.addresses == "session" else ()
    named = {entry.name for entry in entries}
    short = "session" if "session" in named and not {entry.name for entry in entries[1:] if entry.required} else ""
    return StepKind(verb=verb, summary=described.summary, entries=entries, short=short, modifiers=_PLAIN)


_BESIDE: Final = (
    StepKind(
        verb="advance",
        summary="lets virtual time pass: a duration, or up to the instant at which a session times out",
        short="by",
        one_of=("by", "to_timeout_of"),
        entries=(
            Entry(name="by", takes="duration", summary="this long"),
            Entry(name="to_timeout_of", takes="session", summary="until this session's timeout is reached"),
            Entry(name="minus", takes="duration", summary="less this long"),
            Entry(name="plus", takes="duration", summary="and this long"),
        ),
    ),
    StepKind(
        verb="set_clock",
        summary="sets the wall clock, or the time zone; the monotonic clock runs on undisturbed",
        one_of=("back", "forward", "to", "zone"),
        entries=(
            Entry(name="back", takes="duration", summary="back by this long"),
            Entry(name="forward", takes="duration", summary="forward by this long"),
            Entry(name="to", takes="instant", summary="to this instant"),
            Entry(name="zone", takes="text", summary="the local time zone from now on: a name, or as POSIX writes TZ"),
        ),
    ),
    StepKind(verb="restart", summary="closes the manager in good order and makes it anew on the same store"),
    StepKind(
        verb="crash",
        summary="ends the manager as a kill or a loss of power would, here, and makes it anew on what is left",
        short="how",
        entries=(Entry(name="how", takes="crash", summary="the process is killed, or power is lost", required=True),),
    ),
    StepKind(
        verb="partition",
        summary="lets nothing through to the server at [manager] endpoint, or nothing back, until it is healed",
        short="of",
        entries=(
            Entry(name="of", takes="partition", summary="what gets through no more, or heal: all does", required=True),
            Entry(name="for", takes="duration", summary="heals by itself after so long"),
        ),
    ),
    StepKind(
        verb="parallel",
        summary="runs branches at once, one client each, started in the order of the file",
        short="branches",
        entries=(Entry(name="branches", takes="branches", summary="lists of steps", required=True),),
        modifiers=("schedules",),
        block=True,
    ),
    StepKind(
        verb="repeat",
        summary="runs steps several times over",
        entries=(
            Entry(name="times", takes="whole", summary="how many times", required=True),
            Entry(name="counter", takes="identifier", summary="a variable that counts 1, 2, 3 ..."),
            Entry(name="steps", takes="steps", summary="what is repeated", required=True),
        ),
        block=True,
    ),
    StepKind(
        verb="expect",
        summary="looks at a session, at the manager, or at a resource; renews nothing where it need not",
        entries=EXPECT_ENTRIES,
    ),
    StepKind(
        verb="eventually",
        summary="looks again and again while virtual time passes, until what is expected is so",
        entries=(
            Entry(name="within", takes="duration", summary="for this long at most", required=True),
            Entry(name="every", takes="duration", summary="this often; absent: every second"),
            Entry(name="expect", takes="expectation", summary="what must come true", required=True),
        ),
        block=True,
    ),
    StepKind(
        verb="call",
        summary="calls a Python function by its import path",
        short="function",
        entries=(
            Entry(name="function", takes="function", summary="its import path", required=True),
            Entry(name="args", takes="mapping", summary="its keyword arguments"),
        ),
        modifiers=("answer", "capture"),
    ),
)

STEPS: Final[Mapping[str, StepKind]] = {
    **{verb: _operation(verb) for verb in VERBS},
    **{kind.verb: kind for kind in _BESIDE},
}

MODIFIERS: Final = (
    Entry(
        name="refused",
        takes="kinds",
        summary="it must be refused: by an error of a kind, or as the policy says instead",
    ),
    Entry(name="answer", takes="answer", summary="what it must answer, facet by facet"),
    Entry(name="capture", takes="capture", summary="keeps parts of the answer as variables for later steps"),
    Entry(name="client", takes="text", summary="which client calls"),
    Entry(
        name="cancel_at",
        takes="whole",
        summary="its caller is cancelled at this suspension, counted from 1: it happens or it does not",
    ),
    Entry(
        name="schedules",
        takes="schedules",
        summary="the orders in which branches run: what follows must hold in every one of them",
    ),
    Entry(name="label", takes="text", summary="a text for the report"),
)

FACETS: Final = (
    Entry(name="absent", takes="text", summary="none, false or empty, where that came instead"),
    Entry(name="id", takes="session", summary="the id, told as the name of its session"),
    Entry(name="owner", takes="value", summary="the owner"),
    Entry(name="data", takes="value", summary="the data, exactly"),
    Entry(name="version", takes="value", summary="the version"),
    Entry(name="versions", takes="value", summary="the versions kept, as a list"),
    Entry(name="status", takes="value", summary="the status"),
    Entry(name="found", takes="flag", summary="whether the session was there"),
    Entry(name="flag", takes="flag", summary="yes or no"),
    Entry(name="count", takes="whole", summary="a number of sessions"),
    Entry(name="ids", takes="sessions", summary="the ids, told as the names of their sessions, in any order"),
    Entry(name="seconds", takes="timeout", summary="the time left"),
    Entry(name="metrics", takes="mapping", summary="these metrics; others are not looked at"),
    Entry(name="value", takes="value", summary="the value, or what a called function returned"),
)

# Inside a branch the clock and the manager stay as they are: what another branch sees would have no one meaning.
NOT_IN_BRANCHES: Final = frozenset({"parallel", "restart", "crash", "partition", "advance", "set_clock", "eventually"})
