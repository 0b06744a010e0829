"""The shipped stories, and what becomes of them when they are told to a manager."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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

# The correct managers that every story is told to; the others are told a handful each.
TOLD_EVERYTHING: Final = (
    "async_rooms", "chat_cache", "marked_desk", "moving_agent", "owned_leases", "reply_server", "sqlite_shelf",
    "stale_registry", "strict_vault", "ttl_cache", "user_logins", "web_store",
)  # fmt: skip

# Promises that the reference manager does not make -> the correct manager of the zoo that makes them.
ONLY_IN_THE_ZOO: Final[Mapping[str, str]] = {
    "A monotonic clock takes no notice of a wall clock set forward": "owned_leases",
    "A stale session answers until it is swept": "stale_registry",
    "A sweep leaves alone what was read in between where reading is activity": "chat_cache",
    "A timeout of zero is over at once where that is the promise": "reply_server",
    "A value appended too late brings no session back": "chat_cache",
    "A value put too late brings no session back": "strict_vault",
    "A value that is put changes no other": "strict_vault",
    "Activity brings a stale session back where that is the promise": "stale_registry",
    "An expired session cannot be taken out": "ttl_cache",
    "An expired session that is used moves to a new id where that is the promise": "moving_agent",
    "Appending a value keeps a session alive": "chat_cache",
    "At the limit the session idle for longest makes room": "async_rooms",
    "At the limit the session next to expire makes room": "ttl_cache",
    "Clearing one owner's sessions leaves those of others": "user_logins",
    "Creating over a living id begins anew where that is the promise": "ttl_cache",
    "No reader keeps a session beyond its absolute timeout": "user_logins",
    "Putting a value keeps a session alive": "strict_vault",
    "Reading a session keeps it alive where reading is activity": "web_store",
    "The history keeps every version up to its limit": "strict_vault",
    "The history keeps the newest versions and no more than promised": "strict_vault",
    "The history of a session holds its own versions only": "strict_vault",
    "The oldest is who was made first and not who was idle longest": "user_logins",
    "What a caller appends is his to change": "chat_cache",
    "What is appended comes last": "chat_cache",
    "What is taken out is given once and is gone": "chat_cache",
    "What the longest idle owned is closed when he makes room": "async_rooms",
    "Whoever takes out what was never issued is told so": "ttl_cache",
    "Whoever was got again stays when another must make room": "chat_cache",
    "Whoever was only asked for does not stay for that": "chat_cache",
    "Whoever was only read does not stay for that": "async_rooms",
    "Whoever was put a value last does not make room": "chat_cache",
    "Whoever was updated last does not make room": "async_rooms",
}


def correct(name: str) -> Profile:
    """Return the profile of a correct manager of the zoo."""
    return load(str(ZOO / "correct" / f"{name}.sessionguard.toml"))


def tell(title: str, runner: Runner) -> tuple[CaseResult, ...]:
    """Return what becomes of every cell of a story."""
    return tuple(runner.run(plan) for plan in plans.cells(STORIES[title]))


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
