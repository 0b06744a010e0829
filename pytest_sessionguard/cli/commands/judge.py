"""`sessionguard judge`: a history that was recorded elsewhere, against a policy or a simple object."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pytest_sessionguard.errors import UsageError


@click.command(epilog="Example: sessionguard judge history.jsonl --manager shop.sessionguard.toml")
@click.argument("history", type=click.Path(exists=True, dir_okay=False))
@click.option("--manager", metavar="TARGET", help="Judge sessions by the policy of this profile.")
@click.option(
    "--model", type=click.Choice(["register", "key-value"]), help="Judge a register, or a key-value store, instead."
)
@click.option(
    "--consistency",
    type=click.Choice(["linearizable", "sequential", "session"]),
    default="linearizable",
    show_default=True,
    help="What a register or a store claims: one order in real time, one order, or what each client may notice.",
)
@click.option("--json", "json_file", type=click.Path(dir_okay=False), help="Write the verdict to this file as JSON.")
@click.option("--quiet", is_flag=True, help="Print only what is wrong.")
def judge(
    history: str, manager: str | None, model: str | None, consistency: str, json_file: str | None, quiet: bool
) -> int:
    """Judge a recorded history, JSON Lines in the words of Jepsen.

    Nothing is run: calls and answers are held against the policy of a profile, or against a simple object.
    """
    from pytest_sessionguard.cli import statuses

    if (manager is None) == (model is None):
        raise UsageError("judge: say either --manager TARGET, for sessions, or --model register | key-value")
    if manager is not None and consistency != "linearizable":
        raise UsageError("judge: --consistency goes with --model; what sessions claim is said by their policy")
    try:
        lines = Path(history).read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise UsageError(f"{history}: not UTF-8: {error.reason} at byte {error.start}") from None
    told = _sessions(history, lines, manager) if manager is not None else _objects(history, lines, model, consistency)
    if json_file is not None:
        from pytest_sessionguard.reports import json_file as json_files

        json_files.write_value({"version": 1, "history": history, **told}, Path(json_file))
    if told["verdict"] != "held" or not quiet:
        click.echo(f"{told['verdict']}: {told['reason']}")
    return {"held": statuses.HELD, "violated": statuses.VIOLATED}.get(told["verdict"], statuses.UNPROVEN)


def _sessions(path: str, lines: list[str], manager: str) -> dict[str, Any]:
    from pytest_sessionguard.core import judging, recorded
    from pytest_sessionguard.run.runner import Runner
    from pytest_sessionguard.target.profile import load

    profile = load(manager)
    told = recorded.read(lines, path)
    found = judging.judge(told, Runner(profile).model(profile.policy, background=False))
    finding = found.finding
    if finding is not None:
        place = getattr(finding.event, "place", "")
        expected = " or ".join(finding.expected)
        reason = f"{finding.property} at {path}:{place}: {finding.given}; expected {expected}"
        undeclared = f"; {finding.undeclared_value} in [policy] would allow it" if finding.undeclared else ""
        return {"verdict": "violated", "property": finding.property, "reason": reason + undeclared}
    if found.undecided:
        return {"verdict": "unproven", "reason": found.undecided}
    if not told.events:
        return {"verdict": "unproven", "reason": "the history holds no operation"}
    shown = ", ".join(sorted(found.exercised))
    return {"verdict": "held", "reason": f"{len(told.events)} operations are explained; exercised: {shown}"}


def _objects(path: str, lines: list[str], model: str | None, consistency: str) -> dict[str, Any]:
    from pytest_sessionguard.core import consistency as levels
    from pytest_sessionguard.core import orders, recorded
    from pytest_sessionguard.core.specifications import SPECIFICATIONS

    specification = SPECIFICATIONS[model or "register"]
    told = recorded.read_objects(lines, path)
    if not told:
        return {"verdict": "unproven", "reason": "the history holds no answered call"}
    try:
        if consistency == "session":
            if model != "register":
                raise UsageError("judge: --consistency session needs --model register: texts do not say who wrote them")
            broken = levels.session_guarantees(told)
            if broken:
                return {"verdict": "violated", "reason": "; ".join(map(str, broken))}
            return {"verdict": "held", "reason": f"{len(told)} calls break none of {', '.join(levels.GUARANTEES)}"}
        if consistency == "sequential":
            found = levels.sequential(told, specification)
        else:
            found = orders.explain_all(orders.by_object(told), specification)
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from None
    if found.verdict == "legal":
        return {"verdict": "held", "reason": f"one order explains all {len(told)} calls"}
    if found.verdict == "undecided":
        return {"verdict": "unproven", "reason": f"undecided after {found.steps} steps"}
    return {
        "verdict": "violated",
        "reason": f"no order explains {found.stuck!r}; {found.explained} answers before it can be explained",
    }


COMMAND = judge
