"""A case recorded for the crashes to come: every file operation, and between them every call and answer.

Within this process where Python does the writing; where C code does, in a child that `strace` watches.
"""

from __future__ import annotations

import os
import pickle
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from pytest_sessionguard.core.history import Entry, Event, Stamp
from pytest_sessionguard.core.plan import Plan
from pytest_sessionguard.core.policy import Policy
from pytest_sessionguard.crash import traced
from pytest_sessionguard.crash.effects import Log
from pytest_sessionguard.crash.folders import empty
from pytest_sessionguard.crash.recorder import Recording, active
from pytest_sessionguard.crash.standins import in_place
from pytest_sessionguard.crash.states import CrashState
from pytest_sessionguard.errors import UsageError
from pytest_sessionguard.run.acquaintance import Acquaintance
from pytest_sessionguard.run.conversation import Conversation
from pytest_sessionguard.run.recorder import Begun
from pytest_sessionguard.target.shape import Profile

Noted: TypeAlias = Begun | Entry | Stamp
"""A call as it began, an entry, or the instant at which a file was changed between them, as a cleaner does."""

# Files of SQLite's that mean nothing after a crash: it makes them anew.
VOLATILE = ("*-shm",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One case as it was recorded.

    Attributes:
        journal: what was noted; a mark in the log is how much that was.
        log: the file operations.
        snapshots: the states that a kill leaves, where the operations themselves could not be recorded.
        began_us: what the monotonic clock showed at the beginning.
        from_outside: it was recorded from outside, so that between two notes nobody knows the time.
    """

    policy: Policy
    in_loop: bool
    sessions: Acquaintance
    journal: tuple[Noted, ...]
    began_us: int
    log: Log
    snapshots: tuple[CrashState, ...] = ()
    from_outside: bool = False


class RecordingWatch:
    """Looks on while a case runs in this process.

    Attributes:
        recorded: what was recorded; None until the case is over.
    """

    def __init__(self, folder: Path, *, snapshots: bool) -> None:
        self.folder = folder
        self.recorded: Recorded | None = None
        self._snapshots = snapshots

    @contextmanager
    def watching(self, talk: Conversation) -> Iterator[None]:
        """Record while the case runs."""
        empty(self.folder)
        stage, journal = talk.stage, list[Noted]()
        recording = Recording(
            self.folder, now_ns=lambda: stage.clock.wall_us * 1_000, follow=True, snapshots=self._snapshots
        )

        def noted(what: Noted) -> None:
            journal.append(what)
            recording.mark(len(journal))

        def told_the_time() -> None:
            stamp = stage.recorder.stamp()
            if journal and stamp_of(journal[-1]) != stamp:
                noted(stamp)

        stage.recorder.listener = noted
        recording.listener = told_the_time
        with in_place(), active(recording):
            yield
        stage.recorder.listener = None
        self.recorded = Recorded(
            policy=stage.policy,
            in_loop=stage.in_loop,
            sessions=talk.sessions,
            journal=tuple(journal),
            began_us=stage.recorder.began_us,
            log=recording.log(),
            snapshots=tuple(
                CrashState(moment=0, marks=tuple(range(1, count + 1)), image=image)
                for count, image in recording.snapshots
            ),
        )


class MarkingWatch:
    """Looks on while a case runs in a traced child: tells the tracer how much has been noted."""

    def __init__(self, folder: Path, marks: int) -> None:
        self.folder = folder
        self.recorded: Recorded | str | None = None
        self._marks = marks
        self._began = 0

    @contextmanager
    def watching(self, talk: Conversation) -> Iterator[None]:
        """Mark while the case runs."""
        empty(self.folder)
        stage, journal = talk.stage, list[Noted]()

        def noted(what: Noted) -> None:
            journal.append(what)
            os.write(self._marks, b"%d\n" % len(journal))

        self._began += 1
        stage.recorder.listener = noted
        yield
        stage.recorder.listener = None
        if self._began > 1:
            self.recorded = "it began anew in an event loop"
            return
        self.recorded = Recorded(
            policy=stage.policy,
            in_loop=stage.in_loop,
            sessions=talk.sessions,
            journal=tuple(journal),
            began_us=stage.recorder.began_us,
            log=Log(),
            from_outside=True,
        )


def recorded_from_outside(profile: Profile, plan: Plan, folder: Path) -> Recorded | str:
    """Run a plan in a child under `strace`; return what was recorded, or why nothing could be."""
    reason = traced.unavailable()
    if reason:
        return reason
    empty(folder)
    with tempfile.TemporaryDirectory(prefix="sessionguard-child-") as beside:
        asked, told = Path(beside, "asked"), Path(beside, "told")
        try:
            asked.write_bytes(pickle.dumps((profile, plan, folder)))
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            return f"the profile cannot be handed to another process: {error}"
        command = [sys.executable, "-m", "pytest_sessionguard.run.crash_child", str(asked), str(told)]
        try:
            log = traced.trace(
                command, folder, volatile=VOLATILE, env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
            )
            recorded = pickle.loads(told.read_bytes())
        except (UsageError, OSError) as error:
            return f"the case did not run in another process: {error}"
    if log.incomplete:
        return "; ".join(log.incomplete)
    if not isinstance(recorded, Recorded):
        return f"the case went otherwise in another process: {recorded}"
    return replace(recorded, log=log)


def stamp_of(what: Noted) -> Stamp:
    """Return when it was noted."""
    if isinstance(what, Stamp):
        return what
    if isinstance(what, Begun):
        return what.called
    return what.returned if isinstance(what, Event) else what.at


def number_of(what: Noted) -> int:
    """Return its number in the one sequence of calls and answers; 0 where it has none."""
    if isinstance(what, Stamp):
        return 0
    return what.return_order if isinstance(what, Event) else what.order
