"""One file a session: written beside, brought to the disk, put in its place, and its folder brought to the disk too.

A lock keeps threads apart.  Whatever was acknowledged is in the folder after a crash; what was under way leaves at most
a file beside, which nobody reads and the next start removes.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import threading
import time
from pathlib import Path
from typing import Any


class FileFolder:
    """Keeps sessions in a folder."""

    def __init__(self, root: str, idle_s: float) -> None:
        self.root = Path(root) / "sessions"
        self.idle_ns = round(idle_s * 1_000_000_000)
        self.lock = threading.Lock()
        self.root.mkdir(exist_ok=True)
        self._sync_folder(self.root.parent)
        for left in self.root.glob("*.new"):
            left.unlink()

    def _path(self, session_id: str) -> Path:
        return self.root / (hashlib.sha256(session_id.encode()).hexdigest() + ".json")

    def _sync_folder(self, folder: Path) -> None:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def _write(self, session_id: str, data: dict[str, Any]) -> None:
        path = self._path(session_id)
        beside = path.with_suffix(".new")
        with beside.open("w", encoding="utf-8") as file:
            json.dump({"id": session_id, "data": data, "used_ns": time.time_ns()}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
        self._sync_folder(self.root)

    def _read(self, path: Path) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return found if time.time_ns() - found["used_ns"] < self.idle_ns else None

    def create(self, data: dict[str, Any]) -> str:
        """Begin a session and return its id."""
        session_id = secrets.token_hex(16)
        with self.lock:
            self._write(session_id, data)
        return session_id

    def load(self, session_id: str) -> dict[str, Any] | None:
        """Return the data, or None."""
        with self.lock:
            found = self._read(self._path(session_id))
            return None if found is None else found["data"]

    def touch(self, session_id: str) -> bool:
        """Renew a session; False when there is none."""
        return self.merge(session_id, {})

    def merge(self, session_id: str, changes: dict[str, Any]) -> bool:
        """Merge changes into the data; False when there is no such session."""
        with self.lock:
            found = self._read(self._path(session_id))
            if found is None:
                return False
            self._write(session_id, {**found["data"], **changes})
            return True

    def delete(self, session_id: str) -> bool:
        """Forget a session; False when there was none."""
        with self.lock:
            path = self._path(session_id)
            found = self._read(path)
            path.unlink(missing_ok=True)
            self._sync_folder(self.root)
            return found is not None

    def purge(self) -> int:
        """Forget what is over and return how much that was."""
        with self.lock:
            over = [path for path in self.root.glob("*.json") if self._read(path) is None]
            for path in over:
                path.unlink()
            self._sync_folder(self.root)
            return len(over)

    def ids(self) -> list[str]:
        """Return the ids of the sessions that live."""
        with self.lock:
            found = [self._read(path) for path in self.root.glob("*.json")]
            return [one["id"] for one in found if one is not None]
