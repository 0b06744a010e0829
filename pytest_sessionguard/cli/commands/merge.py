"""`sessionguard merge`: the results of several shards as one."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(epilog="Example: sessionguard merge shard-*.json --json result.json")
@click.argument("files", nargs=-1, required=True, metavar="RESULT.json...")
@click.option("--json", "json_file", type=click.Path(dir_okay=False), help="Write the result to this file as JSON.")
@click.option("--quiet", is_flag=True, help="Print only what is wrong.")
def merge(files: tuple[str, ...], json_file: str | None, quiet: bool) -> int:
    """Join the results of shards.

    Cases and times add up, a violation that several have found is told once, a property and the verdict are as bad as
    the worst shard says.
    """
    from pytest_sessionguard.cli import results
    from pytest_sessionguard.core.result import exit_status
    from pytest_sessionguard.core.shards import merged
    from pytest_sessionguard.reports import json_file as json_files

    result = merged([results.read(file) for file in files])
    results.tell(result, quiet=quiet)
    if json_file is not None:
        json_files.write(result, Path(json_file))
    return exit_status(result)


COMMAND = merge
