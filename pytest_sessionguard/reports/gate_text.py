"""What the gates said, as text: a line a component, then why, and the verdict as the last line of all.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pytest_sessionguard.core.gate_account import Account, BehaviourVerdict
from pytest_sessionguard.core.gates import INCOMPLETE, MET, MISSED, Count, Row, Verdict, shown

WORDS: Final = {MET: "met", MISSED: "MISSED", INCOMPLETE: "INCOMPLETE"}
COLOURS: Final = {MET: "green", MISSED: "red", INCOMPLETE: "yellow"}

SHOWN_MAX: Final = 10


def lines(account: Account) -> list[str]:
    """Return everything but the verdict."""
    told: list[str] = []
    if account.coverage is not None:
        told += _coverage(account.coverage)
    for one in account.behaviour:
        told += _behaviour(one)
    return told


def closing(account: Account) -> str:
    """Return the verdict in one line."""
    # What is wrong with the whole run is wrong with each of its gates, and told once.
    reasons = dict.fromkeys(_reasons(account))
    return f"coverage gate: {WORDS[account.status]}" + "".join(f"; {part}" for part in reasons)


def _reasons(account: Account) -> Iterator[str]:
    """Give in words what brought the verdict about."""
    coverage = account.coverage
    if coverage is not None:
        yield from coverage.problems
        short = [row.name for row in coverage.rows if row.status == MISSED]
        unmeasured = [row.name for row in coverage.rows if row.status == INCOMPLETE]
        if short:
            yield ", ".join(short)
        elif unmeasured:
            yield f"branches were not measured ({', '.join(unmeasured)}): set [tool.coverage.run] branch = true"
    for one in account.behaviour:
        yield from one.problems
        if one.status == MISSED:
            yield f"behaviour of {one.manager}"


def _coverage(verdict: Verdict) -> list[str]:
    if not verdict.rows:
        return []
    table: list[tuple[str, ...]] = [("", "", "files", "lines", "least", "branches", "least")]
    table += [_cells(row) for row in verdict.rows]
    widths = [max(len(row[column]) for row in table) for column in range(7)]
    told = []
    for row in table:
        left = [cell.ljust(width) for cell, width in zip(row[:2], widths[:2], strict=True)]
        right = [cell.rjust(width) for cell, width in zip(row[2:], widths[2:], strict=True)]
        told.append("  ".join((*left, *right)).rstrip())
    told += [f"{row.name}: {'; '.join(row.why)}" for row in verdict.rows if row.why]
    if verdict.left_out:
        told.append(f"in no component: {_listed(verdict.left_out)}")
    return told


def _cells(row: Row) -> tuple[str, ...]:
    counted = bool(row.lines.total)
    return (
        WORDS[row.status],
        row.name,
        str(row.files),
        str(row.lines) if counted else "-",
        shown(row.least),
        "not measured" if row.branches is None else _branches(row.branches),
        shown(row.least_branches),
    )


def _branches(count: Count) -> str:
    return str(count) if count.total else "none"


def _behaviour(verdict: BehaviourVerdict) -> list[str]:
    if verdict.problems:
        return []
    told = [f"{WORDS[verdict.status]}  behaviour of {verdict.manager}: {verdict.count}, least {shown(verdict.least)} %"]
    if not verdict.missing:
        return told
    told.append(f"never exercised: {_listed(verdict.missing, most=len(verdict.missing))}")
    if verdict.status == MISSED:
        for name, text in list(zip(verdict.missing, verdict.steps, strict=True))[:SHOWN_MAX]:
            told += ["", f"# {name}", *text.rstrip().splitlines()]
        more = len(verdict.missing) - SHOWN_MAX
        if more > 0:
            told += ["", f"# and {more} more: `sessionguard coverage check --write DIR` writes a scenario for each"]
        told.append("")
    return told


def _listed(names: tuple[str, ...], *, most: int = SHOWN_MAX) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
