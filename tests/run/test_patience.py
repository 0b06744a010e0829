"""How long an operation in an event loop is waited for."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pytest_sessionguard.clock import eventloop
from pytest_sessionguard.clock.virtual import VirtualClock
from pytest_sessionguard.run.patience import PATIENCE_US, Patience


def run(work: Any) -> Any:
    return eventloop.run(VirtualClock(), work)


def test_what_waits_for_an_hour_is_cut_off_and_says_for_what() -> None:
    async def main() -> Patience:
        patience = Patience()
        patience.begin()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.sleep(PATIENCE_US / 1e6 + 1)
        return patience

    assert run(main).waiting


def test_what_ends_in_time_is_left_alone() -> None:
    async def main() -> Patience:
        patience = Patience()
        patience.begin()
        await asyncio.sleep(PATIENCE_US / 1e6 - 1)
        patience.end()
        await asyncio.sleep(2)
        return patience

    assert run(main).waiting is None
