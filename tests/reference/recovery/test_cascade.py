"""The cascade: every layer alone, their order, and what is no crash."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, product

import pytest

from pytest_sessionguard.reference.recovery.cascade import (
    DISK_FREE_MIN,
    HEARTBEAT_LIMIT_US,
    LAYERS,
    ORPHANED_AFTER_US,
    Evidence,
    diagnose,
)
from pytest_sessionguard.reference.recovery.owner import Owner

NOW_US = 10 * ORPHANED_AFTER_US

WELL = Evidence(
    graceful=False,
    owner=Owner(pid=7, started="100", boot_id="b", nonce="n"),
    lock_free=False,
    running=True,
    heartbeat_us=NOW_US,
    integrity="",
    disk_free=DISK_FREE_MIN,
    last_update_us=NOW_US,
    checkpoint_owner=True,
)

# What makes each layer be hit; low disk is none where the owner is known to be well, so it comes with a lost lock.
HITS = {
    "process-dead": {"lock_free": True, "running": False},
    "heartbeat-stale": {"heartbeat_us": NOW_US - HEARTBEAT_LIMIT_US - 1},
    "corrupt": {"integrity": "checkpoint 3: its checksum does not fit"},
    "disk-low": {"disk_free": DISK_FREE_MIN - 1, "running": False},
    "orphaned": {"last_update_us": NOW_US - ORPHANED_AFTER_US - 1},
}


def test_an_owner_that_lives_is_fresh_and_sound_is_ok_with_evidence_of_every_layer() -> None:
    found = diagnose(WELL, now_us=NOW_US)
    assert (found.status, found.reason, found.word) == ("ok", "", "ok")
    assert [layer.name for layer in found.layers] == list(LAYERS)
    assert all(layer.evidence for layer in found.layers)


@pytest.mark.parametrize("reason", LAYERS)
def test_each_layer_alone_is_a_crash_for_its_own_reason(reason: str) -> None:
    found = diagnose(replace(WELL, **HITS[reason]), now_us=NOW_US)  # type: ignore[arg-type]
    assert (found.status, found.reason, found.word) == ("crashed", reason, reason)
    assert [layer.name for layer in found.layers if layer.hit] == [reason]


@pytest.mark.parametrize("chosen", [pair for size in (2, 3, 5) for pair in combinations(LAYERS, size)])
def test_the_first_layer_that_is_hit_is_the_reason(chosen: tuple[str, ...]) -> None:
    hits = {name: value for reason in chosen for name, value in HITS[reason].items()}
    assert diagnose(replace(WELL, **hits), now_us=NOW_US).reason == chosen[0]  # type: ignore[arg-type]


def test_who_has_ended_by_its_own_will_has_not_crashed_whatever_else_there_is() -> None:
    hits = {name: value for reason in LAYERS for name, value in HITS[reason].items()}
    found = diagnose(replace(WELL, graceful=True, **hits), now_us=NOW_US)  # type: ignore[arg-type]
    assert (found.status, found.layers) == ("ended", ())


@pytest.mark.parametrize(("age_us", "hit"), [(-1, False), (0, False), (1, True)])
def test_a_heartbeat_is_stale_one_microsecond_after_its_limit(age_us: int, hit: bool) -> None:
    heartbeat_us = NOW_US - HEARTBEAT_LIMIT_US - age_us
    assert (diagnose(replace(WELL, heartbeat_us=heartbeat_us), now_us=NOW_US).reason == "heartbeat-stale") is hit


@pytest.mark.parametrize(("age_us", "hit"), [(-1, False), (0, False), (1, True)])
def test_a_folder_is_orphaned_one_microsecond_after_an_hour(age_us: int, hit: bool) -> None:
    last_update_us = NOW_US - ORPHANED_AFTER_US - age_us
    assert (diagnose(replace(WELL, last_update_us=last_update_us), now_us=NOW_US).reason == "orphaned") is hit


@pytest.mark.parametrize(("lock_free", "running"), list(product([True, False], repeat=2)))
def test_a_process_is_dead_only_where_its_lock_is_free_and_its_identity_gone(lock_free: bool, running: bool) -> None:
    found = diagnose(replace(WELL, lock_free=lock_free, running=running), now_us=NOW_US)
    assert (found.reason == "process-dead") is (lock_free and not running)


def test_low_disk_under_an_owner_that_is_well_is_a_warning() -> None:
    found = diagnose(replace(WELL, disk_free=1), now_us=NOW_US)
    assert (found.status, len(found.warnings)) == ("ok", 1)
    assert diagnose(WELL, now_us=NOW_US).warnings == ()


def test_a_checkpoint_without_an_owner_is_orphaned() -> None:
    assert diagnose(replace(WELL, checkpoint_owner=False), now_us=NOW_US).reason == "orphaned"


def test_a_clock_set_back_an_hour_makes_nothing_old() -> None:
    assert diagnose(WELL, now_us=NOW_US - 3_600_000_000).status == "ok"


def test_what_never_gave_a_sign_is_neither_stale_nor_orphaned() -> None:
    never = replace(WELL, heartbeat_us=None, last_update_us=None, checkpoint_owner=None)
    assert diagnose(never, now_us=NOW_US).status == "ok"


def test_where_nothing_was_ever_written_nothing_has_crashed() -> None:
    empty = replace(WELL, owner=None, checkpoint_owner=None, heartbeat_us=None, last_update_us=None, lock_free=True)
    assert diagnose(empty, now_us=NOW_US).status == "new"
    assert diagnose(replace(empty, checkpoint_owner=True), now_us=NOW_US).status == "ok"
