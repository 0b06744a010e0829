"""The faults of one case, put where they have their chances: hooks, files, and the operations of clients.

An operation that met a fault and failed has happened or has not: its outcome is unknown, and the model follows both.
One that answers all the same is held to its word.  What goes wrong afterwards was done by the fault.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from pytest_sessionguard.clock.faulty import ClockFault
from pytest_sessionguard.core.faults import Fault, Fired
from pytest_sessionguard.core.history import Event
from pytest_sessionguard.core.linearizability import LOOKS
from pytest_sessionguard.core.operations import Answer, Failed, Ok, Operation, Outcome, Refused, Unknown
from pytest_sessionguard.core.properties import PROPERTIES
from pytest_sessionguard.core.violation import ViolationFound
from pytest_sessionguard.crash.effects import Image
from pytest_sessionguard.crash.folders import read_folder
from pytest_sessionguard.crash.persistence import STRICT
from pytest_sessionguard.crash.recorder import ACTIVE, Recording, active
from pytest_sessionguard.crash.standins import in_place
from pytest_sessionguard.crash.states import least
from pytest_sessionguard.errors import UsageError
from pytest_sessionguard.faults import Cut, Damage, Effect, Lose, Misread, MoveClock, Point, Raise, Repeat, Wait, kinds
from pytest_sessionguard.faults.injector import Injector
from pytest_sessionguard.run.cancellations import shows_a_leak
from pytest_sessionguard.run.vetoes import COMMIT, Vetoes

if TYPE_CHECKING:
    from pytest_sessionguard.core.model import State
    from pytest_sessionguard.run.recorder import Begun
    from pytest_sessionguard.run.stage import Stage
    from pytest_sessionguard.run.telling import Teller

ATOMIC: Final = "fault.atomic"
NO_LEAK: Final = "fault.no-leak"
REPORTED: Final = "fault.reported"

# The operation that a function of `os` is to a fault; what is not here has no chance.
_OPERATIONS: Final = {
    "open": "open", "write": "write", "pwrite": "write", "writev": "write", "pwritev": "write", "fsync": "fsync",
    "fdatasync": "fsync", "rename": "replace", "replace": "replace", "unlink": "unlink", "remove": "unlink",
    "link": "link", "symlink": "symlink", "mkdir": "mkdir", "truncate": "truncate", "ftruncate": "truncate",
    "posix_fallocate": "fallocate", "utime": "utime",
}  # fmt: skip
_WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_BUFFERED: Final = frozenset({"write", "pwrite"})


POWER_LOSS: Final = "power-loss"


class UnknownLeft(Exception):
    """Nobody knows what a loss of power would leave."""


class _Disturbed(Recording):
    """A folder whose operations ask the injector first."""

    def __init__(self, folder: Any, injector: Injector) -> None:
        super().__init__(folder)
        self._injector = injector
        self._after: OSError | None = None
        self._grew = True

    def ahead(self, name: str, args: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
        self._after = None
        operation = self._operation(name, args, named)
        if not operation:
            return args
        self._grew = _grows(name, args)
        effect = self._injector.at(Point("file", operation, self._grew), "before")
        if isinstance(effect, Raise):
            raise effect.error
        if isinstance(effect, Cut) and name in _BUFFERED:
            whole = memoryview(args[1]).cast("B")
            self._after = effect.error
            return (args[0], whole[: len(whole) // 2], *args[2:])
        return args

    def behind(self, name: str, args: tuple[Any, ...], named: dict[str, Any]) -> None:
        error, self._after = self._after, None
        if error is not None:
            raise error
        operation = self._operation(name, args, named)
        if not operation:
            return
        effect = self._injector.at(Point("file", operation, self._grew), "after")
        if isinstance(effect, Raise):
            raise effect.error

    def _operation(self, name: str, args: tuple[Any, ...], named: dict[str, Any]) -> str:
        """Return what a function does to something below the folder, as faults name it; empty where it does nothing."""
        operation = _OPERATIONS.get(name, "")
        if not operation or not self._is_ours(name, args, named):
            return ""
        if operation == "fsync":
            descriptor = args[0] if isinstance(args[0], int) else args[0].fileno()
            return "fsync-folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else operation
        return operation

    def _is_ours(self, name: str, args: tuple[Any, ...], named: dict[str, Any]) -> bool:
        """Say whether it is about something below the folder that is written."""
        if name == "open" and not args[1] & _WRITES:
            return False
        first = args[0] if args else next(iter(named.values()), None)
        if not isinstance(first, int):
            fileno = getattr(first, "fileno", None)
            if fileno is None:
                last = args[1] if name in ("rename", "replace", "link", "symlink") and len(args) > 1 else first
                return self.place(last, None) is not None
            first = fileno()
        return self.node_of(first) is not None


def _grows(name: str, args: tuple[Any, ...]) -> bool:
    """Say whether a function may take room on the disk: one that opens or cuts what is there takes none."""
    try:
        if name == "open":
            return bool(args[1] & os.O_CREAT) and not os.path.lexists(args[0])
        return name not in ("truncate", "ftruncate") or args[1] > os.stat(args[0]).st_size
    except (OSError, TypeError, IndexError):
        return True


def _followed(event: Event) -> str:
    """Return what became of an operation, in words that are the same in every run."""
    match event.outcome:
        case Ok():
            told = "answered"
        case Refused(kinds=kinds):
            told = f"refused ({' or '.join(sorted(kinds))})"
        case _:
            told = "nobody knows whether it has happened"
    return f"{event.operation.verb}: {told}"


class Injections:
    """What is made to go wrong in one case, and what became of it.

    `crashes`: how the story's own `crash` steps end the manager.
    """

    def __init__(self, faults: Iterable[Fault], stage: Stage, crashes: Iterable[str] = ()) -> None:
        self._stage = stage
        self._faults = tuple(faults)
        self._crashes = frozenset(crashes)
        self._recording: _Disturbed | None = None
        self._injector = Injector(self._faults)
        self._met: list[tuple[Event, Fired]] = []
        self._noted = 0
        self._vetoes = Vetoes(stage)
        self._repeat = False
        self._troubles = 0
        self._misread = ExitStack()
        self._is_misread = False
        stage.binding.ports = self._hooked
        if stage.network is not None:
            stage.network.ask = self._on_network

    # -- while the case runs -----------------------------------------------------------------------------------------

    @contextmanager
    def in_files(self) -> Iterator[None]:
        """Let operations on files below the stage's folder ask for faults, where any may be struck."""
        wanted = self._injector.wants("file") or POWER_LOSS in self._crashes
        if not wanted or "dir" not in self._stage.profile.placeholders:
            yield
            return
        with in_place():
            self._recording = _Disturbed(self._stage.folder, self._injector)
            with active(self._recording):
                yield

    def left_by_crash(self, *, power: bool) -> Image:
        """Return what a crash here and now leaves in the folder: of a loss of power, what was flushed and no more.

        Raises:
            UnknownLeft: files were written past Python, so that nobody knows what was flushed.
        """
        if not power or self._recording is None:
            return read_folder(self._stage.folder)[0]
        log = self._recording.log()
        if log.incomplete:
            raise UnknownLeft("; ".join(log.incomplete))
        return least(log, STRICT)

    def begin_anew(self) -> None:
        """Record from now on what is done to a folder that was rebuilt."""
        if self._recording is not None:
            self._recording = ACTIVE.recording = _Disturbed(self._stage.folder, self._injector)

    def add(self, faults: Iterable[Fault]) -> None:
        """Let more go wrong from now on; chances count from here."""
        added = tuple(faults)
        self._faults += added
        self._injector.add(added)

    def arm(self) -> None:
        """Let chances count from now on."""
        self._injector.armed = True

    def disarm(self) -> None:
        """Let nothing go wrong any more."""
        self._injector.armed = False
        if self._is_misread:
            self._show(None)
        if self._stage.network is not None:
            self._stage.network.heal()

    async def ahead(self, operation: Operation) -> None:
        """Do to the clock what is to be done before an operation of a client."""
        effect = self._injector.at(Point("operation", operation.verb), "before")
        if isinstance(effect, MoveClock):
            self._stamp()
            clock = self._stage.clock
            if effect.both:
                clock.monotonic_us += effect.by_us
                await self._stage.advance(0)  # What was due meanwhile runs before anybody is served.
            else:
                await self._stage.set_clock(clock.wall_us + effect.by_us)
        elif isinstance(effect, Misread):
            self._stamp()
            self._show(effect.shown)

    def _show(self, fault: ClockFault | None) -> None:
        """Let the wall clock show what is wrong with it, or the right time again."""
        stage = self._stage
        stage.recorder.note(kind="clock", subject="right again" if fault is None else f"from now on {fault}")
        self._misread.close()
        if fault is not None:
            self._misread.enter_context(stage.clock.faulty(fault, everywhere=True))
        self._is_misread = fault is not None

    def answered(self, begun: Begun, outcome: Outcome) -> Outcome:
        """Return what a client knows of an operation that may have met a fault."""
        met = len(self._injector.fired) > self._noted or self._is_troubled()
        self._stamp()
        effect: Effect | None = None
        if isinstance(outcome, Ok):
            effect = self._injector.at(Point("operation", begun.operation.verb), "after")
        if isinstance(effect, Lose):
            return Unknown("its answer was lost")
        if isinstance(effect, Damage):
            self._damage(effect.pattern)
        self._repeat = isinstance(effect, Repeat)
        vetoed = self._vetoes.take(begun.operation, outcome)
        if met and isinstance(outcome, Failed):
            return Unknown(f"met a fault: {outcome.error}", vetoed=vetoed)
        if met and begun.operation.verb not in LOOKS and isinstance(outcome, Ok) and _says_no(outcome.answer):
            return Unknown(f"met a fault and answered {outcome.answer}", vetoed=vetoed)
        return outcome

    def note(self, event: Event) -> None:
        """Note the operation during which faults have struck."""
        self._stamp()
        fired = self._injector.fired
        for number in range(self._noted, len(fired)):
            fired[number] = replace(fired[number], followed=_followed(event))
            self._met.append((event, fired[number]))
        self._noted = len(fired)
        self._vetoes.note(event)

    def repeats(self) -> bool:
        """Say, once, whether the operation that has just answered is to be asked again."""
        again, self._repeat = self._repeat, False
        return again

    def _damage(self, pattern: str) -> None:
        """Turn over a byte in the middle of the newest file that matches.

        Raises:
            UsageError: there is none.
        """
        found = [path for path in self._stage.folder.glob(pattern) if path.is_file()]
        if not found:
            raise UsageError(f"damaged_file: there is no file {pattern!r} below the manager's folder")
        path = max(found, key=lambda one: (one.stat().st_mtime_ns, len(one.name), one.name))
        body = bytearray(path.read_bytes())
        if body:
            body[len(body) // 2] ^= 0xFF
        path.write_bytes(body)

    def _hooked(self, role: str, when: str) -> int:
        effect = self._injector.at(Point("hook", role), when)
        if role == COMMIT:
            self._vetoes.called(when, failed=isinstance(effect, Raise))
        if isinstance(effect, Raise):
            raise effect.error
        if not isinstance(effect, Wait):
            return 0
        if not self._stage.in_loop:
            self._stage.clock.advance(effect.span_us)
            return 0
        return effect.span_us

    def _on_network(self, when: str) -> Effect | None:
        return self._injector.at(Point("network", "request" if when == "before" else "reply"), when)

    def _is_troubled(self) -> bool:
        """Say whether the network has kept anything from arriving since this was asked last."""
        network = self._stage.network
        before, self._troubles = self._troubles, self._troubles if network is None else network.troubles
        return self._troubles > before

    def _stamp(self) -> None:
        """Say of what has just struck when that was."""
        at_us = self._stage.recorder.offset_us(self._stage.recorder.stamp())
        fired = self._injector.fired
        for number in range(self._noted, len(fired)):
            fired[number] = replace(fired[number], at_us=at_us)

    # -- afterwards --------------------------------------------------------------------------------------------------

    @property
    def planned(self) -> tuple[Fault, ...]:
        """What was to go wrong."""
        return self._faults

    @property
    def fired(self) -> tuple[Fired, ...]:
        """What has struck, in its order."""
        return tuple(self._injector.fired)

    @property
    def chances(self) -> tuple[int, ...]:
        """How many chances each fault had."""
        return tuple(self._injector.chances)

    def blamed(self, violation: ViolationFound, events: Iterable[Event]) -> ViolationFound:
        """Return the violation as one of the fault that came before it, if one did."""
        met: list[tuple[Event | None, Fired]] = [one for one in self._met if _makes_fail(one[1].fault)]
        met = met or [(None, fired) for fired in self.fired if _makes_fail(fired.fault)]
        if not met or violation.property not in PROPERTIES:
            return violation
        event, fired = met[-1]
        after = [one for one in events if event is None or one.call_order > event.return_order]
        if shows_a_leak(violation, after):
            name = NO_LEAK
        else:
            name = REPORTED if event is not None and isinstance(event.outcome, Ok) else ATOMIC
        during = f" during {event.operation.verb}" if event is not None else ""
        told = f"after {fired.fault} struck {fired.point}{during}: {violation.summary}"
        return replace(violation, property=name, summary=told, fault=str(fired.fault))

    def overruled(self, states: Iterable[State], teller: Teller) -> ViolationFound | None:
        """Return the violation of a `commit` hook that has failed where the change was made all the same."""
        overruled = self._vetoes.overruled(states)
        if overruled is None:
            return None
        event, mismatch = overruled
        name = REPORTED if isinstance(event.outcome, Ok) else ATOMIC
        fired = next((fired for met, fired in reversed(self._met) if met is event), None)
        found = teller.of_expectation(name, None, mismatch, event)
        if fired is None:
            return found
        told = f"after {fired.fault} struck {fired.point} during {event.operation.verb}: {found.summary}"
        return replace(found, summary=told, fault=str(fired.fault))

    def exercised(self, events: Iterable[Event]) -> Counter[str]:
        """Return how often a fault was put to the test: it was if somebody asked for anything after it."""
        if not self._met:
            return Counter()
        first = min(event.return_order for event, _ in self._met)
        if not any(event.call_order > first for event in events):
            return Counter()
        return Counter({name: len(self._met) for name in (ATOMIC, NO_LEAK, REPORTED)})

    def unjudged(self) -> dict[str, str]:
        """Return what could not be shown: a fault that never struck makes its case vacuous."""
        missed = [f"{fault} never struck ({self._chances(fault)})" for fault in self._injector.missed()]
        return {ATOMIC: f"vacuous: {'; '.join(missed)}"} if missed else {}

    def reaches_no_file(self) -> bool:
        """Say whether operations on files were to fail and there was none that could."""
        on_files = [n for n, fault in enumerate(self._faults) if kinds()[fault.kind].port == "file"]
        return bool(on_files) and not any(self._injector.chances[number] for number in on_files)

    def _chances(self, fault: Fault) -> str:
        count = self._injector.chances[self._faults.index(fault)]
        return f"{count} chance{'s'[: count != 1]} at a {kinds()[fault.kind].port}"


def _makes_fail(fault: Fault) -> bool:
    """Say whether a fault makes something fail; a clock that jumps or a call that comes twice is the world as it is."""
    return kinds()[fault.kind].port in ("hook", "file", "network")


def _says_no(answer: Answer) -> bool:
    """Say whether an answer tells that it was not done: that is a way of reporting a fault."""
    return answer.flag is False or answer.found is False or answer.absent in ("none", "false")
