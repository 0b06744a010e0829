"""What virtual time costs, against a rival of the same run; the bounds leave room for a loaded machine."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable

import freezegun

from pytest_sessionguard.clock import readings
from pytest_sessionguard.clock.virtual import VirtualClock

TURNS = 2_000


def seconds(work: Callable[[], object], repeats: int = 5) -> float:
    """Return the median real time of `work`."""
    samples = []
    for _ in range(repeats):
        began = readings.real_perf_counter()
        work()
        samples.append(readings.real_perf_counter() - began)
    return statistics.median(samples)


def enter_and_leave() -> None:
    with VirtualClock().installed():
        pass


def freeze() -> None:
    with freezegun.freeze_time("2026-01-01"):
        pass


async def sleeps(span_s: float) -> None:
    for _ in range(TURNS):
        await asyncio.sleep(span_s)


def virtual_sleeps() -> None:
    with VirtualClock().installed():
        asyncio.run(sleeps(1))


def virtual_sync_sleeps() -> None:
    with VirtualClock().installed():
        for _ in range(TURNS):
            time.sleep(1)


def test_entering_and_leaving_costs_a_small_part_of_a_freeze() -> None:
    freeze()
    enter_and_leave()
    assert seconds(enter_and_leave, 50) < seconds(freeze) / 50


def test_a_virtual_sleep_costs_little_more_than_yielding() -> None:
    yielding = seconds(lambda: asyncio.run(sleeps(0)))
    assert seconds(virtual_sleeps) < 8 * yielding
    assert seconds(virtual_sync_sleeps) < 0.5 * yielding
