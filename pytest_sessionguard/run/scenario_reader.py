"""From the nodes of a scenario file to a scenario, in the order in which the story is told.

Reads on after a fault, so that a file is refused with all of them at once.  Steps are read in the order in which they
run, whatever the order of the header: a session, a variable or a resource must have been named before it is used.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from pytest_sessionguard.core import requirements
from pytest_sessionguard.core.faults import CRASH
from pytest_sessionguard.core.operations import VERBS
from pytest_sessionguard.core.properties import PROPERTIES
from pytest_sessionguard.core.scenario import (
    FIGURES,
    AnyStep,
    Eventually,
    Parallel,
    Place,
    Repeat,
    Scenario,
    Step,
)
from pytest_sessionguard.core.values import EMPTY, FrozenMap
from pytest_sessionguard.errors import Fault, did_you_mean
from pytest_sessionguard.run import scenario_format as form
from pytest_sessionguard.run.scenario_faults import read_faults
from pytest_sessionguard.run.scenario_format import Entry, StepKind
from pytest_sessionguard.run.scenario_nodes import Node
from pytest_sessionguard.run.scenario_scope import IDENTIFIER, Domain, counter
from pytest_sessionguard.run.scenario_values import Values

_MODIFIERS: Final = {entry.name: entry for entry in form.MODIFIERS}
_FACETS: Final = {entry.name: entry for entry in form.FACETS}
_SOURCES: Final = {
    "matrix": "the matrix",
    "counter": "a repeat around it",
    "figure": "the policy",
    "capture": "an earlier capture",
}


class _Group(NamedTuple):
    """What is expected of one kind of thing."""

    subject: str
    told: str
    entries: tuple[Entry, ...]


_EXPECT_GROUPS: Final = (
    _Group("session", "of a session", form.EXPECT_SESSION),
    _Group("resource", "of a resource", form.EXPECT_RESOURCE),
    _Group("", "of the manager", form.EXPECT_MANAGER),
)


def read(path: str, node: Node, text: str, faults: list[Fault]) -> Scenario | None:
    """Return the scenario that the node tells, adding what is wrong with it to `faults`; None where there is none."""
    reader = _Reader(path, faults)
    header = reader.closed(node, form.HEADER, "a scenario file")
    if header is None:
        return None
    title = reader.title(header.get("scenario"))
    reader.version(header.get("version"))
    matrix = reader.matrix(header.get("matrix"))
    reader.scope.variables.update({name: Domain("matrix", values, whole=True) for name, values in matrix.items()})
    scenario = Scenario(
        title=title,
        path=path,
        place=Place(path, node.line, node.column),
        requires=reader.requires(header.get("requires")),
        matrix=FrozenMap(matrix),
        figures=reader.figures(header.get("with"), set(matrix)),
        zone=reader.of_matrix("zone", header.get("zone"), set(matrix)) or "",
        begins_us=reader.of_matrix("instant", header.get("begins"), set(matrix)),
        start=reader.steps(header.get("start")),
        steps=reader.steps(header.get("steps")),
        faults=read_faults(reader, header.get("faults")),
        after_fault=reader.after_fault(header.get("after_fault"), header.get("faults")),
        finally_=reader.steps(header.get("finally")),
        invariants=reader.words(header.get("invariants"), PROPERTIES, "property"),
        markers=reader.words(header.get("markers")),
        fixtures=reader.words(header.get("fixtures")),
        lines=tuple(text.splitlines()),
    )
    return None if faults else scenario


def _is_done_anyway(step: AnyStep) -> bool:
    """Say whether a step is done after each crash that is tried, whether it is written down or not."""
    return isinstance(step, Step) and (
        "acknowledged" in step.arguments or (step.verb == "recover" and not step.arguments)
    )


class _Reader(Values):
    """Reads the header and the steps of one file."""

    def __init__(self, path: str, faults: list[Fault]) -> None:
        super().__init__(path, faults)
        self.in_branch = False

    def closed(self, node: Node, entries: Iterable[Entry], where: str) -> dict[str, Node] | None:
        """Return the values of a mapping that may hold these entries and no others; None where it is no mapping."""
        if node.entries is None:
            self.fault(node, f"{where}: expected a mapping, not {node.told}")
            return None
        known = {entry.name: entry for entry in entries}
        meant = ""
        for name, (key, _) in node.entries.items():
            if name not in known:
                near = did_you_mean(name, known)
                meant += near
                self.fault(key, f"{where} has no key {name!r}{near}")
        for entry in known.values():
            # A key misspelt is not missing besides.
            if entry.required and entry.name not in node.entries and f"mean {entry.name!r}?" not in meant:
                self.fault(node, f"{where} lacks {entry.name!r}; expected {form.TAKES[entry.takes]}")
        return {name: value for name, (_, value) in node.entries.items() if name in known}

    # -- the header --------------------------------------------------------------------------------------------------

    def title(self, node: Node | None) -> str:
        if node is not None and (not isinstance(node.content, str) or not node.content.strip()):
            self.fault(node, f"scenario: expected the story as one sentence, not {node.told}")
        return str(node.content) if node is not None else ""

    def version(self, node: Node | None) -> None:
        if node is not None and (isinstance(node.content, bool) or node.content != form.VERSION):
            self.fault(node, f"version {node.told} is not known here; expected {form.VERSION}")

    def requires(self, node: Node | None) -> tuple[str, ...]:
        lines = self.listed(node, "requirements")
        for line in lines:
            try:
                requirements.parse(str(line.content))
            except ValueError as error:
                self.fault(line, str(error))
        return tuple(str(line.content) for line in lines)

    def listed(self, node: Node | None, takes: str) -> tuple[Node, ...]:
        """Return the items of a list of texts."""
        if node is None:
            return ()
        if node.items is None:
            self.expected(node, takes)
            return ()
        for item in node.items:
            if not isinstance(item.content, str):
                self.expected(item, "text")
        return tuple(item for item in node.items if isinstance(item.content, str))

    def words(self, node: Node | None, known: Iterable[str] = (), what: str = "") -> tuple[str, ...]:
        """Return a list of words, each one of the known ones where there are any."""
        items = self.listed(node, "properties" if what else "words")
        names = [str(item.content) for item in items]
        for item, name in zip(items, names, strict=True):
            if what and name not in known:
                near = did_you_mean(name, known)
                told = near if near[:1] == "," else "; `sessionguard properties` lists them"
                self.fault(item, f"unknown {what} {name!r}{told}")
            elif not what and not IDENTIFIER.fullmatch(name):
                self.expected(item, "identifier")
        return tuple(dict.fromkeys(names))

    def matrix(self, node: Node | None) -> dict[str, tuple[Any, ...]]:
        """Return variable -> its values."""
        found: dict[str, tuple[Any, ...]] = {}
        if node is None:
            return found
        self.scope.variables, outer = {}, self.scope.variables  # The values hold no variables of their own.
        if not node.entries:
            self.fault(node, f"matrix: expected {form.TAKES['matrix']}, not {node.told}")
        for name, (key, values) in (node.entries or {}).items():
            if not IDENTIFIER.fullmatch(name):
                self.fault(key, f"{name!r} is no variable; expected {form.TAKES['identifier']}")
            if not values.items:
                self.fault(values, f"matrix: expected a list of values for {name}, not {values.told}")
                continue
            found[name] = tuple(self.value(value) for value in values.items)
            seen: set[Any] = set()
            for value, frozen in zip(values.items, found[name], strict=True):
                if (type(frozen), frozen) in seen:
                    self.fault(value, f"matrix: {name} has the value {value.told} twice")
                seen.add((type(frozen), frozen))
        self.scope.variables = outer
        total = math.prod(len(values) for values in found.values())
        if total > form.CELLS_MAX:
            self.fault(node, f"matrix: {total} combinations; at most {form.CELLS_MAX} are run")
            return {}
        return found

    def figures(self, node: Node | None, matrix: set[str]) -> FrozenMap:
        """Return the figures of the policy that the story wishes for; of variables only the matrix's stand here."""
        if node is None:
            return EMPTY
        takes = {name: "whole" if name in ("limit", "history_limit") else "duration" for name in FIGURES}
        entries = [Entry(name=name, takes=kind, summary="") for name, kind in takes.items()]
        given = self.closed(node, entries, "with") or {}
        return FrozenMap({name: self.of_matrix(takes[name], value, matrix) for name, value in given.items()})

    def of_matrix(self, takes: str, node: Node | None, matrix: set[str]) -> Any:
        """Return a value of the header, None where it is not given; of variables only the matrix's stand here."""
        if node is None:
            return None
        outer = self.scope
        self.scope = outer.fork()
        self.scope.variables = {name: outer.variables[name] for name in matrix}
        value = self.readers[takes](node)
        self.scope = outer
        return value

    # -- steps -------------------------------------------------------------------------------------------------------

    def steps(self, node: Node | None) -> tuple[AnyStep, ...]:
        if node is None:
            return ()
        if not node.items:
            self.fault(node, f"expected {form.TAKES['steps']}, not {node.told}")
            return ()
        read = [self.step(item) for item in node.items]
        return tuple(step for step in read if step is not None)

    def after_fault(self, node: Node | None, faults: Node | None) -> tuple[AnyStep, ...]:
        """Return the steps that follow what goes wrong."""
        if node is not None and faults is None:
            self.fault(node, "after_fault stands here without faults: put its steps at the end of the story")
        steps = self.steps(node)
        crashed = faults is not None and any(CRASH in (item.entries or ()) for item in faults.items or ())
        if node is not None and crashed and not all(_is_done_anyway(step) for step in steps):
            told = "`recover: {}` and `expect: {acknowledged: kept}`"
            self.fault(node, f"after a {CRASH} every session is looked at: after_fault takes {told} alone")
        return steps

    def step(self, node: Node) -> AnyStep | None:
        """Return one step: a mapping of one verb and what goes with it."""
        if node.entries is None:
            near = f"; write {node.content}: {{}}" if node.told.strip("'") in form.STEPS else ""
            self.fault(node, f"a step is a mapping of one verb, such as `touch: cart`, not {node.told}{near}")
            return None
        verbs = [name for name in node.entries if name in form.STEPS]
        self.strangers(node, verbs)
        for name in verbs[1:]:
            self.fault(node.entries[name][0], f"a step has one verb; this one has {verbs[0]} already")
        if not verbs:
            return None
        kind = form.STEPS[verbs[0]]
        key, value = node.entries[kind.verb]
        if self.in_branch and kind.verb in form.NOT_IN_BRANCHES:
            self.fault(key, f"{kind.verb} cannot stand in a branch of parallel: put it before or after")
        place = Place(self.path, node.line, node.column)
        label = self.text(node.entries["label"][1]) if "label" in node.entries else ""
        if kind.block:
            return self.block(kind, node, value, place, label)
        return self.alone(kind, node, value, place, label)

    def strangers(self, node: Node, verbs: list[str]) -> None:
        """Note the keys of a step that are no verb, and those that do not go with its verb."""
        assert node.entries is not None
        fitting = {"label", *(form.STEPS[verbs[0]].modifiers if verbs and verbs[0] in form.STEPS else _MODIFIERS)}
        strange = [name for name in node.entries if name not in verbs and name not in fitting]
        for name in strange:
            key = node.entries[name][0]
            if name in _MODIFIERS:
                self.fault(key, f"{name} does not go with {verbs[0]}")
            elif verbs:
                self.fault(key, f"a step of {verbs[0]} has no key {name!r}{did_you_mean(name, fitting)}")
            else:
                near = did_you_mean(name, form.STEPS)
                self.fault(key, f"unknown verb {name!r}{near if near[:1] == ',' else ''}")
        if not verbs and all(name in _MODIFIERS for name in node.entries):
            self.fault(node, "a step has exactly one verb, such as `touch: cart`; this one has none")

    def alone(self, kind: StepKind, node: Node, value: Node, place: Place, label: Any) -> Step:
        """Return a step that holds no others, and name what it names."""
        assert node.entries is not None
        arguments = self.expectation(value) if kind.verb == "expect" else self.arguments(kind, value)
        given = {name: node.entries[name][1] for name in kind.modifiers if name in node.entries}
        step = Step(
            verb=kind.verb,
            arguments=arguments,
            place=place,
            refused=self.kinds(given["refused"]) if "refused" in given else None,
            answer=self.answer(given["answer"], kind) if "answer" in given else EMPTY,
            capture=self.capture(given["capture"], kind) if "capture" in given else EMPTY,
            client=self.text(given["client"]) if "client" in given else "",
            cancel_at=self.read_cancel(given["cancel_at"]) if "cancel_at" in given else 0,
            label=label,
        )
        if "cancel_at" in given and len({"refused", "answer", "capture"} & set(given)):
            self.fault(given["cancel_at"], "a step that is cancelled has no answer to look into")
        if step.refused is not None and ("answer" in given or "capture" in given):
            self.fault(
                given.get("answer") or given["capture"], "a step that must be refused has no answer to look into"
            )
        self.bind(step)
        return step

    def read_cancel(self, node: Node) -> Any:
        """Return at which suspension a step is cancelled."""
        at = self.whole(node)
        if at == 0:
            return self.fault(node, "suspensions are counted from 1")
        return at if at is not None else 0

    def bind(self, step: Step) -> None:
        """Give names to what the step makes; what is refused gets none, nor what is cancelled unless
        its caller has chosen the id."""
        arguments: Any = step.arguments
        if step.refused is not None or (step.cancel_at and "id" not in arguments):
            return
        if arguments.get("as") is not None:
            self.scope.sessions.add(self.scope.expand(arguments["as"]))
        if step.verb == "attach" and arguments.get("resource") is not None:
            self.scope.resources.add(self.scope.expand(arguments["resource"]))
        for name in step.capture:
            self.scope.variables[name] = Domain("capture")

    def arguments(self, kind: StepKind, node: Node) -> FrozenMap:
        """Return a verb's arguments; a value that is no mapping stands for the one that its short form names."""
        entries = {entry.name: entry for entry in kind.entries}
        short = entries.get(kind.short)
        if short and (node.entries is None or (short.takes == "session" and set(node.entries) == {"id"})):
            return FrozenMap({short.becomes: self.read(short, node)})
        given = self.closed(node, kind.entries, kind.verb) or {}
        if node.entries is not None and kind.one_of:
            chosen = [name for name in kind.one_of if name in node.entries]
            if not chosen:
                self.fault(node, f"{kind.verb} lacks one of: {', '.join(kind.one_of)}")
            for name in chosen[1:]:
                self.fault(node.entries[name][0], f"{kind.verb} takes either {chosen[0]} or {name}, not both")
        arguments: dict[str, Any] = {
            entries[name].becomes: self.read(entries[name], value) for name, value in given.items()
        }
        if "by" in given and "minus" in given:
            spans = [arguments.get(name, 0) for name in ("by_us", "plus_us", "minus_us")]
            if all(isinstance(span, int) for span in spans) and spans[0] + spans[1] < spans[2]:
                self.fault(given["minus"], "minus is more than the clock is advanced by: time runs forwards only")
        return FrozenMap(arguments)

    def expectation(self, node: Node) -> FrozenMap:
        """Return what is expected: of one session, of one resource, or of the whole manager."""
        given = self.closed(node, form.EXPECT_ENTRIES, "expect")
        if given is None:
            return EMPTY
        assert node.entries is not None
        found: dict[str, Any] = {}
        for entry in form.EXPECT_ENTRIES:
            if entry.name in given:
                value = given[entry.name]
                found[entry.becomes] = self.resource(value) if entry.name == "resource" else self.read(entry, value)
        if len(given) == len(node.entries):  # Otherwise an unknown key may be what was to be expected.
            self.subject(node, given)
        return FrozenMap(found)

    def subject(self, node: Node, given: dict[str, Node]) -> None:
        """Note an expectation that says nothing, or that speaks of two things at once."""
        assert node.entries is not None
        about = next(group for group in _EXPECT_GROUPS if not group.subject or group.subject in given)
        names = [entry.name for entry in about.entries]
        lacking = [group for group in _EXPECT_GROUPS[:-1] if {entry.name for entry in group.entries} & set(given)]
        if set(names) & set(given):
            for name in given:
                if name not in names and name != about.subject:
                    self.fault(node.entries[name][0], f"{name} is not told {about.told}: write another expect for it")
        elif about.subject:
            self.fault(node, f"expect says nothing {about.told}; expected one of: {', '.join(names)}")
        elif lacking:
            self.fault(node, f"expect lacks {lacking[0].subject!r}; expected the name of the one that is looked at")
        else:
            self.fault(node, f"expect says nothing; expected a session, a resource, or one of: {', '.join(names)}")

    def answer(self, node: Node, kind: StepKind) -> FrozenMap:
        """Return what the answer must be, by facet."""
        given = self.closed(node, self.facets(kind), "answer") or {}
        if node.entries is not None and not node.entries:
            self.fault(node, "answer is empty: name a facet, such as {found: true}")
        return FrozenMap({_FACETS[name].becomes: self.read(_FACETS[name], value) for name, value in given.items()})

    def facets(self, kind: StepKind) -> tuple[Entry, ...]:
        return form.FACETS if kind.verb in VERBS else (_FACETS["value"],)

    def capture(self, node: Node, kind: StepKind) -> FrozenMap:
        """Return the variables that are taken out of the answer."""
        found: dict[str, tuple[str, ...]] = {}
        if not node.entries:
            self.expected(node, "capture")
            return EMPTY
        facets = {entry.name for entry in self.facets(kind)}
        for name, (key, value) in node.entries.items():
            known = self.scope.variables.get(name)
            if not IDENTIFIER.fullmatch(name):
                self.fault(key, f"{name!r} is no variable; expected {form.TAKES['identifier']}")
            elif known is not None and known.source != "capture":
                self.fault(key, f"the variable {name!r} has a value already, from {_SOURCES[known.source]}")
            path = str(value.content).split(".") if isinstance(value.content, str) else []
            if not path or not all(path):
                self.fault(value, f"expected a facet of the answer, such as version or data.items, not {value.told}")
            elif path[0] not in facets:
                self.fault(value, f"an answer has no facet {path[0]!r}{did_you_mean(path[0], facets)}")
            found[name] = (_FACETS[path[0]].becomes, *path[1:]) if path and path[0] in facets else ()
        return FrozenMap(found)

    # -- blocks ------------------------------------------------------------------------------------------------------

    def block(self, kind: StepKind, node: Node, value: Node, place: Place, label: Any) -> AnyStep | None:
        """Return a step that holds others."""
        if kind.verb == "parallel":
            assert node.entries is not None
            schedules = self.schedules(node.entries["schedules"][1]) if "schedules" in node.entries else ""
            return self.parallel(value, place, label, schedules)
        given = self.closed(value, kind.entries, kind.verb)
        if given is None:
            return None
        if kind.verb == "repeat":
            return self.repeat(given, place, label)
        spans = {name: self.duration(given[name]) for name in ("within", "every") if name in given}
        every_us = spans.get("every", 1_000_000)
        if every_us == 0:
            self.fault(given["every"], "every: expected more than nothing, or time would stand still")
        wanted = given.get("expect")
        if wanted is None:
            return None
        here = Place(self.path, wanted.line, wanted.column)
        expected = Step(verb="expect", arguments=self.expectation(wanted), place=here)
        return Eventually(
            within_us=spans.get("within", 0), every_us=every_us, expect=expected, place=place, label=label
        )

    def parallel(self, node: Node, place: Place, label: Any, schedules: str | int) -> Parallel:
        branches = []
        if node.items is None or len(node.items) < 2:
            self.fault(
                node, f"parallel: expected {form.TAKES['branches']}, not {node.told if not node.items else 'one'}"
            )
        outer, was_in_branch = self.scope, self.in_branch
        scopes = []
        self.in_branch = True
        for item in node.items or ():
            self.scope = outer.fork()
            branches.append(self.steps(item))
            scopes.append(self.scope)
        self.scope, self.in_branch = outer, was_in_branch
        for scope in scopes:
            outer.join(scope)
        return Parallel(branches=tuple(branches), place=place, schedules=schedules, label=label)

    def repeat(self, given: dict[str, Node], place: Place, label: Any) -> Repeat:
        times = self.whole(given["times"]) if "times" in given else None
        if times == 0:
            self.fault(given["times"], "times: expected one or more")
        name = self.identifier(given["counter"]) if "counter" in given else ""
        if name in self.scope.variables:
            told = _SOURCES[self.scope.variables[name].source]
            self.fault(given["counter"], f"the variable {name!r} has a value already, from {told}")
            name = ""
        if name:
            self.scope.variables[name] = counter(times)
        steps = self.steps(given.get("steps"))
        self.scope.variables.pop(name or "", None)
        return Repeat(times=times or 1, counter=name or "", steps=steps, place=place, label=label)
