"""The format of scenario files for editors (JSON Schema) and for readers (Markdown), both made from its tables.

The schema says what can be said of one place alone; that a session is made before it is used, and whatever else
depends on the rest of the file, only the reader knows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from pytest_sessionguard.core.operations import KINDS, VERBS
from pytest_sessionguard.core.policy import KEYS
from pytest_sessionguard.core.properties import PROPERTIES
from pytest_sessionguard.core.requirements import CALLERS, FILES
from pytest_sessionguard.core.scenario import FIGURES, REPEATS_MAX
from pytest_sessionguard.faults import FaultKind, kinds
from pytest_sessionguard.faults.crash import HOWS
from pytest_sessionguard.faults.partition import DIRECTIONS, HEAL
from pytest_sessionguard.run import scenario_format as form
from pytest_sessionguard.run.scenario_faults import EVERY
from pytest_sessionguard.run.scenario_format import Entry, StepKind

Schema = dict[str, Any]

_OPEN: Final[Schema] = {"type": "string", "pattern": r"\$"}
_IDENTIFIER: Final = "^[A-Za-z_][A-Za-z0-9_]*$"
_NAME: Final = r"^[A-Za-z_$][A-Za-z0-9_.${}-]*$"
_SPAN: Final = r"^\s*([0-9]+(\.[0-9]+)?(us|ms|s|m|h|d)\s*)+$|\$"
_BACK: Final = r"^-\s*([0-9]+(\.[0-9]+)?(us|ms|s|m|h|d)\s*)+$"
_FUNCTION: Final = r"^[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_.]*$"


def _reference(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _words(words: Iterable[str]) -> Schema:
    return {"type": "array", "items": {"enum": sorted(words)}}


def _requirement() -> Schema:
    names = sorted({*VERBS, *KEYS, "callers", FILES})
    return {"anyOf": [{"enum": names}, {"type": "string", "pattern": r"^[a-z_]+(\.[a-z_]+)?(!?=|>)[^=>]+$"}]}


_KINDS: Final[Mapping[str, Callable[[], Schema]]] = {
    "text": lambda: {"type": "string"},
    "name": lambda: {"type": "string", "pattern": _NAME},
    "identifier": lambda: {"type": "string", "pattern": _IDENTIFIER},
    "session": lambda: {
        "anyOf": [
            {"type": "string", "pattern": _NAME},
            {"type": "object", "required": ["id"], "additionalProperties": False, "properties": {"id": True}},
        ]
    },
    "sessions": lambda: {"anyOf": [{"type": "array", "items": _reference("session")}, _OPEN]},
    "id": lambda: {"type": ["string", "integer"]},
    "duration": lambda: {"type": "string", "pattern": _SPAN},
    "timeout": lambda: {"type": ["string", "null"], "pattern": f"{_BACK}|{_SPAN}"},
    "whole": lambda: {"anyOf": [{"type": "integer", "minimum": 0, "maximum": REPEATS_MAX}, _OPEN]},
    "integer": lambda: {"anyOf": [{"type": "integer"}, _OPEN]},
    "flag": lambda: {"anyOf": [{"type": "boolean"}, _OPEN]},
    "value": dict,
    "mapping": lambda: {"anyOf": [{"type": "object"}, _OPEN]},
    "instant": lambda: {
        "anyOf": [{"type": "string", "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ].*(Z|[+-][0-9:]+)$"}, _OPEN]
    },
    "zone": lambda: {"type": "string", "pattern": r"^[A-Za-z$][A-Za-z0-9_+/${}-]*$"},
    "function": lambda: {"type": "string", "pattern": _FUNCTION},
    "words": lambda: {"type": "array", "items": {"type": "string", "pattern": _IDENTIFIER}},
    "version": lambda: {"const": form.VERSION},
    "requirements": lambda: {"type": "array", "items": _requirement()},
    "matrix": lambda: {
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": _IDENTIFIER},
        "additionalProperties": {"type": "array", "minItems": 1},
    },
    "figures": lambda: {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            name: {
                "description": KEYS[name].summary,
                **_reference("duration" if KEYS[name].takes == "duration" else "whole"),
            }
            for name in FIGURES
        },
    },
    "properties": lambda: _words(PROPERTIES),
    "steps": lambda: {"type": "array", "minItems": 1, "items": _reference("step")},
    "faults": lambda: {"type": "array", "minItems": 1, "items": {"anyOf": [_fault(kind) for kind in kinds().values()]}},
    "crash": lambda: {"enum": list(HOWS)},
    "partition": lambda: {"enum": [*DIRECTIONS, HEAL]},
    "kept": lambda: {"const": form.KEPT},
    "branches": lambda: {"type": "array", "minItems": 2, "items": _reference("steps")},
    "schedules": lambda: {
        "anyOf": [
            {"const": form.EXHAUSTIVE},
            {"type": "integer", "minimum": 1, "maximum": form.SCHEDULES_MAX},
            {"type": "string", "pattern": r"^\s*([A-Z]|\([0-9]+\))[A-Z0-9()\s]*$"},
        ]
    },
    "expectation": lambda: {
        "anyOf": [
            _closed((form.EXPECT_ENTRIES[0], *form.EXPECT_SESSION), required=("session",), at_least=2),
            _closed(form.EXPECT_MANAGER, at_least=1),
            _closed((_entry(form.EXPECT_ENTRIES, "resource"), *form.EXPECT_RESOURCE), required=("resource", "closed")),
        ]
    },
    "kinds": lambda: {
        "anyOf": [
            {"const": True},
            {"enum": list(KINDS)},
            {"type": "array", "minItems": 1, "items": {"enum": list(KINDS)}},
        ]
    },
    "answer": lambda: _closed(form.FACETS, at_least=1),
    "capture": lambda: {
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": _IDENTIFIER},
        "additionalProperties": {
            "type": "string",
            "pattern": f"^({'|'.join(facet.name for facet in form.FACETS)})(\\.[^.]+)*$",
        },
    },
}


def _entry(entries: Iterable[Entry], name: str) -> Entry:
    return next(entry for entry in entries if entry.name == name)


def _closed(entries: Iterable[Entry], *, required: tuple[str, ...] = (), at_least: int = 0) -> Schema:
    """Return the schema of a mapping that may hold these entries and no others."""
    listed = tuple(entries)
    schema: Schema = {
        "type": "object",
        "additionalProperties": False,
        "properties": {entry.name: {"description": entry.summary, **_reference(entry.takes)} for entry in listed},
    }
    needed = [entry.name for entry in listed if entry.required or entry.name in required]
    if needed:
        schema["required"] = needed
    if at_least:
        schema["minProperties"] = at_least
    return schema


_SIGNED_SPAN: Final[Schema] = {"type": "string", "pattern": r"^-?\s*([0-9]+(\.[0-9]+)?(us|ms|s|m|h|d)\s*)+$"}
_OF_FAULTS: Final[Mapping[str, Schema]] = {
    "text": {"type": "string", "minLength": 1},
    "duration": _SIGNED_SPAN,
    "integer": {"type": "integer", "minimum": 1},
}


def _told_to_fault(takes: str | tuple[str, ...]) -> Schema:
    return _OF_FAULTS[takes] if isinstance(takes, str) else {"enum": list(takes)}


def _fault(kind: FaultKind) -> Schema:
    """Return the schema of one entry of `faults`."""
    properties: dict[str, Schema] = {kind.name: {"description": kind.summary, **_told_to_fault(kind.takes)}}
    if not kind.everywhere:
        properties["at"] = {"anyOf": [{"type": "integer", "minimum": 1}, {"const": EVERY}]}
        properties["lasting"] = {"type": "boolean"}
        properties["when"] = {"enum": list(kind.whens)}
    for name, option in kind.options.items():
        properties[name] = {"description": option.summary, **_told_to_fault(option.takes)}
    return {"type": "object", "additionalProperties": False, "required": [kind.name], "properties": properties}


def _arguments(kind: StepKind) -> Schema:
    """Return the schema of what stands after a verb."""
    if kind.verb == "parallel":
        return _reference("branches")
    if kind.verb == "expect":
        return _reference("expectation")
    schema = _closed(kind.entries)
    if kind.one_of:
        schema["oneOf"] = [{"required": [name]} for name in kind.one_of]
    if kind.short:
        return {"anyOf": [_reference(_entry(kind.entries, kind.short).takes), schema]}
    return schema


def _step() -> Schema:
    verbs = {kind.verb: {"description": kind.summary, **_arguments(kind)} for kind in form.STEPS.values()}
    beside = {entry.name: {"description": entry.summary, **_reference(entry.takes)} for entry in form.MODIFIERS}
    strange = {
        kind.verb: {"properties": {name: False for name in beside if name not in (*kind.modifiers, "label")}}
        for kind in form.STEPS.values()
    }
    return {
        "type": "object",
        "description": "one verb, and what goes with it",
        "additionalProperties": False,
        "properties": {**verbs, **beside},
        "oneOf": [{"required": [verb]} for verb in verbs],
        "dependentSchemas": {
            **strange,
            "refused": {"properties": {"answer": False, "capture": False}},
            "cancel_at": {"properties": {"answer": False, "capture": False, "refused": False}},
        },
    }


def scenario_schema() -> Schema:
    """Return the JSON Schema (draft 2020-12) of scenario files."""
    values = {name: {"description": form.TAKES[name], **make()} for name, make in _KINDS.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "sessionguard scenario",
        "description": "A story of sessions, told to a session manager step by step (*.session.yaml)",
        **_closed(form.HEADER),
        "dependentRequired": {"after_fault": ["faults"]},
        "$defs": {**values, "step": _step()},
    }


# -- the reference page ---------------------------------------------------------------------------------------------


def _table(entries: Iterable[Entry]) -> list[str]:
    lines = ["| key | takes | meaning |", "|---|---|---|"]
    for entry in entries:
        needed = " (required)" if entry.required else ""
        takes = form.TAKES[entry.takes].replace("|", "\\|")
        lines.append(f"| `{entry.name}`{needed} | {takes} | {entry.summary} |")
    return lines


def _faults() -> list[str]:
    """Return the kinds of faults, each with what it may be told."""
    lines = ["## Faults", "", *_FAULTS.splitlines(), "", "| kind | takes | what goes wrong |", "|---|---|---|"]
    lines += [
        f"| `{kind.name}` | {_takes(kind.takes)} | {kind.summary}; `{kind.example}` |" for kind in kinds().values()
    ]
    lines += ["", "| kind | option | takes | meaning |", "|---|---|---|---|"]
    for kind in kinds().values():
        for name, option in kind.options.items():
            lines.append(f"| `{kind.name}` | `{name}` | {_takes(option.takes)} | {option.summary} |")
    return [*lines, ""]


_TAKES: Final = {"text": "a word", "duration": "a duration", "integer": "a whole number"}


def _takes(takes: str | tuple[str, ...]) -> str:
    if isinstance(takes, str):
        return _TAKES[takes]
    if set(VERBS) <= set(takes):
        return "the name of an operation" + (", or `any`" if "any" in takes else "")
    return ", ".join(f"`{word}`" for word in takes)


_SHORT: Final = {
    "session": "cart",
    "duration": "30m",
    "branches": "[[...], [...]]",
    "crash": "kill",
    "partition": "both",
}


def _verb(kind: StepKind) -> list[str]:
    lines = [f"### `{kind.verb}`", "", f"{kind.summary[0].upper()}{kind.summary[1:]}.", ""]
    if kind.short:
        short = _entry(kind.entries, kind.short)
        lines += [f"Short: `{kind.verb}: {_SHORT.get(short.takes, 'module:name')}`.", ""]
    if kind.one_of:
        lines += [f"Exactly one of {', '.join(f'`{name}`' for name in kind.one_of)}.", ""]
    if kind.entries and kind.verb != "parallel":
        lines += [*_table(kind.entries), ""]
    elif not kind.entries:
        lines += [f"Takes nothing: `{kind.verb}: {{}}`.", ""]
    modifiers = (*kind.modifiers, "label")
    return [*lines, f"Goes with: {', '.join(f'`{name}`' for name in modifiers)}.", ""]


_NOT_IN_BRANCHES: Final = ", ".join(f"`{name}`" for name in sorted(form.NOT_IN_BRANCHES))

_INTRODUCTION: Final = f"""# Scenario files

A scenario file (`*.session.yaml`) tells one story. It is YAML 1.2: only `true` and `false` are truth values, `no` and
`on` are text, so are dates. The schema is closed: an unknown key is refused, with its place and the nearest known word.
Anchors and aliases work; tags, merge keys and several documents in one file are refused.

- A step is a mapping of exactly one verb and what goes with it.
- A session is named by `as`; `{{id: "x"}}` stands for an id written out, or for a captured one: `{{id: $old}}`.
- Durations carry units: `90s`, `1h30m`, `5ms`, `1us`. A number without one is refused.
- `$name` or `${{name}}` in a value is a variable; a value that is a variable as a whole keeps its type; `$$` is a
  dollar. Variables come from the matrix, a repeat's counter, captures, and the policy's figures:
  {", ".join(f"`${name}`" for name in FIGURES)}.
- A session, a resource or a variable must be named by an earlier step. What a branch of `parallel` names is known to
  the other branches only after the block. A step that must be refused names nothing.
- A repeat's counter counts from 1: `repeat: {{times: 3, counter: i, ...}}` with `create: {{as: s$i}}` makes `s1`, `s2`
  and `s3`.
- These cannot stand in a branch of `parallel`: {_NOT_IN_BRANCHES}.
- A matrix gives at most {form.CELLS_MAX} combinations.
"""

_REQUIRES: Final = f"""## What a story requires

Operations that its steps use, figures that its variables stand for, and callers at once for `parallel` are required
without a word. Beyond that `requires` takes:

| line | met when |
|---|---|
| `touch` | the profile has this operation |
| `idle_timeout` | the policy promises this key: it is not absent, false, `undeclared`, `nothing` or an empty list |
| `at_limit=error` | the key has this value; `error\\|false`: one of these; a list such as `activity` holds it |
| `activity!=get` | it has none of these values |
| `limit>2` | the figure is above this one, or above another key's: `absolute_timeout>idle_timeout`; or it is absent |
| `missing.get=none` | the key has this value for this operation |
| `callers=tasks` | the manager may be called so at once ({", ".join(CALLERS)}); `callers` alone: in any such way |
| `files` | it is told of its folder, and Python itself writes there: operations on files can be made to fail |
"""


_FAULTS: Final = """Each entry of `faults` is a mapping: a kind with what it is about, and what goes with it. It strikes
during `steps` alone, never during `start`, `after_fault` and `finally`. One that never strikes makes the story vacuous:
it is unproven, and the exit status says so. `crash` stands alone, and takes none of these:

| key | takes | meaning |
|---|---|---|
| `at` | a number, or `every` | at which of its chances it strikes, counted from 1; `every`: a run for each; absent: 1 |
| `lasting` | true or false | whether it strikes at every later chance, too |
| `when` | before, after | before what it strikes has taken effect, or after; absent: the first that its kind knows |"""


def scenario_reference() -> str:
    """Return the reference page of the format, as Markdown."""
    facets = ["## Facets of an answer", "", "For `answer`, and dotted (`data.items`) for `capture`.", ""]
    lines = [
        _INTRODUCTION,
        "## The header",
        "",
        *_table(form.HEADER),
        "",
        _REQUIRES,
        "## What goes with a step",
        "",
        *_table(form.MODIFIERS),
        "",
        *facets,
        *_table(form.FACETS),
        "",
        *_faults(),
        "## Steps beside the operations",
        "",
    ]
    for kind in form.STEPS.values():
        if kind.verb not in VERBS:
            lines += _verb(kind)
    lines += ["## Operations", ""]
    for verb in VERBS:
        lines += _verb(form.STEPS[verb])
    return "\n".join(lines).rstrip() + "\n"
