"""Options and ini keys: what a run was asked for.

Every option that takes a value requires it; every option has an ini key of its own name, and the option wins.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
from pathlib import Path
from typing import Any, Final

import pytest

DEFAULT_TARGET: Final = "reference"
DEFAULT_REPORT_DIR: Final = ".sessionguard/report"
REPORTS: Final = ("json", "html")
TIMES: Final = ("real", "virtual")
GATES: Final = ("auto", "on", "off")

# name, metavar, help
_ROWS: Final = (
    ("manager", "TARGET", "the session manager under test: a profile's path or name, or module:attribute"),
    ("profile", "TARGET", "what --sessionguard-check searches (default: the session manager under test)"),
    ("seed", "N", "what --sessionguard-check draws (default: random, and printed)"),
    ("budget", "SPAN", "how long --sessionguard-check searches for all properties together (default: 30s)"),
    ("database", "URL", "where a team shares what --sessionguard-check has found: a folder, redis:// or github://"),
    ("gate", "WHEN", "judge the coverage gates: auto (of whole runs that are measured), on, off (default: auto)"),
    ("time", "TIME", f"the time that the tests run in: {' or '.join(TIMES)} (default: real)"),
    ("report", "FORMAT", f"write a report of the scenarios: {', '.join(REPORTS)}"),
    ("report_dir", "DIR", f"where reports go (default: {DEFAULT_REPORT_DIR})"),
)


def add(parser: pytest.Parser) -> None:
    """Declare every option and its ini key."""
    group = parser.getgroup("sessionguard", "session systems, tested in virtual time")
    for name, metavar, summary in _ROWS:
        flag = f"--sessionguard-{name.replace('_', '-')}"
        group.addoption(flag, dest=f"sessionguard_{name}", metavar=metavar, default=None, help=summary)
        parser.addini(f"sessionguard_{name}", summary, default="")
    summary = "look for violations of every property that the profile claims, each an item of its own"
    group.addoption("--sessionguard-check", dest="sessionguard_check", action="store_true", default=None, help=summary)
    parser.addini("sessionguard_check", summary, type="bool", default=False)
    summary = "in virtual time, list the tests that saved most of it"
    group.addoption("--sessionguard-time-report", dest="sessionguard_time_report", action="store_true", help=summary)
    summary = "in virtual time, tests that keep the real one: beginnings of node ids, one a line"
    parser.addini("sessionguard_time_real", summary, type="linelist", default=[])


def check(config: pytest.Config) -> None:
    """Refuse wrong options while nothing has run.

    Raises:
        pytest.UsageError: which one, and what it takes.
    """
    report(config)
    gate(config)
    time(config, config.option)


def manager(config: pytest.Config) -> str | None:
    """Return the TARGET that is asked for, or None.  A path in the ini file is relative to that file."""
    asked = config.getoption("sessionguard_manager")
    if asked:
        return str(asked)
    written = given(config, "manager")
    return _beside_ini(config, written)


def _beside_ini(config: pytest.Config, written: str | None) -> str | None:
    if written and written.endswith(".toml") and config.inipath is not None:
        path = str(config.inipath.parent / written)
        below = os.path.relpath(path)
        return path if below.startswith("..") else below
    return written


def time(config: pytest.Config, parsed: object) -> str:
    """Return the time that the tests run in.  `parsed`: the options, which early hooks do not find in `config`.

    Raises:
        pytest.UsageError: not a time that there is.
    """
    kind = getattr(parsed, "sessionguard_time", None) or config.getini("sessionguard_time") or TIMES[0]
    if kind not in TIMES:
        raise pytest.UsageError(f"--sessionguard-time is one of {', '.join(TIMES)}, not {kind!r}")
    return str(kind)


def again(config: pytest.Config, nodeid: str) -> str:
    """Return the command that runs one test again, against the same manager."""
    asked = config.getoption("sessionguard_manager")
    words = ["pytest", nodeid, *(["--sessionguard-manager", str(asked)] if asked else [])]
    return shlex.join(words)


def checks(config: pytest.Config) -> bool:
    """Say whether the properties of the profile are items too."""
    asked = config.getoption("sessionguard_check")
    return bool(config.getini("sessionguard_check") if asked is None else asked)


def profile(config: pytest.Config) -> str:
    """Return the TARGET whose properties are items."""
    asked = config.getoption("sessionguard_profile") or _beside_ini(config, given(config, "profile"))
    return str(asked or manager(config) or DEFAULT_TARGET)


def report(config: pytest.Config) -> str | None:
    """Return the form of the report that is asked for, or None.

    Raises:
        pytest.UsageError: not a form that there is.
    """
    form = given(config, "report")
    if form is not None and form not in REPORTS:
        raise pytest.UsageError(f"--sessionguard-report is one of {', '.join(REPORTS)}, not {form!r}")
    if form == "html" and importlib.util.find_spec("jinja2") is None:
        raise pytest.UsageError("an HTML report needs jinja2: pip install 'pytest-sessionguard[report]'")
    return form


def gate(config: pytest.Config) -> str:
    """Return when the coverage gates are judged.

    Raises:
        pytest.UsageError: not one of the words that there are.
    """
    when = given(config, "gate") or GATES[0]
    if when not in GATES:
        raise pytest.UsageError(f"--sessionguard-gate is one of {', '.join(GATES)}, not {when!r}")
    return when


def gate_file(config: pytest.Config) -> Path:
    """Return the file that has the coverage gates, if any."""
    return config.rootpath / "pyproject.toml"


def has_gates(config: pytest.Config) -> bool:
    """Say whether there are coverage gates to judge; every run asks, so that what is heavy is not loaded for it."""
    when = gate(config)
    if when != GATES[0]:
        return when == "on"
    try:
        text = gate_file(config).read_bytes()
    except OSError:
        return False
    if b"sessionguard" not in text or b"coverage" not in text:
        return False
    import tomllib

    try:
        table: Any = tomllib.loads(text.decode("utf-8"))
    except ValueError:
        return True  # Who reads it says what is wrong with it.
    for name in ("tool", "sessionguard", "coverage"):
        table = table.get(name) if isinstance(table, dict) else None
    return table is not None


def report_dir(config: pytest.Config) -> Path:
    """Return the folder that reports go to."""
    return config.rootpath / (given(config, "report_dir") or DEFAULT_REPORT_DIR)


def given(config: pytest.Config, name: str) -> str | None:
    """Return the option, else the ini key, else None: an empty text counts as not given."""
    value = config.getoption(f"sessionguard_{name}") or config.getini(f"sessionguard_{name}")
    return str(value) if value else None
