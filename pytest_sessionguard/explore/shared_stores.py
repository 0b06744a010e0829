"""What threads and processes share outside of memory, in virtual time: SQLite databases, and files under `flock`.

A statement that finds its database locked, and a lock on a file that somebody has, are waited for as any lock is: who
waits cannot be chosen, and after SQLite's own timeout, which passes in virtual time, the error comes that would come.
Every statement is a switch point.  Connections are made so from the beginning of the span on.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from pytest_sessionguard.clock.readings import real_monotonic, real_sleep
from pytest_sessionguard.clock.waits import CURRENT, MU, ForeignWaiter, Waiter, waiter_for

# What SQLite says by default before it gives up.
TIMEOUT_S: Final = 5.0

# SQLITE_BUSY and SQLITE_BUSY_RECOVERY: for no other does SQLite wait.
_BUSY: Final = frozenset({5, 261})


class _Waiting:
    """Who waits for a store; whoever may have released something wakes them all, and each tries again."""

    def __init__(self) -> None:
        self._waiters: list[Waiter | ForeignWaiter] = []

    def wait(self, what: str, timeout_s: float | None, poll: Callable[[], Any] | None = None) -> bool:
        """Wait until something has changed, or the time is up; false in a thread that keeps real time."""
        waiter = waiter_for(what)
        if isinstance(waiter, ForeignWaiter):
            return False
        waiter.poll = poll
        with MU:
            self._waiters.append(waiter)
        try:
            waiter.wait(timeout_s)
            return True
        finally:
            with MU:
                self._waiters.remove(waiter)

    def wake(self) -> None:
        if self._waiters:
            with MU:
                for waiter in list(self._waiters):
                    waiter.wake()


_DATABASES: Final = _Waiting()
_FILES: Final = _Waiting()


@contextmanager
def virtual_waits(offer: Callable[[], None]) -> Iterator[None]:
    """Have SQLite and `flock` wait in virtual time; `offer` is called before each statement."""
    places = [*_sqlite_places(offer), *_flock_places(offer)]
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in places]
    for owner, name, stand_in in places:
        setattr(owner, name, stand_in)
    try:
        yield
    finally:
        for owner, name, original in before:
            setattr(owner, name, original)


# -- SQLite ----------------------------------------------------------------------------------------------------------

_made: Final[dict[type, type]] = {}


def _sqlite_places(offer: Callable[[], None]) -> list[tuple[Any, str, Any]]:
    """Return what is replaced, if the program uses SQLite at all."""
    sqlite3: Any = sys.modules.get("sqlite3")
    if sqlite3 is None:
        return []
    real = sqlite3.connect

    def connect(database: Any, timeout: float = TIMEOUT_S, *args: Any, **kwargs: Any) -> Any:
        if len(args) > 3:  # the factory by its place
            args = (*args[:3], _kind_of(args[3], sqlite3), *args[4:])
        else:
            kwargs["factory"] = _kind_of(kwargs.get("factory", sqlite3.Connection), sqlite3)
        connection = _patient(lambda: real(database, 0.0, *args, **kwargs), timeout, sqlite3, offer)
        connection.sessionguard_timeout_s = timeout
        connection.sessionguard_offer = offer
        return connection

    return [(sqlite3, "connect", connect), (sys.modules["sqlite3.dbapi2"], "connect", connect)]


def _patient(call: Callable[[], Any], timeout_s: float, sqlite3: Any, offer: Callable[[], None]) -> Any:
    """Do something with a database, as soon as it is free; give up when its timeout is over."""
    offer()
    began_s = _now_s()
    while True:
        try:
            return call()
        except sqlite3.OperationalError as error:
            left_s = timeout_s - (_now_s() - began_s)
            if error.sqlite_errorcode not in _BUSY or left_s <= 0:
                raise
            if not _DATABASES.wait("a database", left_s):
                real_sleep(0.002)
        finally:
            _DATABASES.wake()


def _now_s() -> float:
    """Return the time that the current thread's waits take."""
    turns = CURRENT.turns
    if turns is None or turns.me() is None:
        return real_monotonic()
    return turns.clock.monotonic_us / 1_000_000


def _kind_of(factory: Any, sqlite3: Any) -> Any:
    """Return a connection class that waits in virtual time; a factory that is no class is left as it is."""
    if not isinstance(factory, type):
        return factory
    kind = _made.get(factory)
    if kind is None:
        kind = _made[factory] = type(factory.__name__, (factory,), _methods(factory, sqlite3))
    return kind


def _methods(factory: Any, sqlite3: Any) -> dict[str, Any]:
    def patiently(name: str) -> Any:
        real = getattr(factory, name)

        def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            timeout_s = getattr(self, "sessionguard_timeout_s", TIMEOUT_S)
            return _patient(lambda: real(self, *args, **kwargs), timeout_s, sqlite3, getattr(self, _OFFER, _nothing))

        return method

    def cursor(self: Any, factory: Any = None) -> Any:
        return real_cursor(self, _cursor_kind(factory or sqlite3.Cursor, sqlite3))

    real_cursor = factory.cursor
    names = ("execute", "executemany", "executescript", "commit", "rollback", "close", "__exit__")
    return {"__module__": factory.__module__, "cursor": cursor, **{name: patiently(name) for name in names}}


_OFFER: Final = "sessionguard_offer"


def _nothing() -> None:
    pass


def _cursor_kind(factory: Any, sqlite3: Any) -> Any:
    if not isinstance(factory, type):
        return factory
    kind = _made.get(factory)
    if kind is None:

        def patiently(name: str) -> Any:
            real = getattr(factory, name)

            def method(self: Any, *args: Any, **kwargs: Any) -> Any:
                connection = self.connection
                timeout_s = getattr(connection, "sessionguard_timeout_s", TIMEOUT_S)
                offer = getattr(connection, _OFFER, _nothing) if name.startswith("execute") else _nothing
                return _patient(lambda: real(self, *args, **kwargs), timeout_s, sqlite3, offer)

            return method

        names = ("execute", "executemany", "executescript", "fetchone", "fetchall", "fetchmany", "close")
        methods = {"__module__": factory.__module__, **{name: patiently(name) for name in names}}
        kind = _made[factory] = type(factory.__name__, (factory,), methods)
    return kind


# -- locks on files --------------------------------------------------------------------------------------------------


def _flock_places(offer: Callable[[], None]) -> list[tuple[Any, str, Any]]:
    fcntl: Any = sys.modules.get("fcntl")
    if fcntl is None:
        return []
    real = fcntl.flock

    def flock(file: Any, operation: int) -> None:
        offer()
        if operation & (fcntl.LOCK_UN | fcntl.LOCK_NB):
            try:
                real(file, operation)
            finally:
                _FILES.wake()
            return
        taken: list[bool] = []

        def take() -> bool:
            """Take the lock, unless somebody has it."""
            if not taken:
                try:
                    real(file, operation | fcntl.LOCK_NB)
                except BlockingIOError:
                    return False
                taken.append(True)
            return True

        while not take():
            # Who closes its file releases the lock without a word: so it is tried whenever nobody else can run.
            if not _FILES.wait("a lock on a file", None, take):
                real(file, operation)
                return

    return [(fcntl, "flock", flock)]
