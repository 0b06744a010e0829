"""Histories as JSON Lines, in the words of Jepsen: `process`, `type` (invoke, ok, fail, info), `f`, `value`, `time`.

Pure: lines in, values out, and back.  A session history has operations as `f` ("create", "touch") and facets as
`value`; a register's or a key-value store's has `read`, `write`, `cas`, `get`, `put`, `append`.

Units: `time` and `wall_time` are nanoseconds, as Jepsen writes them.
Source: https://github.com/jepsen-io/history, README (operations and their types).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from pytest_sessionguard.core.history import Event, History, Stamp, history
from pytest_sessionguard.core.operations import (
    KINDS,
    VERBS,
    Answer,
    Failed,
    Ok,
    Operation,
    Outcome,
    Refused,
    Unknown,
)
from pytest_sessionguard.core.orders import Told
from pytest_sessionguard.core.values import UNSET, freeze, thaw
from pytest_sessionguard.errors import Fault, UsageError, did_you_mean

TYPES: Final = ("invoke", "ok", "fail", "info")

_ASKED: Final = tuple(field.name for field in fields(Operation) if field.name != "verb")
_TOLD: Final = tuple(field.name for field in fields(Answer))


# -- out -------------------------------------------------------------------------------------------------------------


def write(recorded: History) -> Iterator[str]:
    """Give a history's operations, a line each for call and answer, in the order in which they were seen.

    Raises:
        ValueError: an id or a value that JSON has no form for.
    """
    marks: list[tuple[int, dict[str, Any]]] = []
    for event in recorded.events:
        asked = _given(event.operation, _ASKED)
        common = {"process": event.client, "f": event.operation.verb}
        marks.append((event.call_order, {"type": "invoke", **common, "value": asked, **_times(event.called)}))
        marks.append((event.return_order, {**_answered(event.outcome), **common, **_times(event.returned)}))
    for index, (_, line) in enumerate(sorted(marks, key=lambda mark: mark[0])):
        try:
            yield json.dumps({"index": index, **line}, ensure_ascii=False)
        except TypeError as error:
            raise ValueError(f"{line['f']} of {line['process']} cannot be written as JSON: {error}") from None


def _given(value: Operation | Answer, names: Iterable[str]) -> dict[str, Any]:
    return {name: thaw(getattr(value, name)) for name in names if getattr(value, name) is not UNSET}


def _times(stamp: Stamp) -> dict[str, int]:
    return {"time": stamp.mono_us * 1000, "wall_time": stamp.wall_us * 1000}


def _answered(outcome: Outcome) -> dict[str, Any]:
    match outcome:
        case Ok(answer):
            return {"type": "ok", "value": _given(answer, _TOLD)}
        case Refused(kinds=kinds, error=error):
            return {"type": "fail", "value": {"refused": sorted(kinds)}, **({"error": error} if error else {})}
        case Failed(error=error):
            return {"type": "info", "value": {"failed": error}}
        case Unknown(reason=reason):
            return {"type": "info", "value": None, **({"error": reason} if reason else {})}


# -- in --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Call:
    """One call with what came of it: `end` is None where nothing did."""

    line: int
    begin: Mapping[str, Any]
    end: Mapping[str, Any] | None
    called: int
    returned: int | None


def read(lines: Iterable[str], path: str = "history") -> History:
    """Read a history of sessions.

    Raises:
        UsageError: every line that is wrong, with its place.
    """
    calls, faults = _calls(lines, path)
    events = []
    last = 2 * len(calls) + 2
    for number, call in enumerate(calls):
        try:
            events.append(_event(call, last + number))
        except ValueError as error:
            faults.append(Fault(path, call.line, 1, str(error)))
    if faults:
        raise UsageError(faults)
    try:
        return history(events)
    except ValueError as error:
        raise UsageError([Fault(path, 1, 1, str(error))]) from None


def read_objects(lines: Iterable[str], path: str = "history") -> tuple[Told, ...]:
    """Read a history of registers (`read`, `write`, `cas`) or of a key-value store (`get`, `put`, `append`).

    Of several objects, `key` says which a line is about.

    Raises:
        UsageError: every line that is wrong, with its place.
    """
    calls, faults = _calls(lines, path)
    told = []
    for call in calls:
        try:
            shown = _object_call(call)
        except ValueError as error:
            faults.append(Fault(path, call.line, 1, str(error)))
            continue
        if shown is not None:
            key = freeze(call.begin.get("key"))
            returned = call.returned if call.end is not None and call.end["type"] != "info" else None
            told.append(
                Told(client=call.begin["process"], object=key, call=shown, called=call.called, returned=returned)
            )
    if faults:
        raise UsageError(faults)
    return tuple(told)


def _calls(lines: Iterable[str], path: str) -> tuple[list[_Call], list[Fault]]:
    """Return the calls in the order in which they were made, and what is wrong with the lines."""
    faults: list[Fault] = []
    open_calls: dict[Any, tuple[int, int, Mapping[str, Any]]] = {}
    calls: list[_Call] = []
    order = 0
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        try:
            line = _line(text)
        except ValueError as error:
            faults.append(Fault(path, number, 1, str(error)))
            continue
        process = line["process"]
        if process == "nemesis":
            continue
        order += 1
        if line["type"] == "invoke":
            if process in open_calls:
                began = open_calls[process][0]
                faults.append(
                    Fault(
                        path, number, 1, f"process {process!r} calls while its call of line {began} is open: one each"
                    )
                )
                continue
            open_calls[process] = (number, order, line)
            continue
        if process not in open_calls:
            faults.append(Fault(path, number, 1, f"process {process!r} has no open call that this could answer"))
            continue
        began, called, begin = open_calls.pop(process)
        if line["f"] != begin["f"]:
            faults.append(Fault(path, number, 1, f"answers {line['f']!r}, but line {began} calls {begin['f']!r}"))
            continue
        calls.append(_Call(began, begin, line, called, order))
    calls += [_Call(began, begin, None, called, None) for began, called, begin in open_calls.values()]
    return sorted(calls, key=lambda call: call.called), faults


def _line(text: str) -> Mapping[str, Any]:
    try:
        line = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} at column {error.colno}; expected one object a line") from None
    if not isinstance(line, dict):
        raise ValueError(f"expected an object with process, type and f, not {type(line).__name__}")
    for name in ("process", "type", "f"):
        if name not in line:
            raise ValueError(f"lacks {name!r}: expected process, type and f")
    if line["type"] not in TYPES:
        raise ValueError(f"unknown type {line['type']!r}{did_you_mean(str(line['type']), TYPES)}")
    if isinstance(line["process"], (dict, list)) or not isinstance(line["f"], str):
        raise ValueError("process must be a number or a text, and f a text")
    return line


def _event(call: _Call, never: int) -> Event:
    verb = call.begin["f"]
    if verb not in VERBS:
        raise ValueError(f"unknown operation {verb!r}{did_you_mean(verb, VERBS)}")
    asked = _facets(call.begin.get("value"), _ASKED, verb)
    outcome = _outcome(call.end)
    called = _stamp(call.begin)
    return Event(
        client=str(call.begin["process"]),
        operation=Operation(verb=verb, **asked),
        outcome=outcome,
        called=called,
        returned=_stamp(call.end) if call.end is not None else called,
        call_order=call.called,
        return_order=call.returned if call.returned is not None else never,
        place=f"{call.line}",
    )


def _facets(value: Any, names: tuple[str, ...], verb: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError(f"{verb}: value must be an object of {', '.join(names)}, not {value!r}")
    for name in value:
        if name not in names:
            raise ValueError(f"{verb}: unknown {name!r}{did_you_mean(name, names)}")
    return {name: freeze(one) for name, one in value.items()}


def _outcome(end: Mapping[str, Any] | None) -> Outcome:
    if end is None:
        return Unknown("no answer was recorded")
    value, error = end.get("value"), str(end.get("error", ""))
    if end["type"] == "ok":
        return Ok(Answer(**_facets(value, _TOLD, end["f"])))
    if end["type"] == "fail":
        kinds = value.get("refused") if isinstance(value, dict) else None
        if not isinstance(kinds, list) or not kinds or any(kind not in KINDS for kind in kinds):
            raise ValueError(f'{end["f"]}: expected {{"refused": [kinds]}} with kinds of {", ".join(KINDS)}')
        return Refused(frozenset(kinds), error)
    if isinstance(value, dict) and "failed" in value:
        return Failed(str(value["failed"]))
    return Unknown(error)


def _stamp(line: Mapping[str, Any]) -> Stamp:
    time_ns = line.get("time", 0)
    wall_ns = line.get("wall_time", time_ns)
    if not all(isinstance(one, int) for one in (time_ns, wall_ns)):
        raise ValueError("time and wall_time are whole nanoseconds")
    return Stamp(wall_us=wall_ns // 1000, mono_us=time_ns // 1000)


def _object_call(call: _Call) -> tuple[Any, ...] | None:
    """Return a call on a register or on a key with its answer, or None where it tells nothing."""
    name, asked, end = call.begin["f"], freeze(call.begin.get("value")), call.end
    kind = None if end is None else end["type"]
    if name in ("read", "get"):
        # A read that failed, or that nobody saw return, has shown nothing.
        return (name, freeze(end.get("value"))) if end is not None and kind == "ok" else None
    if name in ("write", "put", "append"):
        if name != "write" and not isinstance(asked, str):
            raise ValueError(f"{name}: value must be a text, not {asked!r}")
        return None if kind == "fail" else (name, asked)
    if name == "cas":
        if not isinstance(asked, tuple) or len(asked) != 2:
            raise ValueError(f"cas: value must be [old, new], not {asked!r}")
        return ("cas", asked[0], asked[1], None if kind in (None, "info") else kind == "ok")
    raise ValueError(f"unknown f {name!r}{did_you_mean(name, ('read', 'write', 'cas', 'get', 'put', 'append'))}")
