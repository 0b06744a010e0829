"""`sessionguard profiles`: the profiles that come with the package."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(
    epilog="Example: sessionguard profiles; then: sessionguard run scenarios --manager reference-sync-sqlite"
)
@click.option("--json", "json_file", type=click.Path(dir_okay=False), help="Write the list to this file as JSON.")
@click.option("--quiet", is_flag=True, help="Print nothing.")
def profiles(json_file: str | None, quiet: bool) -> None:
    """List the shipped profiles.

    --manager takes these names besides a path and module:attribute.
    """
    from pytest_sessionguard.target.profile import load, shipped_names

    rows = []
    for name in shipped_names():
        profile = load(name)
        verbs = sorted(str(verb) for verb in profile.operations)
        factory = profile.factory if isinstance(profile.factory, str) else repr(profile.factory)
        rows.append({"name": name, "factory": factory, "callers": profile.callers, "operations": verbs})
    if json_file is not None:
        from pytest_sessionguard.reports import json_file as json_files

        json_files.write_value(rows, Path(json_file))
    if quiet:
        return
    width = max(len(str(row["name"])) for row in rows)
    for row in rows:
        click.echo(
            f"{row['name']:<{width}}  {row['factory']}, callers = {row['callers']}, {len(row['operations'])} operations"
        )


COMMAND = profiles
