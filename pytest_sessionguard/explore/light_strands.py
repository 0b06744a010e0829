"""Strands that are greenlets of one thread of the system, where nobody can tell the difference.

A switch costs a tenth of what one between threads costs.  Who asks for the identity or the name of the current thread
is told the strand's own; what C code keeps for each thread of the system, such as `threading.local` or the owner of a
SQLite connection, cannot be told apart so: then `are_fit` says no.
"""

from __future__ import annotations

import _thread
import sys
import threading
from _thread import allocate_lock
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import lru_cache
from importlib import import_module
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, ModuleType, TracebackType
from typing import Any, Final

from pytest_sessionguard.clock import locks, turns, waits
from pytest_sessionguard.clock import threads as virtual_threads
from pytest_sessionguard.clock.readings import READINGS, real_sleep
from pytest_sessionguard.clock.turns import Turns
from pytest_sessionguard.clock.waits import MU, Abandoned, Runner
from pytest_sessionguard.core.schedule import letter
from pytest_sessionguard.explore import strands

_greenlets: Any
try:
    _greenlets = import_module("greenlet")
except ImportError:
    _greenlets = None


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Modules that keep nothing for the thread that uses them.
HARMLESS: Final = _words(
    "__future__ abc array base64 bisect builtins calendar codecs collections contextlib contextvars copy "
    "dataclasses datetime decimal enum errno fnmatch fractions functools hashlib heapq hmac inspect io itertools "
    "json keyword math numbers operator os pathlib pprint random re reprlib secrets stat statistics string struct sys "
    "textwrap thread threading time token traceback types typing unicodedata uuid warnings weakref zlib zoneinfo"
)
# Of `threading`, what stays right for strands of one thread.
HARMLESS_NAMES: Final = _words(
    "Lock RLock Condition Event Semaphore BoundedSemaphore Barrier BrokenBarrierError current_thread get_ident"
)

# What stands in for locks and readings of the time while a clock is in force.
_STAND_INS: Final = ("pytest_sessionguard.clock.", "freezegun.")

_ASKED_IN: Final[tuple[ModuleType, ...]] = (_thread, threading, locks, strands, virtual_threads, turns, waits)
_real_ident: Final = _thread.get_ident
_active: Final[dict[int, threading.Thread]] = vars(threading)["_active"]
_faces: Final[list[threading.Thread]] = []


def are_fit(modules: Iterable[ModuleType]) -> bool:
    """Say whether nothing in a target's own modules could tell a strand of one thread from a thread of its own."""
    if _greenlets is None or sys.gettrace() is not None or sys.getprofile() is not None:
        return False
    return _are_fit(tuple(modules))


@lru_cache(maxsize=64)
def _are_fit(modules: tuple[ModuleType, ...]) -> bool:
    names = frozenset(module.__name__ for module in modules)
    return bool(modules) and all(_is_fit(module, names) for module in modules)


def _is_fit(module: ModuleType, own: frozenset[str]) -> bool:
    values = [value for name, value in vars(module).items() if not (name.startswith("__") and name.endswith("__"))]
    if not all(_is_harmless(value, own) for value in values):
        return False
    return not any(_names_of_threading(code) - HARMLESS_NAMES for code in _codes(module))


def _is_harmless(value: Any, own: frozenset[str]) -> bool:
    """Say whether a value of a module keeps nothing for the thread that uses it."""
    if isinstance(value, ModuleType):
        home, name = value.__name__, ""
    else:
        kind = value if isinstance(value, type | FunctionType | BuiltinFunctionType) else type(value)
        home, name = kind.__module__ or "builtins", kind.__qualname__.partition(".")[0]
        if home in ("threading", "_thread") and name not in (*HARMLESS_NAMES, "allocate_lock", "lock"):
            return False
        if isinstance(value, _thread.RLock):
            return False  # it knows its owner by the thread of the system
    top = home.partition(".")[0]
    return home in own or home.startswith(_STAND_INS) or top in HARMLESS or top.removeprefix("_") in HARMLESS


def _names_of_threading(code: CodeType) -> set[str]:
    """Return the names of `threading` that a code asks any object for, where it asks for the module at all."""
    if "threading" not in code.co_names:
        return set()
    public = {name for name in vars(threading) if not name.startswith("_")}
    return (set(code.co_names) & public) - {"threading"}


def _codes(module: ModuleType) -> Iterable[CodeType]:
    waiting = [code for value in list(vars(module).values()) for code in _codes_of(value)]
    while waiting:
        code = waiting.pop()
        yield code
        waiting += [const for const in code.co_consts if isinstance(const, CodeType)]


def _codes_of(value: Any) -> list[CodeType]:
    if isinstance(value, FunctionType):
        return [value.__code__]
    if isinstance(value, type):
        members = [getattr(member, "__func__", getattr(member, "fget", member)) for member in vars(value).values()]
        return [member.__code__ for member in members if isinstance(member, FunctionType)]
    return []


class LightStrands:
    """The strands of one run, from `__enter__` to `__exit__`; the current thread is the owner of the turns."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._os_ident = _real_ident()
        self._ident = self._os_ident
        self._granted: set[Runner] = set()
        self._greenlets: dict[Runner, Any] = {}
        self._gate = allocate_lock()
        self._gate.acquire()
        self._before: list[tuple[Any, str, Any]] = []

    def __enter__(self) -> LightStrands:
        owner = self._turns.owner
        for where in _ASKED_IN:
            self._before.append((where, "get_ident", where.__dict__["get_ident"]))
            where.__dict__["get_ident"] = self.ident
        self._before += [(owner, "park", owner.park), (owner, "resume", owner.resume)]
        self._greenlets[owner] = _greenlets.getcurrent()
        self._give_functions(owner)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._before:
            setattr(*self._before.pop())
        for runner in self._greenlets:
            if runner is not self._turns.owner:
                _active.pop(runner.ident, None)
                self._turns.runners.pop(runner.ident, None)
                # Nothing is left in a circle, which only the collector of garbage could take apart.
                runner.park, runner.resume = _never, _nothing
        self._greenlets.clear()

    def ident(self) -> int:
        """Return the identity of the current strand, or thread."""
        real = _real_ident()
        return self._ident if real == self._os_ident else real

    def start(self, number: int, work: Callable[[], None]) -> Runner:
        """Start a client: it will run when its turn comes."""
        ident = number + 1  # no thread of the system has so small a one
        runner = Runner(self._turns, _face(number), ident, -1 - number)

        def live() -> None:
            self._granted.discard(runner)
            self._ident = ident
            try:
                with suppress(Abandoned):
                    work()
            finally:
                self._turns.retire(runner)

        self._greenlets[runner] = _greenlets.greenlet(live)
        self._give_functions(runner)
        _active[ident] = runner.thread
        virtual_threads.stand_for(runner.thread, runner)
        with MU:
            self._turns.runners[ident] = runner
            self._turns.ready.append(runner)
            READINGS.owner = 0
        return runner

    def frame_of(self, runner: Runner) -> FrameType | None:
        """Return where a strand stands that does not run now."""
        found = self._greenlets.get(runner)
        frame: FrameType | None = None if found is None else found.gr_frame
        return frame

    def _give_functions(self, runner: Runner) -> None:
        """Give a runner its two functions: to wait for its turn, and to be given it."""
        granted, own, ident = self._granted, self._turns, runner.ident
        greenlets = self._greenlets

        def park(blocking: bool = True, timeout: float = -1) -> bool:
            while blocking and runner not in granted:
                holder = own.holder
                there = None if holder is None else greenlets.get(holder)
                if there is not None:
                    there.switch()
                else:
                    self._wait(holder)
            granted.discard(runner)
            self._ident = ident
            return True

        def resume() -> None:
            granted.add(runner)
            if _real_ident() != self._os_ident:
                with suppress(RuntimeError):
                    self._gate.release()

        runner.park, runner.resume = park, resume

    def _wait(self, holder: Runner | None) -> None:
        """Wait while a thread of the system has the turn, or nobody."""
        if holder is None:
            real_sleep(0.001)
            self._turns.resume()
        else:
            self._gate.acquire()


def _never(blocking: bool = True, timeout: float = -1) -> bool:
    return False


def _nothing() -> None:
    pass


def _face(number: int) -> threading.Thread:
    """Return what a strand sees as its own thread."""
    while len(_faces) <= number:
        _faces.append(threading.Thread(name=f"client {letter(len(_faces))}", daemon=True))
    return _faces[number]
