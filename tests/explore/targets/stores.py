"""Managers that share a SQLite database or a file, each client with a connection of its own."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from pathlib import Path
from typing import Any


class Database:
    """Counts in a database: the sound one takes the lock before it reads."""

    begin = "BEGIN IMMEDIATE"

    def __init__(self, folder: Path) -> None:
        self.path = folder / "hits.db"
        with contextlib.closing(self.connect()) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS hits (n INTEGER)")
            connection.execute("DELETE FROM hits")
            connection.execute("INSERT INTO hits VALUES (0)")

    def connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, isolation_level=None)

    def hit(self) -> None:
        with contextlib.closing(self.connect()) as connection:
            if self.begin:
                connection.execute(self.begin)
            cursor = connection.cursor()
            (hits,) = cursor.execute("SELECT n FROM hits").fetchone()
            cursor.execute("UPDATE hits SET n = ?", (hits + 1,))
            if self.begin:
                connection.commit()

    def is_right(self) -> bool:
        with contextlib.closing(self.connect()) as connection:
            return bool(connection.execute("SELECT n FROM hits").fetchone() == (2,))

    clients: Any = (hit, hit)


class HastyDatabase(Database):
    begin = ""


class Stuck(Database):
    """One keeps the database for longer than the other waits."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.errors: list[str] = []

    def keep(self) -> None:
        self.kept = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        self.kept.execute(self.begin)

    def hit(self) -> None:
        try:
            super().hit()
        except sqlite3.OperationalError as error:
            self.errors.append(str(error))

    clients = (keep, hit)


class File:
    """Counts in a file, under a lock on another."""

    locked = True

    def __init__(self, folder: Path) -> None:
        self.path, self.lock = folder / "hits", folder / "hits.lock"
        self.path.write_text("0")

    def hit(self) -> None:
        with open(self.lock, "w") as file:
            if self.locked:
                fcntl.flock(file, fcntl.LOCK_EX)
            with open(self.path) as hits:
                number = int(hits.read())
            with open(f"{self.path}.{number}.{id(file)}", "w") as hits:
                hits.write(str(number + 1))
            os.replace(f"{self.path}.{number}.{id(file)}", self.path)

    def is_right(self) -> bool:
        return self.path.read_text() == "2"

    clients = (hit, hit)


class HastyFile(File):
    locked = False


class UnlockedByHand(File):
    def hit(self) -> None:
        with open(self.lock, "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            number = int(self.path.read_text())
            self.path.write_text(str(number + 1))
            fcntl.flock(file, fcntl.LOCK_UN)

    clients = (hit, hit)
