"""One case whose steps come one at a time, and what is told of it when something is wrong."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Final

from pytest_sessionguard.core import durations
from pytest_sessionguard.core.found import Found
from pytest_sessionguard.core.operations import Outcome
from pytest_sessionguard.core.policy import KEYS
from pytest_sessionguard.core.programs import Program
from pytest_sessionguard.core.result import CaseResult
from pytest_sessionguard.core.scenario import AnyStep
from pytest_sessionguard.core.scenario_text import line_of
from pytest_sessionguard.core.schedule import Scheduler
from pytest_sessionguard.core.values import FrozenMap
from pytest_sessionguard.errors import HarnessError, NotDeterministic, UsageError
from pytest_sessionguard.run import scenario_files
from pytest_sessionguard.run.driving import Feed
from pytest_sessionguard.run.found import as_story, settle
from pytest_sessionguard.run.runner import Runner, claims
from pytest_sessionguard.target.making import NeedsLoop
from pytest_sessionguard.target.shape import Profile

# Hypothesis has made it small already.
SETTLING_RUNS_MAX = 400

KILLED: Final = frozenset({"kill"})


def kills(profile: Profile) -> bool:
    """Say whether a step may kill the manager: what is left is promised, and is in a folder that can be rebuilt."""
    return "durability.kill" in claims(profile) and "dir" in profile.placeholders


def _script(found: Found, target: str) -> str:
    """Return the smallest case as a program that drives a machine by hand; empty where it cannot be said so."""
    story = as_story(found)
    try:
        lines = [line_of(step) for step in story.steps]
    except ValueError:
        return ""
    figures = {
        str(name): durations.show(value) if KEYS[str(name)].takes == "duration" else value
        for name, value in story.figures.items()
    }
    begins = {"features": ["isolation", "at-once"] if story.invariants else [], "figures": figures}
    told = [f"state = SessionMachine.for_target({target!r})()"]
    told += [f"state.begin({begins!r})"] if story.figures or story.invariants else []
    told += [f"state.do({line!r})" for line in lines]
    return "\n\nIn as few steps as can be:\n\n" + "\n".join(f"    {line}" for line in [*told, "state.teardown()"])


class Live:
    """Runs and judges the steps of one case as they come.

    `found`: the folder in which a violation is written down; None: nowhere.
    """

    def __init__(self, runner: Runner, found: Path | None) -> None:
        self._runner = runner
        self._found = found
        self._program = Program(title="a state machine", prefix=())
        self._scheduler: Scheduler | None = None
        self._feed = Feed()
        self._acts: Generator[None, AnyStep | None, CaseResult] | None = None
        self._steps: list[AnyStep] = []
        self._case: CaseResult | None = None
        self._operations = 0

    def begin(self, *, figures: FrozenMap, invariants: tuple[str, ...], scheduler: Scheduler | None) -> None:
        """Say what the case wishes for; the manager is made with the first step."""
        self._program = replace(self._program, figures=figures, invariants=invariants)
        self._scheduler = scheduler

    def read(self, text: str) -> AnyStep:
        """Return the step that stands in a line of a scenario file, after those that were done.

        Raises:
            UsageError: it is none, or speaks of a session that no step before it makes.
        """
        lines = "".join(f"- {line}\n" for line in (*map(line_of, self._steps), text))
        story = scenario_files.load("steps.session.yaml", f"scenario: some steps\nversion: 1\nsteps:\n{lines}")
        return story.steps[-1]

    # -- running

    def do(self, step: AnyStep) -> bool:
        """Do one step; say whether all is well so far.

        Raises:
            UsageError: the step does not fit the profile, or the profile the manager.
        """
        self._operations = self._feed.operations()
        self._steps.append(step)
        return self._send(step)

    def outcome(self, step: AnyStep) -> Outcome | None:
        """Return what came of the operation of the last step; None where it was not done."""
        events = self._feed.history().events[self._operations :]
        done = [event for event in events if event.operation.verb == step.verb]
        return done[-1].outcome if done else None

    def end(self) -> bool:
        """End the case; say whether all was well."""
        return self._send(None) if self._acts is not None else True

    def _send(self, step: AnyStep | None) -> bool:
        try:
            if self._acts is None:
                self._start()
            assert self._acts is not None
            self._acts.send(step)
        except NeedsLoop:
            self._acts = None
            return self._again()
        except StopIteration as end:
            return self._ended(end.value)
        return True

    def _start(self) -> None:
        self._feed = Feed(KILLED if kills(self._runner.profile) else frozenset())
        if self._scheduler is not None:
            self._scheduler.begin()
        self._acts = self._runner.live(self._program.plan, self._feed, self._scheduler)
        next(self._acts)

    def _again(self) -> bool:
        """Do all steps once more, in a loop."""
        return all(self._send(step) for step in self._steps)

    def _ended(self, case: CaseResult) -> bool:
        self._acts = None
        self._case = case
        if case.status == "error":
            raise HarnessError(case.reason)
        if case.status == "skipped":
            raise UsageError(case.reason)
        return case.status != "violated"

    # -- telling

    def violation(self, *, final: bool) -> tuple[str, str]:
        """Return the property that was violated, and all about it; in the end also with a file that shows it.

        Raises:
            NotDeterministic: it does not come back.
            UsageError: the file cannot be written.
        """
        case = self._case
        if case is None or not case.violations:
            raise HarnessError("there is no violation to tell of")
        found = Found(
            plan=replace(self._program, prefix=tuple(self._steps)).plan, case=case, schedule=str(case.schedule)
        )
        if not final:
            return found.violation.property, found.violation.message
        settled = settle(found, self._runner, folder=self._found, runs_max=SETTLING_RUNS_MAX)
        self._runner.known = set()
        if settled.violation is None:
            raise NotDeterministic(found.violation.message, settled.uncertain)
        return settled.violation.property, settled.violation.message + _script(settled.found, self._runner.target)
