"""One virtual thread at a time: who runs, who is next, and when time jumps.

A thread keeps its turn until it waits.  Then the next one that can run gets it, in the order in which they became able
to; only when none can, and nothing real is under way, does time jump to the next deadline.  What is decided here
depends on nothing but the order of the calls, so a program that stays within it runs in one order.

Who runs next among those that can is a function's choice where one is given, see `Turns.choose`; a thread that runs may
offer a switch between two waits, see `Turns.offer_switch`.  What runs is a `Runner`: it is parked and resumed, and only
its two functions know that it is a thread of the system.

A thread may run without a turn: one that was seen blocked in the real world (`warden`), or that an interrupt tore out
of its wait.  It is *away* until it next waits here.  No time passes while an away thread shows signs of life.
"""

from __future__ import annotations

import heapq
import random
import threading
from _thread import get_ident
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from pytest_sessionguard.clock.readings import READINGS, real_monotonic
from pytest_sessionguard.clock.stacks import lines_of, room_of
from pytest_sessionguard.clock.virtual import VirtualClock, sleep_us
from pytest_sessionguard.clock.waits import MU, Runner, Waiter
from pytest_sessionguard.errors import VirtualDeadlock

# Turns without any time passing after which it is asked whether somebody waits for time by spinning.
SPIN_TURNS: Final = 1000
# Real seconds after which a lock that nobody who runs could release is taken to be held for ever.
HOPELESS_S: Final = 10.0

# Who could run, in the order in which they became able to, and who ran last; the answer is one of the first.
Choose: TypeAlias = Callable[[Sequence[Runner], Runner | None], Runner]
# Deadline, 1 for who comes last at its instant, order of coming.
Deadline: TypeAlias = tuple[int, int, int, Waiter]


class Turns:
    """The threads of one span.

    Attributes:
        choose: picks who runs next among all that could, those included whose deadline has come; None: first come,
            first served, and who has waited until its deadline after all that it set off at that instant.
        deadlock: the last that was told; code that catches every exception keeps it to itself.
        slack: how many times longer than usual a thread may be blocked or busy before others run beside it.
    """

    def __init__(self, clock: VirtualClock, owner: threading.Thread, choose: Choose | None = None) -> None:
        self.clock = clock
        self.choose = choose
        self.slack = 1
        self.owner = Runner(self, owner, owner.ident or 0, 0)
        self.runners = {self.owner.ident: self.owner}
        self.holder: Runner | None = self.owner
        self.ready: deque[Runner] = deque()
        self.deadlines: list[Deadline] = []
        self.away: set[Runner] = set()
        # Waits that something real may end.
        self.open: set[Waiter] = set()
        # Real work that was handed out and must come back, each: whether it has.
        self.handed_out: list[Callable[[], bool]] = []
        self.deadlock: VirtualDeadlock | None = None
        # Tells who waits for what in place of `told`: who has just waited, and for what, or None.
        self.tell: Callable[[Runner | None, object], list[str]] | None = None
        self.over = False
        self.ended_s = 0.0
        self.switches = 0
        self.held_since_s = 0.0
        # Looks after what is not seen from here, once it has been called.
        self.warden: Any = None
        self.call_warden: Callable[[], None] = _nothing
        # Whether a thread that was declared external shows signs of life.
        self.stirs: Callable[[Runner], bool] = _no
        # Foreign threads that may still do something for us.
        self.others: Callable[[], bool] = _no
        self._order = 0
        self._announced = 0
        self._last: Runner | None = self.owner
        self._same_instant = 0
        self._instant_began_s = 0.0

    # -- waiting and waking --------------------------------------------------------------------------------------------

    def wait(self, waiter: Waiter, deadline_us: int | None, last: int = 0) -> bool:
        """Give up the turn until `waiter` is woken or its time has come; false in the second case.

        `last`: come after all others that are due at the same instant.
        Raises:
            VirtualDeadlock: in the owner's thread, when nothing can run and there is no deadline; in any, when it is at
                its limit.
        """
        me = waiter.runner
        limit_us = me.limit_us
        if limit_us is None or (deadline_us is not None and deadline_us <= limit_us):
            return self._wait(waiter, deadline_us, last)
        me.limit_us = None  # It waits for this once.
        if self._wait(waiter, max(limit_us, self.clock.monotonic_us), last):
            me.limit_us = limit_us
            return True
        if self.over:
            return False
        self.deadlock = VirtualDeadlock(self.told(me, waiter.what))
        raise self.deadlock

    def _wait(self, waiter: Waiter, deadline_us: int | None, last: int) -> bool:
        me, asked_us = waiter.runner, deadline_us
        with MU:
            if waiter.done or self.over:
                return waiter.woken or self._wait_on(waiter, deadline_us)
            deadlines = self.deadlines
            if deadline_us is not None:
                clock = self.clock
                if not last:
                    late_us = clock.late_us if deadline_us > clock.monotonic_us else 0
                    deadline_us = max(deadline_us, clock.monotonic_us) + late_us
                if (
                    self.holder is me
                    and waiter.poll is None
                    and not self.ready
                    and not (self.away or self.open or self.handed_out)
                    and (not deadlines or deadlines[0][0] > deadline_us)
                    and deadline_us > clock.monotonic_us
                ):
                    # Nobody else can run before: no need to give up the turn.
                    clock.monotonic_us = deadline_us
                    waiter.done = True
                    self._same_instant = 0
                    self.switches += 1
                    return False
                self._order += 1
                heapq.heappush(deadlines, (deadline_us, last, self._order, waiter))
                waiter.deadline_us = deadline_us
            waiter.parked = True
            me.waiter = waiter
            if waiter.poll is not None:
                self.open.add(waiter)
            if self.holder is me:
                self.holder = None
            elif me.away:
                self._back(me)
            if self.holder is None:
                self._give(self._next(), me)
            mine = self.holder is me
        try:
            if not mine:
                me.park()
            if me.act is not None:
                act, me.act = me.act, None
                act()
                return self._wait(waiter, asked_us, last)
            if self._has_ended() and not waiter.done:
                return self._wait_on(waiter, deadline_us)
        except BaseException:
            self._torn_out(me, waiter)
            raise
        finally:
            me.waiter = None
            self.open.discard(waiter)
        if waiter.error is not None:
            # Nothing but the one that raises it holds it: it holds the frames that it passes.
            error, waiter.error = waiter.error, None
            try:
                raise error
            finally:
                del error
        return waiter.woken

    def wake(self, waiter: Waiter) -> bool:
        """End a wait; false if it had ended.  Whoever waited runs when its turn comes."""
        with MU:
            if waiter.done:
                return False
            waiter.done = waiter.woken = True
            if not waiter.parked:
                return True
            if self.over:
                waiter.runner.resume()
                return True
            self.ready.append(waiter.runner)
            if self.holder is None:
                self._give(self._next(), None)
            return True

    def interrupt(self, runner: Runner, act: Callable[[], object]) -> bool:
        """Have a thread act in the middle of its wait, as soon as its turn comes; false if it waits for nothing here.

        What `act` raises ends the wait; else it goes on.
        """
        with MU:
            waiter = runner.waiter
            if waiter is None or waiter.done or not waiter.parked or runner.act is not None or self.over:
                return False
            waiter.parked = False
            self.open.discard(waiter)
            self.deadlines[:] = [each for each in self.deadlines if each[3] is not waiter]
            heapq.heapify(self.deadlines)
            runner.act = act
            self.ready.append(runner)
            return True

    def sleep(self, me: Runner, seconds: Any) -> None:
        """Let a thread sleep in virtual time; a sleep of 0 lets the others run."""
        span_us = sleep_us(seconds)
        if span_us == 0:
            self.give_way(me)
        else:
            self.wait(Waiter(self, me, f"sleep({seconds})"), self.clock.monotonic_us + span_us)

    def advance(self, me: Runner, span_us: int) -> None:
        """Let `span_us` pass; all that is due by then runs and comes to rest before this returns."""
        self.wait(Waiter(self, me, "advance"), self.clock.monotonic_us + span_us, 1)

    def offer_switch(self, me: Runner) -> None:
        """Let another run here, if one is chosen; nobody else is without `choose`."""
        if self.choose is not None and (self.ready or self.deadlines):
            self.give_way(me)

    def offer(self) -> None:
        """Let another run here, if the current thread is one of these and has the turn."""
        me = self.runners.get(get_ident())
        if me is not None and me is self.holder:
            self.offer_switch(me)

    def give_way(self, me: Runner) -> None:
        """Let those run that can, and come after them, or when chosen."""
        with MU:
            if self.over:
                return
            if self.holder is me and not self.ready:
                self._count_turn()
                first = self._first_deadline()
                if first is not None and (first[0] <= self.clock.monotonic_us or self._spun_until(first[0])):
                    self.ready.append(self._expire())
            if self.holder is me and not self.ready:
                return
            self.ready.append(me)
            if self.holder is me:
                self.holder = None
            elif me.away:
                self._back(me)
            if self.holder is None:
                self._give(self._next(), me)
            mine = self.holder is me
        if not mine:
            try:
                me.park()
            except BaseException:
                self._torn_out(me, None)
                raise

    def pass_to(self, me: Runner, runner: Runner) -> None:
        """Give the turn of the current thread to one that could run; go on when chosen again."""
        with MU:
            self.ready.remove(runner)
            self.ready.append(me)
            self._give(runner, me)
        try:
            me.park()
        except BaseException:
            self._torn_out(me, None)
            raise

    def _has_ended(self) -> bool:
        """Say whether the span has ended meanwhile: other threads end it."""
        return self.over

    def _wait_on(self, waiter: Waiter, deadline_us: int | None) -> bool:
        """Go on waiting in real time: the span is over."""
        waiter.parked = True
        left_s = -1.0
        if deadline_us is not None:
            left_s = max(0.0, (deadline_us - self.clock.monotonic_us) / 1e6 - (real_monotonic() - self.ended_s))
        # The clock stands where it stood at the end of the span, unless another span has moved it since.
        waiter.runner.park(True, min(left_s, threading.TIMEOUT_MAX))
        with MU:
            waiter.done = True
            return waiter.woken

    def _torn_out(self, me: Runner, waiter: Waiter | None) -> None:
        """Let a thread run on that an exception tore out of its wait: it has no turn, or has just been given one."""
        with MU:
            if waiter is not None:
                waiter.done = True
            if self.over:
                return
            if self.holder is me:
                me.park(False)
                return
            if me in self.ready:
                self.ready.remove(me)
            me.away = True
            self.away.add(me)

    # -- whose turn it is ----------------------------------------------------------------------------------------------

    def _give(self, runner: Runner | None, me: Runner | None) -> None:
        self.holder = runner
        self._last = runner or self._last
        if runner is not None and runner is not me:
            self.switches += 1
            runner.resume()

    def _next(self) -> Runner | None:
        """Return who runs next, moving time if need be; none while something real is under way."""
        self._count_turn()
        ready = self.ready
        if not ready and self.open:
            self._poll()
        if ready:
            if self._same_instant % SPIN_TURNS == 0:
                self._poll()
                first = self._first_deadline()
                if first is not None and self._spun_until(first[0]):
                    ready.append(self._expire())
            return ready.popleft() if self.choose is None else self._chosen()
        first = self._first_deadline()
        if (self.away or self.open or self.handed_out) and self.real_work_s(first and first[0]) > 0:
            self.call_warden()
            return None
        if first is not None:
            if self.choose is None or first[1]:
                return self._expire()
            self._reach(first[0])
            return self._chosen()
        return self._stuck()

    def _chosen(self) -> Runner:
        """Have it chosen who runs next among those that could, those included whose deadline has come."""
        assert self.choose is not None
        ready = self.ready
        if not self.deadlines:
            runner = ready[0] if len(ready) == 1 else self.choose(ready, self._last)
            ready.remove(runner)
            return runner
        now_us = self.clock.monotonic_us
        due = sorted(each for each in self.deadlines if each[0] <= now_us and not each[1] and not each[3].done)
        waits = {each[3].runner: each[3] for each in due}
        able = (*ready, *waits)
        runner = able[0] if len(able) == 1 else self.choose(able, self._last)
        if runner in waits:
            waits[runner].done = True
        else:
            ready.remove(runner)
        return runner

    def real_work_s(self, deadline_us: int | None) -> float:
        """Return 0.0 if no real work is under way, or it has taken as long as the deadline is away; else how soon to
        ask again."""
        now_s = real_monotonic()
        if not self.held_since_s:
            self.held_since_s = now_s
        if deadline_us is not None and (now_s - self.held_since_s) * 1e6 >= deadline_us - self.clock.monotonic_us > 0:
            return 0.0
        self.handed_out = [returned for returned in self.handed_out if not returned()]
        if self.handed_out:
            return 0.002
        if self.away and any(not runner.declared or self.stirs(runner) for runner in self.away):
            return 0.002
        for waiter in self.open:
            if waiter.look_again_s is not None and (again_s := waiter.look_again_s()):
                return again_s
        return 0.0

    def pass_by(self, span_us: int) -> None:
        """Let time pass for a thread that polls it; who is due on the way can run, and time stops there."""
        until_us = self.clock.monotonic_us + span_us
        first = self._first_deadline()
        if first is not None and first[0] <= until_us:
            self.ready.append(self._expire())
        else:
            self.clock.monotonic_us = until_us
            self.held_since_s = 0.0

    def _first_deadline(self) -> Deadline | None:
        deadlines = self.deadlines
        while deadlines and deadlines[0][3].done:
            heapq.heappop(deadlines)
        return deadlines[0] if deadlines else None

    def _expire(self) -> Runner:
        """Move time to the first deadline and end its wait."""
        deadline_us, _, _, waiter = heapq.heappop(self.deadlines)
        self._reach(deadline_us)
        waiter.done = True
        return waiter.runner

    def _reach(self, deadline_us: int) -> None:
        if deadline_us > self.clock.monotonic_us:
            self.clock.monotonic_us = deadline_us
            self._same_instant = 0
        self.held_since_s = 0.0

    def _count_turn(self) -> None:
        self._same_instant += 1
        if self._same_instant == SPIN_TURNS // 2:
            self._instant_began_s = real_monotonic()

    def _spun_until(self, deadline_us: int) -> bool:
        """Say whether so much real time has passed in spinning that the virtual deadline would have come."""
        if self._same_instant < SPIN_TURNS:
            return False
        return (real_monotonic() - self._instant_began_s) * 1e6 >= deadline_us - self.clock.monotonic_us

    def _poll(self) -> None:
        """Wake those whose real event has come."""
        for waiter in [each for each in self.open if not each.done]:
            if waiter.poll is not None and waiter.poll():
                waiter.done = waiter.woken = True
                self.ready.append(waiter.runner)

    def _stuck(self) -> Runner | None:
        """Tell the owner that nothing can run and nothing will; none if somebody real may still help."""
        waiter = self.owner.waiter
        if waiter is None or waiter.done or self._may_be_helped():
            self.call_warden()
            return None
        waiter.done = True
        waiter.error = self.deadlock = VirtualDeadlock(self.told())
        return self.owner

    def _may_be_helped(self) -> bool:
        """Say whether something outside may yet set somebody free; a lock that has long been held will not be."""
        if self.others() or any(each.reachable for each in self.open):
            return True
        since_s = real_monotonic() - HOPELESS_S
        return any(not runner.locked or runner.quiet_since_s > since_s for runner in self.away)

    def told(self, me: Runner | None = None, what: object = None) -> list[str]:
        """Return for each waiting thread what it waits for, and its stack; `me` has just waited for `what`."""
        if self.tell is not None:
            return self.tell(me, what)
        waiting = {runner: runner.waiter.what for runner in self.runners.values() if runner.waiter is not None}
        waiting |= dict.fromkeys(self.away, "something in the real world")
        if me is not None:
            waiting = {me: what} | waiting
        return [
            f"{runner.name} waits for {_shown(waited_for)}"
            + (f" in {room}" if (room := room_of(runner.ident)) else "")
            + "".join(f"\n      {line}" for line in lines_of(runner.ident))
            for runner, waited_for in waiting.items()
        ]

    # -- coming and going ----------------------------------------------------------------------------------------------

    def me(self) -> Runner | None:
        """Return the current thread, if it is a virtual one."""
        return self.runners.get(get_ident())

    def newcomer(self, thread: threading.Thread) -> Runner:
        """Announce a thread that is about to start: it will run when its turn comes."""
        with MU:
            self._announced += 1
            runner = Runner(self, thread, 0, self._announced)
            self.ready.append(runner)
            # From now on the owner is not alone, and its sleeps may no longer pass at once.
            READINGS.owner = 0
        self.call_warden()
        return runner

    def hand_out(self, returned: Callable[[], bool]) -> None:
        """Give real work out: no time passes until it has returned, but for as much as really passes."""
        self.handed_out.append(returned)
        READINGS.owner = 0
        self.call_warden()

    def withdraw(self, runner: Runner) -> None:
        """Take an announcement back: the thread could not start."""
        with MU:
            if runner in self.ready:
                self.ready.remove(runner)

    def arrive(self, runner: Runner) -> None:
        """Begin: wait, in the thread itself, for its first turn."""
        runner.ident = get_ident()
        with MU:
            self.runners[runner.ident] = runner
            if self.over:
                return
            if self.holder is None:
                self._give(self._next(), None)
        runner.park()

    def retire(self, runner: Runner) -> None:
        """End: pass the turn on and wake those that join."""
        with MU:
            runner.done = True
            if self.runners.get(runner.ident) is runner:
                del self.runners[runner.ident]
            self.away.discard(runner)
            leavers, runner.leavers = runner.leavers, []
            for waiter in leavers:
                self.wake(waiter)
            if self.over:
                return
            self._alone_again()
            if self.holder is runner:
                self.holder = None
            if self.holder is None:
                self._give(self._next(), None)

    def let_away(self, runner: Runner) -> None:
        """Take the turn from a thread that is blocked in the real world."""
        with MU:
            if self.holder is not runner or self.over:
                return
            runner.away = True
            self.away.add(runner)
            self.holder = None
            self._give(self._next(), None)

    def work_on(self) -> None:
        """Take the owner back that waited in real time for a while."""
        with MU:
            self.runners[self.owner.ident] = self.owner
            self._alone_again()

    def _alone_again(self) -> None:
        if len(self.runners) == 1 and not (self.ready or self.deadlines or self.away or self.handed_out):
            READINGS.owner = self.owner.ident

    def _back(self, me: Runner) -> None:
        me.away = me.declared = me.locked = False
        self.away.discard(me)

    def resume(self) -> None:
        """Go on, if nobody has the turn and nothing real is under way any more."""
        with MU:
            if self.holder is None and not self.over:
                self._give(self._next(), None)

    def let_go(self) -> None:
        """End the span: every thread goes on in real time, those that wait for what is left of their time."""
        with MU:
            self.over = True
            self.ended_s = real_monotonic()
            for runner in {*self.runners.values(), *self.ready}:
                if runner is not self.holder and (runner.waiter is not None or runner in self.ready):
                    runner.resume()
            self.ready.clear()


def by_seed(seed: int) -> Choose:
    """Return a choice that looks like chance and is the same for the same seed."""
    pick = random.Random(seed).randrange
    return lambda able, last: able[pick(len(able))]


def _shown(what: object) -> str:
    return what if isinstance(what, str) else repr(what)


def _nothing() -> None:
    """Stand for what nobody has put in place."""


def _no(*_: object) -> bool:
    """Stand for a question that nobody answers."""
    return False
