"""A case whose process is really killed, or ends in good order; then another process asks how the owner is.

A manager that is made on what was left is asked before it is started and before it recovers: of a killed owner `health`
must not say that all is well, of one that has ended it must not tell of a crash, and nor may it once all is recovered.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from pytest_sessionguard.clock.virtual import MONOTONIC_START_US, VirtualClock
from pytest_sessionguard.core.history import Event
from pytest_sessionguard.core.operations import Ok, Operation
from pytest_sessionguard.core.plan import Plan
from pytest_sessionguard.core.result import CaseResult, counts
from pytest_sessionguard.core.violation import ViolationFound
from pytest_sessionguard.crash import processes
from pytest_sessionguard.crash.explorer import work_folder
from pytest_sessionguard.crash.folders import empty
from pytest_sessionguard.run import driving
from pytest_sessionguard.run.conversation import Conversation
from pytest_sessionguard.run.looking import Mismatch
from pytest_sessionguard.run.recorder import Begun
from pytest_sessionguard.run.runner import Runner
from pytest_sessionguard.run.stage import HARNESS, Stage
from pytest_sessionguard.run.telling import Teller
from pytest_sessionguard.target.abilities import must_be_given
from pytest_sessionguard.target.making import CannotBeMade
from pytest_sessionguard.target.shape import Profile

DETECTS: Final = "recovery.detects-crash"
FALSE_ALARM: Final = "recovery.no-false-alarm"

# How long after its end the owner is asked after, by turns; in virtual microseconds.
LATE_US: Final = (0, 60_000_000, 600_000_000, 7_200_000_000)

# Of a damaged record or a full disk a living owner may tell, too.
_OF_A_CRASH: Final = frozenset({"dead", "stale", "orphaned"})
_ENDS: Final = frozenset({"stop", "close"})


def obstacle_of(profile: Profile) -> str:
    """Return why nobody can be asked whether this target's owner has crashed; empty where somebody can."""
    if "dir" not in profile.placeholders:
        return "it is told of no folder by {dir}: nothing is left by which a crash could be told"
    if "dead" not in profile.health:
        return "[health] does not say what is answered when the process is dead (`dead`)"
    if "id" in must_be_given(profile, "health"):
        return "health is about a session: nobody is asked how the owner is"
    if not any(str(verb) in ("start", "recover") for verb in profile.operations):
        return "it has neither `start` nor `recover`: whoever makes it may own the folder at once"
    return processes.unavailable()


class _Telling:
    """Looks on while a case runs: says at each entry what time it is, and whether the manager is at work.

    Attributes:
        talk: the case that has begun.
    """

    def __init__(self, folder: Path, mark: Callable[[Hashable], None]) -> None:
        self.folder = folder
        self.talk: Conversation | None = None
        self.said = 0
        self._mark = mark
        self._is_at_work = False

    @contextmanager
    def watching(self, talk: Conversation) -> Iterator[None]:
        """Look on."""
        empty(self.folder)
        self.talk = talk
        stage = talk.stage
        starts = "start" in {str(verb) for verb in stage.profile.operations}

        def noted(what: Any) -> None:
            if isinstance(what, Begun) and what.operation.verb in _ENDS:
                self._is_at_work = False
            elif isinstance(what, Event) and isinstance(what.outcome, Ok) and what.operation.verb not in _ENDS:
                self._is_at_work |= not starts or what.operation.verb == "start"
            self.said += 1
            self._mark((stage.clock.wall_us, self._is_at_work))

        stage.recorder.listener = noted
        try:
            yield
        finally:
            stage.recorder.listener = None


def detection_case(runner: Runner, plan: Plan, *, at: float, late_us: int) -> CaseResult:
    """Run a plan, and once more in a process that is killed; then ask after it.

    Args:
        at: which part of all entries comes before the kill; 1: the process ends in good order.
        late_us: how long after that it is asked; in virtual microseconds.

    Raises:
        UsageError: see `Runner.run`.
    """
    with work_folder() as folder:
        watch = _Telling(folder, lambda mark: None)
        plain = runner.run(plan, watch=watch)
    if plain.status not in ("held", "unproven") or watch.talk is None:
        return plain
    after = watch.said + 1 if at >= 1 else 1 + int(at * watch.said)
    asking = _Asking(runner, plan, watch.talk, late_us, after)

    def workload(folder: Path, mark: Callable[[Hashable], None]) -> None:
        runner.run(plan, watch=_Telling(folder, mark))

    kill = processes.kill_once(workload, asking.judge, after_marks=after)
    if asking.broken is not None:
        raise asking.broken
    exercised = counts(Counter(plain.exercised) + asking.exercised)
    if asking.found is None:
        return replace(plain, exercised=exercised)
    how = f"kill after {kill.after_marks} entries" if kill.killed else "end in good order"
    found = replace(asking.found, fault=how)
    return replace(plain, status="violated", reason="", violations=(found,), exercised=exercised)


class _Asking:
    """Asks after the owner of a folder.

    Attributes:
        found: what was answered wrongly; broken: an error that is no answer of the target's.
    """

    def __init__(self, runner: Runner, plan: Plan, talk: Conversation, late_us: int, after: int) -> None:
        self.found: ViolationFound | None = None
        self.broken: Exception | None = None
        self.exercised: Counter[str] = Counter()
        self._runner, self._plan, self._talk, self._late_us, self._after = runner, plan, talk, late_us, after

    def judge(self, folder: Path, marks: tuple[Hashable, ...]) -> str:
        """Ask after the owner; `marks` end with what was known when it ended."""
        last: Any = marks[-1]
        wall_us, is_at_work = last
        # Who was not killed has ended by itself: whether in good order, only it can say that has an end.
        was_killed, has_ended = len(marks) >= self._after, len(marks) < self._after and not is_at_work
        talk = self._talk
        clock = VirtualClock(threads=True)
        clock.monotonic_us = MONOTONIC_START_US // 2
        clock.wall_offset_us = wall_us + self._late_us - clock.monotonic_us
        in_loop, profile = talk.stage.in_loop, self._runner.profile
        for look in (
            lambda stage: self._asked_before(stage, crashed=was_killed and is_at_work, ended=has_ended),
            lambda stage: self._asked_after(stage, crashed=was_killed and is_at_work),
        ):
            stage = Stage(profile, talk.stage.policy, clock, in_loop=in_loop, folder=folder)
            try:
                driving.drive(clock, partial(look, stage), in_loop=in_loop)
            except CannotBeMade:
                pass  # That it cannot be made on what is left is another property's business.
            except Exception as error:  # noqa: BLE001 - who kills children takes every error for an answer.
                self.broken = error
            finally:
                stage.clear()
            if self.broken is not None or self.found is not None:
                break
        return ""

    async def _asked_before(self, stage: Stage, *, crashed: bool, ended: bool) -> None:
        """Ask a manager that is neither entered nor started."""
        stage.output.__enter__()
        await stage.binding.make(entered=False)
        if stage.binding.framed:
            return  # It began as it was made.
        status, event = await self._health(stage)
        if crashed and status is not None:
            self.exercised[DETECTS] += 1
            if status == "ok":
                self._wrong(stage, DETECTS, "to tell of the crash: its owner was killed at its work", event)
        elif ended and status is not None:
            self.exercised[FALSE_ALARM] += 1
            if status in _OF_A_CRASH:
                self._wrong(stage, FALSE_ALARM, "no crash: its owner has ended in good order", event)

    async def _asked_after(self, stage: Stage, *, crashed: bool) -> None:
        """Ask a manager that has begun, and recovered what there was."""
        if not crashed:
            return
        try:
            await stage.reopen()
            if stage.binding.offers("recover") and "id" not in must_be_given(stage.profile, "recover"):
                recovered = await stage.perform(HARNESS, Operation(verb="recover"), "")
                if not isinstance(recovered.outcome, Ok):
                    return
            status, event = await self._health(stage)
            if status is not None:
                self.exercised[FALSE_ALARM] += 1
                if status in _OF_A_CRASH:
                    self._wrong(stage, FALSE_ALARM, "no crash: everything is recovered and its owner lives", event)
        finally:
            await stage.end()

    async def _health(self, stage: Stage) -> tuple[Any, Event]:
        event = await stage.perform(HARNESS, Operation(verb="health"), "")
        answer = event.outcome.answer if isinstance(event.outcome, Ok) else None
        known = answer is not None and answer.status in stage.profile.health
        return (answer.status if known and answer is not None else None), event

    def _wrong(self, stage: Stage, name: str, expected: str, event: Event) -> None:
        if self.found is None:
            told = Mismatch(expected=f"health {expected}", given=str(event.outcome))
            teller = Teller(self._plan, self._runner.target, stage, self._talk.sessions)
            self.found = teller.of_expectation(name, None, told, event)
