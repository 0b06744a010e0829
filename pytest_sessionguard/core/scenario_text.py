"""From a scenario to the text of a file that reads back equal, written as a person would write it.

Pure.  What a scenario file cannot say (bytes, sets, a key that is no text) is refused, never bent into something else.
A step is first a tree of written words, then laid out: on one line where that fits, spread over lines where not.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias, assert_never

from pytest_sessionguard.core import durations
from pytest_sessionguard.core.faults import COUNTS, Fault, told_to
from pytest_sessionguard.core.scenario import (
    AnyStep,
    Count,
    Eventually,
    Instant,
    Parallel,
    RawId,
    Repeat,
    Scenario,
    Span,
    Step,
    Text,
    Variable,
)
from pytest_sessionguard.core.values import FrozenMap

# A written word, or what holds more of them; keys are written words too.
Tree: TypeAlias = "str | dict[str, Tree] | list[Tree]"

WIDTH: Final = 110
EVERY_US: Final = 1_000_000
DIGITS_MAX: Final = 1_000
# YAML knows no key by a colon that comes later than this; a long one is announced by a question mark.
KEY_WIDTH_MAX: Final = 500

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_BARE: Final = re.compile(r"[A-Za-z_$][\w$./=|<>!-]*|(?:\d+(?:us|ms|s|m|h|d))+", re.ASCII)
_SENTENCE: Final = re.compile(r"[A-Za-z][\w ,.;'()/+-]*[\w.)]", re.ASCII)
_WORDS: Final = frozenset({"true", "false", "null"})
_SHORT_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_LETTER: Final = re.compile(r"[A-Za-z0-9_]", re.ASCII)

# What names a session, whatever the verb; `id` does so in an answer alone.
_SESSIONS: Final = frozenset({"session", "to_timeout_of"})
_NAMES: Final = frozenset({"as", "resource", "function"})
# Verbs of which nothing but this argument may be written without a mapping.
_SHORT: Final = {"advance": "by_us", "call": "function", "crash": "how", "partition": "of"}


def text_of(scenario: Scenario, *, remarks: Iterable[str] = ()) -> str:
    """Return the text of a file that reads back as this scenario, places and path aside; `remarks` stand above it.

    Raises:
        ValueError: it holds a value that a scenario file cannot say.
    """
    header: dict[str, Tree] = {"scenario": _sentence(scenario.title), "version": "1"}
    if scenario.requires:
        header["requires"] = [quoted(line) for line in scenario.requires]
    if scenario.matrix:
        header["matrix"] = {quoted(name): _value(values) for name, values in scenario.matrix.items()}
    if scenario.figures:
        header["with"] = {quoted(name): _figure(name, value) for name, value in scenario.figures.items()}
    if scenario.zone:
        header["zone"] = quoted(scenario.zone) if isinstance(scenario.zone, str) else _template(scenario.zone)
    if scenario.begins_us is not None:
        header["begins"] = _instant(scenario.begins_us)
    for name, steps in (("start", scenario.start), ("steps", scenario.steps)):
        if steps or name == "steps":
            header[name] = [_step(step) for step in steps]
    if scenario.faults:
        header["faults"] = [_fault(fault) for fault in scenario.faults]
    for name, steps in (("after_fault", scenario.after_fault), ("finally", scenario.finally_)):
        if steps:
            header[name] = [_step(step) for step in steps]
    for name, words in (
        ("invariants", scenario.invariants),
        ("markers", scenario.markers),
        ("fixtures", scenario.fixtures),
    ):
        if words:
            header[name] = [quoted(word) for word in words]
    above = [f"# {line}".rstrip() for remark in remarks for line in _printable(remark).splitlines() or [""]]
    return "\n".join([*above, *_block(header, 0)]) + "\n"


def line_of(step: AnyStep) -> str:
    """Return one step as it would stand in a file, on one line.

    Raises:
        ValueError: it holds a value that a scenario file cannot say.
    """
    tree = _step(step)
    assert isinstance(tree, dict)
    if len(tree) > 1:
        return _flow(tree)
    return "".join(f"{_before(key)}: {_flow(item)}" for key, item in tree.items())


# -- from steps to trees ----------------------------------------------------------------------------------------------


def _fault(fault: Fault) -> Tree:
    tree: dict[str, Tree] = {quoted(fault.kind): quoted(told_to(fault.kind, fault.subject))}
    if fault.at != 1:
        tree["at"] = "every" if fault.at is None else str(fault.at)
    if fault.lasting:
        tree["lasting"] = "true"
    if fault.when != "before":
        tree["when"] = quoted(fault.when)
    for name, value in fault.options.items():
        tree[quoted(name)] = str(value) if name in COUNTS else quoted(told_to(name, value))
    return tree


def _step(step: AnyStep) -> Tree:
    match step:
        case Step():
            tree: dict[str, Tree] = _alone(step)
        case Parallel(branches=branches, schedules=schedules):
            tree = {"parallel": [[_step(one) for one in branch] for branch in branches]}
            if schedules:
                tree["schedules"] = str(schedules) if isinstance(schedules, int) else quoted(schedules)
        case Repeat(times=times, counter=counter, steps=steps):
            tree = {"repeat": {"times": _count(times), **({"counter": quoted(counter)} if counter else {})}}
            tree["repeat"]["steps"] = [_step(one) for one in steps]  # type: ignore[call-overload,index]  # made above
        case Eventually(within_us=within_us, every_us=every_us, expect=expect):
            spans: dict[str, Tree] = {"within": _span(within_us)}
            if every_us != EVERY_US:
                spans["every"] = _span(every_us)
            tree = {"eventually": {**spans, "expect": _arguments(expect)}}
        case _:
            assert_never(step)
    if step.label:
        tree["label"] = _value(step.label)
    return tree


def _alone(step: Step) -> dict[str, Tree]:
    arguments = step.arguments
    short = _SHORT.get(step.verb, "session" if step.verb != "expect" else "")
    if set(arguments) == {short}:
        tree: dict[str, Tree] = {step.verb: _argument(short, arguments[short])}
    else:
        tree = {step.verb: _arguments(step)}
    if step.refused is not None:
        kinds = [quoted(kind) for kind in sorted(step.refused)]
        tree["refused"] = "true" if not kinds else kinds[0] if len(kinds) == 1 else list(kinds)
    if step.answer:
        tree["answer"] = {_key(name): _facet(name, value) for name, value in step.answer.items()}
    if step.capture:
        tree["capture"] = {
            quoted(name): quoted(".".join((path[0].removesuffix("_us"), *path[1:])))
            for name, path in step.capture.items()
        }
    if step.client:
        tree["client"] = _value(step.client)
    if step.cancel_at:
        tree["cancel_at"] = _count(step.cancel_at)
    return tree


def _arguments(step: Step) -> dict[str, Tree]:
    return {_key(name): _argument(name, value) for name, value in step.arguments.items()}


def _key(name: str) -> str:
    return quoted(name.removesuffix("_us"))


def _argument(name: str, value: Any) -> Tree:
    """Return an argument as its name says how to write it."""
    if name in _SESSIONS:
        return _session(value)
    if name == "to_us":
        return _instant(value)
    if name.endswith("_us"):
        return _span(value)
    if name == "ids" and isinstance(value, tuple):
        return [_session(one) for one in value]
    if name in _NAMES and isinstance(value, str):
        return quoted(value)
    return _value(value)


def _facet(name: str, value: Any) -> Tree:
    return _session(value) if name == "id" else _argument(name, value)


def _session(value: Any) -> Tree:
    if isinstance(value, RawId):
        return {"id": _value(value.value)}
    return quoted(value) if isinstance(value, str) else _value(value)


def _figure(name: str, value: Any) -> Tree:
    return _span(value) if name.endswith(("_timeout", "_interval")) else _count(value)


def _span(value: int | Span | None) -> str:
    if value is None:
        return "null"
    return durations.show(value) if isinstance(value, int) else _template(value.template)


def _count(value: int | Count) -> str:
    return str(value) if isinstance(value, int) else _template(value.template)


def _instant(value: int | Instant) -> str:
    if isinstance(value, Instant):
        return _template(value.template)
    try:
        at = _EPOCH + timedelta(microseconds=value)
    except OverflowError:
        raise ValueError(f"{value} microseconds since 1970 are no instant that can be written") from None
    return f'"{at.isoformat().replace("+00:00", "Z")}"'


# -- from values to written words -------------------------------------------------------------------------------------


def _value(value: Any) -> Tree:
    """Return any value of session data.

    Raises:
        ValueError: a scenario file cannot say it.
    """
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case Variable() | Text():
            return _template(value)
        case Count(template) | Span(template) | Instant(template):
            return _template(template)
        case str():
            return quoted(value.replace("$", "$$"))
        case int() | float() if type(value) in (int, float):
            return _number(value)
        case FrozenMap():
            return {_word(key): _value(item) for key, item in value.items()}
        case tuple():
            return [_value(item) for item in value]
        case _:
            raise ValueError(f"a scenario file cannot say {value!r}, a {type(value).__name__}")


def _word(key: Any) -> str:
    """Return the key of a mapping."""
    written = _value(key) if isinstance(key, (str, Variable, Text)) else None
    if not isinstance(written, str) or key == "<<":
        raise ValueError(f"a scenario file cannot say {key!r} as a key")
    return written


def _number(value: int | float) -> str:
    if isinstance(value, int):
        if abs(value) >= 10 ** (DIGITS_MAX - 1):
            raise ValueError(f"a number of more than {DIGITS_MAX - 1} digits cannot be written")
        return str(value)
    if math.isnan(value):
        raise ValueError("what is not a number cannot be written: it equals nothing")
    return repr(value) if math.isfinite(value) else ".inf" if value > 0 else "-.inf"


def _template(template: Variable | Text) -> str:
    parts = (template,) if isinstance(template, Variable) else template.parts
    written = []
    for part, after in zip(parts, (*parts[1:], ""), strict=True):
        if isinstance(part, str):
            written.append(part.replace("$", "$$"))
        else:
            bare = not isinstance(after, str) or not _LETTER.match(after)
            written.append(f"${part.name}" if bare else f"${{{part.name}}}")
    return quoted("".join(written))


def quoted(text: str) -> str:
    """Return the text as YAML has it: bare where it is plainly a word, else between double quotes.

    Raises:
        ValueError: it holds half a surrogate pair, which no file can hold.
    """
    if _BARE.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return _between_quotes(text)


def _sentence(text: str) -> str:
    plain = _SENTENCE.fullmatch(text) and text.lower() not in _WORDS
    return text if plain else _between_quotes(text)


def _between_quotes(text: str) -> str:
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[character]
    if character.isprintable():
        return character
    code = ord(character)
    if 0xD800 <= code <= 0xDFFF:
        raise ValueError(f"half a surrogate pair ({character!r}) cannot stand in a file")
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _printable(remark: str) -> str:
    return "".join(one if one.isprintable() or one == "\n" else ascii(one)[1:-1] for one in remark)


# -- from trees to lines ----------------------------------------------------------------------------------------------


def _flow(tree: Tree) -> str:
    """Return the tree on one line."""
    match tree:
        case dict():
            return "{" + ", ".join(f"{_before(key)}: {_flow(item)}" for key, item in tree.items()) + "}"
        case list():
            return "[" + ", ".join(map(_flow, tree)) + "]"
        case _:
            return tree


def _before(key: str) -> str:
    return key if len(key) <= KEY_WIDTH_MAX else f"? {key} "


# What is easier to read one below the other, however short it is.
_SPREAD: Final = frozenset({"start", "steps", "faults", "after_fault", "finally", "parallel"})


def _block(tree: dict[str, Tree], indent: int) -> list[str]:
    """Return a mapping as lines, each entry on one where that fits."""
    lines = []
    for key, item in tree.items():
        head = f"{' ' * indent}{key}:"
        line = f"{head} {_flow(item)}"
        spread = (key in _SPREAD and indent in (0, 4)) or len(line) > WIDTH
        if not spread or isinstance(item, str) or not item or len(key) > KEY_WIDTH_MAX:
            lines.append(line if len(key) <= KEY_WIDTH_MAX else f"{' ' * indent}? {key}\n{' ' * indent}: {_flow(item)}")
        else:
            lines += [head, *_spread(item, indent + 2)]
    return lines


def _spread(tree: dict[str, Tree] | list[Tree], indent: int) -> list[str]:
    if isinstance(tree, dict):
        return _block(tree, indent)
    return [line for item in tree for line in _item(item, indent)]


def _item(item: Tree, indent: int) -> list[str]:
    """Return one item of a list as lines: a step always spread, anything else where it must be."""
    line = f"{' ' * indent}- {_flow(item)}"
    is_step = isinstance(item, dict) and indent == 2
    if isinstance(item, str) or not item or (len(line) <= WIDTH and not is_step):
        return [line]
    inner = _spread(item, indent + 2)
    return [f"{' ' * indent}- {inner[0][indent + 2 :]}", *inner[1:]]
