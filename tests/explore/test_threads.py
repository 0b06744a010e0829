"""Every planted race of threads is found, and no sound twin is accused."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pytest_sessionguard.clock import threads as virtual_threads
from pytest_sessionguard.clock.virtual import VirtualClock
from pytest_sessionguard.core.schedule import NOBODY, Schedule, Scheduler, Settings
from pytest_sessionguard.core.switches import Switch, told
from pytest_sessionguard.errors import HarnessError, ScheduleMisfit, VirtualDeadlock, VirtualLivelock
from pytest_sessionguard.explore import light_strands, schedulers, threads
from pytest_sessionguard.target.imports import import_module, put_on_path

put_on_path([Path(__file__).parent / "targets"])
racy = import_module("racy")

RUNS_MAX = 2_000


class Run:
    """One run of a racy manager."""

    def __init__(self, kind: Any, scheduler: Scheduler, *, light: bool = False, **limits: int) -> None:
        self.trace: list[int] = []
        self.switches: list[Switch] = []
        self.error: BaseException | None = None
        self.manager = kind()
        scheduler.begin()
        try:
            clients = [lambda client=client: client(self.manager) for client in kind.clients]
            threads.at_once(clients, scheduler, trace=self.trace, switches=self.switches, light=light, **limits)
        except VirtualDeadlock as error:
            self.error = error

    @property
    def went_wrong(self) -> bool:
        return self.error is not None or not self.manager.is_right()


@pytest.fixture(scope="module", autouse=True)
def points() -> Iterator[None]:
    with threads.switch_points() as points:
        points.put_into(racy.Hits)
        yield


@pytest.fixture(autouse=True)
def clock(points: None) -> Iterator[VirtualClock]:
    clock = VirtualClock(threads=True)
    with clock.installed():
        yield clock
        threads.end_strays()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("client")]


def runs(kind: Any, scheduler: Scheduler, runs_max: int = RUNS_MAX, *, light: bool = False) -> Iterator[Run]:
    for _ in range(runs_max):
        yield Run(kind, scheduler, light=light)
        if not scheduler.end():
            return


def bounded() -> Scheduler:
    return schedulers.make("exhaustive", Settings(preemptions_max=2))


def at_random(seed: int) -> Scheduler:
    return schedulers.make("random", Settings(seed=seed))


@pytest.mark.parametrize("kind", racy.RACY)
def test_every_race_is_found_by_two_preemptions(kind: Any) -> None:
    assert any(run.went_wrong for run in runs(kind, bounded()))


@pytest.mark.parametrize("kind", racy.RACY)
def test_every_race_is_found_at_random(kind: Any) -> None:
    assert all(any(run.went_wrong for run in runs(kind, at_random(seed), 200)) for seed in range(2))


@pytest.mark.parametrize("kind", racy.SOUND)
def test_no_sound_twin_is_accused(kind: Any) -> None:
    assert not [run.trace for run in runs(kind, bounded()) if run.went_wrong]
    assert not [run.trace for run in runs(kind, at_random(1), 20) if run.went_wrong]


@pytest.mark.parametrize("kind", [*racy.RACY, *racy.SOUND])
def test_greenlets_run_in_the_very_orders_that_threads_do(kind: Any) -> None:
    pytest.importorskip("greenlet")
    heavy, light = (list(runs(kind, at_random(4), 5, light=light)) for light in (False, True))
    assert [run.trace for run in light] == [run.trace for run in heavy]
    assert [run.switches for run in light] == [run.switches for run in heavy]
    assert [str(run.error) for run in light] == [str(run.error) for run in heavy]
    assert [run.went_wrong for run in light] == [run.went_wrong for run in heavy]


def test_an_owner_that_lost_its_turn_takes_it_back_before_its_clients_begin() -> None:
    """The warden takes the turn from who is busy for long, as an owner is on a slow machine."""
    current, owner = virtual_threads.me() or pytest.fail("no clock")
    current.let_away(owner)
    first = Run(racy.Hits, schedulers.make("exhaustive", Settings(preemptions_max=2)))
    assert len(first.trace) > 1
    assert not owner.away


def test_a_run_is_repeated_by_its_schedule_alone() -> None:
    found = next(run for run in runs(racy.Made, at_random(3)) if run.went_wrong)
    replay = schedulers.make("replay", Settings(schedule=Schedule(tuple(found.trace))))
    again = Run(racy.Made, replay)
    assert (again.trace, again.switches, again.went_wrong) == (found.trace, found.switches, True)


def test_a_schedule_that_fits_nothing_is_told_by_the_owner() -> None:
    with pytest.raises(ScheduleMisfit):
        Run(racy.Made, schedulers.make("replay", Settings(schedule=Schedule((0, 7)))))


def test_a_switch_is_told_by_the_line_where_a_strand_stood() -> None:
    found = next(run for run in runs(racy.HitsAugmented, bounded()) if run.went_wrong)
    line = next(n for n, text in enumerate(Path(racy.__file__).read_text().splitlines(), 1) if '["a"] += 1' in text)
    (switch,) = found.switches
    assert (switch.strand, switch.to, switch.function) == (0, 1, "HitsAugmented.hit")
    assert switch.place.endswith(f"racy.py:{line}")
    assert told(found.switches) == f"A stopped at {switch.place} in HitsAugmented.hit; B ran; A went on"
    assert told([Switch(strand=1, to=0, place="")] * 2) == "; then ".join(
        ["B stopped before its first step; A ran"] * 2
    )


def test_a_deadlock_names_who_waits_for_what_and_who_has_it() -> None:
    found = next(run for run in runs(racy.Two, bounded()) if run.error is not None)
    assert isinstance(found.error, VirtualDeadlock)
    first, second = found.error.waiting
    assert first.startswith("client A waits for an RLock, which client B has\n")
    assert second.startswith("client B waits for a Lock, which client A has\n")
    assert "racy.py" in first
    assert first.endswith("in Two.one")


def test_who_spins_for_nothing_is_a_livelock_and_who_spins_for_another_is_not() -> None:
    livelock = Run(racy.Spinning, at_random(1), steps_max=2_000)
    assert isinstance(livelock.error, VirtualLivelock)
    assert [line.split("\n")[0] for line in livelock.error.waiting] == ["client A runs", "client B runs"]
    assert all("in Spinning.wait" in line for line in livelock.error.waiting)
    fair = Run(racy.Handing, schedulers.make("first-in-first-out", Settings()))
    assert fair.error is None
    assert len(fair.trace) < 1_000


def test_threads_of_the_target_are_strands_with_locals_and_names_of_their_own(clock: VirtualClock) -> None:
    run = Run(racy.Cleaning, at_random(1))
    assert sorted(run.manager.seen) == [(None, True, "client A"), (None, True, "client B")]
    clock.advance(600_000_000)
    assert len(run.manager.woken) == 10


class Ticking:
    """Time passes as one client's step; a cleaner's wake-ups come before the client goes on."""

    def __init__(self) -> None:
        self.kept = racy.Cleaning()
        self.counts: list[int] = []

    def advance(self) -> None:
        for _ in range(2):
            CLOCK[0].advance(120_000_000)
            self.counts.append(len(self.kept.woken))

    clients = (advance, lambda self: time.sleep(1))


CLOCK: list[VirtualClock] = []


def test_time_may_pass_while_others_are_under_way(clock: VirtualClock) -> None:
    CLOCK[:] = [clock]
    before_us = clock.monotonic_us
    run = Run(Ticking, bounded())
    assert run.error is None
    assert run.manager.counts == [2, 4]
    assert clock.monotonic_us - before_us == 241_000_000


def test_what_a_client_raises_is_raised_and_the_others_are_waited_for() -> None:
    class Raising:
        def __init__(self) -> None:
            self.done = 0

        def fail(self) -> None:
            raise KeyError("first")

        def work(self) -> None:
            self.done += 1
            raise IndexError("second")

        clients = (work, fail)

    with pytest.raises(IndexError, match="second"):
        Run(Raising, at_random(1))


def test_clients_are_run_by_the_owner_of_a_clock_with_threads() -> None:
    raised: list[BaseException] = []

    def elsewhere() -> None:
        try:
            threads.at_once([], at_random(1), trace=[], switches=[])
        except HarnessError as error:
            raised.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert len(raised) == 1


def test_whoever_is_left_waiting_is_ended_in_silence(capsys: pytest.CaptureFixture[str]) -> None:
    left = [racy.Cleaning() for _ in range(3)]
    threads.end_strays()
    assert not any(each.cleaner.is_alive() for each in left)
    assert capsys.readouterr().err == ""


class Stubborn:
    """Does not let itself be ended."""

    def __init__(self) -> None:
        self.lock = threading.Lock()

    def block(self) -> None:
        try:
            with self.lock, self.lock:
                pass
        except BaseException:
            threading.Event().wait()

    clients = (block,)


def test_whoever_refuses_to_end_is_told_again() -> None:
    assert isinstance(Run(Stubborn, at_random(1)).error, VirtualDeadlock)


def test_a_switch_is_offered_to_nobody_outside_of_a_run() -> None:
    threads.offer_switch()
    assert threads.HOOKS.point(1) == threads.HOOKS.lock(1) == 1
    assert NOBODY == -1


class Naming:
    """Tells threads apart, starts one, and sleeps."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.lock = threading.RLock()

    def work(self) -> None:
        with self.lock, self.lock:
            time.sleep(1)
            thread = threading.Thread(target=self.note, name="child")
            thread.start()
            thread.join()
            self.note()

    def note(self) -> None:
        self.seen.append((threading.current_thread().name, threading.get_ident()))

    clients = (work, work)


@pytest.mark.parametrize("light", [False, True])
def test_strands_have_identities_and_names_and_wait_for_threads_of_their_own(light: bool, clock: VirtualClock) -> None:
    pytest.importorskip("greenlet")
    before_us = clock.monotonic_us
    for _ in range(3):
        run = Run(Naming, at_random(2), light=light)
        assert run.error is None
        assert sorted(name for name, _ in run.manager.seen) == ["child", "child", "client A", "client B"]
        assert len({ident for name, ident in run.manager.seen if name != "child"}) == 2
        assert threading.current_thread() is threading.main_thread() or threading.current_thread().name
    assert clock.monotonic_us - before_us == 6_000_000
    assert threading.get_ident() not in (1, 2)


@pytest.mark.parametrize(
    ("source", "fits"),
    [
        ("import threading, time\nclass A:\n  def m(self): return threading.Lock(), time.time()", True),
        ("import threading\nclass A:\n  def m(self): return threading.local()", False),
        ("import threading\nLOCAL = threading.local()", False),
        ("from threading import Thread", False),
        ("from __future__ import annotations\nfrom threading import Lock, Event", True),
        ("import sqlite3", False),
        ("import _thread\nLOCK = _thread.RLock()", False),
        ("import dataclasses\n@dataclasses.dataclass\nclass A:\n  n: int = 0", True),
        ("def outer():\n  def f():\n    import threading\n    return threading.Timer\n  return f", False),
        ("class A:\n  @staticmethod\n  def f(): import threading; return threading.Thread", False),
    ],
)
def test_greenlets_fit_only_where_nothing_can_tell_them_apart(source: str, fits: bool, monkeypatch: Any) -> None:
    pytest.importorskip("greenlet")
    monkeypatch.setattr(sys, "gettrace", lambda: None)
    module = ModuleType("made_up")
    monkeypatch.setitem(sys.modules, "made_up", module)
    exec(source, vars(module))
    assert light_strands.are_fit([module]) is fits
    monkeypatch.setattr(sys, "gettrace", lambda: print)
    assert not light_strands.are_fit([module])
    assert not light_strands.are_fit([])


PROGRAM = """
import sys
sys.path.insert(0, {folder!r})
import racy
from pytest_sessionguard.clock.virtual import VirtualClock
from pytest_sessionguard.core.schedule import Settings
from pytest_sessionguard.explore import schedulers, threads
points = threads.switch_points()
scheduler = schedulers.make("random", Settings(seed=5))
with points, VirtualClock(threads=True).installed():
    points.put_into(racy.Hits())
    for kind in (*racy.RACY, *racy.SOUND):
        for _ in range(5):
            scheduler.begin()
            manager, trace, switches = kind(), [], []
            clients = [lambda client=client: client(manager) for client in kind.clients]
            try:
                threads.at_once(clients, scheduler, trace=trace, switches=switches)
            except AssertionError as error:
                print(error)
            print(trace, [str(switch) for switch in switches])
            scheduler.end()
"""


def test_the_same_seed_gives_the_same_traces_whatever_the_hash_seed() -> None:
    program = PROGRAM.format(folder=str(Path(racy.__file__).parent))
    outs = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(filter(None, sys.path))},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    ]
    assert outs[0] == outs[1] != ""
