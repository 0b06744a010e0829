"""`sessionguard check`: the search for violations of everything that a profile claims."""

from __future__ import annotations

import os
import random
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pytest_sessionguard.errors import UsageError

if TYPE_CHECKING:
    from pytest_sessionguard.core.result import Result
    from pytest_sessionguard.explore.examples import Examples
    from pytest_sessionguard.run.checker import Progress, Settings
    from pytest_sessionguard.target.profile import Profile

_SEEDS = 1 << 32


@click.command(epilog="Example: sessionguard check shop.sessionguard.toml --budget 30s --only expiry")
@click.argument("target", metavar="TARGET")
@click.option("--budget", metavar="SPAN", help="How long to search, such as 30s or 10m.  [default: 30s]")
@click.option("--cases", type=click.IntRange(min=1), metavar="N", help="Run so many cases, however long they take.")
@click.option("--seed", type=click.IntRange(min=0), metavar="N", help="What is drawn; absent: random, and printed.")
@click.option("--only", multiple=True, metavar="PREFIX", help="Only properties whose names begin so.")
@click.option("--skip", multiple=True, metavar="PREFIX", help="Leave out properties whose names begin so.")
@click.option("--allow", multiple=True, metavar="NAME", help="This property may stay unproven.")
@click.option("--found", metavar="DIR", default=".sessionguard/found", show_default=True, help="Where finds are kept.")
@click.option("--workers", metavar="N", default="1", show_default=True, help="So many processes; auto: one a core.")
@click.option("--database", metavar="URL", help="Where a team shares what was found.")
@click.option("--stop-at-first", is_flag=True, help="Stop at the first violation.")
@click.option("--json", "json_file", type=click.Path(dir_okay=False), help="Write the result to this file as JSON.")
@click.option(
    "--journal", type=click.Path(dir_okay=False), help="Write what was made to go wrong to this file as JSON."
)
@click.option("--quiet", is_flag=True, help="Print only what is wrong.")
def check(
    target: str,
    json_file: str | None,
    journal: str | None,
    quiet: bool,
    found: str,
    database: str | None,
    **asked: Any,
) -> int:
    """Look for violations of all that a profile claims.

    TARGET is a profile's path, the name of a shipped profile, or module:attribute.
    """
    from pytest_sessionguard.core.result import exit_status
    from pytest_sessionguard.reports import check_text
    from pytest_sessionguard.run.checker import check as search
    from pytest_sessionguard.target.profile import load, refused_for_check

    profile = load(target)
    refused = refused_for_check(profile)
    if refused:
        raise UsageError("\n".join(f"{target}: {refusal}" for refusal in refused))
    settings = replace(_settings(profile, **asked), found=Path(found))
    show = _Show(quiet=quiet)
    if not quiet:
        click.echo(f"check {target}, seed {settings.seed}")
    examples = _examples(database, Path(found), target, quiet=quiet)
    result = search(profile, settings, target=target, on_progress=show.progress)
    show.wipe()
    for text in check_text.troubles(result):
        click.echo(f"{text}\n")
    if not quiet:
        click.echo(check_text.summary(result, paint=_paint))
    _write(result, json_file)
    if examples is not None:
        from pytest_sessionguard.run import shared_finds

        shared_finds.put_in(examples, result, target=target)
    if journal is not None:
        from pytest_sessionguard.reports import json_file as json_files

        json_files.write_journal(result, Path(journal))
    return exit_status(result)


def _settings(
    profile: Profile,
    *,
    budget: str | None,
    cases: int | None,
    seed: int | None,
    only: tuple[str, ...],
    skip: tuple[str, ...],
    allow: tuple[str, ...],
    workers: str,
    stop_at_first: bool,
) -> Settings:
    """Return how the search is bounded: by the command line, else by the profile's `[check]`, else as usual.

    Raises:
        UsageError: both a time and a number of cases, or something that is neither.
    """
    from pytest_sessionguard.run.checker import BUDGET_S, Settings

    if budget is not None and cases is not None:
        raise UsageError("--budget and --cases: give one of them, a time or a number of cases")
    written = profile.check
    if cases is None and budget is None:
        cases = written.cases
    budget_us = written.budget_us if budget is None else _span(budget)
    if seed is None:
        seed = written.seed if written.seed is not None else random.SystemRandom().randrange(_SEEDS)
    return Settings(
        seed=seed,
        budget_s=None if cases is not None else (BUDGET_S if budget_us is None else budget_us / 1_000_000),
        cases=cases,
        only=only,
        skip=skip,
        allow={**{str(name): str(reason) for name, reason in written.allow.items()}, **dict.fromkeys(allow, "")},
        workers=_workers(workers),
        first=stop_at_first,
    )


def _span(text: str) -> int:
    from pytest_sessionguard.core import durations

    try:
        span_us = durations.parse(text)
    except ValueError as error:
        raise UsageError(f"--budget: {error}") from None
    if span_us <= 0:
        raise UsageError(f"--budget: {text} is no time to search in; expected one such as 30s")
    return span_us


def _workers(text: str) -> int:
    if text == "auto":
        return os.cpu_count() or 1
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"--workers: {text!r} is no number of processes; expected 1, 2, 3 ... or auto")
    return int(text)


def _examples(url: str | None, found: Path, target: str, *, quiet: bool) -> Examples | None:
    """Return the database of the team, after its finds were taken out of it."""
    if url is None:
        return None
    from pytest_sessionguard.explore.examples import opened
    from pytest_sessionguard.run import shared_finds

    examples = opened(url)
    count = shared_finds.take_out(examples, found, target=target)
    if not quiet:
        click.echo(f"{count} case{'s'[: count != 1]} in {url}{'' if examples.takes else ', which can only be read'}")
    return examples


def _write(result: Result, json_file: str | None) -> None:
    if json_file is not None:
        from pytest_sessionguard.reports import json_file as json_files

        json_files.write(result, Path(json_file))


class _Show:
    """A line on a terminal that tells how far the search is."""

    def __init__(self, *, quiet: bool) -> None:
        self._shows = sys.stderr.isatty() and not quiet

    def progress(self, done: Progress) -> None:
        """Tell how far it is."""
        if not self._shows:
            return
        pace = done.cases / done.spent_s if done.spent_s else 0
        told = f"{done.shown} of {done.asked} properties, {done.cases} cases ({pace:.0f}/s), {done.violations} violated"
        self.wipe()
        click.echo(told, err=True, nl=False)

    def wipe(self) -> None:
        """Take the line away."""
        if self._shows:
            click.echo("\r\x1b[K", err=True, nl=False)


def _paint(text: str, colour: str) -> str:
    return click.style(text, fg=colour)


COMMAND = check
