"""`sessionguard validate`: scenario and profile files, every fault of all of them at once."""

from __future__ import annotations

from pathlib import Path

import click

from pytest_sessionguard.errors import Fault, UsageError


@click.command(epilog="Example: sessionguard validate scenarios shop.sessionguard.toml")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--json", "json_file", type=click.Path(dir_okay=False), help="Write the faults to this file as JSON.")
@click.option("--quiet", is_flag=True, help="Print only the faults.")
def validate(files: tuple[str, ...], json_file: str | None, quiet: bool) -> int:
    """Check files, running nothing.

    Scenario files (or folders of them) and profiles (*.toml); every fault of all of them is told at once.
    """
    from pytest_sessionguard.cli import statuses

    faults: list[Fault] = []
    told: list[str] = []
    for name in dict.fromkeys(files):
        found, words = _faults(name)
        faults += found
        told += words
    if json_file is not None:
        from pytest_sessionguard.reports import json_file as json_files

        rows = [
            {"path": fault.path, "line": fault.line, "column": fault.column, "message": fault.message}
            for fault in faults
        ]
        json_files.write_value({"version": 1, "faults": rows}, Path(json_file))
    for text in dict.fromkeys([*map(str, faults), *told]):
        click.echo(text, err=True)
    if faults or told:
        return statuses.USAGE
    if not quiet:
        click.echo(f"no fault in {', '.join(files)}")
    return statuses.HELD


def _faults(name: str) -> tuple[list[Fault], list[str]]:
    """Return the faults of one file or folder, and errors that have no place."""
    if name.endswith(".toml"):
        from pytest_sessionguard.target.profile import load

        try:
            load(name)
        except UsageError as error:
            return list(error.faults), [] if error.faults else [str(error)]
        return [], []
    from pytest_sessionguard.run import scenario_files

    return list(scenario_files.validate([name])), []


COMMAND = validate
