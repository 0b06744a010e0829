"""The catalogue of properties: complete, readable, and claimed by exactly the profiles that meet its needs."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_sessionguard.core import properties
from pytest_sessionguard.core.operations import VERBS
from pytest_sessionguard.core.policy import KEYS, policy
from pytest_sessionguard.core.properties import (
    EXTRAS,
    ONLY_BY_SEARCH,
    PROPERTIES,
    Property,
    claimed,
    describe,
    meets,
    promised,
)

ALL = """
lifecycle.create lifecycle.get lifecycle.delete lifecycle.list lifecycle.ids-unique lifecycle.id-reuse
lifecycle.views-agree lifecycle.edge-values lifecycle.errors lifecycle.resume lifecycle.use expiry.idle expiry.absolute
expiry.boundary expiry.not-early expiry.touch-renews expiry.per-session expiry.no-resurrection expiry.clock-back
expiry.timezone sweep.complete sweep.only-expired sweep.survives-errors sweep.background limit.enforced limit.released
limit.eviction data.merge data.isolation data.read-your-writes data.version data.history-bounded
concurrency.linearizable concurrency.no-lost-update concurrency.limit concurrency.deadlock-free concurrency.no-error
cancel.no-leak cancel.atomic fault.atomic fault.no-leak fault.reported durability.restart durability.kill
durability.power-loss durability.damage recovery.complete recovery.idempotent recovery.crash-during
recovery.detects-crash recovery.no-false-alarm resources.closed-once resources.none-left resources.stop-in-time
security.id-entropy security.rotation security.fixation security.cross-session metrics.consistent
"""

BARE = {"lifecycle.create", "lifecycle.errors", "lifecycle.ids-unique"}


def test_the_catalogue_holds_every_property_and_no_other() -> None:
    assert sorted(PROPERTIES) == sorted(ALL.split())


@pytest.mark.parametrize("one", PROPERTIES.values(), ids=lambda one: one.name)
def test_every_need_can_be_met_and_is_told_in_words(one: Property) -> None:
    for need in one.needs:
        for word in need.split("|"):
            kind, _, rest = word.partition(".")
            if kind == "policy":
                assert rest in KEYS
            elif kind == "survives":
                assert rest in KEYS["survives"].values
            else:
                assert word in VERBS or word in EXTRAS
        assert describe(need)
    page = one.page()
    assert page.startswith(one.name)
    assert one.minimum in page
    assert re.fullmatch(r"[A-Z`].*\.", one.summary)


def test_a_manager_that_only_creates_claims_next_to_nothing() -> None:
    assert set(claimed(policy(), ["create"], ["ids.given"])) == BARE


def test_a_cache_with_a_timeout_claims_expiry_but_no_limit_and_no_concurrency() -> None:
    names = set(claimed(policy(idle_timeout=60), ["create", "get", "touch", "delete"]))
    assert {"expiry.idle", "expiry.touch-renews", "expiry.clock-back", "lifecycle.delete"} <= names
    assert not names & {"expiry.absolute", "limit.enforced", "concurrency.linearizable", "lifecycle.list", "data.merge"}
    assert "sweep.complete" not in names
    assert "expiry.per-session" not in names


@pytest.mark.parametrize(
    ("written", "operations", "extras", "name"),
    [
        ({"limit": 2}, ["create"], [], "limit.enforced"),
        ({"limit": 2, "at_limit": "evict-oldest"}, ["create", "get"], [], "limit.eviction"),
        ({"limit": 2}, ["create"], ["callers"], "concurrency.limit"),
        ({"survives": "kill"}, ["create", "get"], [], "durability.restart"),
        ({"survives": {"save": "kill"}}, ["create", "get"], [], "durability.kill"),
        ({"survives": "power-loss"}, ["create", "get"], [], "durability.power-loss"),
        ({"damage": "detected"}, ["create", "get"], [], "durability.damage"),
        ({"resource": "close()"}, ["create"], [], "resources.closed-once"),
        ({}, ["create"], ["hook.close"], "resources.closed-once"),
        ({}, ["create"], ["probes"], "resources.none-left"),
        ({}, ["create", "get", "save"], ["version"], "data.version"),
        ({"clock_back": "keeps", "idle_timeout": 1}, ["create", "get"], [], "expiry.clock-back"),
        ({"history_limit": 3}, ["create", "history"], [], "data.history-bounded"),
        ({"id_bits": 64}, ["create"], [], "security.id-entropy"),
        ({"stop_within": 5}, ["create", "stop"], [], "resources.stop-in-time"),
        ({"sweep_interval": 5, "idle_timeout": 1}, ["create"], [], "sweep.background"),
        ({}, ["create", "get"], ["callers", "callers.tasks"], "cancel.atomic"),
        ({}, ["create", "get"], ["files"], "fault.atomic"),
    ],
)
def test_a_property_is_claimed_once_its_needs_are_met(
    written: dict[str, object], operations: list[str], extras: list[str], name: str
) -> None:
    assert name in claimed(policy(**written), operations, extras)
    assert name not in claimed(policy(), ["create"])


@pytest.mark.parametrize(
    ("written", "operations", "name"),
    [
        ({"limit": 2}, ["create", "get"], "limit.eviction"),
        ({"at_limit": "evict-any"}, ["create", "get"], "limit.eviction"),
        ({"survives": "restart"}, ["create", "get"], "durability.kill"),
        ({"damage": "undeclared"}, ["create", "get"], "durability.damage"),
        ({"clock_back": "undeclared", "idle_timeout": 1}, ["create", "get"], "expiry.clock-back"),
        ({"per_session_timeout": False}, ["create", "get"], "expiry.per-session"),
        ({"idle_timeout": 1}, ["get"], "expiry.idle"),
    ],
)
def test_a_property_is_not_claimed_while_a_need_is_open(
    written: dict[str, object], operations: list[str], name: str
) -> None:
    assert name not in claimed(policy(**written), operations)


def test_any_one_of_the_words_of_a_need_is_enough() -> None:
    assert meets("get|exists", policy(), ["exists"], [])
    assert meets("policy.limit|hook.close", policy(), [], ["hook.close"])
    assert not meets("get|exists", policy(), ["touch"], [])


def test_a_boundary_is_claimed_only_where_it_can_be_judged() -> None:
    assert meets("exact", policy(), [], [])
    assert not meets("exact", replace(policy(), granularity_us=1_000_000), [], [])


@pytest.mark.parametrize(
    ("written", "key", "says"),
    [
        ({}, "limit", False),
        ({"limit": 0}, "limit", True),
        ({}, "damage", False),
        ({"zero_timeout": "never"}, "zero_timeout", True),
        ({"activity": []}, "activity", False),
        ({}, "revivable", False),
        ({}, "missing", True),
        ({"idle_timeout": 0}, "idle_timeout", True),
    ],
)
def test_a_key_is_promised_when_its_value_leaves_nothing_open(written: dict[str, object], key: str, says: bool) -> None:
    assert promised(policy(**written), key) is says


# The catalogue itself, and what crashes, damages, cancels and disturbs cases or asks for very many ids.
NO_STORIES = ("properties", "live", "crash", "damage", "detection", "cancel", "fault", "injections", "entropy")


def test_no_judge_of_stories_speaks_of_what_only_a_search_can_reach() -> None:
    assert set(PROPERTIES) > ONLY_BY_SEARCH
    package = Path(properties.__file__).parents[1]
    judges = [path for room in ("core", "run") for path in (package / room).rglob("*.py")]
    texts = {path.name: path.read_text(encoding="utf-8") for path in judges if not path.name.startswith(NO_STORIES)}
    found = {(name, file) for name in ONLY_BY_SEARCH for file, text in texts.items() if f'"{name}"' in text}
    assert found == set()
    assert any('"limit.enforced"' in text for text in texts.values())
