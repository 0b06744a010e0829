"""One line of a scenario's `requires`, as a value.

Pure.  "touch", "limit", "at_limit=error|false", "activity!=get", "limit>2", "missing.get=none", "callers=tasks".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pytest_sessionguard.core.operations import VERBS
from pytest_sessionguard.core.policy import KEYS, Policy
from pytest_sessionguard.core.values import FrozenMap
from pytest_sessionguard.errors import did_you_mean

NOT_PROMISED: Final = (None, False, "undeclared", "nothing", ())

# Who may call at once: what is asked for -> what offers it.
CALLERS: Final[Mapping[str, tuple[str, ...]]] = {
    "one": ("one", "tasks", "threads", "processes"),
    "tasks": ("tasks",),
    "threads": ("threads", "processes"),
    "processes": ("processes",),
}

FILES: Final = "files"
"""Asks for files below the manager's folder that Python itself writes: operations on them can be made to fail."""

_LINE: Final = re.compile(r"(?P<name>\w+)(?:\.(?P<verb>\w+))?(?:(?P<sign>!?=|>)(?P<values>[^=>]+))?", re.ASCII)
_FIGURES: Final = ("number", "duration")


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """What a scenario asks for in one line.

    Attributes:
        text: the line as written.
        name: an operation, a key of the policy, "callers" or "files".
        verb: the one operation that the key's value is asked for, or empty.
        values: the values that will do; empty where any promise will.
        negated: whether none of `values` will do.
        above: the figure, or the key of the policy, that the key's figure must be above; empty where none is named.
    """

    text: str
    name: str
    verb: str = ""
    values: tuple[Any, ...] = ()
    negated: bool = False
    above: int | str = ""


def parse(text: str) -> Requirement:
    """Return the line as a value.

    Raises:
        ValueError: an unknown operation, key, caller or value.
    """
    match = _LINE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no requirement; expected an operation, a policy key, or key=value")
    name, verb, negated = match["name"], match["verb"] or "", match["sign"] == "!="
    words = tuple(match["values"].split("|")) if match["values"] else ()
    if name == "callers":
        for word in words:
            if word not in CALLERS:
                raise ValueError(f"unknown callers {word!r}{did_you_mean(word, CALLERS)}")
        if verb or match["sign"] not in (None, "="):
            raise ValueError(f"{text!r}: expected callers, or callers=tasks")
        return Requirement(text=text, name=name, values=words)
    if text == FILES:
        return Requirement(text=text, name=name)
    if name not in KEYS and (words or verb or name not in VERBS):
        if name in VERBS:
            raise ValueError(f"{text!r}: {name} is an operation, which has no value; expected {name} alone")
        known = {*KEYS, "callers"} if words or verb else {*VERBS, *KEYS, "callers", FILES}
        near = did_you_mean(name, known)
        raise ValueError(f"unknown requirement {name!r}{near if near.startswith(', did') else ''}")
    if verb and (not KEYS[name].by_verb or not words):
        raise ValueError(f"{text!r}: expected {name}=value; {name} has no table by operation to ask about")
    if verb and verb not in VERBS:
        raise ValueError(f"unknown operation {verb!r}{did_you_mean(verb, VERBS)}")
    if match["sign"] == ">":
        return Requirement(text=text, name=name, above=_bound(text, name, match["values"]))
    return Requirement(
        text=text, name=name, verb=verb, values=tuple(_value(name, word) for word in words), negated=negated
    )


def _value(name: str, word: str) -> Any:
    key = KEYS[name]
    match key.takes:
        case "flag":
            return key.parse({"true": True, "false": False}.get(word, word))
        case "number":
            return key.parse(int(word) if word.isascii() and word.isdigit() and len(word) < 20 else word)
        case "verbs":
            return key.parse((word,))[0]
        case "word" | "duration":
            return key.parse(word)
        case _:
            raise ValueError(f"{name} can be asked for, but not with a value")


def _bound(text: str, name: str, word: str) -> int | str:
    """Return the figure or the key that the key must be above."""
    if KEYS[name].takes not in _FIGURES:
        raise ValueError(f"{text!r}: {name} is no figure; expected {name}=value")
    if word not in KEYS:
        return int(_value(name, word))
    if KEYS[word].takes != KEYS[name].takes:
        raise ValueError(f"{text!r}: {name} and {word} cannot be compared")
    return word


def lacks(asked: Requirement, policy: Policy, operations: Iterable[str], callers: str, used: Iterable[str]) -> str:
    """Return what is missing for the requirement to be met, or nothing.

    `used` are the operations of the story: a key with a table by operation is asked about each of them.
    """
    if asked.name == "callers":
        met = any(callers in CALLERS[word] for word in asked.values or ("tasks", "threads"))
        return "" if met else f"{asked.text} (the profile says callers = {callers})"
    if asked.name == FILES:
        return ""  # Whether Python writes them shows when it does.
    if asked.above != "":
        return "" if _is_above(asked, policy) else f"{asked.text} (the profile says {policy.line(asked.name)})"
    if not asked.values and asked.name in VERBS:
        return "" if asked.name in operations else f"operation {asked.name}"
    if not asked.values:
        return f"policy key {asked.name}" if getattr(policy, asked.name) in NOT_PROMISED else ""
    has = _has(asked, policy, used)
    return f"{asked.text} (the profile says {policy.line(asked.name)})" if has is asked.negated else ""


def _is_above(asked: Requirement, policy: Policy) -> bool:
    """Say whether the policy's figure is above the one that is named; one that is absent knows no bounds."""
    value = getattr(policy, asked.name)
    bound = getattr(policy, asked.above) if isinstance(asked.above, str) else asked.above
    return value is None or (bound is not None and value > bound)


def _has(asked: Requirement, policy: Policy, used: Iterable[str]) -> bool:
    """Say whether the policy's key has one of the values: for one operation, or for all that the story uses."""
    value = getattr(policy, asked.name)
    if asked.verb:
        return policy.of(asked.name, asked.verb) in asked.values
    if isinstance(value, FrozenMap):
        addressed = [verb for verb in used if VERBS[verb].addresses == "session"]
        found = [policy.of(asked.name, verb) in asked.values for verb in addressed]
        return any(found) if asked.negated else all(found)
    if isinstance(value, tuple):
        return any(word in value for word in asked.values)
    return value in asked.values
