"""How long an operation in an event loop is waited for."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pytest_sessionguard.clock import eventloop
from pytest_sessionguard.clock.virtual import VirtualClock
from pytest_sessionguard.run.patience import PATIENCE_US, Patience, bounded


def run(work: Any) -> Any:
    return eventloop.run(VirtualClock(), work)


def test_what_never_waits_sets_no_timer() -> None:
    async def at_once() -> int:
        return 7

    async def main() -> tuple[int, int]:
        loop: Any = asyncio.get_running_loop()
        return await bounded(at_once(), Patience()), len(loop._scheduled)

    assert run(main) == (7, 0)


def test_what_waits_for_an_hour_is_cut_off_and_says_for_what() -> None:
    async def main() -> Patience:
        patience = Patience()
        never = asyncio.get_running_loop().create_future()
        with pytest.raises(asyncio.CancelledError):
            await bounded(asyncio.wait_for(never, PATIENCE_US / 1e6 + 1), patience)
        return patience

    assert run(main).waiting


def test_what_ends_in_time_is_left_alone_and_may_raise() -> None:
    async def fails() -> None:
        await asyncio.sleep(PATIENCE_US / 1e6 - 1)
        raise KeyError("gone")

    async def main() -> Patience:
        patience = Patience()
        with pytest.raises(KeyError, match="gone"):
            await bounded(fails(), patience)
        patience.end()
        await asyncio.sleep(2)
        return patience

    assert run(main).waiting is None
