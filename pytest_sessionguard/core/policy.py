"""What a target promises, as a table of keys.

Pure.  `KEYS` says of every key what it means, which values it takes and which is the default; the profile reader, the
reference pages and the model all read this one table.  `Policy.written` remembers which keys the user wrote, so that a
violation that another value of an unwritten key would explain can name that key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from pytest_sessionguard.core import durations
from pytest_sessionguard.core.operations import VERBS
from pytest_sessionguard.core.values import FrozenMap
from pytest_sessionguard.errors import did_you_mean

ACTIVITY: Final = ("create", "touch", "update", "save", "put", "append", "use", "resume")

ByVerb = FrozenMap


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key of the policy.

    Attributes:
        values: the words it takes, default first; empty where `takes` is not "word".
        takes: "word", "duration", "number", "flag", "verbs" or "pattern": what the reader expects.
        by_verb: whether a table by operation may stand in the place of one value.
        default: the value where nothing is written.
        summary: what it promises, for the reference pages.
    """

    name: str
    takes: str
    default: Any
    summary: str
    values: tuple[str, ...] = ()
    by_verb: bool = False

    def parse(self, value: Any) -> Any:
        """Return the written value as the policy holds it.

        Raises:
            ValueError: what was expected instead.
        """
        if self.by_verb and isinstance(value, Mapping):
            for verb in value:
                if verb not in VERBS:
                    raise ValueError(f"unknown operation {verb!r}{did_you_mean(str(verb), VERBS)}")
            return ByVerb({verb: _PARSERS[self.takes](self, item) for verb, item in value.items()})
        return _PARSERS[self.takes](self, value)

    @property
    def expects(self) -> str:
        """What a reader may write, in words."""
        word = " | ".join(self.values) if self.values else _EXPECTS[self.takes]
        return word + (", or a table by operation" if self.by_verb else "")


def _word(key: Key, value: Any) -> str:
    if not isinstance(value, str) or value not in key.values:
        hint = (
            did_you_mean(value, key.values) if isinstance(value, str) else f"; expected one of: {', '.join(key.values)}"
        )
        raise ValueError(f"{value!r} is no value of {key.name}{hint}")
    return value


def _duration(key: Key, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError(f"{key.name} takes a duration such as 90s, 30m or 24h, not {value!r}")
    return durations.parse(value)


def _number(key: Key, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{key.name} takes a whole number, zero or more, not {value!r}")
    return value


def _flag(key: Key, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{key.name} is true or false, not {value!r}")
    return value


def _verb_list(key: Key, value: Any) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"{key.name} takes a list of operations, not {value!r}")
    for item in value:
        if item not in VERBS:
            raise ValueError(f"unknown operation {item!r}{did_you_mean(item, VERBS)}")
    return tuple(value)


def _pattern(key: Key, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{key.name} takes a regular expression, not {value!r}")
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"{key.name} takes a regular expression: {error}") from None
    return value


_PARSERS: Final[Mapping[str, Callable[[Key, Any], Any]]] = {
    "word": _word,
    "duration": _duration,
    "number": _number,
    "flag": _flag,
    "verbs": _verb_list,
    "pattern": _pattern,
}

_EXPECTS: Final = {
    "duration": 'seconds, or "90s", "30m", "24h"',
    "number": "a number",
    "flag": "false | true",
    "verbs": "a list of operations",
    "pattern": "a regular expression",
}


def _words(name: str, values: str, summary: str, *, by_verb: bool = False) -> Key:
    words = tuple(values.split())
    return Key(name=name, takes="word", default=words[0], summary=summary, values=words, by_verb=by_verb)


_ALL: Final = (
    Key(name="idle_timeout", takes="duration", default=None, summary="a session unused for this long expires"),
    Key(name="absolute_timeout", takes="duration", default=None, summary="a session this old expires, used or not"),
    Key(
        name="per_session_timeout",
        takes="flag",
        default=False,
        summary="true when create takes `timeout`, the idle timeout of that session",
    ),
    _words("at_timeout", "expired alive", "what a session idle for exactly the timeout is"),
    Key(name="activity", takes="verbs", default=ACTIVITY, summary="the operations that renew a session"),
    Key(name="refused_activity", takes="verbs", default=(), summary="the operations that renew even when refused"),
    _words("zero_timeout", "undeclared expired never default error", "what a timeout of 0 means"),
    _words("none_timeout", "undeclared expired never default error", "what a timeout of None means"),
    _words("clock", "wall monotonic", "the clock that timeouts are read from"),
    _words("clock_back", "keeps undeclared", "a clock set back expires nothing and revives nothing"),
    _words("expired", "gone marked stale", "what is seen of an expired session", by_verb=True),
    Key(name="revivable", takes="flag", default=False, summary="activity makes a stale session live again"),
    _words("expired_id", "free taken", "whether an expired session's id may be created again before a sweep"),
    _words(
        "replacement", "one moves", "what `use` of an expired session gives: always the same new one, or its data moves"
    ),
    _words("existing", "error false return replace", "what create with a live id does"),
    _words(
        "missing", "none false empty error creates new-id", "what a session that is not there answers", by_verb=True
    ),
    _words("old_id", "dead alive snapshot", "what the old id is after a rotation or a save under a new id"),
    _words("ids", "unique content", "whether every id is new, or carries the state and may repeat"),
    Key(name="limit", takes="number", default=None, summary="the most sessions at once"),
    _words("limit_scope", "manager owner", "whom the limit counts for"),
    _words("at_limit", "error false evict-oldest evict-idle evict-soonest evict-any", "what create does at the limit"),
    _words("limit_counts", "stored live", "whether expired sessions not yet swept count"),
    Key(name="limit_in_flight", takes="flag", default=False, summary="creations under way may count"),
    _words("update", "merge replace", "what update does to the data"),
    _words("data", "copies live", "whether callers get copies, or the object itself"),
    _words("concurrent_updates", "all-kept conflict last-wins", "what becomes of updates made at once"),
    Key(name="sweep_interval", takes="duration", default=None, summary="how often the background cleaner runs"),
    Key(name="stop_within", takes="duration", default=None, summary="how long stop may take"),
    _words("close", "keeps ends", "what closing the manager does to the sessions of a durable one"),
    _words("survives", "nothing restart kill power-loss", "what an acknowledged session survives", by_verb=True),
    _words("damage", "undeclared detected repaired skipped", "what a damaged record does"),
    Key(name="history_limit", takes="number", default=None, summary="the most versions kept, oldest dropped first"),
    Key(
        name="resource",
        takes="word",
        default=None,
        summary="how an attached resource is closed",
        values=("async close()", "close()", "async ()", "()"),
    ),
    Key(
        name="close_hook",
        takes="word",
        default=None,
        summary="called exactly once a session; errors in one harm no other",
        values=("once",),
    ),
    Key(name="id_pattern", takes="pattern", default=None, summary="the ids that a caller may choose"),
    Key(name="id_bits", takes="number", default=None, summary="the entropy of the ids that are given, in bits"),
)

KEYS: Final[Mapping[str, Key]] = {key.name: key for key in _ALL}


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What one target promises.  `KEYS` explains every field.

    Units: timeouts and intervals in microseconds; None: never, or not promised.
    Attributes:
        written: the keys that the user wrote; all others stand at their default.
    """

    idle_timeout: int | None = None
    absolute_timeout: int | None = None
    per_session_timeout: bool = False
    at_timeout: str = "expired"
    activity: tuple[str, ...] = ACTIVITY
    refused_activity: tuple[str, ...] = ()
    zero_timeout: str = "undeclared"
    none_timeout: str = "undeclared"
    clock: str = "wall"
    clock_back: str = "keeps"
    expired: str | ByVerb = "gone"
    revivable: bool = False
    expired_id: str = "free"
    replacement: str = "one"
    existing: str = "error"
    missing: str | ByVerb = "none"
    old_id: str = "dead"
    ids: str = "unique"
    limit: int | None = None
    limit_scope: str = "manager"
    at_limit: str = "error"
    limit_counts: str = "stored"
    limit_in_flight: bool = False
    update: str = "merge"
    data: str = "copies"
    concurrent_updates: str = "all-kept"
    sweep_interval: int | None = None
    stop_within: int | None = None
    close: str = "keeps"
    survives: str | ByVerb = "nothing"
    damage: str = "undeclared"
    history_limit: int | None = None
    resource: str | None = None
    close_hook: str | None = None
    id_pattern: str | None = None
    id_bits: int | None = None
    granularity_us: int = 0
    expired_status: str | None = None
    written: frozenset[str] = frozenset()

    def of(self, key: str, verb: str) -> str:
        """Return the value of a key for one operation: its own in a table, else the default."""
        value = getattr(self, key)
        if isinstance(value, ByVerb):
            return str(value.get(verb, KEYS[key].default))
        return str(value)

    def named_for(self, key: str, verb: str) -> bool:
        """Say whether the user wrote the key for this very operation."""
        value = getattr(self, key)
        return isinstance(value, ByVerb) and verb in value

    def renews(self, verb: str) -> bool:
        """Say whether the operation, when it is done, is activity."""
        return verb in self.activity

    def line(self, key: str) -> str:
        """Return the key and its value as a profile would have it, told apart whether it was written."""
        value = getattr(self, key)
        if value is None:
            return f"{key} (not written)"
        if KEYS[key].takes == "duration":
            text = f'"{durations.show(value)}"'
        elif isinstance(value, ByVerb):
            text = "{ " + ", ".join(f'{verb} = "{word}"' for verb, word in value.items()) + " }"
        elif isinstance(value, bool):
            text = str(value).lower()
        elif isinstance(value, tuple):
            text = "[" + ", ".join(f'"{word}"' for word in value) + "]"
        else:
            text = f'"{value}"' if isinstance(value, str) else str(value)
        return f"{key} = {text}" + ("" if key in self.written else " (the default)")


def policy(**written: Any) -> Policy:
    """Return the policy of the given keys, written as a profile would have them; all others at their default.

    Raises:
        ValueError: an unknown key, or a value that its key does not take.
    """
    parsed: dict[str, Any] = {}
    for name, value in written.items():
        if name not in KEYS:
            raise ValueError(f"unknown policy key {name!r}{did_you_mean(name, KEYS)}")
        parsed[name] = KEYS[name].parse(value)
    return Policy(**parsed, written=frozenset(parsed))


def with_value(base: Policy, key: str, value: Any) -> Policy:
    """Return the policy with one key set to a parsed value, written or not as before."""
    return replace(base, **{key: value})


def other_values(base: Policy, key: str) -> tuple[Any, ...]:
    """Return the values that an unwritten key might have had instead: words and flags only."""
    described = KEYS[key]
    current = getattr(base, key)
    if described.takes == "flag":
        return (not current,)
    return tuple(value for value in described.values if value != current)
