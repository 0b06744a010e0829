"""From `*.session.yaml` to scenarios: the one place that reads YAML.

A file is refused with every fault it has, each at its line and column; nothing of it is guessed, and no text, however
odd, ends in anything but a scenario or a `UsageError`.  Anchors and aliases work but may not blow a file up; tags,
merge keys and a second document are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import yaml

from pytest_sessionguard.core.scenario import Scenario
from pytest_sessionguard.errors import Fault, UsageError
from pytest_sessionguard.run import scenario_reader
from pytest_sessionguard.run.scenario_nodes import Node, resolve

# libyaml's parser where PyYAML has it: the same events and places, several times as fast.
_PARSER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

SUFFIX: Final = ".session.yaml"

CHARACTERS_MAX: Final = 1_000_000
NODES_MAX: Final = 50_000
DEPTH_MAX: Final = 40

_UNREADABLE: Final = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ufeff\ue000-\ufffd\U00010000-\U0010ffff]")


def find(paths: Iterable[str | Path]) -> tuple[Path, ...]:
    """Return the scenario files among `paths`, each once: files as they are given, folders searched and sorted.

    Raises:
        UsageError: what is not there, has another suffix, or is a folder without scenario files.
    """
    found: list[Path] = []
    faults: list[Fault] = []
    for given in map(Path, paths):
        if given.is_dir():
            inside = sorted(path for path in given.rglob(f"*{SUFFIX}") if path.is_file())
            found += inside
            if not inside:
                faults.append(Fault(str(given), 0, 0, f"this folder holds no scenario file; expected *{SUFFIX}"))
        elif not given.exists():
            faults.append(Fault(str(given), 0, 0, "there is no such file or folder"))
        elif not given.name.endswith(SUFFIX):
            faults.append(Fault(str(given), 0, 0, f"not a scenario file: its name must end in {SUFFIX}"))
        else:
            found.append(given)
    if faults:
        raise UsageError(faults)
    return tuple(dict.fromkeys(found))


def load(path: str | Path, text: str | None = None) -> Scenario:
    """Return the scenario in the file, or in `text` as if it stood there.

    Raises:
        UsageError: every fault of the file.
    """
    shown = str(path)
    if text is None:
        text = _read(Path(path))
    faults: list[Fault] = []
    node = parse(shown, text, faults)
    scenario = scenario_reader.read(shown, node, text, faults) if node is not None else None
    if faults or scenario is None:
        raise UsageError(faults)
    return scenario


def validate(paths: Iterable[str | Path]) -> tuple[Fault, ...]:
    """Return every fault of every scenario file among `paths`."""
    faults: list[Fault] = []
    files: tuple[Path, ...] = ()
    wanted = list(paths)
    for path in wanted:
        try:
            files += find([path])
        except UsageError as error:
            faults += error.faults
    for file in dict.fromkeys(files):
        try:
            load(file)
        except UsageError as error:
            faults += error.faults
    return tuple(faults)


def _read(path: Path) -> str:
    if not path.name.endswith(SUFFIX):
        raise UsageError([Fault(str(path), 0, 0, f"not a scenario file: its name must end in {SUFFIX}")])
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UsageError([Fault(str(path), 0, 0, f"cannot be read: {error.strerror or error}")]) from None
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line, column = _place(raw[: error.start].decode("utf-8"), error.start)
        told = f"byte 0x{raw[error.start]:02x} is not UTF-8: save the file in that encoding"
        raise UsageError([Fault(str(path), line, column, told)]) from None


def _place(text: str, index: int) -> tuple[int, int]:
    """Return line and column, from 1, of the character at `index`."""
    before = text[:index]
    return before.count("\n") + 1, len(before) - before.rfind("\n")


# -- YAML events to nodes -------------------------------------------------------------------------------------------


def parse(path: str, text: str, faults: list[Fault]) -> Node | None:
    """Return the file's one document as nodes, adding what is wrong with it as YAML to `faults`; None past repair."""
    if len(text) > CHARACTERS_MAX:
        faults.append(Fault(path, 1, 1, f"{len(text)} characters: a scenario file has at most {CHARACTERS_MAX}"))
        return None
    unreadable = _UNREADABLE.search(text)
    if unreadable:
        place = _place(text, unreadable.start())
        faults.append(Fault(path, *place, f"character {unreadable[0]!r} may not stand in a YAML file"))
        return None
    try:
        return _Builder(path, faults).build(text)
    except yaml.MarkedYAMLError as error:
        faults.append(_yaml_fault(path, text, error))
    except yaml.YAMLError as error:  # pragma: no cover -- what `_UNREADABLE` lets through, both parsers can read
        faults.append(Fault(path, 1, 1, f"not YAML: {error}"))
    except _Refused:
        pass  # The fault was noted where it stands.
    return None


def _yaml_fault(path: str, text: str, error: yaml.MarkedYAMLError) -> Fault:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    lines = text.splitlines() or [""]
    line = min(line, len(lines))
    indent = re.match(r"[ ]*\t\s*", lines[line - 1])
    if indent:
        column = lines[line - 1].index("\t") + 1
        return Fault(path, line, column, "a tab indents this line: YAML is indented with spaces only")
    told = error.problem or "not YAML"
    if error.context:
        told += f" ({error.context})"
    return Fault(path, line, column, f"not YAML: {told}")


class _Refused(Exception):
    """Reading on makes no sense."""


class _Builder:
    """Builds nodes from a parser's events, without recursion: depth is the file's, not ours."""

    def __init__(self, path: str, faults: list[Fault]) -> None:
        self.path = path
        self.faults = faults
        self.anchors: dict[str, Node] = {}
        self.open_anchors: set[str] = set()
        self.nodes = 0
        self.document: Node | None = None
        # Of each open list or mapping: its start event, what is in it so far, the key that waits for its value.
        self.stack: list[tuple[Any, list[Node] | dict[str, tuple[Node, Node]], list[Node]]] = []

    def fault(self, event: Any, message: str) -> None:
        mark = event.start_mark
        self.faults.append(Fault(self.path, mark.line + 1, mark.column + 1, message))

    def build(self, text: str) -> Node | None:
        parser = _PARSER(text)
        documents = 0
        while parser.check_event():
            event = parser.get_event()
            match event:
                case yaml.ScalarEvent():
                    self.anchored(event, self.scalar(event))
                case yaml.AliasEvent():
                    self.alias(event)
                case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                    self.begin(event)
                case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                    self.end()
                case yaml.DocumentStartEvent():
                    documents += 1
                    if documents > 1:
                        self.fault(event, "a second document: write one scenario a file")
                        raise _Refused
        if self.document is None:
            self.faults.append(
                Fault(self.path, 1, 1, "the file is empty; expected a scenario (scenario, version, steps)")
            )
        return self.document

    def scalar(self, event: Any) -> Node:
        self.tagged(event)
        content: Any = event.value
        if event.implicit[0] and event.tag is None:
            try:
                content = resolve(event.value)
            except ValueError as error:
                self.fault(event, str(error))
        return Node(event.start_mark.line + 1, event.start_mark.column + 1, content)

    def tagged(self, event: Any) -> None:
        if event.tag is not None:
            self.fault(event, f"the tag {event.tag}: a scenario file has no tags; quote a value that must be text")

    def alias(self, event: Any) -> None:
        node = self.anchors.get(event.anchor)
        if event.anchor in self.open_anchors:
            self.fault(event, f"the alias *{event.anchor} stands inside of what it names")
            raise _Refused
        if node is None:
            self.fault(event, f"no anchor &{event.anchor} stands before this alias")
            node = Node(event.start_mark.line + 1, event.start_mark.column + 1, None)
        self.add(event, node)

    def begin(self, event: Any) -> None:
        self.tagged(event)
        if len(self.stack) >= DEPTH_MAX:
            self.fault(event, f"nested deeper than {DEPTH_MAX} levels")
            raise _Refused
        if event.anchor:
            self.open_anchors.add(event.anchor)
        self.stack.append((event, {} if isinstance(event, yaml.MappingStartEvent) else [], []))

    def end(self) -> None:
        event, content, _ = self.stack.pop()
        if isinstance(content, dict):
            size = 1 + sum(key.size + value.size for key, value in content.values())
        else:
            size = 1 + sum(item.size for item in content)
        mark = event.start_mark
        node = Node(mark.line + 1, mark.column + 1, content if isinstance(content, dict) else tuple(content), size)
        self.open_anchors.discard(event.anchor)
        self.anchored(event, node)

    def anchored(self, event: Any, node: Node) -> None:
        if event.anchor:
            self.anchors[event.anchor] = node
        self.add(event, node)

    def add(self, event: Any, node: Node) -> None:
        self.nodes += node.size if isinstance(event, yaml.AliasEvent) else 1
        if self.nodes > NODES_MAX:
            self.fault(event, f"more than {NODES_MAX} values, aliases counted out")
            raise _Refused
        if not self.stack:
            self.document = node
            return
        _, content, waiting = self.stack[-1]
        if isinstance(content, list):
            content.append(node)
        elif not waiting:
            waiting.append(node)
        else:
            self.entry(content, waiting.pop(), node)

    def entry(self, content: dict[str, tuple[Node, Node]], key: Node, value: Node) -> None:
        """Put one entry into a mapping; a key that cannot stand is noted and left out."""
        if not isinstance(key.content, str):
            message = f"a key is text, not {key.told}: quote it"
        elif key.content == "<<":
            message = "merge keys (<<) are no part of YAML 1.2: write the entries out"
        elif key.content in content:
            first = content[key.content][0]
            message = f"the key {key.content!r} stands here a second time; the first is on line {first.line}"
        else:
            content[key.content] = (key, value)
            return
        self.faults.append(Fault(self.path, key.line, key.column, message))
