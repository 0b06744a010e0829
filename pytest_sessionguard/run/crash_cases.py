"""A case crashed: its story runs once, recorded, and the manager is made anew on every state that a crash may leave.

The model judges what the new manager shows: what was acknowledged is kept, what was under way is whole or absent.  A
new manager has a new monotonic clock; the wall clock and the times of files go on.  By turns it is opened at once, late
or very late, used on, and opened again.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from pytest_sessionguard.clock.virtual import MONOTONIC_START_US, VirtualClock
from pytest_sessionguard.clock.zone import in_zone
from pytest_sessionguard.core.history import CRASHES, Entry, Event, Note, Stamp, history
from pytest_sessionguard.core.judging import Examination, begin, with_undeclared
from pytest_sessionguard.core.model.crashes import survives
from pytest_sessionguard.core.model.state import Phantom
from pytest_sessionguard.core.operations import Ok, Operation, Unknown
from pytest_sessionguard.core.plan import Plan
from pytest_sessionguard.core.result import CaseResult, counts
from pytest_sessionguard.core.scenario import Step
from pytest_sessionguard.core.values import UNSET, FrozenMap
from pytest_sessionguard.core.violation import ViolationFound
from pytest_sessionguard.crash import explorer
from pytest_sessionguard.crash.effects import Image
from pytest_sessionguard.crash.explorer import AGAIN, DURING, CrashFailure, CrashReport
from pytest_sessionguard.crash.folders import new_folder, write_folder
from pytest_sessionguard.crash.persistence import MODELS, Persistence
from pytest_sessionguard.errors import VirtualDeadlock
from pytest_sessionguard.run import driving
from pytest_sessionguard.run.conversation import LOOKER
from pytest_sessionguard.run.crash_recording import (
    VOLATILE,
    Recorded,
    RecordingWatch,
    number_of,
    recorded_from_outside,
    stamp_of,
)
from pytest_sessionguard.run.looking import Mismatch, at_everything
from pytest_sessionguard.run.recorder import Begun
from pytest_sessionguard.run.runner import Runner, claims
from pytest_sessionguard.run.stage import HARNESS, Stage
from pytest_sessionguard.run.telling import Teller
from pytest_sessionguard.target.abilities import must_be_given
from pytest_sessionguard.target.making import CannotBeMade
from pytest_sessionguard.target.shape import Profile

BUDGET: Final = 2_000

# What a new boot's monotonic clock shows: less than before, and past every usual timeout.
BOOTED_US: Final = MONOTONIC_START_US // 2

IDEMPOTENT: Final = "recovery.idempotent"

# Where no timeout says what late is.
LATE_US: Final = 3_600_000_000

# A manager that looks at process ids would take the one before for its living owner.
ONE_PROCESS: Final = 'isolation = "process": crash states are opened within one process'


@dataclass(frozen=True, slots=True, kw_only=True)
class CrashCase:
    """One case, and what its crashes have shown.

    Attributes:
        result: the case as any other: what crashes showed is in its violations, counts and reasons.
        report: the exploration; None where there was none.
        from_outside: the files were written past Python, and recorded from outside: a run takes long.
    """

    result: CaseResult
    report: CrashReport | None = None
    from_outside: bool = False


def crash_case(
    profile: Profile,
    plan: Plan,
    model: Persistence | str = "strict",
    budget: int = BUDGET,
    *,
    seed: int = 0,
    target: str = "",
    until: Callable[[], bool] | None = None,
    during: str = "",
) -> CrashCase:
    """Run a plan and crash it wherever the persistence model allows.

    Args:
        model: a persistence model or its name; "kill" is judged as `durability.kill`, the others as
            `durability.power-loss`.
        budget: distinct states at most, and as many after crashes during recovery.
        until: says that time is up.
        during: only crashes while an operation of this name is under way; empty: all.

    Raises:
        UsageError: the profile does not fit the manager, or the story speaks of a session that is not there.
    """
    chosen = MODELS[model] if isinstance(model, str) else model
    how = "killed" if chosen.keeps_cache else "power-lost"
    name = f"durability.{CRASHES[how]}"
    runner = Runner(profile, target=target)
    folder = new_folder()
    try:
        if name not in claims(profile) or "dir" not in profile.placeholders:
            lacking = f"a profile that claims {name} and is told of its folder by {{dir}}"
            return CrashCase(result=_skipped(runner.run(plan), f"needs {lacking}"))
        if profile.isolation == "process":
            return CrashCase(result=_unproven(runner.run(plan), name, ONE_PROCESS))
        watch = RecordingWatch(folder, snapshots=chosen.keeps_cache)
        plain = runner.run(plan, watch=watch)
        recorded = watch.recorded
        if plain.status not in ("held", "unproven") or recorded is None:
            return CrashCase(result=plain)
        if recorded.log.incomplete:
            outside = recorded_from_outside(profile, plan, folder)
            if not isinstance(outside, str):
                recorded = outside
            elif not chosen.keeps_cache:
                return CrashCase(result=_unproven(plain, name, "; ".join((*recorded.log.incomplete, outside))))
        crashes = _Crashes(runner, plan, recorded, how, during)
        report = _explored(crashes, recorded, folder, chosen, budget, seed, until)
        result = crashes.result(plain, report, name, folder)
        if during and not crashes.judged:
            result = _unproven(result, name, f"vacuous: no crash fell into an operation {during}")
        return CrashCase(result=result, report=report, from_outside=recorded.from_outside)
    except _Ours as ours:
        raise ours.error from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _explored(
    crashes: _Crashes,
    recorded: Recorded,
    folder: Path,
    model: Persistence,
    budget: int,
    seed: int,
    until: Callable[[], bool] | None,
) -> CrashReport:
    return explorer.explore_log(
        recorded.log,
        crashes.judge,
        folder,
        model=model,
        budget=budget,
        seed=seed,
        volatile=VOLATILE if recorded.from_outside else (),
        reopens=1,
        stop_after=1,
        until=until,
        states=recorded.snapshots if recorded.log.incomplete else None,
    )


def _skipped(case: CaseResult, reason: str) -> CaseResult:
    return replace(case, status="skipped", reason=reason, violations=(), exercised=counts({}))


def _unproven(case: CaseResult, name: str, reason: str) -> CaseResult:
    unjudged: Any = FrozenMap({**case.unjudged, name: reason})
    told = f"{name}: {reason}" if case.status == "held" else case.reason
    return replace(case, status="unproven", reason=told, unjudged=unjudged)


class _Ours(BaseException):
    """An error that is no answer of the target: nothing may take it for one."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        super().__init__(str(error))


class _Wrong(Exception):
    """What a new manager shows is wrong."""

    def __init__(self, violation: ViolationFound) -> None:
        self.violation = violation
        super().__init__(violation.summary)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Past:
    """What had happened when the machine or the process died.

    Attributes:
        entries: everything, what was under way of unknown outcome, the crash last.
        crash: the crash, at the instant at which the manager is made anew.
        examination: what is known after that.
        died: the instant of the crash.
        ids: the sessions that had been made.
    """

    entries: tuple[Entry, ...]
    crash: Note
    examination: Examination
    died: Stamp
    ids: tuple[Hashable, ...]


class _Crashes:
    """One recorded case, reopened after crash upon crash."""

    def __init__(self, runner: Runner, plan: Plan, recorded: Recorded, how: str, during: str = "") -> None:
        self.judged = 0
        self._during = during
        self._runner = runner
        self._plan = plan
        self._recorded = recorded
        self._journal = recorded.journal
        self._how = how
        self._policy = recorded.policy
        self._in_loop = recorded.in_loop
        self._pasts: dict[tuple[int, int], _Past] = {}
        self._proven: set[str] = set()
        self._turn = 0
        self._keeps_monotonic = False
        self._reopened_again = 0
        self._recovers = True
        self._was_restarted = False
        self._violation: ViolationFound | None = None
        self._exercised: Counter[str] = Counter()

    # -- judging one state -------------------------------------------------------------------------------------------

    def judge(self, folder: Path, marks: tuple[Hashable, ...]) -> str:
        """Make the manager on what a crash left and return what is wrong with it, or nothing.

        Raises:
            _Ours: an error that is no answer of the target's: those are told otherwise.
        """
        try:
            return self._judged_anew(folder, len(marks))
        except Exception as error:
            raise _Ours(error) from error

    def _judged_anew(self, folder: Path, count: int) -> str:
        if self._during and not self._is_under_way(count):
            return ""
        self.judged += 1
        self._turn += 1
        self._was_restarted = False
        past = self._past(count, self._lateness())
        if not past.examination.legal:
            return ""  # What was under way could not be judged.
        at, clock = past.crash.at, VirtualClock(threads=True)
        clock.monotonic_us, clock.wall_offset_us = at.mono_us, at.wall_us - at.mono_us
        stage = Stage(
            self._runner.profile, self._policy, clock, in_loop=self._in_loop, proven=self._proven, folder=folder
        )
        stage.recorder.resume(past.entries, began_us=at.mono_us)
        try:
            with in_zone(self._plan.zone):
                driving.drive(clock, lambda: self._reopened(stage, past), in_loop=self._in_loop)
        except _Wrong as wrong:
            self._violation = wrong.violation
            return wrong.violation.summary
        except VirtualDeadlock as error:
            self._violation = self._teller(stage, past).of_deadlock(error)
            return self._violation.summary
        finally:
            stage.clear()
        return ""

    def _is_under_way(self, count: int) -> bool:
        """Say whether an operation of the wanted name had begun and not yet answered."""
        noted = self._journal[:count]
        over = {one.call_order for one in noted if isinstance(one, Event)}
        return any(
            isinstance(one, Begun) and one.operation.verb == self._during and one.order not in over for one in noted
        )

    def _lateness(self) -> int:
        """Return how long after the crash this manager is made, in microseconds."""
        timeouts = [self._policy.idle_timeout, self._policy.absolute_timeout]
        least_us = min((one for one in timeouts if one is not None), default=LATE_US)
        return (0, least_us // 2, 0, least_us + 1_000_000)[self._turn % 4]

    async def _reopened(self, stage: Stage, past: _Past) -> None:
        try:
            await stage.reopen()
        except CannotBeMade as error:
            raise _Wrong(self._teller(stage, past).of_making(error)) from error
        try:
            if self._goes_unrecovered(stage, past):
                await self._used_unrecovered(stage, past)
                return
            if self._recovers:
                await self._recovered(stage, past)
            explorer.recovered()
            known = await self._looked(stage, past, past.examination, past.ids)
            if self._turn // 2 % 2:
                made = await self._used_on(stage)
                more = () if made is None else (_id_of(made),)
                await self._opened_again(stage, past, known, (*past.ids, *more))
        finally:
            await stage.end()

    def _goes_unrecovered(self, stage: Stage, past: _Past) -> bool:
        """Say whether this manager is used on as it is, and recovered only when it is opened again.

        That is done where there is room, and a session that is acknowledged is said to outlive a restart.
        """
        if self._turn % 5 or not stage.binding.offers("recover") or not survives(self._policy, "create", "restart"):
            return False
        return self._policy.limit is None or len(past.ids) < self._policy.limit

    async def _used_unrecovered(self, stage: Stage, past: _Past) -> None:
        """Make one more session without recovering anything: that one must be there when it is opened again.

        Of all else nobody has promised anything before it is recovered.

        Raises:
            _Wrong: it is not there.
        """
        explorer.recovered()
        made = await self._used_on(stage)
        look = next((verb for verb in ("get", "exists") if stage.binding.offers(verb)), "")
        if made is None or not look or stage.binding.wants_session(look):
            return
        known = begin(self._runner.model(self._policy)).feed((made,))
        if await stage.restart(""):
            return
        await self._recovered(stage, past)
        entries = stage.recorder.take()
        known = known.feed(tuple(one for one in entries if isinstance(one, Note) and one.kind == "restarted"))
        await self._asked(stage, LOOKER, Operation(verb=look, id=_id_of(made)))
        self._was_restarted = True
        self._judged(stage, past, known)

    async def _recovered(self, stage: Stage, past: _Past) -> None:
        if not stage.binding.offers("recover"):
            return
        if "id" in must_be_given(stage.profile, "recover"):
            for session_id in past.ids:
                await self._asked(stage, HARNESS, Operation(verb="recover", id=session_id))
        else:
            await self._asked(stage, HARNESS, Operation(verb="recover"))

    async def _asked(self, stage: Stage, client: str, operation: Operation) -> None:
        await stage.perform(client, self._recorded.sessions.completed(operation), "")

    async def _looked(self, stage: Stage, past: _Past, known: Examination, ids: tuple[Hashable, ...]) -> Examination:
        """Look at everything; return what is known then.

        Raises:
            _Wrong: something is not as it should be.
        """
        before = known.exercised
        known = self._judged(stage, past, known)
        for operation in self._looks(stage, ids):
            await self._asked(stage, LOOKER, operation)
            known = self._judged(stage, past, known)
        self._exercised.update(known.exercised)
        self._exercised.subtract(before)
        return known

    def _judged(self, stage: Stage, past: _Past, known: Examination) -> Examination:
        after = known.feed(stage.recorder.take())
        if after.finding is None:
            return after
        told = with_undeclared(after, stage.recorder.history())
        assert told.finding is not None
        raise _Wrong(self._teller(stage, past).of_finding(told.finding, told.finding.property))

    def _looks(self, stage: Stage, ids: tuple[Hashable, ...]) -> Iterator[Operation]:
        for operation in at_everything(stage.profile, self._policy, ids):
            if not stage.binding.wants_session(operation.verb):
                yield operation

    async def _used_on(self, stage: Stage) -> Event | None:
        """Make one more session; return what came of that, where a session came of it."""
        place = self._plan.scenario.place
        asked = self._recorded.sessions.operation(
            Step(verb="create", place=place, arguments=FrozenMap({"as": "later"}))
        )
        event = await stage.perform(LOOKER, asked, "")
        return event if isinstance(event.outcome, Ok) and _id_of(event) is not UNSET else None

    async def _opened_again(self, stage: Stage, past: _Past, known: Examination, ids: tuple[Hashable, ...]) -> None:
        known = self._judged(stage, past, known)
        problems = await stage.restart("")
        for problem in problems:
            given = Mismatch(expected="to be closed and opened once more", given=str(problem))
            raise _Wrong(self._teller(stage, past).of_expectation(IDEMPOTENT, None, given, None))
        self._reopened_again += 1
        self._was_restarted = True
        await self._looked(stage, past, known, ids)

    # -- what had happened -------------------------------------------------------------------------------------------

    def _past(self, count: int, late_us: int) -> _Past:
        key = count, late_us
        if key not in self._pasts:
            self._pasts[key] = self._made_past(count, late_us)
        return self._pasts[key]

    def _made_past(self, count: int, late_us: int) -> _Past:
        journal = self._journal[:count]
        entries: list[Entry] = [one for one in journal if not isinstance(one, (Begun, Stamp))]
        over = {one.call_order for one in entries if isinstance(one, Event)}
        died = self._died(count)
        number = max((number_of(one) for one in journal), default=0)
        for begun in journal:
            if isinstance(begun, Begun) and begun.order not in over:
                number += 1
                entries.append(_cut_off(begun, died, number))
        mono_us = died.mono_us + late_us if self._keeps_monotonic else BOOTED_US
        crash = Note(kind=self._how, at=Stamp(died.wall_us + late_us, mono_us), order=number + 1)
        entries.append(crash)
        model = self._runner.model(self._policy)
        examination = begin(model).feed(history(entries).entries)
        ids = dict.fromkeys(
            key for state in examination.states for key in state.records if not isinstance(key, Phantom)
        )
        return _Past(entries=tuple(entries), crash=crash, examination=examination, died=died, ids=tuple(ids))

    def _died(self, count: int) -> Stamp:
        """Return the latest instant at which so much and no more had been noted, as far as it is known."""
        journal = self._journal
        if self._recorded.from_outside:
            count = min(count + 1, len(journal))
        return stamp_of(journal[max(count, 1) - 1])

    # -- telling -----------------------------------------------------------------------------------------------------

    def _teller(self, stage: Stage, past: _Past) -> Teller:
        """Return who tells of the whole: the times after the crash go on where those before it ended."""
        late_us = past.crash.at.wall_us - past.died.wall_us
        shift_us = past.died.mono_us + late_us - past.crash.at.mono_us
        before = len(past.entries) - 1
        entries = stage.recorder.history().entries
        moved = (*entries[:before], *(_moved(entry, shift_us) for entry in entries[before:]))
        stage.recorder.resume(moved, began_us=self._recorded.began_us)
        return Teller(self._plan, self._runner.target, stage, self._recorded.sessions)

    def _settle_clock(self, failure: CrashFailure, folder: Path) -> None:
        """Take back that another `clock` would explain the failure, where it comes with an unbroken clock as well."""
        found = self._violation
        if found is None or found.undeclared != "clock":
            return
        self._keeps_monotonic, self._turn = True, self._turn - 1
        self._pasts.clear()
        write_folder(failure.image, folder)
        if self.judge(folder, failure.marks):
            self._violation = replace(found, undeclared=None, undeclared_value=None)
        else:
            self._violation = found

    def result(self, plain: CaseResult, report: CrashReport, name: str, folder: Path) -> CaseResult:
        """Return the case with what its crashes have shown."""
        claimed = set(claims(self._runner.profile, self._policy))
        exercised = Counter(plain.exercised) + self._exercised
        if report.failures:
            self._settle_clock(report.failures[0], folder)
            violation = self._told(report.failures[0], name, claimed, folder)
            shown = {key: value for key, value in exercised.items() if key != violation.property}
            return replace(plain, status="violated", reason="", violations=(violation,), exercised=counts(shown))
        for proved, times in (
            (IDEMPOTENT, self._reopened_again),
            ("recovery.crash-during", report.recovery_states),
        ):
            if proved in claimed and times:
                exercised[proved] += times
        return replace(plain, exercised=counts(exercised))

    def _told(self, failure: CrashFailure, name: str, claimed: set[str], folder: Path) -> ViolationFound:
        own, is_inner = self._to_blame(failure, name, folder)
        word = "kill" if self._how == "killed" else "power loss"
        fault = f"{word} {failure.crash}"
        if failure.recovery_crash and is_inner:
            fault += f"; then, during recovery, {failure.recovery_crash}"
        found = self._violation
        if found is None:
            found = ViolationFound(property=name, summary=failure.problem)
        return replace(found, property=own if own in claimed else name, fault=fault)

    def _to_blame(self, failure: CrashFailure, name: str, folder: Path) -> tuple[str, bool]:
        """Return which property the failure breaks, and whether it takes the crash during recovery.

        What comes without that crash is no fault of it; what comes only where it is recovered is the recovery's.
        """
        is_inner = failure.stage == DURING
        if is_inner and self._fails(failure.before, failure.marks, folder):
            is_inner = False
        if self._violation is not None and self._violation.property == IDEMPOTENT:
            return IDEMPOTENT, is_inner
        if self._was_restarted:  # Where nothing had happened, there was nothing that a crash could do.
            if self._fails({}, (), folder):
                return "durability.restart", is_inner
            return IDEMPOTENT, is_inner
        if failure.stage == AGAIN:
            return IDEMPOTENT, is_inner
        if is_inner:
            return "recovery.crash-during", is_inner
        image = failure.before if failure.stage == DURING else failure.image
        self._recovers = False
        alone = not self._fails(image, failure.marks, folder)
        self._recovers = True
        return ("recovery.complete" if alone else name), is_inner

    def _fails(self, image: Image, marks: tuple[Hashable, ...], folder: Path) -> bool:
        """Say whether another image is judged wrong too, opened in the way in which the last one was."""
        kept = self._violation, self._was_restarted, self._turn, self.judged
        self._turn -= 1
        write_folder(image, folder)
        told = self.judge(folder, marks)
        self._violation, self._was_restarted, self._turn, self.judged = kept
        return bool(told)


def _id_of(made: Event) -> Hashable:
    """Return the id of the session that was made: as it was told or, where it was not, as it was chosen."""
    answer = getattr(made.outcome, "answer", None)
    return made.operation.id if answer is None or answer.id is UNSET else answer.id


def _cut_off(begun: Begun, died: Stamp, number: int) -> Event:
    return Event(
        client=begun.client,
        operation=begun.operation,
        outcome=Unknown("cut off by the crash"),
        called=begun.called,
        returned=died,
        call_order=begun.order,
        return_order=number,
        place=begun.place,
    )


def _moved(entry: Entry, span_us: int) -> Entry:
    def later(stamp: Stamp) -> Stamp:
        return Stamp(stamp.wall_us, stamp.mono_us + span_us)

    if isinstance(entry, Event):
        return replace(entry, called=later(entry.called), returned=later(entry.returned))
    return replace(entry, at=later(entry.at))


__all__ = ["BUDGET", "CrashCase", "crash_case"]
