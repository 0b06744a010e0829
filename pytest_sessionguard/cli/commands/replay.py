"""`sessionguard replay`: one found case, exactly as it was."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pytest_sessionguard.errors import UsageError

if TYPE_CHECKING:
    from pytest_sessionguard.core.plan import Plan


@click.command(
    epilog="Example: sessionguard replay .sessionguard/found/limit.enforced-1.session.yaml --manager "
    "shop.sessionguard.toml"
)
@click.argument("case", metavar="FILE-OR-TOKEN")
@click.option(
    "--manager",
    metavar="TARGET",
    help="The manager under test: a profile's path, a shipped profile's name, or module:attribute. "
    "[default: the one that the file was found with, else reference]",
)
@click.option("--script", is_flag=True, help="Print the case as a Python script of plain calls.")
@click.option("--json", "json_file", type=click.Path(dir_okay=False), help="Write the result to this file as JSON.")
@click.option("--quiet", is_flag=True, help="Print only what is wrong.")
def replay(case: str, manager: str | None, script: bool, json_file: str | None, quiet: bool) -> int:
    """Replay a found case.

    FILE is one of .sessionguard/found, or any scenario file; TOKEN is the word sg1:... of a violation's message. Exit
    status 1 while it still fails, 0 once the bug is mended.
    """
    from pytest_sessionguard.core.result import exit_status
    from pytest_sessionguard.reports import plain_text
    from pytest_sessionguard.run import found
    from pytest_sessionguard.run.runner import Runner, gather
    from pytest_sessionguard.target.profile import load

    plans, found_with = _read(case)
    target = manager or found_with or "reference"
    runner = Runner(load(target), target=target)
    ran = [found.replayed(plan, runner, case=case) for plan in plans]
    if script:
        from pytest_sessionguard.run.plain_script import script_of

        for plan, one in zip(plans, ran, strict=True):
            click.echo(script_of(plan, runner.profile, next(iter(one.violations), None), case=case, target=target))
        return 0
    result = gather(ran, runner.profile, target=target, real_s=sum(one.real_s for one in ran))
    for text in (*plain_text.violations(result), *plain_text.errors(result)):
        click.echo(f"{text}\n")
    if not quiet:
        for one in ran:
            word = "held      the case no longer fails" if one.status == "held" else plain_text.case_line(one)
            click.echo(f"{word}: {one.reason}" if one.status == "held" and one.reason else word)
    if json_file is not None:
        from pytest_sessionguard.reports import json_file as json_files

        json_files.write(result, Path(json_file))
    return exit_status(result)


def _read(case: str) -> tuple[tuple[Plan, ...], str]:
    """Return the cells of a file or a token, and the manager that it was found with, as far as that is known.

    Raises:
        UsageError: it is neither, or damaged.
    """
    from pytest_sessionguard.core import replay_token
    from pytest_sessionguard.core.plan import cells
    from pytest_sessionguard.run import found, scenario_files

    if replay_token.is_token(case):
        return cells(scenario_files.load("token", replay_token.decode(case))), ""
    path = Path(case)
    if not path.exists():
        raise UsageError(f"{case}: there is no such file, and a token begins with {replay_token.PREFIX}")
    return cells(scenario_files.load(path)), found.remarks_of(path).get("manager", "")


COMMAND = replay
