"""`sessionguard report`: a result that was written as JSON, for a reader."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(epilog="Example: sessionguard report result.json --html result.html")
@click.argument("file", metavar="RESULT.json")
@click.option("--html", "html_file", type=click.Path(dir_okay=False), help="Write one HTML file instead.")
@click.option("--json", "json_file", type=click.Path(dir_okay=False), help="Write the result to this file as JSON.")
@click.option("--quiet", is_flag=True, help="Print only what is wrong.")
def report(file: str, html_file: str | None, json_file: str | None, quiet: bool) -> int:
    """Render a result.

    The exit status is that of the run which wrote it.
    """
    from pytest_sessionguard.cli import results
    from pytest_sessionguard.core.result import exit_status
    from pytest_sessionguard.reports import html_page
    from pytest_sessionguard.reports import json_file as json_files

    result = results.read(file)
    if html_file is not None:
        html_page.write(result, Path(html_file))
    else:
        results.tell(result, quiet=quiet)
    if json_file is not None:
        json_files.write(result, Path(json_file))
    return exit_status(result)


COMMAND = report
