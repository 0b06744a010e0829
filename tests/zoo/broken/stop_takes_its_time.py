"""Stopping takes ten seconds where five are promised."""

from __future__ import annotations

import asyncio

from pytest_sessionguard.reference import AsyncSessionManager


class SluggishManager(AsyncSessionManager):
    """Waits for nothing in particular."""

    async def stop(self) -> None:
        await asyncio.sleep(10)
        await super().stop()
