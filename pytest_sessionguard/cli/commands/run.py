"""`sessionguard run`: scenario files against a session manager."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pytest_sessionguard.errors import Fault, UsageError, did_you_mean

if TYPE_CHECKING:
    from pytest_sessionguard.core.plan import Plan
    from pytest_sessionguard.core.result import CaseResult, Result
    from pytest_sessionguard.core.scenario import Scenario
    from pytest_sessionguard.target.profile import Profile


@click.command(epilog="Example: sessionguard run --manager shop.sessionguard.toml")
@click.argument("files", nargs=-1, metavar="[FILE-OR-FOLDER]...")
@click.option(
    "--manager",
    default="reference",
    show_default=True,
    metavar="TARGET",
    help="The manager under test: a profile's path, a shipped profile's name, or module:attribute.",
)
@click.option("--cell", metavar="NAME", help="Run this cell of the matrix only, such as early=1s.")
@click.option("--json", "json_file", type=click.Path(dir_okay=False), help="Write the result to this file as JSON.")
@click.option(
    "--journal", type=click.Path(dir_okay=False), help="Write what was made to go wrong to this file as JSON."
)
@click.option("-v", "--verbose", is_flag=True, help="Tell each skipped case too, and what it needs.")
@click.option("--quiet", is_flag=True, help="Print only what is wrong.")
def run(
    files: tuple[str, ...],
    manager: str,
    cell: str | None,
    json_file: str | None,
    journal: str | None,
    verbose: bool,
    quiet: bool,
) -> int:
    """Run scenario files, or the shipped stories.

    Against a manager of yours, or the reference manager; in virtual time.
    """
    from pytest_sessionguard.core.result import exit_status
    from pytest_sessionguard.run.runner import run_all

    scenarios, profile = _read(files, manager)
    plans = _chosen(scenarios, cell)
    show = _Show(len(plans), quiet=quiet, verbose=verbose)
    result = run_all(plans, profile, target=manager, on_case=show.case)
    show.closing(result)
    if json_file is not None:
        from pytest_sessionguard.reports import json_file as json_files

        json_files.write(result, Path(json_file))
    if journal is not None:
        from pytest_sessionguard.reports import json_file as json_files

        json_files.write_journal(result, Path(journal))
    return exit_status(result)


def _read(files: tuple[str, ...], manager: str) -> tuple[list[Scenario], Profile]:
    """Return the scenarios and the profile.

    Raises:
        UsageError: every fault of all of them.
    """
    from pytest_sessionguard.run import scenario_files, shipped_stories
    from pytest_sessionguard.target.profile import load, refused_for_run

    faults: list[Fault] = []
    told: list[str] = []
    scenarios = []
    profile = None
    try:
        profile = load(manager)
        told += [f"{manager}: {refusal}" for refusal in refused_for_run(profile)]
    except UsageError as error:
        faults += error.faults
        told += [] if error.faults else [str(error)]
    try:
        paths = scenario_files.find(files or [shipped_stories.folder()])
    except UsageError as error:
        faults += error.faults
        told += [] if error.faults else [str(error)]
        paths = ()
    for path in paths:
        try:
            scenarios.append(scenario_files.load(path))
        except UsageError as error:
            faults += error.faults
    if told or faults or profile is None:
        raise UsageError("\n".join([*map(str, sorted(set(faults))), *told]))
    return scenarios, profile


def _chosen(scenarios: list[Scenario], cell: str | None) -> list[Plan]:
    """Return the plans of all scenarios, or those of one cell.

    Raises:
        UsageError: no scenario has that cell.
    """
    from pytest_sessionguard.core.plan import cells

    plans = [plan for scenario in scenarios for plan in cells(scenario)]
    if cell is None:
        return plans
    chosen = [plan for plan in plans if plan.name == cell]
    if not chosen:
        raise UsageError(f"no scenario has the cell {cell!r}{did_you_mean(cell, {plan.name for plan in plans} - {''})}")
    return chosen


class _Show:
    """What the user sees: a line a case that ran, violations in full, a closing account; on a terminal also progress.

    A skipped case has a line only where each is asked for: with a small manager they would drown the rest.
    """

    def __init__(self, total: int, *, quiet: bool, verbose: bool) -> None:
        self._total = total
        self._done = 0
        self._quiet = quiet
        self._verbose = verbose
        self._progress = sys.stderr.isatty() and not quiet

    def case(self, case: CaseResult) -> None:
        """Tell of one case as soon as it is over."""
        from pytest_sessionguard.reports import plain_text

        self._done += 1
        if self._quiet:
            return
        self._wipe()
        if case.status != "skipped" or self._verbose:
            click.echo(plain_text.case_line(case, paint=_paint))
        if self._progress and self._done < self._total:
            click.echo(f"{self._done} of {self._total} ...", err=True, nl=False)

    def closing(self, result: Result) -> None:
        """Tell what is wrong, and the account of all."""
        from pytest_sessionguard.reports import plain_text

        self._wipe()
        for text in (*plain_text.violations(result), *plain_text.errors(result)):
            click.echo(f"\n{text}")
        if not self._quiet:
            click.echo(f"\n{plain_text.summary(result, paint=_paint)}")

    def _wipe(self) -> None:
        if self._progress:
            click.echo("\r\x1b[K", err=True, nl=False)


def _paint(text: str, colour: str) -> str:
    # echo() takes the colour out again where there is no terminal.
    return click.style(text, fg=colour)


COMMAND = run
