"""`sessionguard init`: a first profile for a class."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from pytest_sessionguard.errors import UsageError


@click.command(epilog="Example: sessionguard init shop.sessions:WebSessionStore --output shop.sessionguard.toml")
@click.argument("target", metavar="MODULE:ATTRIBUTE")
@click.option("--output", type=click.Path(dir_okay=False), help="Write it to this new file, instead of printing it.")
@click.option("--json", "json_file", type=click.Path(dir_okay=False), help="Write it to this file as a JSON text.")
@click.option("--quiet", is_flag=True, help="Print nothing.")
def init(target: str, output: str | None, json_file: str | None, quiet: bool) -> None:
    """Propose a first profile for a class.

    Looks at the methods of a class or factory; what is guessed is marked.
    """
    from pytest_sessionguard.target.discover import propose

    text = propose(target)
    if json_file is not None:
        from pytest_sessionguard.reports import json_file as json_files

        json_files.write_value({"version": 1, "target": target, "profile": text}, Path(json_file))
    if output is None:
        if not quiet:
            click.echo(text, nl=False)
        return
    path = Path(output)
    try:
        # "x": a profile that was worked on is never overwritten.
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{output} is there already: name another file, or remove it first") from None
    except OSError as error:
        raise UsageError(f"cannot write {output}: {error.strerror}") from None
    if not quiet:
        click.echo(
            f"wrote {output}; look at what is marked as guessed, then: sessionguard run --manager {shlex.quote(output)}"
        )


COMMAND = init
