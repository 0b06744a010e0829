"""The figures of tasks: what a step costs, schedules a second, and how soon a race is found.

    python benchmarks/task_schedules.py [FIGURE]... [--json] [--rounds N]

`task_step`: a step of a task under the random scheduler, over one of asyncio's own loop.
`task_schedules_vs_frontrun`: schedules of two tasks a second, over those of frontrun's random mode; the smallest of the
programs that always end.
`time_to_bug_vs_frontrun`: the time that frontrun's best mode takes to find a race, over that of ours (the better of
exhaustive and random too); the smallest of four programs.
`sleep_set_reduction`: schedules of three clients with a session each, all there are over those that sleep sets leave.

The rival must be installed: `pip install frontrun`.  It runs in a process of its own, warmed up.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from task_races import RACES, Independent

from pytest_sessionguard.clock import eventloop, readings
from pytest_sessionguard.clock.virtual import VirtualClock
from pytest_sessionguard.core.schedule import Settings
from pytest_sessionguard.explore import schedulers, tasks
from pytest_sessionguard.explore.accesses import Observed
from pytest_sessionguard.explore.search import Searched, search

SEEDS = 9
RIVAL_RUNS = 300
SLOW_S = 2.0
OUR_RUNS = 3_000
TASKS, STEPS = 8, 2_000
WITHOUT_END = ("lost update", "limit", "resurrection")


class Wrong(AssertionError):
    """A race has shown."""


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return the seconds that some work took, and what it gave."""
    began = readings.real_perf_counter()
    found = work()
    return readings.real_perf_counter() - began, found


# -- a step ----------------------------------------------------------------------------------------------------------


async def _yielding() -> None:
    for _ in range(STEPS):
        await asyncio.sleep(0)


async def _stock() -> None:
    await asyncio.gather(*(_yielding() for _ in range(TASKS)))


async def _controlled() -> None:
    scheduler = schedulers.make("random")
    scheduler.begin()
    await tasks.at_once([_yielding] * TASKS, scheduler, trace=[])


def task_step(rounds: int) -> float:
    """A step under a scheduler, over one of a stock loop: both in real time, in turns."""
    ratios = []
    for _ in range(3 * rounds):
        stock_s, _ = timed(lambda: asyncio.run(_stock()))
        ours_s, _ = timed(lambda: asyncio.run(_controlled()))
        ratios.append(ours_s / stock_s)
    return statistics.median(ratios)


# -- ours ------------------------------------------------------------------------------------------------------------


def _searched(kind: Any, mode: str, *, judged: bool, runs_max: int, seed: int = 0) -> tuple[float, Searched]:
    """Return the seconds that a search took, in a loop and a clock that are there, and what it found."""

    def program() -> tuple[list[tasks.Client], Callable[[], None]]:
        manager = kind()

        def check() -> None:
            if judged and not manager.is_right():
                raise Wrong

        return [lambda client=client: client(manager) for client in kind.clients], check  # type: ignore[misc]

    async def main() -> tuple[float, Searched]:
        began = readings.real_perf_counter()
        found = await search(program, schedulers.make(mode, Settings(seed=seed)), runs_max=runs_max)
        return readings.real_perf_counter() - began, found

    return eventloop.run(VirtualClock(), main)


def our_rate(name: str) -> float:
    """Return schedules a second of the random mode."""
    seconds, found = _searched(RACES[name], "random", judged=False, runs_max=OUR_RUNS)
    return found.runs / seconds


def our_time(name: str) -> float:
    """Return the seconds to the first bug, medians over seeds, of the better mode."""
    medians = []
    for mode in ("exhaustive", "random"):
        spent = []
        for seed in range(SEEDS):
            seconds, found = _searched(RACES[name], mode, judged=True, runs_max=10_000, seed=seed)
            assert found.failure is not None, f"{name} was not found"
            spent.append(seconds)
        medians.append(statistics.median(spent))
    return min(medians)


# -- the rival, in a process of its own ------------------------------------------------------------------------------


def rival(what: str, name: str) -> float:
    """Return what the rival needs for one race: schedules a second, or seconds to the bug."""
    command = [sys.executable, __file__, "--rival", what, name]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    return float(done.stdout.split()[-1])


def as_rival(what: str, name: str) -> float:
    """Run the rival, here: this is its process."""
    import frontrun

    kind = RACES[name]

    def worker(client: Any) -> Any:
        async def work(manager: Any) -> None:
            await client(manager)

        return work

    async def explore(strategy: str, judged: bool, **more: Any) -> tuple[float, Any]:
        began = readings.real_perf_counter()
        found = await frontrun.explore(
            setup=kind,
            workers=[worker(client) for client in kind.clients],
            invariant=lambda manager: not judged or manager.is_right(),
            strategy=strategy,
            deadlock_timeout=1.0,  # less than its own: a deadlock is noticed sooner
            **more,
        )
        return readings.real_perf_counter() - began, found

    asyncio.run(explore("random", False, seed=9, max_attempts=3))  # what happens once
    if what == "rate":
        seconds, found = asyncio.run(explore("random", False, seed=1, max_attempts=RIVAL_RUNS))
        return float(found.num_explored / seconds)
    medians = []
    for strategy in ("dpor", "random"):
        spent = []
        for seed in range(SEEDS):
            random_more = {"seed": seed, "max_attempts": 1_000}
            more = random_more if strategy == "random" else {"reproduce_on_failure": 0}
            seconds, found = asyncio.run(explore(strategy, True, **more))
            if not found.property_holds:
                spent.append(seconds)
            if seconds > SLOW_S:
                break  # a deadlock is noticed by waiting in real time: once is enough to know
        if spent:
            medians.append(statistics.median(spent))
    return min(medians)


# -- figures ---------------------------------------------------------------------------------------------------------


def worst(rounds: int, names: tuple[str, ...], ratio: Callable[[str], float]) -> float:
    """Return the smallest of the programs' median ratios."""
    medians = {name: statistics.median(ratio(name) for _ in range(rounds)) for name in names}
    for name, found in medians.items():
        print(f"  tasks: {name:14} {found:8.1f}", file=sys.stderr)
    return min(medians.values())


def task_schedules_vs_frontrun(rounds: int) -> float:
    """Schedules a second, ours over the rival's."""
    return worst(rounds, WITHOUT_END, lambda name: our_rate(name) / rival("rate", name))


def time_to_bug_vs_frontrun(rounds: int) -> float:
    """Seconds to the bug, the rival's over ours."""
    return worst(rounds, tuple(RACES), lambda name: rival("time", name) / our_time(name))


def sleep_set_reduction(rounds: int) -> float:
    """Schedules of independent sessions, all there are over those that are left."""
    del rounds  # a count, the same every time

    def program() -> tuple[list[tasks.Client], Callable[[], None]]:
        manager = Independent(Observed())

        def check() -> None:
            if set(manager.store.values()) != {2}:
                raise Wrong

        return [lambda name=name: manager.work(name) for name in "abc"], check  # type: ignore[misc]

    runs = {}
    for mode in ("exhaustive", "sleep-sets"):
        found = eventloop.run(
            VirtualClock(),
            lambda: search(program, schedulers.make(mode), runs_max=1_000_000),  # noqa: B023
        )
        assert found.exhaustive
        assert found.failure is None
        runs[mode] = found.runs
    return runs["exhaustive"] / runs["sleep-sets"]


FIGURES: dict[str, Callable[[int], float]] = {
    "task_step": task_step,
    "task_schedules_vs_frontrun": task_schedules_vs_frontrun,
    "time_to_bug_vs_frontrun": time_to_bug_vs_frontrun,
    "sleep_set_reduction": sleep_set_reduction,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help=", ".join(FIGURES))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rival", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.rival:
        print(as_rival(*asked.rival))
        return
    figures = {name: round(FIGURES[name](asked.rounds), 2) for name in asked.figures or FIGURES}
    print(json.dumps(figures) if asked.json else "\n".join(f"{name:32} {value}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
