"""The JSON Schema of a profile, for editors: made from the same tables that the reader reads by.

Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from pytest_sessionguard.core.operations import VERBS
from pytest_sessionguard.core.policy import KEYS, Key
from pytest_sessionguard.target.sections import DATA_TYPES, SECTIONS, Entry, Section

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_DURATION: Final[Mapping[str, Any]] = {"type": ["string", "number"], "examples": ["90s", "30m", "24h"]}
_TEXT: Final[Mapping[str, Any]] = {"type": "string", "minLength": 1}
_REFERENCE: Final[Mapping[str, Any]] = {"type": "string", "pattern": r"^[^:\s]+:[^:\s]+$"}


def profile_schema() -> dict[str, Any]:
    """Return the JSON Schema of a profile file."""
    tables = {name: _table(section) for name, section in SECTIONS.items()}
    tables["manager"]["required"] = ["factory"]
    tables["operations"]["required"] = ["create"]
    tables["policy"] = {
        "type": "object",
        "description": "what the manager promises",
        "properties": {name: _policy(key) for name, key in KEYS.items()},
        "additionalProperties": False,
    }
    return {
        "$schema": DIALECT,
        "title": "sessionguard profile",
        "type": "object",
        "properties": tables,
        "required": ["manager", "operations"],
        "additionalProperties": False,
    }


def _table(section: Section) -> dict[str, Any]:
    return {
        "type": "object",
        "description": section.summary,
        "properties": {name: _entry(entry) for name, entry in section.entries.items()},
        "additionalProperties": False if section.open_entry is None else _entry(section.open_entry),
    }


def _entry(entry: Entry) -> dict[str, Any]:
    told = {**_TAKES[entry.takes](entry), "description": entry.summary}
    return told if entry.default is None else {**told, "default": entry.default}


def _one_or_list(item: Mapping[str, Any]) -> dict[str, Any]:
    return {"oneOf": [dict(item), {"type": "array", "items": dict(item), "minItems": 1}]}


_TAKES: Final[Mapping[str, Callable[[Entry], dict[str, Any]]]] = {
    "reference": lambda _: dict(_REFERENCE),
    "folders": lambda _: {"type": "array", "items": dict(_TEXT)},
    "arguments": lambda _: {"type": "object"},
    "word": lambda entry: {"enum": list(entry.values)},
    "hooks": lambda _: {"type": "object", "additionalProperties": dict(_TEXT)},
    "flag": lambda _: {"type": "boolean"},
    "template": lambda _: dict(_TEXT),
    "templates": lambda _: _one_or_list(_TEXT),
    "number": lambda entry: {"type": "integer", "minimum": entry.least},
    "duration": lambda _: dict(_DURATION),
    "endpoint": lambda _: {"anyOf": [{"type": "string", "pattern": r":\d{1,5}$"}, dict(_REFERENCE)]},
    "place": lambda _: dict(_TEXT),
    "data type": lambda _: {"anyOf": [{"enum": list(DATA_TYPES)}, dict(_REFERENCE)]},
    "text": lambda _: {"type": "string"},
    "classes": lambda _: _one_or_list(_TEXT),
    "values": lambda _: {},
    "scalar": lambda _: {"type": ["string", "number", "boolean"]},
    "probe": lambda _: {"type": "string", "pattern": r"^(glob:.+|len:.+|[^:\s]+:[^:\s]+)$"},
    "allowances": lambda _: {
        "type": "array",
        "items": {
            "anyOf": [
                dict(_TEXT),
                {
                    "type": "object",
                    "properties": {"name": dict(_TEXT), "reason": {"type": "string"}},
                    "required": ["name"],
                    "additionalProperties": False,
                },
            ]
        },
    },
}


def _policy(key: Key) -> dict[str, Any]:
    one = _one_policy_value(key)
    if key.by_verb:
        table = {"type": "object", "properties": dict.fromkeys(VERBS, one), "additionalProperties": False}
        one = {"anyOf": [one, table]}
    told = {**one, "description": key.summary}
    if key.default is None:
        return told
    return {**told, "default": list(key.default) if isinstance(key.default, tuple) else key.default}


def _one_policy_value(key: Key) -> dict[str, Any]:
    match key.takes:
        case "word":
            return {"enum": list(key.values)}
        case "duration":
            return dict(_DURATION)
        case "number":
            return {"type": "integer", "minimum": 0}
        case "flag":
            return {"type": "boolean"}
        case "verbs":
            return {"type": "array", "items": {"enum": list(VERBS)}}
        case _:
            return {"type": "string"}
