"""The shipped stories, and what becomes of them when they are told to a manager."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pytest_sessionguard.core import plan as plans
from pytest_sessionguard.core.result import CaseResult
from pytest_sessionguard.run import scenario_files
from pytest_sessionguard.run.runner import Runner
from pytest_sessionguard.target.loading import load
from pytest_sessionguard.target.shape import Profile

ZOO: Final = Path(__file__).parent

STORIES: Final = {
    story.title: story for story in map(scenario_files.load, scenario_files.find([ZOO.parents[1] / "scenarios"]))
}

# Promises that the reference manager does not make -> the correct manager of the zoo that makes them.
ONLY_IN_THE_ZOO: Final[Mapping[str, str]] = {
    "A monotonic clock takes no notice of a wall clock set forward": "owned_leases",
    "A stale session answers until it is swept": "stale_registry",
    "A timeout of zero is over at once where that is the promise": "reply_server",
    "Activity brings a stale session back where that is the promise": "stale_registry",
    "An expired session that is used moves to a new id where that is the promise": "moving_agent",
    "At the limit the session idle for longest makes room": "async_rooms",
    "At the limit the session next to expire makes room": "ttl_cache",
    "Creating over a living id begins anew where that is the promise": "ttl_cache",
    "Reading a session keeps it alive where reading is activity": "web_store",
    "The history keeps the newest versions and no more than promised": "strict_vault",
}


def correct(name: str) -> Profile:
    """Return the profile of a correct manager of the zoo."""
    return load(str(ZOO / "correct" / f"{name}.sessionguard.toml"))


def tell(title: str, runner: Runner) -> tuple[CaseResult, ...]:
    """Return what becomes of every cell of a story."""
    with same_time_zone():
        return tuple(runner.run(plan) for plan in plans.cells(STORIES[title]))


@contextmanager
def same_time_zone() -> Iterator[None]:
    """Put the time zone back that a story changes."""
    before = os.environ.get("TZ")
    try:
        yield
    finally:
        os.environ.pop("TZ", None)
        if before is not None:
            os.environ["TZ"] = before
        time.tzset()


def held(cases: Iterable[CaseResult]) -> bool:
    """Say whether every cell was run and held."""
    return {case.status for case in cases} == {"held"}


def troubles(cases: Iterable[CaseResult]) -> list[str]:
    """Return every case that was run and did not hold, with the reason."""
    return [
        "\n".join([case.name, case.status, case.reason, *(str(found.message) for found in case.violations)])
        for case in cases
        if case.status not in ("held", "skipped")
    ]
