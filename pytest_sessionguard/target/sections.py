"""The tables of a profile and their keys: one list that the reader, the JSON Schema and the reference pages share.

Pure.  `[policy]` is not here: `core.policy.KEYS` describes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pytest_sessionguard.core.operations import KINDS, VERBS
from pytest_sessionguard.target.placeholders import TIMEOUT_UNITS


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One key of a profile's table.

    Attributes:
        takes: what the reader expects: "reference", "folders", "arguments", "word", "hooks", "flag", "template",
            "templates", "number", "duration", "endpoint", "place", "data type", "text", "classes", "values", "scalar",
            "probe" or "allowances".
        values: the words it takes, default first; empty where `takes` is not "word".
        least: the smallest number it takes.
        summary: for the reference pages.
    """

    name: str
    takes: str
    summary: str
    values: tuple[str, ...] = ()
    default: Any = None
    least: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One table of a profile.

    Attributes:
        open_entry: what a key of any name takes; None: only the named keys are known.
    """

    name: str
    summary: str
    entries: Mapping[str, Entry]
    open_entry: Entry | None = None


def _word(name: str, values: str, summary: str) -> Entry:
    words = tuple(values.split())
    return Entry(name=name, takes="word", summary=summary, values=words, default=words[0])


def _entry(name: str, takes: str, summary: str, *, default: Any = None, least: int = 0) -> Entry:
    return Entry(name=name, takes=takes, summary=summary, default=default, least=least)


def _section(name: str, summary: str, *entries: Entry, open_entry: Entry | None = None) -> Section:
    return Section(name=name, summary=summary, entries={one.name: one for one in entries}, open_entry=open_entry)


_MANAGER: Final = _section(
    "manager",
    "how the manager is made",
    _entry("factory", "reference", "`module:attribute`: a class, a function, or what gives a context manager"),
    _entry("path", "folders", "folders put on sys.path, relative to this file"),
    _entry("args", "arguments", "keyword arguments of the factory; `{limit}` and the like are filled in for each case"),
    _word("callers", "one tasks threads processes", "who may call at once"),
    _entry("hooks", "hooks", "factory parameter = `[async] role(arguments)`: a callable that the harness supplies"),
    _entry("hooks_may_call_back", "flag", "whether a hook may call the manager", default=False),
    _entry("background", "template", "what the harness runs beside the clients"),
    _word("isolation", "none process", "whether every case runs in a fresh process"),
    _entry("instances", "number", "managers at once", default=1, least=1),
    _entry("instances_share", "flag", "whether they share one store", default=True),
    _word("time", "virtual real", "real: a clock out of reach"),
    _word("timeout_unit", " ".join(TIMEOUT_UNITS), "the unit of the times that are handed over and answered"),
    _entry("granularity", "duration", "the manager counts whole units only; one unit either side is not judged"),
    _entry("reset", "reference", "`module:function` called before each case"),
    _entry("endpoint", "endpoint", "`host:port` of the backend, or `module:function` that starts one and gives it"),
)

_SESSION: Final = _section(
    "session",
    "where a session object keeps what is looked at",
    _entry("id", "place", "its id: attribute, key, dotted path or `.`"),
    _entry("data", "place", "its data"),
    _entry("version", "place", "its version"),
    _entry("status", "place", "its status"),
    _entry("owner", "place", "its owner"),
    _entry("data_type", "data type", "dict, flat, str, bytes, list, or `module:function`", default="dict"),
    _word("data_values", "json any token", "what values are drawn"),
    _entry("data_empty", "flag", "whether data may be empty", default=True),
    _entry("expired_status", "text", "what the status of an expired session is"),
)

_METRICS: Final = {
    "total": "the number of sessions that are stored",
    "active": "the number of live sessions",
    "oldest_age": "the age of the oldest live session",
    "newest_age": "the age of the newest live session",
    "average_age": "the average age of the live sessions",
}
_MEANINGS: Final = {
    "missing": "there is no such session",
    "exists": "a live session has this id already",
    "limit": "there is no room for another session",
    "conflict": "somebody else changed the session first",
    "expired": "the session has run out of time",
    "corrupt": "the session's record is damaged",
    "busy": "not now: nothing was changed, it may be tried again",
    "closed": "the manager is closed",
    "invalid": "an argument cannot be taken",
    "never": "a time left that never ends",
}
_HEALTH: Final = {
    "ok": "all is well; `none`: it gives None",
    "dead": "its process is dead",
    "stale": "its heartbeat is old",
    "corrupt": "its record is damaged",
    "disk": "the disk is nearly full",
    "orphaned": "nobody owns it",
}

DATA_TYPES: Final = ("dict", "flat", "str", "bytes", "list")
ANSWER_KINDS: Final = (*KINDS, "never")

_ALL: Final = (
    _MANAGER,
    _section(
        "operations",
        "how each operation is called",
        *(_entry(verb.name, "templates", verb.summary) for verb in VERBS.values()),
    ),
    _SESSION,
    _section(
        "errors",
        "the exceptions that mean a refusal",
        *(_entry(kind, "classes", _MEANINGS[kind]) for kind in KINDS),
    ),
    _section(
        "answers",
        "the returned values that mean a refusal",
        *(_entry(kind, "values", _MEANINGS[kind]) for kind in ANSWER_KINDS),
    ),
    _section(
        "metrics",
        "where the metrics are in the answer",
        *(_entry(name, "place", told) for name, told in _METRICS.items()),
    ),
    _section("health", "what health answers", *(_entry(name, "scalar", told) for name, told in _HEALTH.items())),
    _section(
        "probes",
        "numbers that are back at their first value once every session is gone",
        open_entry=_entry("*", "probe", "`glob:{dir}/*.lock`, `len:store.data` or `module:function`"),
    ),
    _section(
        "check",
        "how a search is bounded",
        _entry("allow", "allowances", "properties or faults that may stay unproven, each with its reason"),
        _entry("budget", "duration", "time for a search"),
        _entry("cases", "number", "cases of a search", least=1),
        _entry("seed", "number", "where a search starts"),
    ),
)

SECTIONS: Final[Mapping[str, Section]] = {section.name: section for section in _ALL}
TABLES: Final = (*SECTIONS, "policy")
