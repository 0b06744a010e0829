"""What virtual time costs, beside rivals measured in the same run.

    python benchmarks/clock.py [--json] [--rounds 7] [--modules 400 600 1600]

One function a measure; each returns named samples, all of which go into `raw`.  Rivals take turns within each round, so
that a slow moment of the machine meets all of them.  Ratios decide: machines differ.  Enter and exit are measured with
so many modules loaded as are named; the missing ones are made up, each with the imports of an ordinary module.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import sys
import threading
import time
import types
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from itertools import permutations
from math import factorial
from typing import Any

import freezegun

from pytest_sessionguard.clock import readings
from pytest_sessionguard.clock.virtual import VirtualClock

Samples = dict[str, list[float]]

# By way of the module: a name of this one would be put in virtual time with the rest.
INSTANT = datetime(2026, 1, 1, tzinfo=UTC)
SLEEPS = 2_000
TIMERS = 10_000
WAKE_UPS = 3600
GOALS = {
    "enter_exit_vs_freezegun": 0.01,
    "enter_exit_vs_time_machine": 1.0,
    "sync_sleep": 0.2,
    "asyncio_sleep": 4.0,
    "thread_switch": 8.0,
    "timers_10k": 2.5,
    "cleaner_3600_ms": 30.0,
}


def seconds(work: Callable[[], object]) -> float:
    """Return the real time that a piece of work takes."""
    began_s = readings.real_perf_counter()
    work()
    return readings.real_perf_counter() - began_s


def in_turn(rounds: int, rivals: dict[str, Callable[[], float]]) -> Samples:
    """Return the samples of each rival; a first round warms up and is not counted.

    In every round another order: who comes after whom matters, because each leaves the caches to the next.  Of up to
    four rivals, every one comes after every other equally often.
    """
    samples: Samples = {name: [] for name in rivals}
    chance = random.Random(1)
    orders: list[tuple[str, ...]] = []
    for number in range(rounds + 1):
        if not orders and len(rivals) <= 4:
            orders = chance.sample(list(permutations(rivals)), factorial(len(rivals)))
        for name in orders.pop() if orders else chance.sample(list(rivals), len(rivals)):
            sample = rivals[name]()
            if number:
                samples[name].append(sample)
    return samples


# -- in and out ------------------------------------------------------------------------------------------------------


def enter_exit(rounds: int, modules: int) -> Samples:
    """Enter and leave each rival, microseconds, with so many modules loaded."""
    load(modules)
    rivals = {
        "ours": lambda: _once_us(lambda: VirtualClock().installed()),
        "ours_with_threads": lambda: _once_us(lambda: VirtualClock(threads=True).installed()),
        "freezegun": lambda: _once_us(lambda: freezegun.freeze_time(INSTANT)),
    }
    time_machine = _imported("time_machine")
    if time_machine is not None:
        rivals["time_machine"] = lambda: _once_us(lambda: time_machine.travel(INSTANT, tick=False))
    # One entry a sample, and so many of them: what a test pays, which finds the caches as others left them.
    return {f"{name}_{modules}_us": samples for name, samples in in_turn(rounds * 10, rivals).items()}


def load(modules: int) -> None:
    """Make up modules until so many are loaded."""
    source = "import time, os, json\nNAME = 'x'\ndef one(x, y=1): return x\nclass Two:\n    three = 3\n"
    # About one module in eight of large programs takes a time function or class by its name.
    with_time = f"{source}from datetime import datetime, timedelta\n"
    for number in range(len(sys.modules), modules):
        module = types.ModuleType(f"made_up_{number}")
        module.__file__ = f"/usr/lib/python3/site-packages/made_up_{number}.py"
        exec(with_time if number % 8 == 0 else source, vars(module))
        sys.modules[module.__name__] = module


def _once_us(make: Callable[[], Any]) -> float:
    def within() -> None:
        with make():
            pass

    return 1e6 * seconds(within)


# -- sleeps ----------------------------------------------------------------------------------------------------------


def sleeps(rounds: int) -> Samples:
    """Sleep in virtual time, beside a stock `asyncio.sleep(0)` and other virtual clocks of asyncio, microseconds."""
    rivals = {
        "stock_sleep_0": lambda: _per_sleep_us(lambda: asyncio.run(_sleep_often(0))),
        "sync_sleep": _sync_sleep_us,
        "asyncio_sleep": _asyncio_sleep_us,
        "thread_switch": _thread_switch_us,
        "real_thread_switch": _real_thread_switch_us,
    }
    trio = _imported("trio")
    if trio is not None:
        rivals["trio_mock_clock_sleep"] = lambda: _trio_sleep_us(trio)
    looptime = _imported("looptime")
    if looptime is not None:
        rivals["looptime_sleep"] = lambda: _looptime_sleep_us(looptime)
    return {f"{name}_us": samples for name, samples in in_turn(rounds, rivals).items()}


async def _sleep_often(span_s: float) -> None:
    for _ in range(SLEEPS):
        await asyncio.sleep(span_s)


def _per_sleep_us(work: Callable[[], object]) -> float:
    return 1e6 * seconds(work) / SLEEPS


def _sync_sleep_us() -> float:
    def often() -> None:
        for _ in range(SLEEPS):
            time.sleep(1)

    with VirtualClock(threads=True).installed():
        return _per_sleep_us(often)


def _asyncio_sleep_us() -> float:
    with VirtualClock(threads=True).installed():
        return _per_sleep_us(lambda: asyncio.run(_sleep_often(1)))


def _thread_switch_us() -> float:
    """Two threads sleep in step: every sleep is a switch to the other."""

    def often() -> None:
        for _ in range(SLEEPS):
            time.sleep(1)

    with VirtualClock(threads=True).installed():
        return _per_sleep_us(lambda: _run(often, often)) / 2


def _real_thread_switch_us() -> float:
    """The same by two semaphores without any clock."""
    one, two = threading.Semaphore(0), threading.Semaphore(0)

    def often(mine: threading.Semaphore, other: threading.Semaphore) -> None:
        for _ in range(SLEEPS):
            other.release()
            mine.acquire()

    return _per_sleep_us(lambda: _run(lambda: often(one, two), lambda: often(two, one))) / 2


def _run(*bodies: Callable[[], None]) -> None:
    threads = [threading.Thread(target=body) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _trio_sleep_us(trio: Any) -> float:
    async def often() -> None:
        for _ in range(SLEEPS):
            await trio.sleep(1)

    clock = import_module("trio.testing").MockClock(autojump_threshold=0)
    return _per_sleep_us(lambda: trio.run(often, clock=clock))


def _looptime_sleep_us(looptime: Any) -> float:
    loop = looptime.patch_event_loop(asyncio.new_event_loop())
    loop.setup_looptime(start=0, end=None)
    try:
        return _per_sleep_us(lambda: loop.run_until_complete(_sleep_often(1)))
    finally:
        loop.close()


# -- many ------------------------------------------------------------------------------------------------------------


def timers(rounds: int) -> Samples:
    """Sleep in 10,000 tasks at once, in virtual time and for 0 s, milliseconds."""
    spans = [random.Random(7).random() * 100 for _ in range(TIMERS)]

    async def many(zero: bool) -> None:
        async with asyncio.TaskGroup() as group:
            for span_s in spans:
                group.create_task(asyncio.sleep(0 if zero else span_s))

    async def yielding() -> None:
        for _ in range(TIMERS):
            await asyncio.sleep(0)

    def ours() -> float:
        with VirtualClock(threads=True).installed():
            return 1e3 * seconds(lambda: asyncio.run(many(False)))

    return in_turn(
        rounds,
        {
            "timers_10k_ms": ours,
            "tasks_10k_sleep_0_ms": lambda: 1e3 * seconds(lambda: asyncio.run(many(True))),
            "sleep_0_10k_times_ms": lambda: 1e3 * seconds(lambda: asyncio.run(yielding())),
        },
    )


def cleaner(rounds: int) -> Samples:
    """Advance an hour past a cleaner thread that wakes every second, milliseconds."""

    def ours() -> float:
        with VirtualClock(threads=True).installed() as clock:
            stop, woke = threading.Event(), [0]

            def clean() -> None:
                while not stop.wait(1):
                    woke[0] += 1

            thread = threading.Thread(target=clean)
            thread.start()
            clock.advance(0)
            taken_s = seconds(lambda: clock.advance(WAKE_UPS * 1_000_000))
            stop.set()
            thread.join()
        if woke != [WAKE_UPS]:
            raise SystemExit(f"the cleaner woke {woke[0]} times, not {WAKE_UPS}")
        return 1e3 * taken_s

    return in_turn(rounds, {"cleaner_3600_ms": ours})


def _imported(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        return None


def figures(raw: Samples, modules: list[int]) -> dict[str, float]:
    """Return the medians and ratios that the samples give."""
    medians = {name: statistics.median(samples) for name, samples in raw.items()}
    found = dict(medians)
    # The rivals know no threads: like is compared with like, and the price of threads is told beside it.
    for ours, key in (("ours", "enter_exit"), ("ours_with_threads", "enter_exit_with_threads")):
        for rival in ("freezegun", "time_machine"):
            ratios = [
                medians[f"{ours}_{count}_us"] / medians[f"{rival}_{count}_us"]
                for count in modules
                if f"{rival}_{count}_us" in medians
            ]
            if ratios:
                found[f"{key}_vs_{rival}"] = max(ratios)
    stock_us = medians["stock_sleep_0_us"]
    for name in ("sync_sleep", "asyncio_sleep", "thread_switch"):
        found[name] = medians[f"{name}_us"] / stock_us
    found["timers_10k"] = medians["timers_10k_ms"] / medians["tasks_10k_sleep_0_ms"]
    return found


def main() -> None:
    """Measure, print, and say which goals are met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--modules", type=int, nargs="+", default=[400, 600, 1600])
    asked = parser.parse_args()
    raw: Samples = {}
    raw |= sleeps(asked.rounds) | timers(asked.rounds) | cleaner(asked.rounds)
    for count in sorted(asked.modules):
        raw |= enter_exit(asked.rounds, count)
    found = figures(raw, asked.modules)
    if asked.json:
        print(json.dumps({**found, "raw": raw}, indent=2))
        return
    for name, value in found.items():
        goal = f"   goal {GOALS[name]:g}: {'met' if value <= GOALS[name] else 'missed'}" if name in GOALS else ""
        print(f"{name:32} {value:12.4f}{goal}")


if __name__ == "__main__":
    main()
