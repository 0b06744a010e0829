"""Runs of an assistant: a client may go away and come back, and goes on in a new run where the old one is over.

The factory is an async context manager.  What is made in the place of a run is made under one lock, so that two who ask
at once are given the same.
"""

from __future__ import annotations

import asyncio
import copy
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


class NoSuchRun(Exception):
    """There is no such run."""


class RunOver(Exception):
    """The run is over."""


class NoRoom(Exception):
    """There are too many runs."""


@dataclass
class Run:
    """One run, as its callers see it."""

    run_id: str
    memory: dict[str, Any]
    used: float = field(default_factory=time.time)
    status: str = "active"
    heir: str | None = None


class AgentRuns:
    """Keeps runs; the ones that are over can be seen until somebody tidies up."""

    def __init__(self, idle_s: float, room: int) -> None:
        self.idle_s = idle_s
        self.room = room
        self.runs: dict[str, Run] = {}
        self.lock = asyncio.Lock()

    def _find(self, run_id: str) -> Run:
        if run_id not in self.runs:
            raise NoSuchRun(run_id)
        run = self.runs[run_id]
        if time.time() - run.used >= self.idle_s:
            run.status = "expired"
        return run

    def _live(self, run_id: str) -> Run:
        run = self._find(run_id)
        if run.status == "expired":
            raise RunOver(run_id)
        return run

    async def _begin(self, memory: dict[str, Any]) -> Run:
        await asyncio.sleep(0)
        if len([one for one in tuple(self.runs) if self._find(one).status == "active"]) >= self.room:
            raise NoRoom(f"{self.room} runs at most")
        run = Run(uuid.uuid4().hex, copy.deepcopy(memory))
        self.runs[run.run_id] = run
        return run

    async def begin(self, memory: dict[str, Any]) -> Run:
        """Begin a run."""
        async with self.lock:
            return copy.deepcopy(await self._begin(memory))

    async def use(self, run_id: str) -> Run:
        """Return the run, or the one that stands in its place."""
        async with self.lock:
            run = self._find(run_id)
            if run.status == "expired":
                heir = self.runs.get(run.heir or "")
                if heir is None or self._find(heir.run_id).status == "expired":
                    heir = await self._begin({})
                    run.heir = heir.run_id
                run = heir
            run.used = time.time()
            return copy.deepcopy(run)

    async def look(self, run_id: str) -> Run | None:
        """Return a copy of the run, over or not."""
        await asyncio.sleep(0)
        return copy.deepcopy(self._find(run_id)) if run_id in self.runs else None

    async def remember(self, run_id: str, facts: dict[str, Any]) -> None:
        """Add to the run's memory."""
        async with self.lock:
            run = self._live(run_id)
            memory = {**run.memory, **copy.deepcopy(facts)}
            await asyncio.sleep(0)
            run = self._live(run_id)
            run.memory, run.used = memory, time.time()

    async def go_away(self, run_id: str) -> None:
        """Note that the client is gone; the run waits for it."""
        self._live(run_id)

    async def come_back(self, run_id: str) -> Run:
        """Take the run up again."""
        await asyncio.sleep(0)
        run = self._live(run_id)
        run.used = time.time()
        return copy.deepcopy(run)

    async def finish(self, run_id: str) -> bool:
        """Forget a run; False when there was none."""
        async with self.lock:
            return self.runs.pop(run_id, None) is not None

    async def tidy(self) -> int:
        """Forget the runs that are over and return how many they were."""
        async with self.lock:
            over = [run_id for run_id in self.runs if self._find(run_id).status == "expired"]
            for run_id in over:
                del self.runs[run_id]
            return len(over)


@asynccontextmanager
async def agent_runs(idle_s: float, room: int) -> AsyncIterator[AgentRuns]:
    """Keep runs for as long as this is entered."""
    runs = AgentRuns(idle_s, room)
    yield runs
    runs.runs.clear()
