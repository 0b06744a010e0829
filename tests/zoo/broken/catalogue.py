"""The bugs that the shipped stories find: whom each breaks, which story finds it, and which property is broken."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest_sessionguard

SHIPPED: Final = Path(pytest_sessionguard.__file__).parent / "target" / "shipped"


@dataclass(frozen=True)
class Planted:
    """One bug: whom it breaks, the story that finds it, and the property that is broken."""

    file: str
    original: str
    story: str
    property: str


BUGS: Final = (
    Planted(
        "taken_id_is_overwritten",
        "strict_vault",
        "An id that lives cannot be taken by another",
        "lifecycle.create",
    ),
    Planted("unknown_is_made_up", "marked_desk", "An id that a stranger chose becomes no session", "lifecycle.get"),
    Planted("delete_only_says_so", "async_rooms", "A deleted session is gone and stays gone", "lifecycle.delete"),
    Planted("list_forgets_the_newest", "async_rooms", "The list shows every living session once", "lifecycle.list"),
    Planted("numbers_come_again", "stale_registry", "No two sessions share an id", "lifecycle.ids-unique"),
    Planted(
        "deleted_ids_stay_taken",
        "strict_vault",
        "The id of a deleted session may be used again",
        "lifecycle.id-reuse",
    ),
    Planted(
        "time_left_never_runs_down",
        "marked_desk",
        "The time left runs down and starts anew with activity",
        "lifecycle.views-agree",
    ),
    Planted(
        "zero_means_default",
        "reference-sync-memory",
        "A timeout of zero is refused where that is the promise",
        "lifecycle.edge-values",
    ),
    Planted(
        "second_delete_crashes",
        "owned_leases",
        "Whoever deletes a session twice is told that it was gone",
        "lifecycle.errors",
    ),
    Planted(
        "disconnect_ends_the_session",
        "reference-sync-memory",
        "A client that comes back in time finds its session",
        "lifecycle.resume",
    ),
    Planted(
        "every_use_gives_another",
        "reference-sync-memory",
        "An expired session that is used has one replacement and always the same",
        "lifecycle.use",
    ),
    Planted("idle_never_ends", "strict_vault", "A session left alone is gone long after its timeout", "expiry.idle"),
    Planted("busy_never_ends", "strict_vault", "A session too old ends however busy it is", "expiry.absolute"),
    Planted(
        "one_instant_too_long",
        "strict_vault",
        "An idle session expires at its timeout and not a microsecond earlier",
        "expiry.boundary",
    ),
    Planted("half_the_time", "async_rooms", "A session left alone is gone long after its timeout", "expiry.not-early"),
    Planted(
        "counts_in_local_time",
        "moving_agent",
        "A change to daylight saving time moves no deadline",
        "expiry.timezone",
    ),
    Planted(
        "touch_renews_nothing",
        "strict_vault",
        "A touch in the last second keeps an idle session alive",
        "expiry.touch-renews",
    ),
    Planted(
        "own_timeout_is_ignored",
        "marked_desk",
        "A timeout of its own counts in place of the manager's",
        "expiry.per-session",
    ),
    Planted(
        "touch_raises_the_dead",
        "owned_leases",
        "An expired session cannot be brought back to life",
        "expiry.no-resurrection",
    ),
    Planted(
        "distance_in_time",
        "strict_vault",
        "A clock set back expires nothing and revives nothing",
        "expiry.clock-back",
    ),
    Planted(
        "sweep_takes_only_one",
        "stale_registry",
        "A sweep removes what has expired and tells how many",
        "sweep.complete",
    ),
    Planted("sweep_takes_the_living", "stale_registry", "A sweep leaves the living alone", "sweep.only-expired"),
    Planted(
        "one_bad_farewell_stops_the_sweep",
        "async_rooms",
        "A sweep goes on after a session that cannot be closed",
        "sweep.survives-errors",
    ),
    Planted(
        "cleaner_never_comes",
        "reference-async-memory",
        "What the cleaner has removed is not even shown as expired",
        "sweep.background",
    ),
    Planted("one_too_many", "strict_vault", "One session more than the limit is refused", "limit.enforced"),
    Planted("slots_are_never_given_back", "strict_vault", "A deleted session makes room for another", "limit.released"),
    Planted(
        "newest_makes_room", "async_rooms", "At the limit the session idle for longest makes room", "limit.eviction"
    ),
    Planted("update_forgets_the_rest", "owned_leases", "An update keeps what it does not name", "data.merge"),
    Planted(
        "callers_share_the_notes", "marked_desk", "What a caller does to his copy stays with him", "data.isolation"
    ),
    Planted("save_adds_instead", "moving_agent", "A save replaces all data", "data.read-your-writes"),
    Planted("anybody_may_save", "strict_vault", "A save over a stale version is refused", "data.version"),
    Planted(
        "history_without_end",
        "strict_vault",
        "The history keeps the newest versions and no more than promised",
        "data.history-bounded",
    ),
    Planted(
        "both_have_deleted_it",
        "async_rooms",
        "Of two who delete at once one is told that it was there",
        "concurrency.linearizable",
    ),
    Planted("words_are_lost", "async_rooms", "Updates made at once are all kept", "concurrency.no-lost-update"),
    Planted(
        "limit_is_asked_too_early",
        "reference-async-memory",
        "Creators at once do not pass the limit together",
        "concurrency.limit",
    ),
    Planted("locks_in_two_orders", "async_rooms", "Updates made at once are all kept", "concurrency.deadlock-free"),
    Planted(
        "two_sweeps_trip",
        "async_rooms",
        "A session touched while the sweep runs is not removed",
        "concurrency.no-error",
    ),
    Planted(
        "nothing_is_committed",
        "sqlite_shelf",
        "What was deleted does not come back with a restart",
        "durability.restart",
    ),
    Planted(
        "closed_twice",
        "async_rooms",
        "What a session owns is closed once when it is deleted",
        "resources.closed-once",
    ),
    Planted(
        "stop_takes_its_time",
        "reference-async-memory",
        "Stopping the manager closes what its sessions own",
        "resources.stop-in-time",
    ),
    Planted("old_id_lives_on", "web_store", "A rotated session lives on under its new id alone", "security.rotation"),
    Planted("strangers_id_is_kept", "web_store", "An id that a stranger chose becomes no session", "security.fixation"),
    Planted("last_one_for_everybody", "marked_desk", "A session knows whose it is", "security.cross-session"),
    Planted(
        "total_never_falls",
        "reference-sync-memory",
        "The metrics tell how many sessions there are and how old they are",
        "metrics.consistent",
    ),
    Planted(
        "putting_does_not_count", "chat_cache", "Whoever was put a value last does not make room", "limit.eviction"
    ),
    Planted(
        "late_values_wake_the_dead",
        "chat_cache",
        "A value put too late brings no session back",
        "expiry.no-resurrection",
    ),
)
