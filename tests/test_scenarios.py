"""The shipped stories, told to the reference manager: each holds, or is skipped for a reason that stands here."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
from servers import has_redis, needs_redis
from zoo.stories import ONLY_IN_THE_ZOO, STORIES, held, tell, troubles

from pytest_sessionguard.core.result import CaseResult
from pytest_sessionguard.core.scenario import Scenario
from pytest_sessionguard.reference import AsyncSessionManager, SessionManager
from pytest_sessionguard.reference.recovery.checkpoints import Checkpoint, Checkpoints
from pytest_sessionguard.reference.recovery.keeper import RecoveryKeeper
from pytest_sessionguard.reference.recovery.owner import Owner
from pytest_sessionguard.run import scenario_files
from pytest_sessionguard.run.runner import Runner
from pytest_sessionguard.target.loading import load
from pytest_sessionguard.target.shape import Profile
from pytest_sessionguard.target.templates import parse

SHIPPED: Final = ("reference-sync-memory", "reference-async-memory", "reference-sync-sqlite", "reference-async-sqlite")

# -- who skips what -------------------------------------------------------------------------------------------------

# Promises that the reference manager can make, but does not in its shipped profiles: see VARIANTS.
OTHER_PROMISES: Final = frozenset(
    {
        "A count leaves out what has expired and counts what lives",
        "At an owner's limit his oldest session makes room and nobody else's",
        "At exactly its timeout a session still lives where that is the promise",
        "At the limit the oldest session makes room",
        "Creators at once do not pass the limit together where the oldest makes room",
        "Each owner has a limit of his own",
        "Get or create gives the session that is there",
        "Get or create is activity for the session that is there",
        "Nobody alive makes room while an expired session could",
        "What a session owns is closed once when it has to make room",
        "Whoever deletes an expired session is told that it was gone",
    }
)

# Promises that only other managers make: those of tests/zoo/correct.
PROMISES_OF_OTHERS: Final = frozenset(ONLY_IN_THE_ZOO)

# A memory store forgets at a restart.
ONLY_DURABLE: Final = frozenset(
    {
        "A clock set back over a restart revives nothing",
        "A version still counts after a restart",
        "Sessions survive a restart",
        "The limit still counts after a restart",
        "What expired does not come back with a restart",
        "What was deleted does not come back with a restart",
    }
)

# Only who writes checkpoints has them.
ONLY_OF_CHECKPOINTS: Final = frozenset(
    {
        "A checkpoint torn in its middle leaves the one before",
        "A damaged newest checkpoint leaves the one before",
        "A disk too full for a checkpoint leaves the one before",
        "A heartbeat a microsecond over its limit is stale",
        "A heartbeat a microsecond under its limit is a sign of life",
        "A heartbeat of exactly its limit is a sign of life",
        "A kill at any point of a checkpoint leaves it or the one before",
        "A process that was given the number of the one that crashed is not taken for it",
        "Of two who recover at once neither does the other harm",
        "Recovering once more finds nothing to recover",
        "Too many open files at a checkpoint leave the one before",
        "What a checkpoint holds outlives a kill",
        "What a checkpoint holds outlives a loss of power",
        "Whoever crashes twice in a row is recovered twice",
    }
)

# What outlives a crash, in files that whoever writes.
ONLY_OF_THE_CRASHED: Final = frozenset(
    {
        "A kill at any point of a rotation leaves the session under one of its ids",
        "A kill at any point of an update loses nothing that was acknowledged",
        "A kill at any point of making a session loses no other",
        "What was acknowledged outlives a kill",
        "What was deleted does not come back with a kill",
    }
)

# A server that is reached over a network.
ONLY_OF_SERVERS: Final = frozenset(
    {
        "A connection that breaks in the middle of a reply makes no session twice",
        "A connection that breaks in the middle of a request leaves a deletion done or not",
        "A network that is cut for a while leaves a new session whole or absent",
        "A server that is away for longer than any retry loses no session",
        "A server that is away for shorter than a retry loses no session",
        "A session that cannot be read is not said to be gone",
        "A slow network brings no deadline forward",
        "What is done while the server cannot be reached is done or not",
        "Where no reply comes back an update is whole or absent",
    }
)

# Of files that SQLite writes so many states are opened that this is left to the search: see tests/run/test_crash_cases.
EVERYWHERE: Final = frozenset(
    {
        "A loss of power at any point of a deletion leaves the others alone",
        "A loss of power at any point of an update loses nothing that was acknowledged",
        "A loss of power at any point of making a session loses no other",
    }
)

# Files that Python writes, kept for good after every operation.
ONLY_OF_FILES: Final = (
    ONLY_OF_THE_CRASHED
    | EVERYWHERE
    | frozenset(
        {
            "A disk that fails for good brings nobody back",
            "A disk too full for a rotation leaves the session under one of its ids",
            "A document torn in the middle of its writing is the old one or the new",
            "A full disk during an update loses no session",
            "A full disk leaves a new session whole or absent",
            "A write that comes short is finished or reported",
            "Too many open files lose no session",
            "What a full disk refused can be done once there is room",
            "What a full disk refused looks the same after a restart",
            "What was acknowledged outlives a loss of power",
        }
    )
)

NOT_IN_MEMORY: Final = OTHER_PROMISES | PROMISES_OF_OTHERS | ONLY_OF_FILES | ONLY_OF_CHECKPOINTS | ONLY_OF_SERVERS

SKIPPED: Final[Mapping[str, frozenset[str]]] = {
    "reference-sync-memory": NOT_IN_MEMORY | ONLY_DURABLE,
    "reference-async-memory": NOT_IN_MEMORY | ONLY_DURABLE,
    "reference-sync-sqlite": NOT_IN_MEMORY - ONLY_OF_THE_CRASHED,
    "reference-async-sqlite": NOT_IN_MEMORY - ONLY_OF_THE_CRASHED,
}


# -- the reference manager with other promises ----------------------------------------------------------------------


def by_environment(**settings: Any) -> AsyncSessionManager:
    """Make the manager with its three figures told by environment variables alone."""
    names = {
        "timeout_secs": "SESSION_TIMEOUT_SECS",
        "max_concurrent": "SESSION_MAX_CONCURRENT",
        "cleanup_interval_secs": "SESSION_CLEANUP_INTERVAL",
    }
    environ = {variable: str(settings.pop(name)) for name, variable in names.items()}
    return AsyncSessionManager(environ=environ, **settings)


def with_no_arguments(**settings: Any) -> SessionManager:
    """Make the manager with the defaults of its own."""
    return SessionManager(on_close=settings["on_close"], environ={})


def variant(base: str, *, factory: Any = None, **changes: Any) -> Profile:
    """Return a shipped profile with other promises, handed to the manager as arguments of the same names."""
    profile = load(base)
    survives = "restart" if "sqlite" in base else profile.policy.survives  # Of a crash the shipped ones tell.
    policy = replace(profile.policy, **{"survives": survives, **changes})
    args = profile.args.merged(changes)
    return replace(profile, factory=factory or profile.factory, args=args, policy=policy)


def _without_placeholders(profile: Profile) -> Profile:
    return replace(profile, args=type(profile.args)({}))


def _without_use(profile: Profile) -> Profile:
    """Return the profile without `use`, which replaces nothing where an expired session is as if deleted."""
    return replace(profile, operations=profile.operations.without("use"))


def _ensuring(base: str) -> Profile:
    profile = variant(base)
    create = parse("ensure(id, owner?, data?, timeout_secs=timeout?) -> session")
    operations = profile.operations.merged({"create": (create,)})
    return replace(profile, operations=operations, policy=replace(profile.policy, existing="return"))


VARIANTS: Final[Mapping[str, Profile]] = {
    "evicts the oldest": variant("reference-async-memory", at_limit="evict-oldest"),
    "evicts the oldest, on disk": variant("reference-sync-sqlite", at_limit="evict-oldest"),
    "a limit for each owner": variant("reference-sync-memory", limit_scope="owner"),
    "each owner's oldest makes room": variant("reference-async-sqlite", limit_scope="owner", at_limit="evict-oldest"),
    "alive at its timeout": variant("reference-sync-sqlite", at_timeout="alive"),
    "expired is gone": _without_use(variant("reference-sync-memory", expired="gone")),
    "expired is gone, on disk": _without_use(variant("reference-async-sqlite", expired="gone")),
    "get or create": _ensuring("reference-async-memory"),
    "get or create, on disk": _ensuring("reference-sync-sqlite"),
    "set by the environment": variant("reference-async-memory", factory=by_environment),
    "set by nothing": _without_placeholders(variant("reference-sync-memory", factory=with_no_arguments)),
}


# -- running --------------------------------------------------------------------------------------------------------


@cache
def runner(name: str) -> Runner:
    return Runner(VARIANTS[name] if name in VARIANTS else load(name))


@cache
def told(title: str, name: str) -> tuple[CaseResult, ...]:
    """Return what became of every cell of a story when it was told to a manager."""
    return tell(title, runner(name))


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("title", STORIES)
def test_a_story_holds_or_is_skipped_where_it_says_so(title: str, name: str) -> None:
    if "sqlite" in name and (title in EVERYWHERE or title.startswith("A kill at any point")):
        return  # Files that SQLite writes are recorded from outside, which takes long: tests/run/test_crash_cases.
    cases = told(title, name)
    assert troubles(cases) == []
    skipped = {case.status == "skipped" for case in cases}
    assert skipped == {title in SKIPPED[name]}, [case.reason for case in cases]
    assert all(case.reason.startswith("needs ") for case in cases if case.status == "skipped")


@pytest.mark.unmeasured
@pytest.mark.parametrize("name", VARIANTS)
def test_the_stories_hold_with_other_promises_too(name: str) -> None:
    found = {title: told(title, name) for title in STORIES}
    assert [line for cases in found.values() for line in troubles(cases)] == []
    assert sum(held(cases) for cases in found.values()) > 40


# What can only be told to who keeps its sessions in files, and to who writes checkpoints.
@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("name", "titles", "others"),
    [
        ("reference-sync-file", ONLY_OF_FILES, ONLY_OF_CHECKPOINTS),
        ("reference-async-file", ONLY_OF_FILES, ONLY_OF_CHECKPOINTS),
        ("reference-recovery", ONLY_OF_CHECKPOINTS, ONLY_OF_FILES),
    ],
)
def test_stories_of_faults_hold_on_files_and_on_checkpoints(
    name: str, titles: frozenset[str], others: frozenset[str]
) -> None:
    for title in titles:
        assert troubles(told(title, name)) == []
        assert held(told(title, name)), title
    assert all(case.status == "skipped" for title in others for case in told(title, name))


# Of a store that is asked over a socket, the first story of each row of what is required, half of them by each face.
@needs_redis
@pytest.mark.parametrize(("name", "first"), [("reference-sync-redis", 0), ("reference-async-redis", 1)])
def test_the_stories_hold_on_a_real_server(name: str, first: int) -> None:
    titles = [title for title, *_ in ROWS.values() if title not in SKIPPED["reference-sync-sqlite"]][first::2]
    assert [line for title in titles for line in troubles(told(title, name))] == []
    assert sum(held(told(title, name)) for title in titles) > 10


@needs_redis
@pytest.mark.parametrize(("name", "first"), [("reference-sync-redis", 0), ("reference-async-redis", 7)])
def test_stories_of_a_network_hold_on_a_real_server(name: str, first: int) -> None:
    for title in sorted(ONLY_OF_SERVERS)[first:]:
        assert troubles(told(title, name)) == []
        assert held(told(title, name)), title


@needs_redis
def test_a_server_is_waited_for_as_long_as_the_retry_goes_on() -> None:
    followed = [
        {fired.followed for (case,) in [told(title, "reference-sync-redis")] for fired in case.fired}
        for title in (
            "A server that is away for shorter than a retry loses no session",
            "A server that is away for longer than any retry loses no session",
        )
    ]
    assert followed == [{"update: answered"}, {"update: nobody knows whether it has happened"}]


# Recovery done wrong in one way each -> the story that tells.
def only_the_newest(self: Checkpoints) -> Iterator[Checkpoint | str]:
    yield from (self.read(number) for number in self.numbers()[:1])


def any_of_that_number(self: RecoveryKeeper, owner: Owner) -> bool:
    return owner.pid == os.getpid()


@pytest.mark.parametrize(
    ("place", "name", "wrong", "title"),
    [
        (Checkpoints, "newest_first", only_the_newest, "A damaged newest checkpoint leaves the one before"),
        (
            RecoveryKeeper,
            "_is_running",
            any_of_that_number,
            "A process that was given the number of the one that crashed is not taken for it",
        ),
    ],
)
def test_a_recovery_that_is_wrong_is_told_by_its_story(
    monkeypatch: pytest.MonkeyPatch, place: type, name: str, wrong: Any, title: str
) -> None:
    monkeypatch.setattr(place, name, wrong)
    assert [case.status for case in tell(title, Runner(load("reference-recovery")))] == ["violated"]


def test_what_the_shipped_profiles_skip_of_the_reference_holds_in_a_variant() -> None:
    assert {title for title in OTHER_PROMISES for name in VARIANTS if held(told(title, name))} == OTHER_PROMISES


# -- what the stories say -------------------------------------------------------------------------------------------

# What is required of a session manager -> the stories that tell it.  Not told by stories, but tested elsewhere: a bad
# setting is refused (tests/reference/test_settings.py), what operations cost (benchmarks/manager.py), the counters and
# the histogram of the export (tests/reference/test_metrics.py), the entropy of ids.
ROWS: Final[Mapping[str, tuple[str, ...]]] = {
    "create": ("A new session lives and holds what it was given", "An id that lives cannot be taken by another"),
    "ensure": ("Get or create gives the session that is there",),
    "get": ("Looking at a session does not keep it alive",),
    "touch": ("A touch in the last second keeps an idle session alive",),
    "update": ("An update keeps what it does not name", "Writing keeps a session alive"),
    "save": (
        "A save replaces all data",
        "A save over a stale version is refused",
        "Of two saves over one version one wins",
    ),
    "delete": (
        "A deleted session is gone and stays gone",
        "Whoever deletes a session twice is told that it was gone",
        "Whoever deletes an expired session is told that it was gone",
    ),
    "expire": ("A session can be made to expire before its time",),
    "use": ("Using a live session gives itself",),
    "resume after disconnect": (
        "A client that comes back in time finds its session",
        "A client that comes back too late finds nothing",
        "Coming back is activity",
    ),
    "rotate": (
        "A rotated session lives on under its new id alone",
        "A rotated session takes the place of its old self",
    ),
    "sweep": ("A sweep removes what has expired and tells how many", "A sweep leaves the living alone"),
    "list": ("The list shows every living session once", "Each owner is shown his own sessions only"),
    "count": ("The count follows what comes and goes",),
    "clear": ("Clearing ends every session",),
    "stop": ("Stopping the manager closes what its sessions own",),
    "id reuse": ("The id of a deleted session may be used again", "The id of an expired session may be used again"),
    "idle timeout": (
        "An idle session expires at its timeout and not a microsecond earlier",
        "At exactly its timeout a session still lives where that is the promise",
        "Sessions expire one by one in the order of their last use",
    ),
    "per-session timeout": (
        "A timeout of its own counts in place of the manager's",
        "A timeout of its own is exact to the microsecond",
        "Activity renews a session by its own timeout",
    ),
    "absolute timeout": (
        "No activity keeps a session beyond its absolute timeout",
        "A session too old ends however busy it is",
    ),
    "timeout of zero": ("A timeout of zero is refused where that is the promise",),
    "time left": ("The time left runs down and starts anew with activity",),
    "dead stays dead": ("An expired session cannot be brought back to life",),
    "limit": ("One session more than the limit is refused", "The limit holds however many sessions it allows"),
    "limit released": (
        "A deleted session makes room for another",
        "An expired session makes room for another",
        "A sweep makes room for others",
    ),
    "limit per owner": (
        "Each owner has a limit of his own",
        "At an owner's limit his oldest session makes room and nobody else's",
    ),
    "limit checked atomically": ("Creators at once do not pass the limit together",),
    "cleaner": (
        "The cleaner removes an expired session within its interval",
        "The cleaner goes on after a session that cannot be closed",
        "The cleaner leaves a session alone that is used in between",
        "What the cleaner has removed is not even shown as expired",
        "A sweep goes on after a session that cannot be closed",
        "A session touched while the sweep runs is not removed",
    ),
    "state": (
        "No two sessions share an id",
        "A session knows whose it is",
        "An expired session is shown as expired until it is swept",
        "Every write gives a new version and a touch gives none",
        "What a caller does to his copy stays with him",
    ),
    "expired use": (
        "An expired session that is used has one replacement and always the same",
        "Clients who use an expired session at once get the same replacement",
        "A replacement that was closed is replaced anew",
    ),
    "resources": (
        "What a session owns is closed once when it is deleted",
        "What a session owns is closed once when it expires and is swept",
        "What a session owns is closed once when it is made to expire",
        "What a session owns is closed once when it has to make room",
        "What a session owns goes with it to its new id",
        "What an expired session owns is closed when another takes its place",
        "What sessions own is closed once when all are cleared",
        "Stopping the manager closes what its sessions own",
    ),
    "concurrency": (
        "Updates made at once are all kept",
        "Of two who delete at once one is told that it was there",
        "Clients at work on their own sessions do not disturb each other",
        "Sessions do not leak into each other",
    ),
    "metrics": ("The metrics tell how many sessions there are and how old they are",),
    "restart": tuple(sorted(ONLY_DURABLE)),
    "a store out of reach": tuple(sorted(ONLY_OF_SERVERS)),
    "recovery": tuple(sorted(ONLY_OF_CHECKPOINTS)),
    "clean-up while a hook fails": ("A sweep goes on although a closing hook fails",),
    "clock": (
        "A clock set back by an hour between two uses expires nobody and revives nobody",
        "A clock set back expires nothing and revives nothing",
        "A clock set forward by longer than the timeout ends the session",
        "A change to daylight saving time moves no deadline",
    ),
}


# What neither a shipped profile of the list nor a variant can be told is held where it can.
ELSEWHERE: Final = {"a store out of reach": ("reference-sync-redis",), "recovery": ("reference-recovery",)}


@pytest.mark.parametrize("row", ROWS)
def test_what_is_required_is_told_by_stories_that_hold_on_the_reference(row: str) -> None:
    if row == "a store out of reach" and not has_redis:
        pytest.skip(needs_redis.kwargs["reason"])
    for title in ROWS[row]:
        assert any(held(told(title, name)) for name in ELSEWHERE.get(row, (*SHIPPED, *VARIANTS))), title


def test_there_are_more_than_forty_stories_and_each_is_in_the_file_of_its_name() -> None:
    assert len(STORIES) > 40
    for story in STORIES.values():
        assert named(story) == Path(story.path).name.removesuffix(scenario_files.SUFFIX)


def named(story: Scenario) -> str:
    """Return the title as a file's name."""
    words = "".join(letter if letter.isalnum() else " " for letter in story.title.lower().replace("'", "")).split()
    return "-".join(words)
