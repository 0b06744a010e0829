"""One violation, with all that a reader needs to believe it and to repeat it.

Pure values.  The message is built from the facts, never the other way round.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from pytest_sessionguard.core import durations

# A message shows this many operations before the one that is at fault; the result carries all of them.
ROWS_MAX: Final = 24
ANSWER_WIDTH_MAX: Final = 72

# What differs between two violations that show the same: ids and long numbers, and what a story keeps in a session.
_RANDOM: Final = re.compile(
    r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"|\b(?=[0-9a-f]*\d)[0-9a-f]{12,}\b"
    r"|\b(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[\w-]{20,}"
    r"|(?<![:\w.])\d{5,}\b",
    re.IGNORECASE,
)
_HELD: Final = re.compile(r"\{[^{}]*\}")
# A session, in the call that is about it or in the answer that gives it.
_SUBJECT: Final = re.compile(r"^\w+\(([^=(),]+)[,)]|\bid=([^=(),]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One operation as a line of a violation's table.

    Units: virtual microseconds since the case began.
    Attributes:
        remark: what is wrong with the answer, on the row at fault; else empty.
    """

    client: str
    operation: str
    called_us: int
    returned_us: int
    answer: str
    remark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ViolationFound:
    """One answer that the target's policy, or its user's scenario, does not allow.

    Attributes:
        summary: what is wrong, in one line, without the property's name.
        undeclared: the unwritten policy key another value of which would explain the answer, or None;
            `undeclared_value` is its line as a profile would have it.
        operations: what led there, the row at fault remarked.
        expected: what would have been right, one possibility each.
        policy_lines: the lines of the policy that decide.
        schedule: who ran at each decision, as letters; `switch`: where each was stopped that could have gone on.
        output: what the target printed and logged.
        scenario: the path of a scenario file that shows it; `path`, `line`, `column`: the step that found it.
        replay: one command that repeats it.
        also: the other cases that show the same, each by its title and its cell.
    """

    property: str
    summary: str
    operations: tuple[Row, ...] = ()
    expected: tuple[str, ...] = ()
    given: str = ""
    policy_lines: tuple[str, ...] = ()
    undeclared: str | None = None
    undeclared_value: str | None = None
    schedule: str = ""
    switch: str = ""
    fault: str = ""
    output: str = ""
    scenario: str = ""
    replay: str = ""
    path: str = ""
    line: int = 0
    column: int = 0
    also: tuple[tuple[str, str], ...] = ()

    @builtins.property
    def place(self) -> str:
        """Where the step that found it stands: `path:line:column`, as far as it is known."""
        return ":".join([self.path, *(str(number) for number in (self.line, self.column) if number)])

    @builtins.property
    def message(self) -> str:
        """The whole violation for a reader: operations, what was expected and given, where, how to repeat it."""
        facts = [
            ("expected", " or ".join(self.expected)),
            ("given", self.given),
            *(("policy", line) for line in self.policy_lines),
            ("declare", self._advice),
            ("switch", self.switch),
            ("schedule", self.schedule),
            ("fault", self.fault),
            ("scenario", self.place if self.path else self.scenario),
            ("replay", self.replay),
        ]
        told = [f"  {name:<8} {text}" for name, text in facts if text]
        table = table_of(self.operations)
        blocks = [[f"{self.property} violated: {self.summary}"], table, told]
        if self.output:
            blocks.append(["  output", *(f"    {line}" for line in self.output.rstrip("\n").splitlines())])
        return "\n\n".join("\n".join(block) for block in blocks if block)

    @builtins.property
    def _advice(self) -> str:
        if self.undeclared is None:
            return ""
        written = self.undeclared_value or f"another value of {self.undeclared}"
        return f"{written} in [policy] would allow this, if that is what is meant: the profile does not write it"


def shape_of(found: ViolationFound) -> tuple[str, ...]:
    """Return what two violations have in common that show the same, whichever story and ids they show it with.

    That is the property, the operation at fault, and the answer without ids; of what a story itself expects, also that.
    """
    texts = (text for row in found.operations for text in (row.operation, row.answer))
    subjects = {"".join(both) for text in texts for both in _SUBJECT.findall(text)}
    named = sorted(subjects, key=len, reverse=True)
    names = re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, named))})(?![\w-])") if named else None

    def plain(text: str) -> str:
        text = names.sub("<id>", text) if names is not None else text
        text = _RANDOM.sub("<id>", text)
        # Of what is wrong with data itself the data tells what is wrong.
        return text if found.property.startswith("data.") else _HELD.sub("{...}", text)

    verbs = dict.fromkeys(row.operation.partition("(")[0] for row in found.operations if row.remark)
    wanted = map(plain, found.expected) if found.property.startswith("scenario.") else ()
    return (found.property, ", ".join(verbs), plain(found.given or found.summary), *wanted)


_NUMBER: Final = re.compile(r"(?<![\w])-?\d[\w.]*")
_ID: Final = re.compile(r"\bid=[^\s,]+")
_LISTED: Final = re.compile(r"\[[^\[\]]*\]")
_QUOTED: Final = re.compile(r"'[^']*'|\"[^\"]*\"")


def kind_of(found: ViolationFound) -> tuple[str, ...]:
    """Return what two violations have in common that are most likely one bug, whatever programs have shown it.

    That is the property, the operation at fault, and what sort of answer it gave: data, ids and numbers left out.
    """
    verbs = dict.fromkeys(row.operation.partition("(")[0] for row in found.operations if row.remark)
    given = found.given or found.summary
    for strange in (_HELD, _HELD, _LISTED, _ID, _QUOTED, _NUMBER):
        given = strange.sub("...", given)
    return (found.property, ", ".join(verbs), given.partition(" at ")[0])


def distinct(shown: Iterable[tuple[tuple[str, str], ViolationFound]]) -> tuple[ViolationFound, ...]:
    """Return the first violation of each shape, with the cases that show it too.

    Shape: `shown` title and cell of a case, and what it shows.
    """
    firsts: dict[tuple[str, ...], ViolationFound] = {}
    for case, found in shown:
        shape = shape_of(found)
        first = firsts.get(shape)
        firsts[shape] = replace(first, also=(*first.also, case)) if first is not None else found
    return tuple(firsts.values())


def table_of(rows: tuple[Row, ...], *, rows_max: int = ROWS_MAX) -> list[str]:
    """Return the operations as the lines of a table, those long before the one at fault left out."""
    if not rows:
        return []
    fault = max((number for number, row in enumerate(rows) if row.remark), default=len(rows) - 1)
    first = max(0, fault + 1 - rows_max)
    shown = rows[first : fault + 1 + 3]
    heads = ("client", "operation", "called", "returned", "answer")
    cells = [heads, *(_cells(row) for row in shown)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(heads))]
    lines = []
    for number, line in enumerate(cells):
        client, operation, called, returned, answer = (
            text.rjust(width) if column in (2, 3) and number else text.ljust(width)
            for column, (text, width) in enumerate(zip(line, widths, strict=True))
        )
        remark = f"  <- {shown[number - 1].remark}" if number and shown[number - 1].remark else ""
        lines.append(f"  {client}  {operation}  {called}  {returned}  {answer}{remark}".rstrip())
    if first:
        lines.insert(1, f"  ({first} earlier operations left out)")
    return lines


def _cells(row: Row) -> tuple[str, str, str, str, str]:
    answer = row.answer if len(row.answer) <= ANSWER_WIDTH_MAX else row.answer[: ANSWER_WIDTH_MAX - 3] + "..."
    return (row.client, row.operation, durations.show(row.called_us), durations.show(row.returned_us), answer)
