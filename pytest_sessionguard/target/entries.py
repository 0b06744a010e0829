"""How the value of one key is read: by what the key takes.

Pure.  A parser either returns the value as a Profile holds it, or raises ValueError or TemplateError with what was
expected; parsers of lists and tables note every fault among their items.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from pytest_sessionguard.core import durations
from pytest_sessionguard.core.operations import VERBS
from pytest_sessionguard.core.policy import Key
from pytest_sessionguard.core.values import FrozenMap, freeze
from pytest_sessionguard.errors import did_you_mean
from pytest_sessionguard.target.findings import FAULTY, Findings
from pytest_sessionguard.target.sections import DATA_TYPES, Entry
from pytest_sessionguard.target.shape import Hook
from pytest_sessionguard.target.templates import Template, parse, parse_hook
from pytest_sessionguard.target.toml_positions import KeyPath

_REFERENCE: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")
_DOTTED: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_CLASS: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*(:[^\W\d]\w*(\.[^\W\d]\w*)*)?")
_ENDPOINT: Final = re.compile(r"(?:[\w.-]+|\[[0-9A-Fa-f:]+\]):(\d{1,5})")
PORT_MAX: Final = 65_535


def read(findings: Findings, path: KeyPath, entry: Entry, value: Any) -> Any:
    """Return the value as a Profile holds it; FAULTY, with its faults noted, where it cannot be."""
    compound = _COMPOUND.get(entry.takes)
    if compound is not None:
        return compound(findings, path, value)
    return findings.read(path, lambda given: _SIMPLE[entry.takes](entry, given), value)


def _parser(key: Key, verb: str) -> Callable[[Any], Any]:
    """Return what reads one operation's value of a policy key."""
    return lambda given: key.parse({verb: given})[verb]


def read_policy(findings: Findings, path: KeyPath, key: Key, value: Any) -> Any:
    """Return the value of a policy key; every wrong item of a list or table is a fault of its own."""
    if key.by_verb and isinstance(value, Mapping):
        parsed = {}
        for verb, item in value.items():
            if verb not in VERBS:
                findings.at_key((*path, verb), f"unknown operation {verb!r}{did_you_mean(str(verb), VERBS)}")
                continue
            told = findings.read((*path, verb), _parser(key, verb), item)
            parsed[verb] = told
        return FAULTY if FAULTY in parsed.values() else FrozenMap(parsed)
    if key.takes == "verbs" and isinstance(value, (list, tuple)):
        words = [
            findings.read((*path, index), lambda given: key.parse([given])[0], item) for index, item in enumerate(value)
        ]
        return FAULTY if FAULTY in words else tuple(words)
    return findings.read(path, key.parse, value)


# -- one value ------------------------------------------------------------------------------------------------------


def _text(entry: Entry, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{entry.name} is a text, not {value!r}")
    return value


def _word(entry: Entry, value: Any) -> str:
    if not isinstance(value, str) or value not in entry.values:
        near = did_you_mean(value, entry.values) if isinstance(value, str) else None
        raise ValueError(
            f"{value!r} is no value of {entry.name}{near or '; expected one of: ' + ', '.join(entry.values)}"
        )
    return value


def _flag(entry: Entry, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{entry.name} is true or false, not {value!r}")
    return value


def _number(entry: Entry, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < entry.least:
        raise ValueError(f"{entry.name} is a whole number, {entry.least} or more, not {value!r}")
    return value


def _duration(entry: Entry, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError(f"{entry.name} is a duration such as 1s or 30m, not {value!r}")
    span_us = durations.parse(value)
    if span_us == 0:
        raise ValueError(f"{entry.name} is a duration above zero")
    return span_us


def _reference(entry: Entry, value: Any) -> Any:
    if callable(value):
        return value
    if not isinstance(value, str) or not _REFERENCE.fullmatch(value):
        raise ValueError(f"{entry.name} is `module:attribute`, not {value!r}")
    return value


def _endpoint(entry: Entry, value: Any) -> Any:
    if callable(value) or (isinstance(value, str) and _REFERENCE.fullmatch(value)):
        return value
    match = _ENDPOINT.fullmatch(value) if isinstance(value, str) else None
    if match is None or not 0 < int(match.group(1)) <= PORT_MAX:
        raise ValueError(f"{entry.name} is `host:port`, or `module:function` that gives one, not {value!r}")
    return str(value)


def _place(entry: Entry, value: Any) -> str:
    if isinstance(value, str) and (value == "." or _dotted_parts(value)):
        return value
    raise ValueError(f"{entry.name} is an attribute, a key, a dotted path, or `.` (the object itself), not {value!r}")


def _dotted_parts(text: str) -> bool:
    return bool(text) and all(text.split(".")) and "(" not in text


def _data_type(entry: Entry, value: Any) -> Any:
    if callable(value) or value in DATA_TYPES:
        return value
    if isinstance(value, str) and _REFERENCE.fullmatch(value):
        return value
    near = did_you_mean(value, DATA_TYPES) if isinstance(value, str) else ""
    raise ValueError(f"{value!r} is no {entry.name}: expected `module:function` or a known type{near}")


def _scalar(entry: Entry, value: Any) -> Any:
    if isinstance(value, (str, int, float)):
        return value
    raise ValueError(f"{entry.name} is what health answers, a text or a number, not {value!r}")


def _values(_entry: Entry, value: Any) -> tuple[Any, ...]:
    given = value if isinstance(value, (list, tuple)) else [value]
    return tuple(freeze(item) for item in given)


def _probe(_entry: Entry, value: Any) -> Any:
    if callable(value):
        return value
    if isinstance(value, str):
        if value.startswith("glob:") and len(value) > len("glob:"):
            return value
        if value.startswith("len:") and _DOTTED.fullmatch(value, len("len:")):
            return value
        if not value.startswith(("glob:", "len:")) and _REFERENCE.fullmatch(value):
            return value
    raise ValueError(f"a probe is `glob:{{dir}}/*.lock`, `len:store.data` or `module:function`, not {value!r}")


def _template(_entry: Entry, value: Any) -> Template:
    return _one_template(value)


def _one_template(value: Any) -> Template:
    if not isinstance(value, str):
        raise ValueError(f"a template is a text such as `load(id) -> session`, not {value!r}")
    return parse(value)


_SIMPLE: Final[Mapping[str, Callable[[Entry, Any], Any]]] = {
    "text": _text,
    "word": _word,
    "flag": _flag,
    "number": _number,
    "duration": _duration,
    "reference": _reference,
    "endpoint": _endpoint,
    "place": _place,
    "data type": _data_type,
    "scalar": _scalar,
    "values": _values,
    "probe": _probe,
    "template": _template,
}


# -- lists and tables -----------------------------------------------------------------------------------------------


def _items(findings: Findings, path: KeyPath, value: Any, parse_item: Callable[[Any], Any]) -> Any:
    told = [findings.read((*path, index), parse_item, item) for index, item in enumerate(value)]
    return FAULTY if FAULTY in told else tuple(told)


def _folders(findings: Findings, path: KeyPath, value: Any) -> Any:
    if not isinstance(value, (list, tuple)):
        findings.at_value(path, f'path is a list of folders such as ["src"], not {value!r}')
        return FAULTY
    return _items(findings, path, value, _folder)


def _folder(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"a folder is a text, not {value!r}")
    return value


def _arguments(findings: Findings, path: KeyPath, value: Any) -> Any:
    if not isinstance(value, Mapping):
        findings.at_value(path, f"args is a table of keyword arguments such as {{ limit = 5 }}, not {value!r}")
        return FAULTY
    return dict(value)


def _hooks(findings: Findings, path: KeyPath, value: Any) -> Any:
    if not isinstance(value, Mapping):
        findings.at_value(path, f'hooks is a table such as {{ on_close = "async close(session)" }}, not {value!r}')
        return FAULTY
    told = {parameter: findings.read((*path, parameter), _hook, item) for parameter, item in value.items()}
    return {parameter: hook for parameter, hook in told.items() if hook is not FAULTY}


def _hook(value: Any) -> Hook:
    if not isinstance(value, str):
        raise ValueError(f"a hook is a text such as `async close(session)`, not {value!r}")
    template = parse_hook(value)
    return Hook(
        text=value,
        role=template.path[0],
        arguments=template.arguments,
        asynchronous=template.asynchronous,
        result=template.result,
    )


def _templates(findings: Findings, path: KeyPath, value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        if not value:
            findings.at_value(path, "an empty list: expected at least one template")
            return FAULTY
        return _items(findings, path, value, _one_template)
    told = findings.read(path, _one_template, value)
    return FAULTY if told is FAULTY else (told,)


def _classes(findings: Findings, path: KeyPath, value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return _items(findings, path, value, _class)
    told = findings.read(path, _class, value)
    return FAULTY if told is FAULTY else (told,)


def _class(value: Any) -> str:
    if isinstance(value, type) and issubclass(value, BaseException):
        reachable = "<locals>" not in value.__qualname__
        return f"{value.__module__}:{value.__qualname__}" if reachable else value.__name__
    if not isinstance(value, str) or not _CLASS.fullmatch(value):
        raise ValueError(f"an error is a class such as `KeyError` or `module:Class`, not {value!r}")
    return value


def _allowances(findings: Findings, path: KeyPath, value: Any) -> Any:
    if not isinstance(value, (list, tuple)):
        findings.at_value(path, f"allow is a list of properties or faults, not {value!r}")
        return FAULTY
    told = _items(findings, path, value, _allowance)
    return FAULTY if told is FAULTY else FrozenMap(dict(told))


def _allowance(value: Any) -> tuple[str, str]:
    """Return the name and the reason of `"name"`, `"name: reason"` or `{ name = ..., reason = ... }`."""
    if isinstance(value, Mapping):
        name, reason = value.get("name"), value.get("reason", "")
        if set(value) <= {"name", "reason"} and isinstance(name, str) and name and isinstance(reason, str):
            return name, reason
    elif isinstance(value, str) and value.strip():
        name, _, reason = value.partition(":")
        return name.strip(), reason.strip()
    raise ValueError(f'an allowance is "name: reason" or {{ name = "...", reason = "..." }}, not {value!r}')


_COMPOUND: Final[Mapping[str, Callable[[Findings, KeyPath, Any], Any]]] = {
    "folders": _folders,
    "arguments": _arguments,
    "hooks": _hooks,
    "templates": _templates,
    "classes": _classes,
    "allowances": _allowances,
}
