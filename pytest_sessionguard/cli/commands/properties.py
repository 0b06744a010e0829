"""`sessionguard properties`: the catalogue of what a session manager may promise."""

from __future__ import annotations

from pathlib import Path

import click

from pytest_sessionguard.errors import UsageError, did_you_mean


@click.command(epilog="Example: sessionguard properties expiry.boundary")
@click.argument("name", required=False)
@click.option("--json", "json_file", type=click.Path(dir_okay=False), help="Write the catalogue to this file as JSON.")
@click.option("--quiet", is_flag=True, help="Print nothing.")
def properties(name: str | None, json_file: str | None, quiet: bool) -> None:
    """List every property, or explain one."""
    from pytest_sessionguard.core.properties import PROPERTIES

    if name is not None and name not in PROPERTIES:
        raise UsageError(f"there is no property {name!r}{did_you_mean(name, PROPERTIES)}")
    chosen = [PROPERTIES[name]] if name is not None else list(PROPERTIES.values())
    if json_file is not None:
        from pytest_sessionguard.reports import json_file as json_files

        rows = [
            {"name": item.name, "summary": item.summary, "needs": list(item.needs), "minimum": item.minimum}
            for item in chosen
        ]
        json_files.write_value(rows, Path(json_file))
    if quiet:
        return
    if name is not None:
        click.echo(chosen[0].page(), nl=False)
        return
    width = max(len(item.name) for item in chosen)
    for item in chosen:
        click.echo(f"{item.name:<{width}}  {item.summary}")


COMMAND = properties
