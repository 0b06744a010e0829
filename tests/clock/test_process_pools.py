"""What runs in another process takes real time, and no virtual time passes beside it."""

from __future__ import annotations

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import pool as pools
from typing import Any

import pytest

from pytest_sessionguard.clock.virtual import VirtualClock

pytestmark = [
    pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system does not fork"),
    # Newer Pythons warn of what this is about.
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
]

CONTEXT: Any = multiprocessing.get_context("fork") if "fork" in multiprocessing.get_all_start_methods() else None


def test_a_wait_for_what_a_pool_is_at_is_not_cut_short() -> None:
    with VirtualClock(threads=True).installed() as clock, CONTEXT.Pool(1) as pool:
        told = pool.apply_async(time.sleep, (0.05,))
        with pytest.raises(multiprocessing.TimeoutError):
            told.get(timeout=0.001)
        assert told.get(timeout=10) is None
        assert pool.map(abs, [-1, 2]) == [1, 2]
        results = pool.imap_unordered(abs, [-3])
        assert results.next(timeout=10) == 3
        before_us = clock.monotonic_us
        time.sleep(3600)
        assert clock.monotonic_us == before_us + 3600 * 1_000_000
        pool.close()
        pool.join()


def test_what_a_pool_that_was_ended_will_never_do_is_not_waited_for() -> None:
    with VirtualClock(threads=True).installed() as clock:
        with CONTEXT.Pool(1) as pool:
            told = pool.apply_async(time.sleep, (30,))
        pool.join()
        before_us = clock.monotonic_us
        time.sleep(3600)
        assert clock.monotonic_us == before_us + 3600 * 1_000_000
        assert not told.ready()


def test_nothing_of_the_pools_stays_replaced() -> None:
    before = [vars(kind)["__init__"] for kind in (pools.ApplyResult, pools.IMapIterator)] + [ProcessPoolExecutor.submit]
    with VirtualClock(threads=True).installed():
        assert vars(pools.ApplyResult)["__init__"] is not before[0]
    assert [vars(pools.ApplyResult)["__init__"], vars(pools.IMapIterator)["__init__"]] == before[:2]
    assert ProcessPoolExecutor.submit is before[2]
