"""What a search has found, settled: made small, confirmed, written down, and told with the command that repeats it.

A case is kept as a scenario file that fails until its bug is mended.  A file that is there is never overwritten: the
same bug is not written twice, and another bug gets the next number.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pytest_sessionguard.core import replay_token
from pytest_sessionguard.core.faults import CRASH
from pytest_sessionguard.core.found import RUNS_MAX, Found
from pytest_sessionguard.core.operations import VERBS
from pytest_sessionguard.core.plan import Plan, cells
from pytest_sessionguard.core.result import CaseResult
from pytest_sessionguard.core.scenario import AnyStep, Parallel, Scenario, Step
from pytest_sessionguard.core.scenario_text import text_of
from pytest_sessionguard.core.values import FrozenMap
from pytest_sessionguard.core.violation import ViolationFound
from pytest_sessionguard.errors import UsageError
from pytest_sessionguard.explore import smaller
from pytest_sessionguard.explore.shrink import likeness, shrink
from pytest_sessionguard.run import scenario_files
from pytest_sessionguard.run.again import Again
from pytest_sessionguard.run.runner import Runner

FOLDER: Final = Path(".sessionguard/found")

# Each run of a story that is crashed everywhere opens many states.
CRASHED_RUNS_MAX: Final = 48

# More than one step at once has more than one schedule: then so many orders are run.
ORDERS_OF_SEVERAL: Final = 100

_REMARK: Final = re.compile(r"# (bug|manager): (.*)")
_NUMBERS_MAX: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What became of a find.

    Attributes:
        found: the smallest case that shows it.
        violation: what to tell, confirmed; None where it did not replay.
        uncertain: where it did not replay, what was found and what the replays showed instead, as text.
        minimal: nothing of the case can be left out.
    """

    found: Found
    violation: ViolationFound | None
    uncertain: str = ""
    minimal: bool = False


def settle(
    found: Found,
    runner: Runner,
    *,
    folder: Path | None = FOLDER,
    runs_max: int = RUNS_MAX,
    seed: int = 0,
    asked: Collection[str] = (),
    ended: Callable[[], bool] = lambda: False,
) -> Settled:
    """Make a find small, confirm it, and write it into the folder, unless there is none.

    Raises:
        UsageError: nothing can be written there.
    """
    as_found = Settled(found=found, violation=replace(found.violation, fault=found.fault or found.violation.fault))
    if found.fault and not found.plan.scenario.faults:
        return as_found  # No story can do that to a target: it is told as it was found.
    if found.is_costly:
        return _written(replace(found, fault=""), as_found.violation, runner, folder, is_whole=True)
    is_crash = any(fault.kind == CRASH for fault in found.plan.scenario.faults)
    again = Again(runner)
    # On the way down a violation need not be told in full each time; what comes out is.
    runner.known = set()
    runs_max = min(runs_max, CRASHED_RUNS_MAX) if is_crash else runs_max
    shrunk = shrink(replace(found, fault=""), again, runs_max=runs_max, seed=seed, asked=asked, ended=ended)
    runner.known = None
    if not shrunk.confirmed and is_crash:
        # The search has opened other states of it than a story does, or the target draws its ids.
        return _written(replace(found, fault=""), as_found.violation, runner, folder, is_whole=True)
    if not shrunk.confirmed:
        first, second = shrunk.traces
        told = f"{found.violation.message}\n\nfirst replay:\n{first}\n\nsecond replay:\n{second}"
        return Settled(found=found, violation=None, uncertain=told)
    smallest, is_whole = _as_a_file_runs_it(shrunk.found, again)
    return _written(smallest, None, runner, folder, is_whole=is_whole, minimal=shrunk.minimal)


def _written(
    found: Found,
    told: ViolationFound | None,
    runner: Runner,
    folder: Path | None,
    *,
    is_whole: bool,
    minimal: bool = False,
) -> Settled:
    """Return what is told of a find, with the file that shows it and the command that repeats it.

    Args:
        told: what is to be told, where it is not what the case shows.
        is_whole: no step of the case is passed over when it runs.

    Raises:
        UsageError: nothing can be written there.
    """
    violation = found.violation if told is None else told
    try:
        story = as_story(found)
        text = text_of(story)
        if not is_whole:
            raise ValueError("steps of it are passed over, which a file does not do")
        scenario_files.load("a.session.yaml", text)
    except (ValueError, UsageError):
        # No file can say what it holds: it is told, and found again by its seed.
        return Settled(found=found, violation=violation, minimal=minimal)
    path = keep(story, violation, folder, target=runner.target) if folder is not None else None
    token = replay_token.encode(text)
    violation = replace(
        violation,
        scenario=str(path) if path is not None else "",
        path="",
        line=0,
        column=0,
        replay=replay_command(token, runner.target),
    )
    shown = replace(found.case, title=story.title, cell="", path=str(path or ""), line=0, violations=(violation,))
    return Settled(found=replace(found, case=shown), violation=violation, minimal=minimal)


def _as_a_file_runs_it(found: Found, again: Again) -> tuple[Found, bool]:
    """Return the case run once more, no step passed over, and whether that shows the same."""
    for plan in dict.fromkeys([replace(found.plan, forgiving=False), found.plan]):
        try:
            case = again.once(plan, found.schedule, found.fault).case
        except UsageError:
            continue
        if case.violations and likeness(case.violations[0]) == likeness(found.violation):
            return replace(found, plan=plan, case=case), not plan.forgiving
    return found, False


def replay_command(case: str, target: str) -> str:
    """Return the command that replays a token or a file against the target."""
    return shlex.join(["sessionguard", "replay", case, "--manager", target])


# -- as a story -------------------------------------------------------------------------------------------------------


def as_story(found: Found) -> Scenario:
    """Return the case as a scenario that needs nothing beside it: its cell is its matrix, its schedule is in it."""
    plan = found.plan
    verbs = [step.verb for step in plan.scenario.all_steps if isinstance(step, Step) and step.verb in VERBS]
    told = f"{found.violation.property} is broken by {', '.join(verbs[:6])}{' and more' if len(verbs) > 6 else ''}"
    matrix = FrozenMap({name: (value,) for name, value in plan.cell.items()})
    story = replace(plan.scenario, title=told if verbs else plan.scenario.title, matrix=matrix, path="", lines=())
    blocks = [step for step in story.all_steps if isinstance(step, Parallel)]
    schedules: str | int = found.schedule if len(blocks) == 1 else ORDERS_OF_SEVERAL

    def edit(path: smaller.Path, step: AnyStep) -> tuple[AnyStep, ...]:
        return (replace(step, schedules=schedules),) if isinstance(step, Parallel) else (step,)

    return smaller.edited(story, edit) if blocks else story


# -- files ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A case that was found earlier: a cell of the file at `path`, and the token of the file."""

    path: Path
    plan: Plan
    token: str


def keep(story: Scenario, violation: ViolationFound, folder: Path, *, target: str) -> Path:
    """Return the file of this bug, which is written where there is none yet.

    Raises:
        UsageError: nothing can be written there.
    """
    bug = hashlib.sha256(repr((likeness(violation), target)).encode()).hexdigest()[:12]

    def text(path: Path) -> str:
        command = replay_command(str(path), target)
        remarks = [
            f"{violation.property} violated: {violation.summary}",
            f"Found by a search; it fails until the bug is mended. Again: {command}",
            f"manager: {target}",
            f"bug: {bug}",
        ]
        return text_of(story, remarks=remarks)

    return keep_as(folder, violation.property, bug, text)


def keep_as(folder: Path, name: str, bug: str, text: Callable[[Path], str]) -> Path:
    """Return the file of a bug that breaks the property of this name, which is written where there is none yet.

    Raises:
        UsageError: nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(1, _NUMBERS_MAX):
            path = folder / f"{name}-{number}{scenario_files.SUFFIX}"
            if not path.exists():
                _write_new(path, text(path))
                return path
            if remarks_of(path).get("bug") == bug:
                return path
    except OSError as error:
        raise UsageError(f"cannot write into {folder}: {error.strerror}") from None
    raise UsageError(f"{folder} has {_NUMBERS_MAX} files of {name}: mend what they show, or clear it up")


def _write_new(path: Path, text: str) -> None:
    """Write a file that is there whole or not at all, and is nobody else's."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8")
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def remarks_of(path: Path) -> dict[str, str]:
    """Return what the first lines of a kept file say: the manager that it was found with, and the bug."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()[:12]
    except (OSError, UnicodeDecodeError):
        return {}
    return {match[1]: match[2] for line in lines if (match := _REMARK.fullmatch(line))}


def earlier(folder: Path, *, target: str) -> Iterator[Kept]:
    """Give the cases that were found earlier with this target, in the order of their names.

    Raises:
        UsageError: a file of them is no scenario any more.
    """
    for path in sorted(folder.glob(f"*{scenario_files.SUFFIX}")) if folder.is_dir() else ():
        if remarks_of(path).get("manager", target) == target:
            scenario = scenario_files.load(path)
            token = replay_token.encode(text_of(scenario))
            for plan in cells(scenario):
                yield Kept(path=path, plan=plan, token=token)


def replayed(plan: Plan, runner: Runner, *, case: str) -> CaseResult:
    """Run a case that was kept, by its file or its token, and let what it violates name the command that repeats it.

    Raises:
        UsageError: it does not fit the target.
    """
    ran = runner.run(plan)
    command = replay_command(case, runner.target)
    scenario = "" if replay_token.is_token(case) else case
    found = tuple(replace(one, scenario=scenario, path="", line=0, column=0, replay=command) for one in ran.violations)
    return replace(ran, violations=found)
