"""What virtual time costs, as ratios against rivals of the same run.

    python benchmarks/clock.py [--json] [--rounds N]

`enter_exit_vs_freezegun`: entering and leaving a virtual span, over the same of `freezegun.freeze_time`.
`sync_sleep`, `asyncio_sleep`: one virtual sleep, over one stock `asyncio.sleep(0)`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Callable

import freezegun

from pytest_sessionguard.clock import readings
from pytest_sessionguard.clock.virtual import VirtualClock

TURNS = 2_000


def seconds(work: Callable[[], object]) -> float:
    """Return the real time of `work`."""
    # Looked up at the call: a clock held in a name would be made virtual with the rest.
    began = readings.real_perf_counter()
    work()
    return readings.real_perf_counter() - began


def enter_and_leave() -> None:
    """Enter a virtual span and leave it, fifty times."""
    for _ in range(50):
        with VirtualClock().installed():
            pass


def freeze() -> None:
    """Freeze and thaw, five times."""
    for _ in range(5):
        with freezegun.freeze_time("2026-01-01"):
            pass


async def sleeps(span_s: float) -> None:
    """Sleep again and again in one task."""
    for _ in range(TURNS):
        await asyncio.sleep(span_s)


def virtual_sleeps() -> None:
    """Sleep in a task, in virtual time."""
    with VirtualClock().installed():
        asyncio.run(sleeps(1))


def virtual_sync_sleeps() -> None:
    """Sleep in plain code, in virtual time."""
    with VirtualClock().installed():
        for _ in range(TURNS):
            time.sleep(1)


def measure(rounds: int) -> dict[str, list[float]]:
    """Return the samples of every ratio, one a round, rivals in turn."""
    raw: dict[str, list[float]] = {"enter_exit_vs_freezegun": [], "sync_sleep": [], "asyncio_sleep": []}
    freeze()
    enter_and_leave()
    for _ in range(rounds):
        raw["enter_exit_vs_freezegun"].append((seconds(enter_and_leave) / 50) / (seconds(freeze) / 5))
        yielding = seconds(lambda: asyncio.run(sleeps(0)))
        raw["sync_sleep"].append(seconds(virtual_sync_sleeps) / yielding)
        raw["asyncio_sleep"].append(seconds(virtual_sleeps) / yielding)
    return raw


def main() -> None:
    """Measure, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--rounds", type=int, default=7, help="how many samples of each (7)")
    given = parser.parse_args()
    raw = measure(given.rounds)
    medians = {name: statistics.median(samples) for name, samples in raw.items()}
    for name, value in medians.items():
        print(f"{name:26} {value:8.4f} x")
    if given.json:
        print(json.dumps({**medians, "raw": raw}))


if __name__ == "__main__":
    main()
