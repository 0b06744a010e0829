"""Coverage gates: what was counted, what was asked for, and whether it was reached.

Pure.  Shares are compared by whole numbers alone, so that 84.999 % is never taken for 85 %.  A measurement that is
known to lack something is "incomplete": no share is judged, or shown, that the missing part would have raised.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Final

WHOLE: Final = 10_000
"""A whole, in hundredths of a percent."""

MET: Final = "met"
MISSED: Final = "missed"
INCOMPLETE: Final = "incomplete"

TOTAL: Final = "total"
CHANGED: Final = "changed lines"


# -- what was counted -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Count:
    """How many of how many."""

    covered: int = 0
    total: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(self.covered + other.covered, self.total + other.total)

    def __str__(self) -> str:
        return f"{shown(self.share)} % ({self.covered}/{self.total})"

    @property
    def share(self) -> int:
        """The share, cut off and not rounded; of nothing, the whole.

        Units: hundredths of a percent.
        """
        return self.covered * WHOLE // self.total if self.total else WHOLE

    def reaches(self, least: int) -> bool:
        """Say whether the share is at least `least`.

        Units: hundredths of a percent.
        """
        return self.covered * WHOLE >= least * self.total


NOTHING: Final = Count()


@dataclass(frozen=True, slots=True, kw_only=True)
class FileCount:
    """What was counted in one source file.

    Shape: `path` with slashes, from the project's folder ("../other/x.py" outside of it); lines count from 1; a branch
        is (from line, to line), a line below 1 an exit of the function that starts at its negative.
    """

    path: str
    lines: Count
    branches: Count = NOTHING
    run_lines: tuple[int, ...] = ()
    missing_lines: tuple[int, ...] = ()
    run_branches: tuple[tuple[int, int], ...] = ()
    missing_branches: tuple[tuple[int, int], ...] = ()

    def only(self, lines: frozenset[int]) -> FileCount:
        """Return what was counted on these lines alone."""
        run = tuple(line for line in self.run_lines if line in lines)
        missing = tuple(line for line in self.missing_lines if line in lines)
        taken = tuple(branch for branch in self.run_branches if branch[0] in lines)
        untaken = tuple(branch for branch in self.missing_branches if branch[0] in lines)
        return FileCount(
            path=self.path,
            lines=Count(len(run), len(run) + len(missing)),
            branches=Count(len(taken), len(taken) + len(untaken)),
            run_lines=run,
            missing_lines=missing,
            run_branches=taken,
            missing_branches=untaken,
        )

    def gaps(self) -> tuple[tuple[int, int], ...]:
        """Return the lines that did not run, as spans from first to last; what stands between two is no code."""
        spans: list[tuple[int, int]] = []
        run = iter((*sorted(self.run_lines), 1 << 62))
        next_run = next(run)
        for line in sorted(self.missing_lines):
            passed = False
            while next_run < line:
                next_run, passed = next(run), True
            if spans and not passed:
                spans[-1] = (spans[-1][0], line)
            else:
                spans.append((line, line))
        return tuple(spans)

    def untaken(self) -> tuple[tuple[int, int], ...]:
        """Return the branches that were not taken although the lines at both ends ran."""
        missing = set(self.missing_lines)
        return tuple(branch for branch in self.missing_branches if not missing.intersection(branch))


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Everything that was measured.

    Attributes:
        branches: whether branches were measured.
        problems: why something is known to be missing, in words; empty where nothing is.
    """

    files: tuple[FileCount, ...] = ()
    branches: bool = True
    problems: tuple[str, ...] = ()


# -- what was asked for ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A part of the code and what it must reach.

    Units: hundredths of a percent.
    Shape: `paths` are patterns: `*` and `?` within a name, `**` for any folders; a folder's own name is all below it;
        `!` before a pattern takes out what the ones before it let in.
    """

    name: str
    paths: tuple[str, ...]
    least: int
    least_branches: int

    def has(self, path: str) -> bool:
        """Say whether the file belongs to the component: the last pattern that it fits decides."""
        for pattern in reversed(self.paths):
            if matches(pattern.removeprefix("!"), path):
                return not pattern.startswith("!")
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What coverage must reach.

    Units: hundredths of a percent.
    Attributes:
        every_file: whether a file that belongs to no component is a miss.
        changed: what the changed lines must reach, or None where they are not gated.
    """

    least: int
    least_branches: int
    components: tuple[Component, ...] = ()
    every_file: bool = False
    changed: int | None = None


def matches(pattern: str, path: str) -> bool:
    """Say whether a path fits a pattern."""
    return _expression(pattern).fullmatch(path) is not None


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    parts = [part for part in pattern.split("/") if part != "."]
    while parts and not parts[-1]:
        parts.pop()
    if not any(sign in pattern for sign in "*?"):
        return re.compile("/".join(map(re.escape, parts)) + r"(?:/.*)?" if parts else ".*")
    text = ""
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        if part == "**":
            text += ".+" if last else "(?:[^/]+/)*"
            continue
        named = re.escape(part).replace(r"\*", "[^/]*").replace(r"\?", "[^/]")
        text += named if last else f"{named}/"
    return re.compile(text)


# -- the verdict ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What is said of one component, of the total or of the changed lines.

    Attributes:
        branches: None where branches were not measured.
        files: how many files it is made of.
        why: what is wrong, each in words; empty where nothing is.
    """

    name: str
    status: str
    lines: Count = NOTHING
    branches: Count | None = None
    least: int = 0
    least_branches: int = 0
    files: int = 0
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a gate was reached.

    Attributes:
        status: MET, MISSED or INCOMPLETE.
        problems: why the measurement is incomplete.
        left_out: files with code that belong to no component, where there are components.
        short: the files of what missed, for those who show where.
    """

    status: str
    rows: tuple[Row, ...] = ()
    problems: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    short: tuple[FileCount, ...] = field(default=(), repr=False)


def judge(gate: Gate, measured: Measurement, changed: Sequence[FileCount] | None = None) -> Verdict:
    """Return the verdict on a measurement; `changed` is what was counted on changed lines, where those are gated."""
    problems = measured.problems
    if not problems and not measured.files:
        problems = ("no data: the measurement met none of the code that it was to measure",)
    if problems:
        return Verdict(status=INCOMPLETE, problems=problems)
    files = measured.files
    members = [(part, [one for one in files if part.has(one.path)]) for part in gate.components]
    rows = [_row(part.name, own, part.least, part.least_branches, branches=measured.branches) for part, own in members]
    rows.append(_row(TOTAL, files, gate.least, gate.least_branches, branches=measured.branches))
    groups = [own for _, own in members] + [list(files)]
    if gate.changed is not None and changed is not None:
        rows.append(_changed(changed, gate.changed, branches=measured.branches))
        groups.append(list(changed))
    claimed = {one.path for _, own in members for one in own}
    left_out = tuple(one.path for one in files if one.lines.total and one.path not in claimed)
    left_out = left_out if gate.components else ()
    if gate.every_file and left_out:
        rows.append(Row(name="(no component)", status=MISSED, files=len(left_out), why=("stands in no component",)))
        groups.append([])
    short: dict[str, FileCount] = {}
    for row, own in zip(rows, groups, strict=True):
        if row.status == MISSED:
            for one in own:
                short.setdefault(one.path, one)
    return Verdict(
        status=_worst(row.status for row in rows),
        rows=tuple(rows),
        left_out=left_out,
        short=tuple(short.values()),
    )


def _worst(statuses: Iterable[str]) -> str:
    found = set(statuses)
    return next((status for status in (MISSED, INCOMPLETE) if status in found), MET)


def _row(name: str, files: Sequence[FileCount], least: int, least_branches: int, *, branches: bool) -> Row:
    lines = sum((one.lines for one in files), NOTHING)
    taken = sum((one.branches for one in files), NOTHING) if branches else None
    status, why = MET, []
    if not files:
        status, why = MISSED, ["matches no file that was measured"]
    elif not lines.total:
        status, why = MISSED, ["its files hold no code"]
    if not lines.reaches(least):
        status = MISSED
        why.append(f"lines {lines} are short of {shown(least)} %")
    if taken is not None and not taken.reaches(least_branches):
        status = MISSED
        why.append(f"branches {taken} are short of {shown(least_branches)} %")
    if taken is None and least_branches:
        status = MISSED if status == MISSED else INCOMPLETE
        why.append("branches were not measured")
    return Row(
        name=name,
        status=status,
        lines=lines,
        branches=taken,
        least=least,
        least_branches=least_branches,
        files=len(files),
        why=tuple(why),
    )


def _changed(files: Sequence[FileCount], least: int, *, branches: bool) -> Row:
    """Return the row of the changed lines: a change of no line of code is met, and branches count where measured."""
    if not sum(one.lines.total for one in files):
        return Row(name=CHANGED, status=MET, branches=Count() if branches else None, least=least)
    return _row(CHANGED, files, least, least if branches else 0, branches=branches)


def shown(share: int) -> str:
    """Return a share as percent: "85", "84.99".

    Units: hundredths of a percent.
    """
    whole, rest = divmod(share, 100)
    return f"{whole}.{rest:02d}" if rest else str(whole)
