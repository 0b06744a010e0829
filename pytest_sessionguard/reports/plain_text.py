"""A result as text for a reader: a line a case, violations in full, and a closing account.

Pure.  Colour is a matter of the caller's: it hands over what paints a word, or nothing.
"""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from pytest_sessionguard.core.properties import ONLY_BY_SEARCH
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

WORST_FIRST: Final = ("error", "violated", "unproven", "held", "skipped")

# What a need is followed by: what the profile says instead.
_BECAUSE: Final = re.compile(r" \(the profile says |: the profile says ")

NAMES_MAX: Final = 8
ALSO_MAX: Final = 3

# A space at which no line ends: `textwrap` knows it for a letter.
_TIED: Final = "\u00a0"
MARGIN: Final = 11
WIDTH: Final = 110


def plainly(text: str, colour: str) -> str:
    """Return the text without its colour."""
    return text


def case_line(case: CaseResult, *, paint: Paint = plainly) -> str:
    """Return one line on a case: its status, its name and how much virtual time it took, or why it did not run."""
    word, colour = WORDS[case.status]
    head = paint(f"{word:<8}", colour)
    if case.status in ("skipped", "unproven"):
        return f"{head}  {case.name}: {case.reason}"
    told = [
        part for part in (case.virtual_us and span(case.virtual_us), case.reason) if part and case.status != "error"
    ]
    return f"{head}  {case.name}" + (f"  ({'; '.join(told)})" if told else "")


def violations(result: Result) -> Iterator[str]:
    """Give each distinct violation in full, with the names of other cases that show the same."""
    for number, found in enumerate(result.violations, start=1):
        text = f"--- violation {number} of {len(result.violations)} ---\n{found.message}"
        names = list(dict.fromkeys(f"{title} [{cell}]" if cell else title for title, cell in found.also))
        told = f"\n\n  the same in {len(found.also)} more: {_listed(names, ALSO_MAX)}" if names else ""
        yield text + told


def errors(result: Result) -> Iterator[str]:
    """Give each fault of the harness once, with its traceback and the cases that it broke off."""
    by_end: dict[str, list[CaseResult]] = {}
    for case in result.cases:
        if case.status == "error":
            by_end.setdefault(case.reason.rstrip().rpartition("\n")[2], []).append(case)
    for cases in by_end.values():
        names = _listed([case.name for case in cases])
        yield f"--- a fault of sessionguard, not of the target, broke off {names} ---\n{cases[0].reason.rstrip()}"


def summary(result: Result, *, paint: Paint = plainly) -> str:
    """Return the closing account: what was skipped and why, what was exercised, then verdict, counts and time."""
    _, colour = WORDS[result.verdict]
    stopped = "interrupted: " if result.interrupted else ""
    lines = [*skips(result), *nothing_ran(result), *properties(result), *remarks(result)]
    lines.append(
        paint(f"{result.verdict}: {stopped}{counted(result)}", colour)
        + f" on {result.target}; virtual {span(result.virtual_us)} in {result.duration_s:.1f} s"
    )
    return "\n".join(lines)


def counted(result: Result) -> str:
    """Return how many cases came to what, the worst first."""
    numbers = {status: result.count(status) for status in WORST_FIRST}
    return ", ".join(f"{count} {status}" for status, count in numbers.items() if count) or "no scenario"


def remarks(result: Result) -> list[str]:
    """Return a line for each warning and for each violation that did not repeat."""
    told = [("warning", text) for text in result.warnings]
    told += [("uncertain", text) for text in result.nondeterministic]
    return [line for word, text in told for line in _entry(word, text)]


def skips(result: Result) -> list[str]:
    """Return how many cases were skipped and each thing that they need, what most of them need first.

    Each case's own line, which `--verbose` shows, has what it needs in full.
    """
    reasons = [case.reason for case in result.cases if case.status == "skipped"]
    needs = Counter(need for reason in reasons for need in reason.removeprefix("needs ").split("; "))
    shortened: Counter[str] = Counter()
    for need, count in needs.items():
        shortened[_BECAUSE.split(need)[0]] += count
    told = ", ".join(f"{need} ({count})" for need, count in shortened.most_common())
    return _entry("skipped", f"{len(reasons)}, for want of: {told}") if reasons else []


def nothing_ran(result: Result) -> list[str]:
    """Return what to do where every case was skipped; nothing where one ran."""
    if not result.cases or result.count("skipped") < len(result.cases):
        return []
    return _entry(
        "none ran",
        "the profile has not what any of these cases needs: let it declare more of what the manager can do "
        "(operations, what they tell, policy), or choose other stories; --verbose tells what each case needs",
    )


def properties(result: Result) -> list[str]:
    """Return which properties were violated, which held and in how many cases, and which nothing put to the test.

    What no story can put to the test is only counted, unless one was kept from being judged.
    """
    by_status: dict[str, list[str]] = {}
    beyond = 0
    for item in result.properties:
        if item.status == "unproven" and item.name in ONLY_BY_SEARCH:
            beyond += 1
            continue
        told = item.name if item.status != "held" else f"{item.name}{_TIED}{item.cases}"
        by_status.setdefault(item.status, []).append(told)
    if beyond:
        by_status.setdefault("unproven", []).append(f"{beyond} more need search".replace(" ", _TIED))
    words = (("violated", "violated"), ("exercised", "held"), ("unproven", "unproven"))
    return [line for word, key in words if key in by_status for line in _entry(word, ", ".join(by_status[key]))]


def _entry(word: str, text: str) -> list[str]:
    """Return a text as lines under a word on the left."""
    head = f"{word:<{MARGIN}}"
    indent = " " * MARGIN
    lines = textwrap.wrap(
        text, WIDTH, initial_indent=head, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return [line.replace(_TIED, " ") for line in lines]


def _listed(names: list[str], names_max: int = NAMES_MAX) -> str:
    more = len(names) - names_max
    return "; ".join(names[:names_max]) + (f"; and {more} more" if more > 0 else "")


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
