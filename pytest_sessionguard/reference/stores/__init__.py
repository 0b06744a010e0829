"""Where sessions are kept: the port, and how the stores of this folder are found.

A store file exports one frozen `STORE`; stores never import each other.  A store keeps what the book decides and
decides nothing itself.  Its promises, which one contract test asks of every store:

    transact   runs `work` alone, as one atomic step among all threads and processes that share the store; what it
               wrote is kept when it returns and when it raises a SessionError (a refusal is an answer), undone on
               anything else; a store may run `work` anew, so `work` has no effects outside its ledger
    instant    time never goes backwards: a clock that was set back stands still until it has caught up
    durable    when a transaction is acknowledged it outlives the process and the machine's power
"""

from __future__ import annotations

import os
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from importlib import import_module
from typing import Final, Protocol, TypeAlias, TypeVar

from pytest_sessionguard.errors import InvalidSetting
from pytest_sessionguard.reference.sessions import Session

T = TypeVar("T")


class Everyone(Enum):
    """The scope of all sessions; None is an owner like any other: nobody."""

    EVERYONE = "everyone"


EVERYONE: Final = Everyone.EVERYONE
Scope: TypeAlias = str | Everyone | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Census:
    """Sessions, counted at one instant.

    Units: instants in microseconds since 1970, ages in microseconds; the first four tell of live sessions alone.
    """

    active: int
    oldest_created_us: int | None
    newest_created_us: int | None
    age_sum_us: int
    total: int
    unsettled: int  # dead, and their end not yet announced


class Ledger(Protocol):
    """What one transaction sees and writes; live means live at `now_us`."""

    now_us: int

    def find(self, session_id: str) -> Session | None:
        """Return the stored session, live or dead."""
        ...

    def holds(self, serial: int) -> bool:
        """Tell whether a session of this serial is stored."""
        ...

    def next_serial(self) -> int:
        """Return a number that no session of this store ever had."""
        ...

    def add(self, session: Session) -> None:
        """Keep a new session: an active one, whose id is free."""
        ...

    def put(self, before: Session, after: Session) -> None:
        """Keep `after` in the place of `before`: the same serial, perhaps another id."""
        ...

    def remove(self, session: Session) -> None:
        """Forget a session."""
        ...

    def count(self, scope: Scope) -> int:
        """Count the live sessions of an owner, or of everyone."""
        ...

    def oldest(self, scope: Scope) -> Session | None:
        """Return the live session that was created first."""
        ...

    def ids(self, scope: Scope) -> list[str]:
        """Return the ids of the live sessions in the order of their creation."""
        ...

    def dead(self, at_most: int) -> Sequence[Session]:
        """Return stored sessions that have run out of time, marked or not; the cost is theirs alone."""
        ...

    def some(self, at_most: int) -> Sequence[Session]:
        """Return stored sessions, whichever."""
        ...

    def census(self) -> Census:
        """Count."""
        ...


class Store(Protocol):
    """Where sessions are kept."""

    @property
    def durable(self) -> bool:
        """Tell whether sessions outlive the process; then others may share the store, too."""
        ...

    def open(self) -> None:
        """Get ready; again after a close, and twice does no harm."""
        ...

    def close(self) -> None:
        """Let go of files; twice does no harm."""
        ...

    def instant(self, now_us: int) -> int:
        """Return `now_us`, or the latest instant the store has seen when that is later."""
        ...

    def look(self, session_id: str) -> Session | None:
        """Return a session as it was stored last, without waiting for a transaction under way."""
        ...

    def transact(self, work: Callable[[Ledger], T], now_us: int) -> T:
        """Run `work` atomically at the instant of `now_us`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreKind:
    """One kind of store.

    Shape: `build` takes the path of a file, or None when none was given.
    """

    name: str
    summary: str
    needs_path: bool
    build: Callable[[str | None], Store]


@cache
def kinds() -> dict[str, StoreKind]:
    """Return every kind of store of this folder by its name, sorted."""
    modules = sorted(module.name for module in pkgutil.iter_modules(__path__))
    found = [import_module(f"{__name__}.{module}").STORE for module in modules]
    return {kind.name: kind for kind in found}


def build(store: Store | str, path: str | os.PathLike[str] | None) -> Store:
    """Return the store that a manager was given, or the one that was named.

    Raises:
        InvalidSetting: an unknown name, a path that is missing or not wanted.
    """
    if not isinstance(store, str):
        return store
    known = kinds()
    if store not in known:
        raise InvalidSetting("store", store, "a store, or one of " + ", ".join(known))
    kind = known[store]
    if kind.needs_path != (path is not None):
        raise InvalidSetting(
            "path", path, f"a file for store {store!r}" if kind.needs_path else "none: nothing is kept"
        )
    return kind.build(None if path is None else os.fspath(path))
