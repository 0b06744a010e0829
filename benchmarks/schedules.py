"""What schedules cost, as ratios against a rival of the same run.

    python benchmarks/schedules.py [FIGURE]... [--json] [--rounds N]

`thread_schedules_vs_frontrun`: schedules of two threads a second, over those of frontrun's random mode; the smallest of
three programs.
`task_step`, `task_schedules_vs_frontrun`, `sleep_set_reduction`: see `task_schedules.py`, which gives them for tasks.
`time_to_bug_vs_frontrun`: the time that frontrun's best mode takes to find a race, over that of ours; the smallest of
four programs of threads and four of tasks.  Ours too is the best of two modes.

The rival must be installed: `pip install frontrun`.  It runs under its own command, so in a process of its own.  What
happens once for each program (its import, and putting in the switch points for the first time) is left out for both.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import task_schedules
from races import RACES

from pytest_sessionguard.core.schedule import Settings
from pytest_sessionguard.explore import schedulers, thread_search, threads
from pytest_sessionguard.explore.search import Searched
from pytest_sessionguard.explore.weaving import SwitchPoints

SEEDS = 5
RIVAL_RUNS = 150
OUR_RUNS = 1_500
WITHOUT_END = ("lost update", "limit", "resurrection")


class Wrong(AssertionError):
    """A race has shown."""


def program_of(kind: Any, *, judged: bool) -> thread_search.Program:
    """Return a race as a program; unless it is judged, nothing is ever wrong."""

    def program() -> tuple[list[threads.Client], Callable[[], None]]:
        manager = kind()

        def check() -> None:
            if judged and not manager.is_right():
                raise Wrong

        return [lambda client=client: client(manager) for client in kind.clients], check

    return program


def search(points: SwitchPoints, kind: Any, mode: str, *, judged: bool, runs_max: int, seed: int = 0) -> Searched:
    """Search one race by one of our modes."""
    scheduler = schedulers.make(mode, Settings(seed=seed, preemptions_max=2))
    program = program_of(kind, judged=judged)
    return thread_search.search(program, scheduler, targets=[kind], runs_max=runs_max, points=points)


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return the seconds that some work took, and what it gave."""
    began = time.perf_counter()
    found = work()
    return time.perf_counter() - began, found


def our_rate(points: SwitchPoints, kind: Any) -> float:
    """Return schedules a second of the random mode."""
    seconds, found = timed(lambda: search(points, kind, "random", judged=False, runs_max=OUR_RUNS))
    return float(found.runs / seconds)


def our_time(points: SwitchPoints, kind: Any) -> float:
    """Return the seconds to the first bug, medians over seeds, of the better mode."""
    medians = []
    for mode in ("exhaustive", "random"):
        spent = []
        for seed in range(SEEDS):
            seconds, found = timed(lambda: search(points, kind, mode, judged=True, runs_max=10_000, seed=seed))  # noqa: B023
            assert found.failure is not None, f"{kind.__name__} was not found"
            spent.append(seconds)
        medians.append(statistics.median(spent))
    return min(medians)


# -- the rival, in a process of its own ------------------------------------------------------------------------------


def rival(what: str, name: str) -> float:
    """Return what the rival needs for one race: schedules a second, or seconds to the bug."""
    command = [str(Path(sys.executable).with_name("frontrun")), sys.executable, __file__, "--rival", what, name]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    return float(done.stdout.split()[-1])


def as_rival(what: str, name: str) -> float:
    """Run the rival, here: this is its process."""
    import frontrun

    kind = RACES[name]
    workers = [lambda manager, client=client: client(manager) for client in kind.clients]

    def explore(strategy: str, judged: bool, **more: Any) -> Any:
        return frontrun.explore(
            setup=kind,
            workers=workers,
            invariant=lambda manager: not judged or manager.is_right(),
            strategy=strategy,
            reproduce_on_failure=0,
            **more,
        )

    explore("random", False, seed=9, max_attempts=3)  # what happens once
    if what == "rate":
        seconds, found = timed(lambda: explore("random", False, seed=1, max_attempts=RIVAL_RUNS))
        return float(found.num_explored / seconds)
    medians = []
    for strategy in ("dpor", "random"):
        spent = []
        for seed in range(SEEDS):
            more = {"seed": seed, "max_attempts": 1_000} if strategy == "random" else {}
            try:
                seconds, found = timed(lambda: explore(strategy, True, **more))  # noqa: B023
                missed = found.property_holds
            except Exception as error:  # a deadlock may be told by an error
                raise SystemExit(f"{strategy} {name}: {error!r}") from error
            if not missed:
                spent.append(seconds)
        if spent:
            medians.append(statistics.median(spent))
    return min(medians)


# -- figures ---------------------------------------------------------------------------------------------------------


def _worst(rounds: int, names: tuple[str, ...], ratio: Callable[[SwitchPoints, str], float]) -> float:
    """Return the smallest of the programs' median ratios."""
    points = threads.switch_points()
    ratios: dict[str, list[float]] = {name: [] for name in names}
    for name in names:
        search(points, RACES[name], "random", judged=False, runs_max=3)  # what happens once
    for _ in range(rounds):
        for name in random.sample(names, len(names)):
            ratios[name].append(ratio(points, name))
    medians = {name: statistics.median(found) for name, found in ratios.items()}
    for name, found in medians.items():
        print(f"  {name:14} {found:8.1f}", file=sys.stderr)
    return min(medians.values())


def thread_schedules_vs_frontrun(rounds: int) -> float:
    """Schedules a second, ours over the rival's."""
    return _worst(rounds, WITHOUT_END, lambda points, name: our_rate(points, RACES[name]) / rival("rate", name))


def time_to_bug_vs_frontrun(rounds: int) -> float:
    """Seconds to the bug, the rival's over ours."""
    ratio = _worst(rounds, tuple(RACES), lambda points, name: rival("time", name) / our_time(points, RACES[name]))
    return min(ratio, task_schedules.time_to_bug_vs_frontrun(rounds))


FIGURES: dict[str, Callable[[int], float]] = {
    "task_step": task_schedules.task_step,
    "task_schedules_vs_frontrun": task_schedules.task_schedules_vs_frontrun,
    "sleep_set_reduction": task_schedules.sleep_set_reduction,
    "thread_schedules_vs_frontrun": thread_schedules_vs_frontrun,
    "time_to_bug_vs_frontrun": time_to_bug_vs_frontrun,
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
    if asked.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:32} {value}")


if __name__ == "__main__":
    main()
