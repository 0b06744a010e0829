"""`sessionguard schema`: JSON Schemas, for editors and for those who read results."""

from __future__ import annotations

import json

import click


@click.command(
    epilog="Example: sessionguard schema scenario > session.schema.json, then begin a scenario file with "
    "`# yaml-language-server: $schema=session.schema.json`"
)
@click.argument("what", type=click.Choice(["scenario", "profile", "result", "coverage"]))
@click.option("--json", "json_file", type=click.Path(dir_okay=False), help="Write it to this file instead.")
@click.option("--quiet", is_flag=True, help="Print nothing.")
def schema(what: str, json_file: str | None, quiet: bool) -> None:
    """Print a JSON Schema.

    Of scenario files, of profiles, or of what --json FILE writes: a run's result, or the coverage gates' verdict.
    """
    from pathlib import Path

    from pytest_sessionguard.reports import json_file as json_files

    found = _schema(what)
    if json_file is not None:
        json_files.write_value(found, Path(json_file))
    elif not quiet:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))


def _schema(what: str) -> object:
    if what == "scenario":
        from pytest_sessionguard.run.scenario_schema import scenario_schema

        return scenario_schema()
    if what == "profile":
        from pytest_sessionguard.target.profile import profile_schema

        return profile_schema()
    if what == "coverage":
        from pytest_sessionguard.core.gate_account import account_schema

        return account_schema()
    from pytest_sessionguard.core.result import result_schema

    return result_schema()


COMMAND = schema
