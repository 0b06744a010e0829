"""Whose fault it was decides the exit status."""

from __future__ import annotations

from typing import NoReturn

import click
import pytest

from pytest_sessionguard.cli import statuses
from pytest_sessionguard.errors import Fault, HarnessError, UsageError


def raising(error: BaseException) -> NoReturn:
    raise error


@pytest.mark.parametrize(("given", "status"), [(None, 0), (0, 0), (1, 1), (3, 3), ("text", 0)])
def test_a_command_gives_its_own_status_or_none(given: object, status: int) -> None:
    assert statuses.of(lambda: given) == status


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (UsageError([Fault("a.toml", 3, 5, "what")]), 2, "a.toml:3:5: what\n"),
        (click.UsageError("no such option"), 2, "Error: no such option\n"),
        (KeyboardInterrupt(), 3, "interrupted\n"),
        (click.Abort(), 3, "interrupted\n"),
        (BrokenPipeError(), 3, ""),
    ],
)
def test_the_users_mistake_and_an_interruption_are_told_in_a_line(
    error: BaseException, status: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert statuses.of(lambda: raising(error)) == status
    assert capsys.readouterr().err == told


@pytest.mark.parametrize("error", [HarnessError("we were wrong"), KeyError("a bug")])
def test_any_other_error_is_ours_and_asks_to_be_reported(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    assert statuses.of(lambda: raising(error)) == 4
    told = capsys.readouterr().err
    assert "Traceback" in told
    assert told.rstrip().endswith(statuses.ISSUES)
