"""A result as text for a reader: a line a case, violations in full, and a closing account.

Pure.  Colour is a matter of the caller's: it hands over what paints a word, or nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from pytest_sessionguard.core.result import CaseResult, Result

Paint: TypeAlias = Callable[[str, str], str]

# The word that a case's line begins with, and its colour.
WORDS: Final = {
    "held": ("held", "green"),
    "violated": ("VIOLATED", "red"),
    "skipped": ("skipped", "yellow"),
    "unproven": ("unproven", "yellow"),
    "error": ("ERROR", "red"),
}

NAMES_MAX: Final = 8


def plainly(text: str, colour: str) -> str:
    """Return the text without its colour."""
    return text


def case_line(case: CaseResult, *, paint: Paint = plainly) -> str:
    """Return one line on a case: its status, its name and how much virtual time it took, or why it did not run."""
    word, colour = WORDS[case.status]
    head = paint(f"{word:<8}", colour)
    if case.status in ("skipped", "unproven"):
        return f"{head}  {case.name}: {case.reason}"
    return f"{head}  {case.name}" + (f"  ({span(case.virtual_us)})" if case.virtual_us else "")


def violations(result: Result) -> Iterator[str]:
    """Give each violation in full."""
    for number, found in enumerate(result.violations, start=1):
        yield f"--- violation {number} of {len(result.violations)} ---\n{found.message}"


def errors(result: Result) -> Iterator[str]:
    """Give each case that broke off on a fault of the harness, with its traceback."""
    for case in result.cases:
        if case.status == "error":
            yield f"--- {case.name} broke off: a fault of sessionguard, not of the target ---\n{case.reason.rstrip()}"


def summary(result: Result, *, paint: Paint = plainly) -> str:
    """Return the closing account: verdict, counts, time, what was skipped and why, what was exercised."""
    lines = [*_skips(result), *_properties(result)]
    lines += [f"warning    {text}" for text in result.warnings]
    lines += [f"not certain  {text}" for text in result.nondeterministic]
    _, colour = WORDS[result.verdict]
    counted = ", ".join(
        f"{count} {status}"
        for status in ("violated", "error", "unproven", "held", "skipped")
        if (count := result.count(status))
    )
    stopped = "interrupted: " if result.interrupted else ""
    lines.append(
        paint(f"{result.verdict}: {stopped}{counted or 'no scenario'}", colour)
        + f" on {result.target}; virtual {span(result.virtual_us)} in {result.duration_s:.1f} s; seed {result.seed}"
    )
    return "\n".join(lines)


def _skips(result: Result) -> list[str]:
    """Return a line for each reason to skip, with the cases it kept from running."""
    by_reason: dict[str, list[str]] = {}
    for case in result.cases:
        if case.status == "skipped":
            by_reason.setdefault(case.reason, []).append(case.name)
    return [f"skipped    {len(names)}: {reason} ({_listed(names)})" for reason, names in by_reason.items()]


def _properties(result: Result) -> list[str]:
    by_status: dict[str, list[str]] = {}
    for item in result.properties:
        told = item.name if item.status != "held" else f"{item.name} {item.cases}"
        by_status.setdefault(item.status, []).append(told)
    lines = []
    if "violated" in by_status:
        lines.append(f"violated   {', '.join(by_status['violated'])}")
    if "held" in by_status:
        lines.append(f"exercised  {', '.join(by_status['held'])} (cases)")
    if "unproven" in by_status:
        lines.append(f"unproven   {', '.join(by_status['unproven'])}")
    return lines


def _listed(names: list[str]) -> str:
    more = len(names) - NAMES_MAX
    return "; ".join(names[:NAMES_MAX]) + (f"; and {more} more" if more > 0 else "")


def span(span_us: int) -> str:
    """Return a long span as a person says it, to the minute from an hour on: "2 h 13 min", "1.5 s".

    Units: microseconds.
    """
    seconds, rest_us = divmod(span_us, 1_000_000)
    if seconds >= 3600:
        return f"{seconds // 3600:,} h {seconds % 3600 // 60} min"
    if seconds >= 60:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds}{f'.{rest_us:06d}'.rstrip('0').rstrip('.')} s"
