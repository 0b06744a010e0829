"""What a pytest run tells at its end of its cases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_sessionguard.core.result import Result, merge_cases
from pytest_sessionguard.plugin import options, outcomes
from pytest_sessionguard.reports import html_page, json_file, plain_text


def result_of(carried: list[dict[str, Any]], config: pytest.Config, *, interrupted: bool) -> Result:
    """Return the result of all cases that the reports carried."""
    cases = [outcomes.case_of(case) for case in carried]
    # Whichever profiles the tests used, what was judged was claimed.
    judged = sorted({name for case in cases for name in (*case.exercised, *case.unjudged)})
    return merge_cases(
        cases,
        target=options.manager(config) or options.DEFAULT_TARGET,
        claimed=judged,
        duration_s=sum(case.real_s for case in cases),
        interrupted=interrupted,
    )


def lines(result: Result) -> list[str]:
    """Return the account: counts and time, then what was violated, exercised and skipped."""
    time = f"virtual {plain_text.span(result.virtual_us)} in {result.duration_s:.1f} s"
    return [
        f"{plain_text.counted(result)}; {time}",
        *plain_text.skips(result),
        *plain_text.properties(result),
        *plain_text.remarks(result),
    ]


def write(result: Result, config: pytest.Config) -> Path:
    """Write the report that was asked for and return where it is."""
    if options.report(config) == "html":
        path = options.report_dir(config) / "result.html"
        html_page.write(result, path)
        return path
    path = options.report_dir(config) / "result.json"
    json_file.write(result, path)
    return path
