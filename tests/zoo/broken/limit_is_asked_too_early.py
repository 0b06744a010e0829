"""A manager counts, waits, and then creates: those who come at once all see the last free place."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Mapping
from typing import Any

from pytest_sessionguard.errors import SessionLimitExceeded
from pytest_sessionguard.reference import AsyncSessionManager
from pytest_sessionguard.reference.sessions import Session


class CrowdedManager(AsyncSessionManager):
    """Checks the limit outside of the transaction."""

    def __init__(self, *, max_concurrent: int, **settings: Any) -> None:
        super().__init__(max_concurrent=math.inf, **settings)  # type: ignore[arg-type]  # infinity is "no limit"
        self.most = max_concurrent

    async def create(
        self,
        client_id: str | None = None,
        data: Mapping[str, object] | None = None,
        *,
        session_id: str | None = None,
        timeout_secs: float | None = None,
        capabilities: Iterable[str] = (),
    ) -> Session:
        if await self.count() >= self.most:
            raise SessionLimitExceeded(self.most)
        await asyncio.sleep(0)
        return await super().create(
            client_id, data, session_id=session_id, timeout_secs=timeout_secs, capabilities=capabilities
        )
