"""Every state that a crash may leave, rebuilt, reopened and judged; and every state that a crash of that leaves.

The folder of the workload is the folder of every reopening: a path that a store has written down stays right.
Deterministic: the same log, model, budget and seed give the same report.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

from pytest_sessionguard.crash.effects import Image, Log, without
from pytest_sessionguard.crash.folders import matches, new_folder, write_folder
from pytest_sessionguard.crash.persistence import STRICT, Persistence
from pytest_sessionguard.crash.recorder import ACTIVE, Recording, active, record
from pytest_sessionguard.crash.standins import in_place
from pytest_sessionguard.crash.states import CrashState, CrashStates, describe

Marks: TypeAlias = tuple[Hashable, ...]
Workload: TypeAlias = Callable[[Path, Callable[[Hashable], None]], object]
"""Works in a folder; says by the function what begins, and what was acknowledged."""
Judge: TypeAlias = Callable[[Path, Marks], str | None]
"""Opens what a crash left, recovers it, and returns what is wrong; nothing or an empty text where all is right."""

BUDGET: Final = 20_000
FAILURES_MAX: Final = 20
"""So many failures are kept in full, each of another problem; all are counted."""

FIRST: Final = "reopened"
AGAIN: Final = "reopened a second time"
DURING: Final = "recovery crashed, reopened"


@dataclass(frozen=True, slots=True, kw_only=True)
class CrashFailure:
    """One state that was judged wrong.

    Attributes:
        problem: what the judge said, or what it raised.
        crash: the crash in words; `recovery_crash`: the one during recovery, where there was one.
        stage: "reopened", "reopened a second time", or "recovery crashed, reopened".
        image: what the folder held when it was reopened.
        before: what it held when the recovery began that was crashed.
    """

    problem: str
    crash: str
    stage: str
    marks: Marks
    recovery_crash: str = ""
    image: Image = field(default_factory=dict, repr=False, compare=False)
    before: Image = field(default_factory=dict, repr=False, compare=False)

    def __str__(self) -> str:
        during = f"; then, during recovery, {self.recovery_crash}" if self.recovery_crash else ""
        return f"{self.problem} ({self.stage}: crash {self.crash}{during})"


@dataclass(frozen=True, slots=True, kw_only=True)
class CrashReport:
    """What an exploration has shown.

    Attributes:
        model: the persistence model's name.
        operations: file operations recorded.
        moments: points at which a crash was tried.
        states: distinct states judged; `recovery_states`: those of them that a crash during recovery left.
        failed: how many were judged wrong; `failures`: the first of each problem.
        cut: what was left out, in words; nothing where the exploration was exhaustive.
        incomplete: what the recording may lack, in words.
    """

    model: str
    operations: int
    moments: int
    states: int
    recovery_states: int
    failed: int
    failures: tuple[CrashFailure, ...] = ()
    cut: tuple[str, ...] = ()
    incomplete: tuple[str, ...] = ()

    @property
    def exhaustive(self) -> bool:
        """Whether every state that the model allows was judged."""
        return not self.cut and not self.incomplete

    def __str__(self) -> str:
        how = "exhaustive" if self.exhaustive else "bounded"
        after = f"{self.recovery_states:,} of them after a crash during recovery"
        judged = f"{self.states:,} states of {self.operations:,} operations judged, {after}"
        lines = [f"{self.model}: {judged}; {self.failed:,} wrong; {how}"]
        lines += [f"  left out: {one}" for one in self.cut]
        lines += [f"  incomplete: {one}" for one in self.incomplete]
        lines += [f"  {one}" for one in self.failures]
        return "\n".join(lines)


def explore(
    workload: Workload,
    reopen_and_judge: Judge,
    *,
    model: Persistence = STRICT,
    budget: int = BUDGET,
    seed: int = 0,
    volatile: tuple[str, ...] = (),
    nested: bool = True,
    reopens: int = 2,
    stop_after: int | None = None,
) -> CrashReport:
    """Run a workload once, and judge every state that a crash in its middle may leave.

    Args:
        budget: distinct states at most, and as many after crashes during recovery.
        volatile: patterns of file names that mean nothing after a crash: they are not rebuilt.
        nested: crash recovery too.
        reopens: how often each state is reopened in a row: recovery is to be idempotent.
        stop_after: end after so many wrong states.
    """
    with work_folder() as folder:
        with record(folder, volatile=volatile) as recording:
            workload(folder, recording.mark)
            log = recording.log()
        return explore_log(
            log,
            reopen_and_judge,
            folder,
            model=model,
            budget=budget,
            seed=seed,
            volatile=volatile,
            nested=nested,
            reopens=reopens,
            stop_after=stop_after,
        )


@contextmanager
def work_folder() -> Iterator[Path]:
    """Give a folder in memory, where there is such a place, and remove it afterwards."""
    folder = new_folder()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def explore_log(
    log: Log,
    reopen_and_judge: Judge,
    folder: Path,
    *,
    model: Persistence = STRICT,
    budget: int = BUDGET,
    seed: int = 0,
    volatile: tuple[str, ...] = (),
    nested: bool = True,
    reopens: int = 2,
    stop_after: int | None = None,
    until: Callable[[], bool] | None = None,
    states: Iterable[CrashState] | None = None,
) -> CrashReport:
    """Judge every state that a recorded log allows; see `explore`.

    Args:
        until: says that time is up.
        states: those to be judged, where they come from elsewhere.
    """
    exploration = _Exploration(
        without(log, volatile),
        reopen_and_judge,
        folder,
        model,
        budget,
        seed,
        volatile,
        nested,
        reopens,
        stop_after,
        until,
    )
    with in_place():
        return exploration.run(states)


def recovered() -> None:
    """Say, within a judge, that recovery is over: what the judge does from here on is not to be crashed."""
    ACTIVE.recording = None


@dataclass(slots=True)
class _Exploration:
    """One exploration under way."""

    log: Log
    judge: Judge
    folder: Path
    model: Persistence
    budget: int
    seed: int
    volatile: tuple[str, ...]
    nested: bool
    reopens: int
    stop_after: int | None
    until: Callable[[], bool] | None
    failed: int = 0
    states: int = 0
    nested_states: int = 0
    uncrashed: int = 0
    failures: dict[tuple[str, str], CrashFailure] = field(default_factory=dict)
    nested_cut: dict[str, None] = field(default_factory=dict)
    incomplete: dict[str, None] = field(default_factory=dict)
    seen: set[tuple[int, bytes]] = field(default_factory=set)

    def run(self, given: Iterable[CrashState] | None) -> CrashReport:
        states = CrashStates(self.log, self.model, budget=self.budget, seed=self.seed, seen=self.seen)
        ended = ""
        for state in states if given is None else given:
            self.states += 1
            self._try(state)
            ended = self._ended()
            if ended:
                break
        cut = [*states.cut, *(f"after crashes during recovery: {one}" for one in self.nested_cut)]
        if self.uncrashed:
            cut.append(f"recovery was not crashed in {self.uncrashed:,} states: the budget was used up")
        if ended:
            cut.append(ended)
        return CrashReport(
            model=self.model.name,
            operations=self.log.operations,
            moments=states.moments,
            states=self.states + self.nested_states,
            recovery_states=self.nested_states,
            failed=self.failed,
            failures=tuple(self.failures.values()),
            cut=tuple(cut),
            incomplete=(*self.log.incomplete, *self.incomplete),
        )

    def _ended(self) -> str:
        """Return why nothing more is to be judged; empty while something is."""
        if self.stop_after is not None and self.failed >= self.stop_after:
            return f"it ended after {self.failed} wrong states"
        return "time was up" if self.until is not None and self.until() else ""

    def _try(self, state: CrashState) -> None:
        recovery = self._judged(state, FIRST, lambda: (describe(state, self.log), ""))
        if recovery is None or not recovery.operations or recovery.incomplete:
            return
        left = self.budget - self.nested_states
        if left <= 0:
            self.uncrashed += 1
            return
        inner_log = recovery
        states = CrashStates(inner_log, self.model, budget=left, seed=self.seed, marks=state.marks, seen=self.seen)
        for inner in states:
            self.nested_states += 1

            def crashes(inner: CrashState = inner) -> tuple[str, str]:
                return describe(state, self.log), describe(inner, inner_log)

            self._judged(inner, DURING, crashes, state.image)
            if self._ended():
                break
        self.nested_cut.update(dict.fromkeys(states.cut))

    def _judged(
        self, state: CrashState, stage: str, crashes: Callable[[], tuple[str, str]], before: Image | None = None
    ) -> Log | None:
        """Judge one state as often as wanted; return what the first reopening did, where that is to be crashed.

        `crashes` tells the crash, and the one during recovery, in words; `before` is what that recovery found.
        """
        image = self._durable(state.image)
        known = write_folder(image, self.folder)
        recovery: Log | None = None
        for time in range(self.reopens):
            if self.nested and stage == FIRST and not time:
                recording = Recording(self.folder, base=(image, known))
                with active(recording):
                    problem = self._problem(state.marks)
                recovery = recording.log(compare=False)
                self.incomplete.update(dict.fromkeys(recovery.incomplete))
            else:
                problem = self._problem(state.marks)
            if problem:
                self._failed(problem, AGAIN if time else stage, state, crashes, before or {})
                return None
        return recovery

    def _durable(self, image: Image) -> Image:
        if not self.volatile:
            return image
        return {path: item for path, item in image.items() if not matches(path, self.volatile)}

    def _problem(self, marks: Marks) -> str:
        try:
            return self.judge(self.folder, marks) or ""
        except Exception as error:  # noqa: BLE001 - whatever a store raises when it is reopened is its answer.
            return f"{type(error).__name__}: {error}"

    def _failed(
        self, problem: str, stage: str, state: CrashState, crashes: Callable[[], tuple[str, str]], before: Image
    ) -> None:
        self.failed += 1
        if len(self.failures) < FAILURES_MAX and (problem, stage) not in self.failures:
            crash, inner = crashes()
            self.failures[problem, stage] = CrashFailure(
                problem=problem,
                crash=crash,
                stage=stage,
                marks=state.marks,
                recovery_crash=inner,
                image=state.image,
                before=before,
            )
