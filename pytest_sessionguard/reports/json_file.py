"""A result as a JSON file.

Written beside its place and moved there whole: a reader never meets half a file, and a failure leaves the old one.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from pytest_sessionguard.core.journal import journal
from pytest_sessionguard.core.result import Result, to_json
from pytest_sessionguard.errors import UsageError


def write(result: Result, path: Path) -> None:
    """Write the result to `path`, folders above it included.

    Raises:
        UsageError: nothing can be written there.
    """
    write_value(to_json(result), path)


def write_journal(result: Result, path: Path) -> None:
    """Write what was to go wrong in the run, what did, and what followed.

    Raises:
        UsageError: nothing can be written there.
    """
    write_value(journal(result), path)


def write_value(value: Any, path: Path) -> None:
    """Write any JSON value to `path`, whole or not at all.

    Raises:
        UsageError: nothing can be written there.
    """
    write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", path)


def write_text(text: str, path: Path) -> None:
    """Write a text to `path`, whole or not at all.

    Raises:
        UsageError: nothing can be written there.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            beside.write_text(text, encoding="utf-8")
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None
