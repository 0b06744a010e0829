"""From nodes of a scenario file to single values, each of the kind that its place takes.

Every kind of `scenario_format.TAKES` that is one value has its reader here.  A reader that finds a fault notes it where
it stands and returns None: the file is refused anyway, so that the rest can be read on for further faults.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator
from typing import Any, Final
from zoneinfo import available_timezones

from pytest_sessionguard.clock.zone import zone_named
from pytest_sessionguard.core import durations, schedule
from pytest_sessionguard.core import scenario as scenarios
from pytest_sessionguard.core.operations import KINDS
from pytest_sessionguard.core.scenario import Count, Instant, RawId, Span, Template, Text, Variable
from pytest_sessionguard.core.values import FrozenMap
from pytest_sessionguard.errors import Fault, UsageError, did_you_mean
from pytest_sessionguard.faults.crash import HOWS
from pytest_sessionguard.faults.partition import DIRECTIONS, HEAL
from pytest_sessionguard.run.scenario_format import EXHAUSTIVE, KEPT, SCHEDULES_MAX, TAKES, Entry
from pytest_sessionguard.run.scenario_nodes import Node
from pytest_sessionguard.run.scenario_scope import IDENTIFIER, NAME, VARIABLES_IN_NAME_MAX, Scope

SPAN_US_MAX: Final = 1000 * 366 * durations.UNITS_US["d"]
TEXT_OF_SPAN_MAX: Final = 100

# Stands for a value whose text could not be used; its fault is noted, and no second one is wanted.
FAULTY: Final = object()

_DOLLAR: Final = re.compile(r"\$(?:(?P<dollar>\$)|(?P<bare>[A-Za-z_]\w*)|\{(?P<braced>[A-Za-z_]\w*)\}|)", re.ASCII)
_FUNCTION: Final = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")


def pieces(text: str) -> Iterator[str | Variable | None]:
    """Give the parts of a text in which `$name` and `${name}` are variables; None for a dollar that is neither."""
    at = 0
    for match in _DOLLAR.finditer(text):
        if match.start() > at:
            yield text[at : match.start()]
        at = match.end()
        name = match["bare"] or match["braced"]
        yield Variable(name) if name else match["dollar"]
    if at < len(text):
        yield text[at:]


class Values:
    """Reads single values of one file; knows what has a name where it reads."""

    def __init__(self, path: str, faults: list[Fault]) -> None:
        self.path = path
        self.faults = faults
        self.scope = Scope()
        self.readers: dict[str, Callable[[Node], Any]] = {
            "text": self.text,
            "name": self.name,
            "session": self.session,
            "sessions": self.sessions,
            "id": self.id,
            "duration": self.duration,
            "timeout": self.timeout,
            "whole": self.whole,
            "integer": self.integer,
            "flag": self.flag,
            "value": self.value,
            "mapping": self.mapping,
            "instant": self.instant,
            "zone": self.zone,
            "function": self.function,
            "identifier": self.identifier,
            "kinds": self.kinds,
            "crash": lambda node: self.word(node, "crash", HOWS),
            "partition": lambda node: self.word(node, "partition", (*DIRECTIONS, HEAL)),
            "kept": lambda node: self.word(node, "kept", (KEPT,)),
        }

    def read(self, entry: Entry, node: Node) -> Any:
        """Return the node's value as the entry takes it."""
        return self.readers[entry.takes](node)

    def fault(self, node: Node, message: str) -> Any:
        """Note what is wrong at the node; the answer is None, to be handed on in place of a value."""
        self.faults.append(Fault(self.path, node.line, node.column, message))

    def expected(self, node: Node, takes: str) -> Any:
        """Note that something else stands where a value of the kind was expected; the answer is None."""
        return self.fault(node, f"expected {TAKES[takes]}, not {node.told}")

    # -- variables ---------------------------------------------------------------------------------------------------

    def template(self, node: Node, text: str) -> Any:
        """Return a text with its variables taken out, each checked to be known here; FAULTY where one is not."""
        if "$" not in text:
            return text
        parts: list[str | Variable] = []
        for piece in pieces(text):
            if piece is None:
                self.fault(node, f"{node.told}: a dollar alone; expected $name or ${{name}}, or $$ for a dollar")
                return FAULTY
            if isinstance(piece, Variable):
                if piece.name not in self.scope.variables:
                    near = did_you_mean(piece.name, self.scope.variables)
                    self.fault(node, f"no variable {piece.name!r} has a value here{near}")
                    return FAULTY
                parts.append(piece)
            elif parts and isinstance(parts[-1], str):
                parts[-1] += piece
            else:
                parts.append(piece)
        if len(parts) == 1:
            return parts[0]
        return Text(tuple(parts))

    def checked(self, node: Node, open_value: Any, convert: Callable[[Any], Any] = lambda value: value) -> Any:
        """Return an open value after trying it with every value that its variables are known to take."""
        for chosen in self.scope.combinations(open_value):
            try:
                convert(scenarios.substitute(open_value, chosen))
            except (ValueError, ArithmeticError, UsageError) as error:
                shown = ", ".join(f"${name} = {scenarios.flow(value)}" for name, value in chosen.items())
                self.fault(node, f"with {shown}: {error}")
                break
        return open_value

    def scalar(self, node: Node) -> Any:
        """Return a scalar, its text as a template."""
        return self.template(node, node.content) if isinstance(node.content, str) else node.content

    # -- the kinds ---------------------------------------------------------------------------------------------------

    def text(self, node: Node) -> Any:
        if not isinstance(node.content, str):
            return self.expected(node, "text")
        return self.template(node, node.content)

    def flag(self, node: Node) -> Any:
        value = self.scalar(node)
        if value is FAULTY:
            return None
        if isinstance(value, Variable):
            return self.checked(node, value, _must_be(bool, "true or false"))
        if not isinstance(value, bool):
            return self.expected(node, "flag")
        return value

    def duration(self, node: Node) -> Any:
        value = self.scalar(node)
        if value is FAULTY:
            return None
        if isinstance(value, (Variable, Text)):
            return self.checked(node, Span(value), _bounded)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return self.fault(node, f"{value} has no unit; expected {TAKES['duration']}")
        if not isinstance(value, str) or len(value) > TEXT_OF_SPAN_MAX:
            return self.expected(node, "duration")
        try:
            return _bounded(durations.parse(value))
        except ValueError as error:
            return self.fault(node, str(error))

    def timeout(self, node: Node) -> Any:
        text = node.content
        if isinstance(text, str) and text[:1] == "-":
            # A manager may be given one that makes no sense, to see what it does with it.
            span_us = self.duration(Node(node.line, node.column, text[1:]))
            return -span_us if isinstance(span_us, int) else self.expected(node, "timeout")
        return None if text is None else self.duration(node)

    def whole(self, node: Node) -> Any:
        value = self.scalar(node)
        if value is FAULTY:
            return None
        if isinstance(value, (Variable, Text)):
            return self.checked(node, Count(value))
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= scenarios.REPEATS_MAX:
            return self.fault(node, f"expected a whole number from 0 to {scenarios.REPEATS_MAX}, not {node.told}")
        return value

    def integer(self, node: Node) -> Any:
        value = self.scalar(node)
        if value is FAULTY:
            return None
        if isinstance(value, Variable):
            return self.checked(node, value, _must_be(int, "a whole number"))
        if isinstance(value, bool) or not isinstance(value, int):
            return self.expected(node, "integer")
        return value

    def instant(self, node: Node) -> Any:
        value = self.scalar(node)
        if value is FAULTY:
            return None
        if isinstance(value, (Variable, Text)):
            return self.checked(node, Instant(value))
        if not isinstance(value, str):
            return self.expected(node, "instant")
        try:
            return scenarios.instant(value)
        except ValueError as error:
            return self.fault(node, str(error))

    def zone(self, node: Node) -> Any:
        value = self.scalar(node)
        if value is FAULTY:
            return ""
        if isinstance(value, (Variable, Text)):
            return self.checked(node, value, _known_zone)
        if not isinstance(value, str):
            return self.expected(node, "zone")
        try:
            _known_zone(value)
        except UsageError as error:
            return self.fault(node, str(error))
        return value

    def id(self, node: Node) -> Any:
        if isinstance(node.content, bool) or not isinstance(node.content, (str, int)):
            return self.expected(node, "id")
        return self.scalar(node)

    def function(self, node: Node) -> Any:
        if not isinstance(node.content, str) or not _FUNCTION.fullmatch(node.content):
            return self.expected(node, "function")
        return node.content

    def identifier(self, node: Node) -> Any:
        if not isinstance(node.content, str) or not IDENTIFIER.fullmatch(node.content):
            return self.expected(node, "identifier")
        return node.content

    def value(self, node: Node) -> Hashable:
        """Return any value, with variables wherever they stand in it, keys of mappings included."""
        if node.entries is not None:
            entries = node.entries.values()
            return FrozenMap({self.template(key, str(key.content)): self.value(item) for key, item in entries})
        if node.items is not None:
            return tuple(self.value(item) for item in node.items)
        scalar: Hashable = self.scalar(node)
        return scalar

    def mapping(self, node: Node) -> Any:
        value = self.value(node)
        if value is FAULTY:
            return None
        if isinstance(value, Variable):
            return self.checked(node, value, _must_be(FrozenMap, "a mapping"))
        if not isinstance(value, FrozenMap):
            return self.expected(node, "mapping")
        return value

    def kinds(self, node: Node) -> Any:
        if node.content is True:
            return frozenset()
        kinds = node.items if node.items is not None else (node,)
        for kind in kinds:
            if not isinstance(kind.content, str):
                self.expected(kind, "kinds")
            elif kind.content not in KINDS:
                self.fault(kind, f"unknown kind of refusal {kind.content!r}{did_you_mean(kind.content, KINDS)}")
        if not kinds:
            self.expected(node, "kinds")
        return frozenset(str(kind.content) for kind in kinds)

    def word(self, node: Node, takes: str, words: tuple[str, ...]) -> Any:
        """Return one of a few words."""
        if node.content in words:
            return node.content
        near = did_you_mean(node.content, words) if isinstance(node.content, str) else ""
        return self.fault(node, f"expected {TAKES[takes]}, not {node.told}{near if near[:1] == ',' else ''}")

    def schedules(self, node: Node) -> str | int:
        """Return which orders of the branches are run: a number of them, all, or one."""
        asked = node.content
        if isinstance(asked, int) and not isinstance(asked, bool):
            if not 1 <= asked <= SCHEDULES_MAX:
                self.fault(node, f"schedules: expected a number from 1 to {SCHEDULES_MAX}, not {asked}")
            return asked
        if not isinstance(asked, str) or not asked.strip():
            self.expected(node, "schedules")
            return ""
        if asked == EXHAUSTIVE:
            return asked
        try:
            if asked != asked.upper():
                raise UsageError(
                    f"{asked!r} is no schedule, which has capital letters{did_you_mean(asked, [EXHAUSTIVE])}"
                )
            return str(schedule.parse(asked))
        except UsageError as error:
            self.fault(node, f"schedules: {error}")
            return ""

    # -- names -------------------------------------------------------------------------------------------------------

    def name(self, node: Node) -> Any:
        """Return a name, after checking every name that it may become."""
        if not isinstance(node.content, str) or not node.content:
            return self.expected(node, "name")
        name = self.template(node, node.content)
        if name is FAULTY:
            return None
        for used in dict.fromkeys(scenarios.variables_of(name)):
            if self.scope.variables[used].source == "capture":
                return self.fault(node, f"${used} holds a captured value, no name: write {{id: ${used}}} for an id")
        if len(list(scenarios.variables_of(name))) > VARIABLES_IN_NAME_MAX or len(node.content) > 200:
            return self.fault(node, f"a name with more than {VARIABLES_IN_NAME_MAX} variables or 200 characters")
        names = self.scope.expand(name)
        for bad in sorted(word for word in names.exact if not NAME.fullmatch(word)):
            return self.fault(node, f"{bad!r} is no name; expected {TAKES['name']}")
        return name

    def session(self, node: Node) -> Any:
        """Return a session's name, after checking that every session it may become was made before."""
        if node.entries is not None:
            if set(node.entries) != {"id"}:
                return self.expected(node, "session")
            return RawId(self.value(node.entries["id"][1]))
        name = self.name(node)
        if name is not None:
            self.known(node, name)
        return name

    def known(self, node: Node, name: str | Template) -> None:
        """Note a session that no step before this one makes."""
        missing = self.scope.sessions.lacks(self.scope.expand(name))
        if missing:
            told = repr(missing) if missing != "that" else repr(node.content)
            near = did_you_mean(missing, self.scope.sessions.exact)
            self.fault(node, f"no step before this one makes a session {told}{near if near[:1] == ',' else ''}")

    def resource(self, node: Node) -> Any:
        """Return a resource's name, after checking that it was attached before."""
        name = self.name(node)
        if name is not None and self.scope.resources.lacks(self.scope.expand(name)):
            near = did_you_mean(str(node.content), self.scope.resources.exact)
            told = near if near[:1] == "," else ""
            self.fault(node, f"no step before this one attaches a resource {node.content!r}{told}")
        return name

    def sessions(self, node: Node) -> Any:
        if node.items is None:
            value = self.scalar(node) if isinstance(node.content, str) else None
            return value if isinstance(value, Variable) or value is FAULTY else self.expected(node, "sessions")
        return tuple(self.session(item) for item in node.items)


def _bounded(span_us: int) -> int:
    if span_us > SPAN_US_MAX:
        raise ValueError("longer than 1000 years")
    return span_us


def _must_be(kind: type, told: str) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise ValueError(f"expected {told}")
        return value

    return check


def _known_zone(name: Any) -> None:
    try:
        zone_named(str(name))
    except UsageError:
        # A machine that knows no zone at all runs no story that asks for one, and can read it all the same.
        if available_timezones():
            raise
