"""Sessions as files of a folder, one document each: what is acknowledged outlives the process and a loss of power.

A document is written beside its place, synced, and put there by a rename, and then the folder is synced: a reader sees
the old one or the new one, whole.  The one before is kept as a backup, and serves where the document is damaged.
A transaction that changes several documents is first written down as one, the journal; whoever opens the folder next
finishes what a crash has interrupted.  One process at a time works, by a lock that dies with its holder; each keeps
the sessions in memory and reads the folder anew when another has written since.

Layout of the folder:

    lock            the lock, and in it twice the counters: generation, latest instant, serials reserved
    <digest>.json   a session: a line with the SHA-256 of the rest, then JSON; named by the SHA-256 of its id
    <digest>.bak    the one before
    journal         a transaction under way: the same form
"""

from __future__ import annotations

import hashlib
import os
import struct
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, TypeVar

from pytest_sessionguard.errors import InvalidSetting, ManagerClosed, SessionError, StoreBusy, StoreDamaged
from pytest_sessionguard.reference import oslocks, sealed, sessions
from pytest_sessionguard.reference.indexes import IndexedLedger
from pytest_sessionguard.reference.sessions import Session
from pytest_sessionguard.reference.stores import Ledger, StoreKind

T = TypeVar("T")

BUSY_SECS: Final = 5.0
_LOOK_AGAIN_SECS: Final = 0.005

# Serials are reserved on the disk so many at a time: none is given twice, whatever a crash takes.
_SERIALS: Final = 1_000

_COUNTERS: Final = struct.Struct("<QqQ")
_SLOT: Final = _COUNTERS.size + 8  # with eight bytes of their SHA-256


class FileLedger(IndexedLedger):
    """One process's view of the folder, and what the transaction under way has changed."""

    def __init__(self, place: str) -> None:
        super().__init__()
        self.changed: dict[str, Session | None] = {}
        self.damaged: dict[str, str] = {}
        self._place = place

    def find(self, session_id: str) -> Session | None:
        """Return the stored session, live or dead.

        Raises:
            StoreDamaged: it can no longer be read, nor can its backup.
        """
        if self.damaged and (name := name_of(session_id)) in self.damaged:
            raise StoreDamaged(os.path.join(self._place, name), self.damaged[name])
        return super().find(session_id)

    def add(self, session: Session) -> None:
        """Keep a new session; its id is free."""
        super().add(session)
        self.changed[session.session_id] = session

    def put(self, before: Session, after: Session) -> None:
        """Keep `after` in the place of `before`: the same serial, perhaps another id."""
        super().put(before, after)
        if before.session_id != after.session_id:
            self.changed[before.session_id] = None
        self.changed[after.session_id] = after

    def remove(self, session: Session) -> None:
        """Forget a session."""
        super().remove(session)
        self.changed[session.session_id] = None


class FileStore:
    """One folder.  Its threads take turns; a process that was forked opens its own lock."""

    durable = True

    def __init__(self, path: str) -> None:
        self._path = path
        self._turn = threading.Lock()
        self._lock_file = -1
        self._process = 0
        self._ledger: FileLedger | None = None
        self._generation = -1
        self._reserved = 0
        self._now_us = 0

    def open(self) -> None:
        """Open the folder, made if it is missing, and finish what a crash has interrupted.

        Raises:
            InvalidSetting: the path is a file's, or this system has no locks that die with their holder.
            StoreBusy: another process does not let go of it.
        """
        with self._turn:
            if self._lock_file < 0:
                self._enter()

    def close(self) -> None:
        """Let go of the lock and of what is kept in memory."""
        with self._turn:
            lock_file, self._lock_file, self._ledger = self._lock_file, -1, None
            if lock_file >= 0:
                os.close(lock_file)

    def __del__(self) -> None:
        """Leave no file open behind a store that nobody closed."""
        if getattr(self, "_lock_file", -1) >= 0:
            os.close(self._lock_file)

    def instant(self, now_us: int) -> int:
        """Return `now_us`, or the latest instant this process has seen when that is later."""
        with self._turn:
            self._now_us = max(self._now_us, now_us)
            return self._now_us

    def look(self, session_id: str) -> Session | None:
        """Return a session as its document says: a rename takes effect at once, so readers never wait.

        Raises:
            StoreDamaged: it can no longer be read, nor can its backup.
        """
        if self._lock_file < 0:
            raise ManagerClosed
        return _read_session(self._path, name_of(session_id))

    def transact(self, work: Callable[[Ledger], T], now_us: int) -> T:
        """Run `work` alone among all processes; what it changed is on the disk, whole, when this returns.

        Raises:
            StoreBusy: another process held the folder for longer than five seconds.
        """
        with self._turn:
            self._own_lock_file()
            self._acquire()
            try:
                ledger = self._up_to_date()
                self._now_us = ledger.now_us = max(self._now_us, ledger.now_us, now_us)
                ledger.changed.clear()
                try:
                    answer = work(ledger)
                except SessionError:
                    self._commit(ledger)  # a refusal is an answer: an expiry that was seen stays seen
                    raise
                self._commit(ledger)
                return answer
            except SessionError:
                raise
            except BaseException:
                self._ledger = None  # what is in memory may be ahead of the disk: read it anew
                raise
            finally:
                self._release()

    # -- the lock

    def _enter(self) -> None:
        try:
            os.makedirs(self._path, exist_ok=True)
        except OSError as problem:
            raise InvalidSetting("path", self._path, f"a folder, or room for one ({problem.strerror})") from None
        sealed.sync_folder(os.path.dirname(os.path.abspath(self._path)))
        self._lock_file = os.open(os.path.join(self._path, "lock"), os.O_RDWR | os.O_CREAT, 0o600)
        self._process, self._ledger, self._generation = os.getpid(), None, -1
        try:
            self._acquire()
            try:
                self._up_to_date()
            finally:
                self._release()
        except BaseException:
            os.close(self._lock_file)
            self._lock_file = -1
            raise

    def _own_lock_file(self) -> None:
        if self._lock_file < 0:
            raise ManagerClosed
        if self._process != os.getpid():
            os.close(self._lock_file)  # the parent's: a lock on it would be the parent's too
            self._enter()

    def _acquire(self) -> None:
        deadline = time.monotonic() + BUSY_SECS
        while not oslocks.take(self._lock_file):
            if time.monotonic() >= deadline:
                raise StoreBusy(self._path)
            time.sleep(_LOOK_AGAIN_SECS)

    def _release(self) -> None:
        oslocks.give_back(self._lock_file)

    # -- counters

    def _counters(self) -> tuple[int, int, int]:
        """Return generation, latest instant and the last serial reserved: of the two slots the newer sound one."""
        found = [(0, 0, 0)]
        for number in (0, 1):
            slot = os.pread(self._lock_file, _SLOT, number * _SLOT)
            told, check = slot[: _COUNTERS.size], slot[_COUNTERS.size :]
            if len(slot) == _SLOT and hashlib.sha256(told).digest()[:8] == check:
                found.append(_COUNTERS.unpack(told))
        return max(found)

    def _count(self, now_us: int, *, sync: bool) -> None:
        self._generation += 1
        told = _COUNTERS.pack(self._generation, now_us, self._reserved)
        slot = told + hashlib.sha256(told).digest()[:8]
        os.pwrite(self._lock_file, slot, (self._generation % 2) * _SLOT)
        if sync:
            os.fsync(self._lock_file)

    # -- documents

    def _up_to_date(self) -> FileLedger:
        """Return what is stored: from memory, unless another process has written since."""
        generation, now_us, reserved = self._counters()
        ledger = self._ledger
        if ledger is not None and generation == self._generation:
            return ledger
        ledger = FileLedger(self._path)
        self._finish_journal()
        stored: list[Session] = []
        for entry in sorted(os.listdir(self._path)):
            name, ending = os.path.splitext(entry)
            if ending == sealed.FRESH:
                os.unlink(os.path.join(self._path, entry))  # Nobody was told of it.
            elif ending == ".json":
                try:
                    session = _read_session(self._path, name)
                except StoreDamaged as problem:
                    ledger.damaged[name] = problem.what
                    continue
                if session is not None:
                    stored.append(session)
        last_us = max([now_us, *(session.last_active_us for session in stored)])
        ledger.load(stored, last_serial=reserved, now_us=last_us)
        # Of those reserved by an earlier life some may have been given: none of them is given again.
        self._ledger, self._generation, self._reserved = ledger, generation, ledger.last_serial
        return ledger

    def _finish_journal(self) -> None:
        path = os.path.join(self._path, "journal")
        changes = sealed.read(path)
        if isinstance(changes, dict):
            self._apply(changes)
            os.unlink(path)
            sealed.sync_folder(self._path)
        elif changes is not None:
            raise StoreDamaged(path, str(changes))

    def _commit(self, ledger: FileLedger) -> None:
        changes = {
            name_of(session_id): None if session is None else sessions.told(session)
            for session_id, session in ledger.changed.items()
        }
        reserve = ledger.last_serial > self._reserved
        if reserve:
            self._reserved = ledger.last_serial + _SERIALS
        if not changes:
            if reserve:
                self._count(ledger.now_us, sync=True)
            return
        # Before the first byte: whoever works next must not trust its memory, even if this process dies here.
        self._count(ledger.now_us, sync=reserve)
        journal = os.path.join(self._path, "journal")
        if len(changes) > 1:
            sealed.write(journal, changes)
            sealed.sync_folder(self._path)
        self._apply(changes)
        if len(changes) > 1:
            os.unlink(journal)
            sealed.sync_folder(self._path)

    def _apply(self, changes: Mapping[str, Any]) -> None:
        for name, document in changes.items():
            path = os.path.join(self._path, name)
            if document is not None:
                sealed.write(f"{path}.json", document, backup=f"{path}.bak")
                continue
            for ending in (".json", ".bak"):
                with suppress(FileNotFoundError):
                    os.unlink(path + ending)
        sealed.sync_folder(self._path)


def name_of(session_id: str) -> str:
    """Return the name of a session's files: every id is allowed, whatever a file system thinks of it."""
    return hashlib.sha256(session_id.encode("utf-8", "surrogatepass")).hexdigest()


def _read_session(folder: str, name: str) -> Session | None:
    """Return the session of a document or, where that is damaged, of its backup.

    Raises:
        StoreDamaged: neither can be read.
    """
    path = os.path.join(folder, name)
    found = sealed.read(f"{path}.json")
    if isinstance(found, str):
        before = sealed.read(f"{path}.bak")
        if not isinstance(before, dict):
            raise StoreDamaged(f"{path}.json", f"{found}, and there is no sound backup")
        found = before
    if found is None:
        return None
    try:
        return sessions.read(found)
    except (KeyError, TypeError, ValueError) as problem:
        raise StoreDamaged(f"{path}.json", f"it holds no session ({problem})") from None


def _built(path: str | None) -> FileStore:
    assert path is not None  # needs_path
    return FileStore(path)


STORE: Final = StoreKind(
    name="file",
    summary="as files of a folder, shared by processes; what is acknowledged survives a loss of power",
    needs_path=True,
    build=_built,
)
