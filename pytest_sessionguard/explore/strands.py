"""Virtual threads run one at a time, in an order that a scheduler chooses at every switch point.

Built on the turns of the clock: whoever waits there, for a lock, a queue, a deadline, cannot run, and time moves only
when nobody can.  Strands are the clients, then what they have started, then whatever was there before, by number.
"""

from __future__ import annotations

import gc
import os
import sys
from _thread import get_ident
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from types import CodeType, FrameType, TracebackType
from typing import Any, Final

from pytest_sessionguard.clock.turns import Turns
from pytest_sessionguard.clock.waits import MU, Abandoned, Runner, Waiter
from pytest_sessionguard.core.schedule import NOBODY, Scheduler, letter
from pytest_sessionguard.core.switches import Switch
from pytest_sessionguard.errors import VirtualDeadlock, VirtualLivelock

STEPS_MAX: Final = 50_000

# How often in a row the same strand may be chosen while others could run: whoever spins until another has done
# something must not be chosen for ever, and the same schedule must come to the same end when it is repeated.
KEPT_MAX: Final = 256

# Real time is no measure here: an order that was decided must not change because the machine is busy.
SLACK: Final = 250

# How often strands that shall end are told so before they are left behind.
TELLINGS_MAX: Final = 100

# How many lines of a strand's stack are told.
LINES_MAX: Final = 6

# Whether the current thread is in the middle of passing a turn: a finalizer may run anywhere.
_within_turns: Final[Callable[[], bool]] = MU._is_owned  # type: ignore[attr-defined]  # not in typeshed

_OURS: Final = str(Path(__file__).parents[1]) + os.sep
_TARGET: Final = _OURS + "reference" + os.sep
_LIBRARY: Final = str(Path(os.__file__).parent) + os.sep


class Strands:
    """Who runs when, in one run.

    `trace` is added to: who was chosen at each decision.
    """

    def __init__(self, turns: Turns, scheduler: Scheduler, trace: list[int], steps_max: int = STEPS_MAX) -> None:
        self.trace = trace
        # Who was stopped that could have gone on, who ran instead, and the line where the first stood.
        self._stops: list[tuple[int, int, str, int, str]] = []
        self.error: BaseException | None = None
        # Whether the clients are no threads of the system; then, where one of them stands.
        self.is_light = False
        self.frame_of: Callable[[Runner], FrameType | None] = lambda runner: None
        self._turns = turns
        self._owner = turns.owner
        self._scheduler = scheduler
        self._steps_max = steps_max
        self._steps = 0
        self._numbers: dict[Runner, int] = {}
        self._clients: list[Runner] = []
        self._there_before: list[Runner] = []
        self._before: tuple[Any, int, Any, bool] = None, 1, None, True
        self._left = 0
        self._waiter: Waiter | None = None
        self._kept = 0
        self._urgent: Runner | None = None
        self._follows = True
        # Whether somebody runs next without a decision.
        self._special = False
        # Lock -> who asked for it, in this order; only what a deadlock is told by.
        self._askers: dict[int, tuple[Any, deque[Runner]]] = {}

    # -- the whole run ----------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Let the threads that were there before come to rest: how they began is no part of the run."""
        for _ in range(TELLINGS_MAX):
            # An owner that was busy for long has lost its turn: then a client would run before the next is there.
            if not self._turns.ready and not self._owner.away:
                return
            self._turns.give_way(self._owner)

    def announce(self, runner: Runner) -> None:
        """Make a virtual thread the next client."""
        self._numbers[runner] = len(self._clients)
        self._clients.append(runner)
        self._left += 1

    def __enter__(self) -> Strands:
        turns, clock = self._turns, self._turns.clock
        for runner in sorted(turns.runners.values(), key=_number):
            if runner is not self._owner:
                self._there_before.append(runner)
        self._before = turns.choose, turns.slack, clock.passed_on, gc.isenabled()
        gc.disable()  # a finalizer would run whenever memory happens to be short
        turns.choose, turns.slack, clock.passed_on = self._choose, SLACK, self._pass_on
        turns.tell = self.waiting
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        turns = self._turns
        turns.choose, turns.slack, turns.clock.passed_on, collects = self._before
        turns.tell = None
        if collects:
            gc.enable()

    def run(self) -> None:
        """Let the clients run to their end; the current thread is the owner of the span.

        Raises:
            VirtualDeadlock: nobody can run any more and no timer is set.
            VirtualLivelock: after `steps_max` steps, everybody's turn having come again and again, they still run.
            BaseException: what the scheduler raised.
        """
        for runner in self._there_before:
            self._numbers.setdefault(runner, len(self._numbers))
        self._wait()
        if self.error is not None:
            raise self.error

    def _wait(self) -> None:
        for _ in range(TELLINGS_MAX):
            if not self._left:
                return
            self._waiter = Waiter(self._turns, self._owner, "the clients")
            try:
                self._turns.wait(self._waiter, None)
            except VirtualDeadlock as error:
                if self.error is None:
                    self.error = error
            if self.error is not None:
                self._give_up()

    def ended(self) -> None:
        """Note, in its own thread, that a client has come to its end."""
        self._left -= 1
        if not self._left and self._waiter is not None:
            self._waiter.wake()

    def switches(self) -> list[Switch]:
        """Return where each was stopped that could have gone on."""
        folder = os.getcwd() + os.sep
        return [
            Switch(strand=strand, to=to, place=_short(f"{path}:{line}", folder) if path else "", function=function)
            for strand, to, path, line, function in self._stops
        ]

    # -- in a strand ------------------------------------------------------------------------------------------------

    def offer(self) -> None:
        """Let another strand run here, if the scheduler says so."""
        turns = self._turns
        # Strands that are no threads of the system have nobody beside them but who has the turn.
        me = turns.holder if self.is_light else turns.runners.get(get_ident())
        if me is None or me is self._owner:
            return
        self._steps += 1
        if self._steps > self._steps_max:
            self._over_long(me)
        ready = turns.ready
        if ready and not (turns.deadlines or me.away or _within_turns()):
            runner = self._choose((*ready, me), me)
            if runner is not me:
                turns.pass_to(me, runner)
        elif me.away or (turns.deadlines and not _within_turns()):
            turns.give_way(me)

    def asks_for(self, lock: Any) -> None:
        """Note that the strand at hand is about to ask for a lock."""
        me = self._turns.runners.get(get_ident())
        if me is not None:
            _, askers = self._askers.setdefault(id(_inner(lock)), (lock, deque(maxlen=8)))
            askers.append(me)

    def _over_long(self, me: Runner) -> None:
        """End a run that comes to no end."""
        if self.error is None:
            self.error = VirtualLivelock(self._steps_max, self.waiting())
            self._follows, self._special = False, True
        self._steps = self._steps_max - self._steps_max // 10  # so much is left to clear up
        if me in self._clients:
            raise Abandoned

    def _pass_on(self, span_us: int) -> bool:
        """Let a span pass for a client whose step it is; who is due on the way runs first, and may be stopped again."""
        turns = self._turns
        me = turns.runners.get(get_ident())
        if me is None or me is self._owner:
            return False
        until_us = turns.clock.monotonic_us + span_us
        while turns.clock.monotonic_us < until_us:
            with MU:
                before = len(turns.ready)
                turns.pass_by(until_us - turns.clock.monotonic_us)
                if len(turns.ready) > before:
                    self._urgent, self._special = turns.ready[-1], True
            if self._urgent is not None:
                turns.give_way(me)
        return True

    # -- who runs next ----------------------------------------------------------------------------------------------

    def _choose(self, able: Sequence[Runner], last: Runner | None) -> Runner:
        """Choose for the turns."""
        numbers = self._numbers
        if self._special:
            special = self._chosen_without(able, last)
            if special is not None:
                return special
        try:
            if len(able) == 2:
                first, second = numbers[able[0]], numbers[able[1]]
                runners = {first: able[0], second: able[1]}
                enabled = [first, second] if first < second else [second, first]
            else:
                runners = {numbers[runner]: runner for runner in able}
                enabled = sorted(runners)
        except KeyError:
            if self._owner in able:
                return self._owner
            for runner in sorted(able, key=_number):
                numbers.setdefault(runner, len(numbers))
            runners = {numbers[runner]: runner for runner in able}
            enabled = sorted(runners)
        current = NOBODY if last is None else numbers.get(last, NOBODY)
        if self._kept >= KEPT_MAX and current in runners:
            self._kept = 0
            chosen = next((number for number in enabled if number > current), enabled[0])
        else:
            try:
                chosen = self._scheduler.choose(enabled, current)
            except BaseException as error:  # noqa: BLE001 - raised again by the owner, when everybody has ended.
                self.error, self._follows, self._special = error, False, True
                return able[0]
            self.trace.append(chosen)
            if chosen == current:
                self._kept += 1
                return runners[chosen]
            self._kept = 0
        if current in runners:
            stood = _own(sys._getframe(1)) if runners[current].ident == get_ident() else None
            place = ("", 0, "") if stood is None else (stood.f_code.co_filename, stood.f_lineno, _name_of(stood.f_code))
            self._stops.append((current, chosen, *place))
        return runners[chosen]

    def _chosen_without(self, able: Sequence[Runner], last: Runner | None) -> Runner | None:
        """Return who runs next without a decision: a timer that is due, or anybody at the end of a run that failed."""
        urgent, self._urgent = self._urgent, None
        self._special = not self._follows
        if self._owner in able:
            return self._owner
        if urgent is not None and urgent in able:
            return urgent
        return None if self._follows else next((runner for runner in able if runner is not last), able[0])

    # -- the end of a run that failed -------------------------------------------------------------------------------

    def _give_up(self) -> None:
        """Have every waiting client end by an exception."""
        self._follows, self._special = False, True
        abandon(self._turns, self._clients)

    def waiting(self, me: Runner | None = None, what: object = None) -> list[str]:
        """Return for each strand that has not ended what it waits for, who has it, and where it stands.

        `me` has just waited for `what`, and no longer does.
        """
        return [
            f"{self._name(runner)} {self._wait_of(runner, what if runner is me else _awaited(runner))}"
            for runner in sorted(self._numbers, key=self._numbers.__getitem__)
            if not runner.done and runner.ident
        ]

    def _name(self, runner: Runner) -> str:
        return f"{'client' if runner in self._clients else 'thread'} {letter(self._numbers[runner])}"

    def _lines(self, runner: Runner) -> list[str]:
        """Return the innermost lines of a strand that are the target's own, outermost first."""
        here = sys._getframe() if runner.ident == get_ident() else None
        frame = _own(here or self.frame_of(runner) or sys._current_frames().get(runner.ident))
        lines: list[str] = []
        while frame is not None and len(lines) < LINES_MAX:
            lines.append(f"{_short(f'{frame.f_code.co_filename}:{frame.f_lineno}')} in {_name_of(frame.f_code)}")
            frame = _own(frame.f_back)
        return lines[::-1]

    def _wait_of(self, runner: Runner, what: Any) -> str:
        stack = "".join(f"\n      {line}" for line in self._lines(runner))
        if what is None:
            return "runs" + stack
        lock, askers = self._askers.get(id(what), (what, ()))
        name = type(lock).__name__.removeprefix("_").removeprefix("Virtual")
        named = lock if isinstance(lock, str) else f"{'an' if name[:1] in 'REO' else 'a'} {name}"
        # The last that asked for it and does not wait for it now.
        holder = next((one for one in reversed(askers) if one is not runner and _awaited(one) is not what), None)
        has = "" if holder is None or holder not in self._numbers else f", which {self._name(holder)} has"
        return f"waits for {named}{has}{stack}"


def abandon(turns: Turns, runners: Iterable[Runner]) -> int:
    """Have those of the threads that wait end by an exception; return how many that are."""
    told = 0
    with MU:
        for runner in runners:
            waiter = runner.waiter
            if waiter is not None and not waiter.done:
                waiter.done = True
                waiter.error = Abandoned()
                turns.ready.append(runner)
                told += 1
    return told


def end_strays(turns: Turns) -> None:
    """Have every virtual thread that was left behind end; the current one is the owner."""
    for _ in range(TELLINGS_MAX):
        strays = sorted((runner for runner in turns.runners.values() if runner is not turns.owner), key=_number)
        if not abandon(turns, strays) and not turns.ready:
            return
        turns.give_way(turns.owner)


def _awaited(runner: Runner) -> Any:
    return None if runner.waiter is None else runner.waiter.what


def _inner(lock: Any) -> Any:
    """Return what a wait for the lock names: of one that may be taken twice, the lock within."""
    return getattr(lock, "_block", lock)


def _number(runner: Runner) -> int:
    return runner.number


# -- where a strand stands -------------------------------------------------------------------------------------------


def _own(frame: FrameType | None) -> FrameType | None:
    """Return the innermost frame of the target's own."""
    while frame is not None and not _is_own(frame.f_code.co_filename):
        frame = frame.f_back
    return frame


@cache
def _is_own(path: str) -> bool:
    """Say whether a file is neither the harness's nor the standard library's."""
    if path.startswith(_OURS):
        return path.startswith(_TARGET)
    return not path.startswith("<") and (not path.startswith(_LIBRARY) or "-packages" in path)


def _name_of(code: CodeType) -> str:
    return code.co_qualname.replace("<locals>.", "")


def _short(place: str, folder: str = "") -> str:
    """Return a place with its path as seen from the current folder, if it lies within."""
    return place.removeprefix(folder or os.getcwd() + os.sep)
