"""What the gates said, for GitHub Actions: annotations at the lines that did not run, and a summary of the step.

Pure but for the last two functions.
Source: GitHub Docs, "Workflow commands for GitHub Actions": `::warning file=,line=,endLine=,title=::message`; a percent
sign and the ends of lines are escaped everywhere, `:` and `,` in properties too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pytest_sessionguard.core.gate_account import Account
from pytest_sessionguard.core.gates import FileCount, Verdict, shown
from pytest_sessionguard.reports.gate_text import WORDS, closing

# GitHub shows ten warnings of a step and drops the rest.
ANNOTATIONS_MAX: Final = 10


def warnings(account: Account, *, prefix: str = "") -> list[str]:
    """Return a command for each place that did not run, in the files of what missed; the worst files first.

    Where there are more places than GitHub shows, the last command counts the rest.  `prefix` is the project's folder
    from the root of the repository, where it is another one.
    """
    if account.coverage is None:
        return []
    every = [line for one in _worst_first(account.coverage) for line in _of_file(one, prefix)]
    if len(every) <= ANNOTATIONS_MAX:
        return every
    shown_ones = every[: ANNOTATIONS_MAX - 1]
    more = len(every) - len(shown_ones)
    return [*shown_ones, f"::warning title=coverage gate::{_text(f'{more} more places did not run')}"]


def _worst_first(verdict: Verdict) -> list[FileCount]:
    return sorted(verdict.short, key=lambda one: (-len(one.missing_lines), -len(one.missing_branches), one.path))


def _of_file(one: FileCount, prefix: str) -> list[str]:
    told = []
    path = f"{prefix}/{one.path}" if prefix else one.path
    for first, last in one.gaps():
        what = f"line {first} was not run" if first == last else f"lines {first} to {last} were not run"
        told.append(_warning(path, first, last, what))
    for line, to in one.untaken():
        where = "left the function" if to < 1 else f"went on to line {to}"
        told.append(_warning(path, line, line, f"line {line} never {where}"))
    return told


def _warning(path: str, first: int, last: int, message: str) -> str:
    return f"::warning file={_property(path)},line={first},endLine={last},title=coverage gate::{_text(message)}"


def _text(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _text(text).replace(":", "%3A").replace(",", "%2C")


def summary(account: Account) -> str:
    """Return the account as Markdown."""
    told = [f"### {closing(account)}", ""]
    coverage = account.coverage
    if coverage is not None and coverage.rows:
        told += ["| component | files | lines | least | branches | least | |", "|---|--:|--:|--:|--:|--:|---|"]
        for row in coverage.rows:
            branches = "not measured" if row.branches is None else str(row.branches)
            cells = (row.name, str(row.files), str(row.lines), shown(row.least), branches, shown(row.least_branches))
            told.append(f"| {' | '.join(map(_cell, cells))} | {WORDS[row.status]} |")
        told.append("")
    for one in account.behaviour:
        if not one.problems:
            told += [f"Behaviour of `{one.manager}`: {one.count}, least {shown(one.least)} %: {WORDS[one.status]}", ""]
        if one.missing:
            told += ["<details><summary>never exercised</summary>", "", *(f"- {name}" for name in one.missing), ""]
            told += ["</details>", ""]
    return "\n".join(told) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def prefix_of(folder: Path, workspace: str | None) -> str:
    """Return the folder from the root of the repository, which GitHub calls the workspace; empty where it is that."""
    if not workspace:
        return ""
    try:
        below = folder.resolve().relative_to(Path(workspace).resolve()).as_posix()
    except ValueError:
        return ""
    return "" if below == "." else below


def append_summary(account: Account, path: Path) -> None:
    """Add the summary to the step's file."""
    with path.open("a", encoding="utf-8") as file:
        file.write(summary(account))
