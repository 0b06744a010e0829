"""What a search came to, as text: each violation in full, then every property that it was to tell of.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterator

from pytest_sessionguard.core.result import PropertyResult, Result
from pytest_sessionguard.reports.plain_text import WORDS, Paint, errors, plainly, remarks, span, violations


def troubles(result: Result) -> Iterator[str]:
    """Give each violation and each fault of the harness in full."""
    yield from violations(result)
    yield from errors(result)


def summary(result: Result, *, paint: Paint = plainly) -> str:
    """Return what became of each property, then the verdict, cases and time."""
    told = [one for one in result.properties if one.status != "not-applicable"]
    width = max((len(one.name) for one in told), default=0)
    lines = [_line(one, width, paint) for one in told]
    lines += remarks(result)
    counts = {status: sum(one.status == status for one in told) for status in ("violated", "unproven", "held")}
    counted = ", ".join(f"{count} {status}" for status, count in counts.items() if count) or "nothing to check"
    stopped = "interrupted: " if result.interrupted else ""
    pace = f"{result.ran} cases in {result.duration_s:.1f} s, virtual {span(result.virtual_us)}"
    lines.append(paint(f"{result.verdict}: {stopped}{counted}", WORDS[result.verdict][1]))
    lines.append(f"{pace}; seed {result.seed}; {result.target}")
    return "\n".join(lines)


def _line(one: PropertyResult, width: int, paint: Paint) -> str:
    word, colour = WORDS[one.status]
    head = f"{paint(f'{word:<8}', colour)}  {one.name:<{width}}"
    return f"{head}  {one.reason}" if one.status == "unproven" else f"{head}  {one.cases} cases"
