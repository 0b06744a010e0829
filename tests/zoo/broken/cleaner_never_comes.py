"""The background cleaner ends before its first round: what has expired stays until somebody sweeps by hand."""

from __future__ import annotations

from pytest_sessionguard.reference import AsyncSessionManager


class DustyManager(AsyncSessionManager):
    """Has a cleaner that goes home at once."""

    async def _clean(self, interval_secs: float) -> None:
        del interval_secs
