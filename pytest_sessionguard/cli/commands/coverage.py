"""`sessionguard coverage`: the coverage gates without pytest."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pytest_sessionguard.errors import UsageError

if TYPE_CHECKING:
    from pytest_sessionguard.core.gate_account import Account, BehaviourVerdict
    from pytest_sessionguard.core.gates import Verdict
    from pytest_sessionguard.run.coverage_settings import CoverageSettings


@click.group(epilog="Example: sessionguard coverage check --data .coverage --json gate.json --quiet")
def coverage() -> None:
    """Judge what tests have covered.

    Lines and branches of each component, and the behaviour of session managers.
    """


@coverage.command(epilog="Example: sessionguard coverage check --data .coverage --result result.json")
@click.option(
    "--data", default=None, type=click.Path(dir_okay=False), help="The data file of coverage.py (default: .coverage)."
)
@click.option(
    "--config",
    default="pyproject.toml",
    show_default=True,
    type=click.Path(dir_okay=False),
    help="The file with the table [tool.sessionguard.coverage].",
)
@click.option(
    "--result",
    "results",
    multiple=True,
    type=click.Path(dir_okay=False),
    help="A result as JSON, of `sessionguard run --json` or of pytest's report: what behaviour is counted from.",
)
@click.option("--base", metavar="REVISION", help="Compare changed lines with this revision instead of `base`.")
@click.option(
    "--only", type=click.Choice(["lines", "behaviour"]), help="Judge lines and branches alone, or behaviour alone."
)
@click.option("--write", type=click.Path(file_okay=False), help="Write a scenario for each missing behaviour here.")
@click.option(
    "--github/--no-github",
    default=None,
    help="Annotations and a step summary for GitHub Actions (default: where GITHUB_ACTIONS is set).",
)
@click.option("--json", "json_file", type=click.Path(dir_okay=False), help="Write the verdict to this file as JSON.")
@click.option("--quiet", is_flag=True, help="Print only the verdict, and only where the gate is not met.")
def check(
    data: str | None,
    config: str,
    results: tuple[str, ...],
    base: str | None,
    only: str | None,
    write: str | None,
    github: bool | None,
    json_file: str | None,
    quiet: bool,
) -> int:
    """Judge what was measured.

    Exit status: 0 met, 1 missed, 2 a mistake in the settings, 3 incomplete.
    """
    from pytest_sessionguard.core.gate_account import Account, exit_status, to_json
    from pytest_sessionguard.core.gates import MET
    from pytest_sessionguard.run import coverage_settings

    settings = coverage_settings.load(Path(config))
    if settings is None:
        raise UsageError(f"{config}: no table [tool.sessionguard.coverage]: expected the gates there")
    account = Account(
        coverage=_lines(settings, data, base) if only != "behaviour" else None,
        behaviour=_behaviour(settings, results) if only != "lines" else (),
    )
    if not any(True for _ in account.parts):
        raise UsageError(f"{config}: [tool.sessionguard.coverage] gates no {only}")
    if write is not None:
        _write(account, Path(write))
    if json_file is not None:
        from pytest_sessionguard.reports import json_file as json_files

        json_files.write_value(to_json(account), Path(json_file))
    if not quiet or account.status != MET:
        _show(account, settings.folder, github=_is_github() if github is None else github, quiet=quiet)
    return exit_status(account)


def _lines(settings: CoverageSettings, data: str | None, base: str | None) -> Verdict | None:
    if settings.gate is None:
        return None
    from pytest_sessionguard.core import gates
    from pytest_sessionguard.run import changed_lines, coverage_data

    path = Path(data or os.environ.get("COVERAGE_FILE") or ".coverage")
    measured = coverage_data.of_file(path, settings.folder)
    return gates.judge(settings.gate, *changed_lines.with_changed(measured, settings, base))


def _behaviour(settings: CoverageSettings, results: tuple[str, ...]) -> tuple[BehaviourVerdict, ...]:
    if settings.behaviour is None:
        return ()
    from pytest_sessionguard.run import behaviour_gate

    return behaviour_gate.of_results(settings.behaviour, [Path(name) for name in results], settings.folder)


def _show(account: Account, folder: Path, *, github: bool, quiet: bool) -> None:
    from pytest_sessionguard.reports import gate_text
    from pytest_sessionguard.reports import github as actions

    if not quiet:
        for line in gate_text.lines(account):
            click.echo(line)
    if github:
        prefix = actions.prefix_of(folder, os.environ.get("GITHUB_WORKSPACE"))
        for line in actions.warnings(account, prefix=prefix):
            click.echo(line)
        if os.environ.get("GITHUB_STEP_SUMMARY"):
            actions.append_summary(account, Path(os.environ["GITHUB_STEP_SUMMARY"]))
    click.echo(click.style(gate_text.closing(account), fg=gate_text.COLOURS[account.status]))


def _is_github() -> bool:
    return os.environ.get("GITHUB_ACTIONS") == "true"


def _write(account: Account, folder: Path) -> None:
    """Write a scenario file for each missing behaviour."""
    from pytest_sessionguard.core.behaviour_steps import file_name

    for verdict in account.behaviour:
        for name, text in zip(verdict.missing, verdict.steps, strict=True):
            try:
                folder.mkdir(parents=True, exist_ok=True)
                (folder / file_name(name)).write_text(text, encoding="utf-8")
            except OSError as error:
                raise UsageError(f"cannot write to {folder}: {error.strerror}") from None


COMMAND = coverage
