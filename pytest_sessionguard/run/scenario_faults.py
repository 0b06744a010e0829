"""The `faults` of a scenario file, of a marker or of a fixture, read by the kinds there are; all errors at once."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, Final

from pytest_sessionguard.core import durations
from pytest_sessionguard.core.faults import CRASH, Fault
from pytest_sessionguard.core.values import FrozenMap
from pytest_sessionguard.errors import Fault as Wrong
from pytest_sessionguard.errors import UsageError, did_you_mean
from pytest_sessionguard.faults import KEYS, FaultKind, kinds
from pytest_sessionguard.run.scenario_format import TAKES
from pytest_sessionguard.run.scenario_nodes import Node
from pytest_sessionguard.run.scenario_values import SPAN_US_MAX, Values

EVERY: Final = "every"

# A chance beyond this is none that anybody counts to.
AT_MAX: Final = 1_000_000

# More words than these are not told one by one.
WORDS_MAX: Final = 16


def read_faults(values: Values, node: Node | None) -> tuple[Fault, ...]:
    """Return the faults of a list, noting what is wrong with each where it stands."""
    if node is None:
        return ()
    if not node.items:
        values.fault(node, f"faults: expected {TAKES['faults']}, not {node.told}")
        return ()
    found = tuple(fault for fault in (_fault(values, item) for item in node.items) if fault is not None)
    if len(node.items) > 1 and any(kinds()[fault.kind].everywhere for fault in found):
        values.fault(node, f"faults: {CRASH} stands alone: it tries every moment of the story")
    return found


def of_words(place: str, *told: Mapping[str, Any]) -> tuple[Fault, ...]:
    """Return faults that are given as mappings, by a marker or by a test.

    Raises:
        UsageError: everything that is wrong with them, at `place`.
    """
    wrong: list[Wrong] = []
    read = read_faults(Values(place, wrong), Node(1, 1, tuple(map(_node, told))))
    if wrong:
        raise UsageError("\n".join(f"{place}: {one.message}" for one in wrong))
    return read


def _node(value: Any) -> Node:
    if isinstance(value, Mapping):
        return Node(1, 1, {str(key): (Node(1, 1, str(key)), _node(item)) for key, item in value.items()})
    return Node(1, 1, value if isinstance(value, (str, int, float, bool, type(None))) else repr(value))


def _fault(values: Values, node: Node) -> Fault | None:
    """Return one fault: a mapping of one kind, and what goes with it."""
    if node.entries is None:
        values.fault(node, f"a fault is a mapping of one kind, such as `fail_call: close`, not {node.told}")
        return None
    named = [name for name in node.entries if name in kinds()]
    if not named:
        _nameless(values, node)
        return None
    for name in named[1:]:
        values.fault(node.entries[name][0], f"a fault has one kind; this one has {named[0]} already")
    kind = kinds()[named[0]]
    known = (*(() if kind.everywhere else KEYS), *kind.options)
    for name, (key, _) in node.entries.items():
        if name not in named and name not in known:
            values.fault(key, f"{kind.name} has no key {name!r}{did_you_mean(name, known)}")
    given = {name: value for name, (_, value) in node.entries.items()}
    options = {
        name: _told(values, given[name], name, kind.options[name].takes) for name in kind.options if name in given
    }
    return Fault(
        kind=kind.name,
        subject=_told(values, given[kind.name], kind.name, kind.takes),
        at=_at(values, kind, given.get("at")),
        lasting=_lasting(values, kind, given.get("lasting")),
        when=_when(values, kind, given.get("when")),
        options=FrozenMap(options),
        place=f"{values.path}:{node.line}:{node.column}",
    )


def _nameless(values: Values, node: Node) -> None:
    """Note that a fault names no kind: the nearest one, where a key comes near."""
    assert node.entries is not None
    strange = [name for name in node.entries if name not in KEYS]
    if not strange:
        values.fault(node, f"a fault has exactly one kind: {', '.join(kinds())}; this one has none")
    for name in strange[:1]:
        near = did_you_mean(name, kinds())
        values.fault(node.entries[name][0], f"unknown kind of fault {name!r}{near}")


def _told(values: Values, node: Node, name: str, takes: str | tuple[str, ...]) -> Hashable:
    """Return the subject of a fault or one of its options."""
    content = node.content
    if not isinstance(takes, str):
        if content in takes:
            return content
        near = did_you_mean(content, takes) if isinstance(content, str) else ""
        told = near if near[:1] == "," or len(takes) > WORDS_MAX else f"; expected {' or '.join(takes)}"
        values.fault(node, f"{name}: unknown word {node.told}{told}")
    elif takes == "integer":
        if isinstance(content, int) and not isinstance(content, bool) and 1 <= content <= AT_MAX:
            return content
        values.fault(node, f"{name}: expected a number from 1 to {AT_MAX}, not {node.told}")
    elif takes == "duration":
        return _span(values, node, name)
    elif isinstance(content, str) and content:
        return content
    else:
        values.fault(node, f"{name}: expected a word, not {node.told}")
    return ""


def _span(values: Values, node: Node, name: str) -> Hashable:
    """Return a span of time; one that begins with a minus goes back."""
    text = node.content
    if not isinstance(text, str):
        values.fault(node, f"{name}: expected {TAKES['duration']}, not {node.told}")
        return 0
    try:
        span_us = durations.parse(text.removeprefix("-"))
    except ValueError as error:
        values.fault(node, f"{name}: {error}")
        return 0
    if span_us > SPAN_US_MAX:
        values.fault(node, f"{name}: longer than 1000 years")
    return -span_us if text.startswith("-") else span_us


def _at(values: Values, kind: FaultKind, node: Node | None) -> int | None:
    if node is None or kind.everywhere:
        return 1
    at = node.content
    if at == EVERY:
        return None
    if isinstance(at, bool) or not isinstance(at, int) or not 1 <= at <= AT_MAX:
        values.fault(node, f"at: expected a number from 1 to {AT_MAX}, or {EVERY}, not {node.told}")
        return 1
    return at


def _lasting(values: Values, kind: FaultKind, node: Node | None) -> bool:
    if node is None or kind.everywhere:
        return False
    if not isinstance(node.content, bool):
        values.fault(node, f"lasting: expected true or false, not {node.told}")
    return node.content is True


def _when(values: Values, kind: FaultKind, node: Node | None) -> str:
    if node is None or kind.everywhere:
        return kind.whens[0]
    if node.content not in kind.whens:
        values.fault(node, f"when: {kind.name} strikes {' or '.join(kind.whens)}, not {node.told}")
        return kind.whens[0]
    return str(node.content)
