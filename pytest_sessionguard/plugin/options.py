"""Options and ini keys: what a run was asked for.

Every option that takes a value requires it; every option has an ini key of its own name, and the option wins.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

DEFAULT_TARGET: Final = "reference"
DEFAULT_REPORT_DIR: Final = ".sessionguard/report"
REPORTS: Final = ("json",)

# name, metavar, help
_ROWS: Final = (
    ("manager", "TARGET", "the session manager under test: a profile's path or name, or module:attribute"),
    ("seed", "N", "what random choices are drawn from (default: a new one, always printed)"),
    ("report", "FORMAT", f"write a report of the scenarios: {', '.join(REPORTS)}"),
    ("report_dir", "DIR", f"where reports go (default: {DEFAULT_REPORT_DIR})"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line and the ini file ask for, the command line first.

    Attributes:
        manager: a TARGET, or None where none is named.
    """

    manager: str | None
    seed: int | None
    report: str | None
    report_dir: Path


def add(parser: pytest.Parser) -> None:
    """Declare every option and its ini key."""
    group = parser.getgroup("sessionguard", "session systems, tested in virtual time")
    for name, metavar, summary in _ROWS:
        flag = f"--sessionguard-{name.replace('_', '-')}"
        group.addoption(flag, dest=f"sessionguard_{name}", metavar=metavar, default=None, help=summary)
        parser.addini(f"sessionguard_{name}", summary, default="")


def read(config: pytest.Config) -> Options:
    """Return the options of this run.

    Raises:
        pytest.UsageError: a seed that is no whole number, or a report of an unknown format.
    """
    seed = _given(config, "seed")
    if seed is not None and not seed.isdecimal():
        raise pytest.UsageError(f"--sessionguard-seed takes a whole number, not {seed!r}")
    report = _given(config, "report")
    if report is not None and report not in REPORTS:
        raise pytest.UsageError(f"--sessionguard-report is one of {', '.join(REPORTS)}, not {report!r}")
    return Options(
        manager=_given(config, "manager"),
        seed=None if seed is None else int(seed),
        report=report,
        report_dir=config.rootpath / (_given(config, "report_dir") or DEFAULT_REPORT_DIR),
    )


def _given(config: pytest.Config, name: str) -> str | None:
    """Return the option, else the ini key, else None: an empty text counts as not given."""
    value = config.getoption(f"sessionguard_{name}") or config.getini(f"sessionguard_{name}")
    return str(value) if value else None
