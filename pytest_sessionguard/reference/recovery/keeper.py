"""A folder that keeps a session manager's checkpoints, knows its owner, and recovers after a crash.

    owner.lock   held as long as the owner lives: proof of life     owner.json   who it is
    heartbeat    its last sign of life                              graceful     it has ended by its own will
    checkpoints/ and records/                                       recovery.lock   one recoverer at a time

Nothing is removed before what takes its place is on the disk, so a crash anywhere, also during recovery, leaves
something to recover from; recovering again gives the same.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import Any, Final

from pytest_sessionguard.errors import RecoveryBusy, RecoveryFailed
from pytest_sessionguard.reference import oslocks, sealed, sessions
from pytest_sessionguard.reference.manager import SessionManager
from pytest_sessionguard.reference.recovery import owner as owners
from pytest_sessionguard.reference.recovery.cascade import Diagnosis, Evidence, diagnose
from pytest_sessionguard.reference.recovery.checkpoints import Checkpoint, Checkpoints
from pytest_sessionguard.reference.recovery.owner import Owner
from pytest_sessionguard.reference.recovery.records import Records, RecoveryRecord
from pytest_sessionguard.reference.sessions import Session

ATTEMPTS_MAX: Final = 3
CHECKPOINT_EVERY_SECS: Final = 1_800.0
HEARTBEAT_EVERY_SECS: Final = 60.0


# The owners of this process, by nonce, and the open file whose lock each holds.
_HELD: Final[dict[str, int]] = {}


def _let_go(nonce: str) -> None:
    lock_file = _HELD.pop(nonce, None)
    if lock_file is not None:
        os.close(lock_file)


class RecoveryKeeper:
    """One folder.  It knows nothing of managers: sessions are handed in and out.

    `clock`: seconds since 1970; None: `time.time`, whatever it is at the moment of asking.  `disk_free`: bytes free.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        clock: Callable[[], float] | None = None,
        disk_free: Callable[[], int] | None = None,
    ) -> None:
        self.folder = os.path.abspath(os.fspath(folder))
        self.checkpoints = Checkpoints(self._place("checkpoints"))
        self.records = Records(self._place("records"))
        self.owner: Owner | None = None
        self._clock = clock
        self._disk_free = disk_free

    # -- owning ------------------------------------------------------------------------------------------------------

    def own(self) -> Owner:
        """Become the owner, and say so on the disk; twice does no harm.

        Raises:
            RecoveryBusy: another process, or another keeper, owns the folder.
        """
        if self.owner is not None:
            return self.owner
        self._make_folder()
        lock_file = self._locked("owner.lock")
        if lock_file is None:
            raise RecoveryBusy(self.folder, "another process owns it")
        self.owner = owners.this_process()
        _HELD[self.owner.nonce] = lock_file
        # A keeper that nobody has any more owns nothing: its lock goes with it, as that of a process would.
        weakref.finalize(self, _let_go, self.owner.nonce).atexit = False
        self.beat()
        sealed.write(self._place("owner.json"), self.owner.told())
        with suppress(FileNotFoundError):
            os.unlink(self._place("graceful"))  # Last: until here the one before has ended, and nobody has crashed.
        sealed.sync_folder(self.folder)
        return self.owner

    def beat(self) -> None:
        """Give a sign of life."""
        sealed.write(self._place("heartbeat"), {"at_us": self._now_us()})

    def checkpoint(self, kept: Iterable[Session], files: Iterable[str] = ()) -> int:
        """Write all sessions down and return the checkpoint's number; it is on the disk when this returns.

        Raises:
            RecoveryBusy: somebody else owns the folder.
        """
        made = self.checkpoints.take(kept, files, owner=self.own(), now_us=self._now_us())
        self.beat()
        return made.number

    def end(self) -> None:
        """Say that the owner has ended by its own will, and let go."""
        if self.owner is None:
            return
        sealed.write(self._place("graceful"), {"at_us": self._now_us(), "owner": self.owner.told()})
        sealed.sync_folder(self.folder)
        self.let_go()

    def let_go(self) -> None:
        """Let go of the lock without a word, as a crash does."""
        owner, self.owner = self.owner, None
        if owner is not None:
            _let_go(owner.nonce)

    # -- looking -----------------------------------------------------------------------------------------------------

    def diagnose(self) -> Diagnosis:
        """Say whether the owner has crashed, and what that rests on; changes nothing."""
        return diagnose(self.evidence(), now_us=self._now_us())

    def evidence(self) -> Evidence:
        """Gather what there is to be found of the owner."""
        return self._evidence(self._newest())

    def _newest(self) -> Checkpoint | str | None:
        """Return the newest checkpoint, or what is wrong with it; None where there is none."""
        numbers = self.checkpoints.numbers()
        return self.checkpoints.read(numbers[0]) if numbers else None

    def _evidence(self, newest: Checkpoint | str | None) -> Evidence:
        told = sealed.read(self._place("owner.json"))
        owner = owners.read(told)
        integrity = newest if isinstance(newest, str) else "" if owner or told is None else f"owner.json: {told}"
        heartbeat_us = self._at_us("heartbeat")
        updates = [at_us for at_us in (heartbeat_us, getattr(newest, "taken_us", None)) if at_us is not None]
        return Evidence(
            graceful=isinstance(sealed.read(self._place("graceful")), dict),
            owner=owner,
            lock_free=self.owner is None and self._is_free("owner.lock"),
            running=owner is not None and self._is_running(owner),
            heartbeat_us=heartbeat_us,
            integrity=integrity,
            disk_free=self._bytes_free(),
            last_update_us=max(updates, default=None),
            checkpoint_owner=None if newest is None else isinstance(newest, str) or bool(owners.read(newest.owner)),
        )

    # -- recovering --------------------------------------------------------------------------------------------------

    def recover(self, restore: Callable[[tuple[Session, ...]], None]) -> RecoveryRecord | None:
        """Bring back what a crashed owner kept, become the owner, and return what became of it; None: nothing crashed.

        `restore` puts sessions where they are kept; it may be called again with the same after a crash in its middle.

        Raises:
            RecoveryBusy: somebody else recovers or owns the folder.
            RecoveryFailed: no checkpoint can be read, or three attempts have come to nothing.
        """
        self._make_folder()
        lock_file = self._locked("recovery.lock")
        if lock_file is None:
            raise RecoveryBusy(self.folder, "another process recovers it")
        try:
            newest = self._newest()
            found = diagnose(self._evidence(newest), now_us=self._now_us())
            if found.status != "crashed":
                if found.status == "ended":
                    self._restore_ended(restore, newest)
                return None
            if self.owner is None and not self._is_free("owner.lock"):
                raise RecoveryBusy(self.folder, f"its owner is {found.reason} and still holds its lock: end it first")
            record = self.records.begin(found.reason, self._now_us())
            if record.attempts > ATTEMPTS_MAX:
                ended = replace(record, status="failed", ended_us=self._now_us(), attempts=ATTEMPTS_MAX)
                self.records.write(ended)
                raise RecoveryFailed(self.folder, f"{ATTEMPTS_MAX} attempts came to nothing", ended.problems)
            return self._recover(self.records.write(replace(record, status="in-progress")), restore, newest)
        finally:
            os.close(lock_file)

    def _recover(
        self,
        record: RecoveryRecord,
        restore: Callable[[tuple[Session, ...]], None],
        newest: Checkpoint | str | None,
    ) -> RecoveryRecord:
        heartbeat_us = self._at_us("heartbeat")
        if newest is None:
            # Its owner died before its first checkpoint: nothing was promised, and nothing keeps others from beginning.
            nothing = Checkpoint(number=0, taken_us=record.began_us, owner=None, sessions=())
            return self._restored(record, nothing, ("there is no checkpoint",), None, restore)
        problems: list[str] = []
        for one in self.checkpoints.newest_first(newest):
            if isinstance(one, Checkpoint):
                return self._restored(record, one, tuple(problems), heartbeat_us, restore)
            problems.append(one)
        failed = replace(record, status="failed", ended_us=self._now_us(), problems=tuple(problems))
        self.records.write(failed)
        raise RecoveryFailed(self.folder, "no checkpoint can be read", failed.problems)

    def _restored(
        self,
        record: RecoveryRecord,
        checkpoint: Checkpoint,
        problems: tuple[str, ...],
        heartbeat_us: int | None,
        restore: Callable[[tuple[Session, ...]], None],
    ) -> RecoveryRecord:
        now_us = self._now_us()
        live = tuple(one for one in checkpoint.sessions if not sessions.is_stale(one, now_us=now_us))
        restore(live)
        changed = tuple(path for path, known in checkpoint.files.items() if sealed.digest(path) != known)
        over = replace(
            record,
            status="partial" if problems or changed else "success",
            ended_us=self._now_us(),
            checkpoint=checkpoint.number or None,
            restored=len(live),
            expired=len(checkpoint.sessions) - len(live),
            files_verified=len(checkpoint.files) - len(changed),
            files_changed=changed,
            lost_us=None if heartbeat_us is None else max(0, heartbeat_us - checkpoint.taken_us),
            problems=problems,
        )
        # A checkpoint of our own, then the record: whoever crashes in between has the same to recover once more.
        self.checkpoint(live, checkpoint.files)
        return self.records.write(over)

    def _restore_ended(self, restore: Callable[[tuple[Session, ...]], None], newest: Checkpoint | str | None) -> None:
        """Bring back what an owner that has ended by its own will left in its last checkpoint."""
        now_us = self._now_us()
        for one in self.checkpoints.newest_first(newest):
            if isinstance(one, Checkpoint):
                restore(tuple(each for each in one.sessions if not sessions.is_stale(each, now_us=now_us)))
                return

    # -- small things ------------------------------------------------------------------------------------------------

    def _make_folder(self) -> None:
        os.makedirs(self.folder, exist_ok=True)
        sealed.sync_folder(os.path.dirname(self.folder))

    def _place(self, name: str) -> str:
        return os.path.join(self.folder, name)

    def _now_us(self) -> int:
        return round((time.time() if self._clock is None else self._clock()) * 1_000_000)

    def _at_us(self, name: str) -> int | None:
        told = sealed.read(self._place(name))
        at_us = told.get("at_us") if isinstance(told, dict) else None
        return at_us if isinstance(at_us, int) else None

    def _bytes_free(self) -> int:
        if self._disk_free is not None:
            return self._disk_free()
        return shutil.disk_usage(self.folder if os.path.isdir(self.folder) else os.path.dirname(self.folder)).free

    def _is_running(self, owner: Owner) -> bool:
        """Say whether an owner runs; one of this very process does as long as it holds the lock that lies here."""
        if not owners.is_running(owner) or owner.pid != os.getpid():
            return owners.is_running(owner)
        held = _HELD.get(owner.nonce)
        try:
            return held is not None and os.path.samestat(os.fstat(held), os.stat(self._place("owner.lock")))
        except FileNotFoundError:
            return False

    def _locked(self, name: str) -> int | None:
        lock_file = os.open(self._place(name), os.O_RDWR | os.O_CREAT, 0o600)
        if oslocks.take(lock_file):
            return lock_file
        os.close(lock_file)
        return None

    def _is_free(self, name: str) -> bool:
        try:
            lock_file = os.open(self._place(name), os.O_RDWR)
        except FileNotFoundError:
            return True
        try:
            return oslocks.take(lock_file)
        finally:
            os.close(lock_file)


class GuardedSessions:
    """A session manager in memory with a keeper: checkpoints every so often, recovery at the start.

    `settings` are those of `SessionManager`; `files`: paths whose bytes belong to the sessions.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        files: Iterable[str] = (),
        checkpoint_every_secs: float = CHECKPOINT_EVERY_SECS,
        heartbeat_every_secs: float = HEARTBEAT_EVERY_SECS,
        disk_free: Callable[[], int] | None = None,
        **settings: Any,
    ) -> None:
        self.sessions = SessionManager(**settings)
        self.keeper = RecoveryKeeper(folder, clock=settings.get("clock"), disk_free=disk_free)
        self.files = tuple(files)
        self._checkpoint_every_secs = checkpoint_every_secs
        self._heartbeat_every_secs = heartbeat_every_secs
        self._life = threading.Lock()
        self._wake = threading.Event()
        self._watch: threading.Thread | None = None

    def start(self) -> None:
        """Recover what a crash has left, become the owner, and begin to give signs of life."""
        with self._life:
            if self._watch is not None:
                return
            self.sessions.start()
            self.recover()
            self.keeper.own()
            self._wake = threading.Event()
            self._watch = threading.Thread(target=self._beat, args=(self._wake,), name="session-keeper", daemon=True)
            self._watch.start()

    def stop(self) -> None:
        """Take a last checkpoint, say that this is a graceful end, and stop the manager; twice does no harm."""
        with self._life:
            watch, self._watch = self._watch, None
            self._wake.set()
            if watch is not None:
                watch.join(5.0)
                self.checkpoint()
                self.keeper.end()
        self.sessions.stop()

    def __enter__(self) -> GuardedSessions:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def checkpoint(self) -> int:
        """Write all live sessions down; they outlive whatever comes, once this has returned."""
        return self.keeper.checkpoint(self.sessions.snapshot(), self.files)

    def recover(self) -> RecoveryRecord | None:
        """Bring back what a crashed owner kept; None where nothing has crashed."""
        return self.keeper.recover(self.sessions.restore)

    def health(self) -> str:
        """Say how the owner is: ok, ended, new, or the reason why it is taken to have crashed."""
        return self.keeper.diagnose().word

    def _beat(self, wake: threading.Event) -> None:
        since_secs = 0.0
        while not wake.wait(self._heartbeat_every_secs):
            since_secs += self._heartbeat_every_secs
            self.keeper.beat()
            if since_secs >= self._checkpoint_every_secs:
                since_secs = 0.0
                self.checkpoint()
