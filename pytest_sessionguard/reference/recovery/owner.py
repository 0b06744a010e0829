"""Who owns a folder of sessions: a process that can be told from every other, earlier or later, of the same number."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """One process.

    Attributes:
        started: when the process began, as its system tells it: a number that is used again began at another time.
        boot_id: which life of the machine; empty where the system tells none.
        nonce: random: two owners are never equal, even in one process.
    """

    pid: int
    started: str
    boot_id: str
    nonce: str

    def told(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {"pid": self.pid, "started": self.started, "boot_id": self.boot_id, "nonce": self.nonce}


def read(told: object) -> Owner | None:
    """Return the owner that an object tells of, or None where it tells of none."""
    if not isinstance(told, dict) or set(told) != {"pid", "started", "boot_id", "nonce"}:
        return None
    return Owner(**told)


def this_process() -> Owner:
    """Return a new owner: this process."""
    pid = os.getpid()
    return Owner(pid=pid, started=started(pid) or "", boot_id=boot_id(), nonce=secrets.token_hex(8))


def is_running(owner: Owner) -> bool:
    """Say whether the very process still runs: its number alone says nothing, for it may be another's by now."""
    return owner.boot_id == boot_id() and started(owner.pid) == owner.started


def boot_id() -> str:
    """Return the name of this life of the machine, or an empty text where the system has none."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def started(pid: int) -> str | None:
    """Return when a process began, or None where none of that number runs; a zombie runs no more.

    Source: proc_pid_stat(5): state is field 3, starttime field 22, counted after the name in brackets.
    """
    if pid <= 0:
        return None
    try:
        told = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None if os.path.isdir("/proc/self") else _started_elsewhere(pid)
    fields = told.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else fields[19]


def _started_elsewhere(pid: int) -> str | None:
    """Ask psutil (extra `recovery`), on systems without /proc."""
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else repr(process.create_time())
    except psutil.Error:
        return None
