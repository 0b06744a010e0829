"""Results that were written as JSON: read from their files, and told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pytest_sessionguard.errors import UsageError

if TYPE_CHECKING:
    from pytest_sessionguard.core.result import Result


def read(file: str) -> Result:
    """Return the result in a file.

    Raises:
        UsageError: it cannot be read, or is no result.
    """
    from pytest_sessionguard.core import shards

    try:
        told = json.loads(Path(file).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(f"{file} is no JSON: {error}") from None
    return shards.read(told, source=file)


def tell(result: Result, *, quiet: bool) -> None:
    """Print what is wrong and, unless quiet, what became of each property."""
    from pytest_sessionguard.reports import check_text

    for text in check_text.troubles(result):
        click.echo(f"{text}\n")
    if not quiet:
        click.echo(check_text.summary(result, paint=lambda text, colour: click.style(text, fg=colour)))
