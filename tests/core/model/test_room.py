"""Who makes room: what is told apart, and what is left open where there are too many ways."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from pytest_sessionguard.core.judging import begin

from .planted import HOUR, NONE, story
from .stories import Story, ok


def crowd(number: int, *, apart_s: float = 0, **written: Any) -> Story:
    """Create so many sessions, at one instant or one after the other."""
    told = story(**written)
    for place in range(number):
        told.did("create", f"s{place}", ok(id=f"s{place}"), data={"place": place}).advance(apart_s)
    return told


def lives(place: int) -> Any:
    return ok(data={"place": place})


def worlds(told: Story) -> int:
    found = begin(told.model).feed(told.entries)
    assert found.legal
    return len(found.states)


EVICTING = ["evict-oldest", "evict-idle", "evict-soonest", "evict-any"]


@pytest.mark.parametrize("at_limit", EVICTING)
def test_any_choice_among_many_ties_is_followed_in_few_worlds(at_limit: str) -> None:
    told = crowd(40, limit=8, at_limit=at_limit)
    assert worlds(told) <= 24
    # The latest lives: it was made after the last eviction.
    assert begin(told.model).feed(told.did("get", "s39", lives(39)).entries).legal
    assert not begin(told.model).feed(told.did("get", "s39", NONE).entries).legal


@pytest.mark.unmeasured
@pytest.mark.parametrize("at_limit", EVICTING)
@pytest.mark.parametrize("kept", [range(1, 8), range(8, 15), range(12, 19)], ids=str)
def test_whoever_was_kept_among_ties_is_right(at_limit: str, kept: range) -> None:
    told = crowd(20, limit=8, at_limit=at_limit)
    for place in range(20):
        told.did("get", f"s{place}", lives(place) if place in kept or place == 19 else NONE)
    assert worlds(told) == 1


@pytest.mark.unmeasured
@pytest.mark.parametrize("at_limit", ["evict-oldest", "evict-idle", "evict-soonest"])
def test_without_ties_there_is_one_world_however_many_were_evicted(at_limit: str) -> None:
    told = crowd(30, apart_s=1, limit=20, at_limit=at_limit)
    assert worlds(told) == 1
    assert told.did("get", "s10", lives(10)).did("get", "s9", NONE).broken is None
    assert told.did("get", "s11", NONE).broken == "limit.eviction"
    assert crowd(30, apart_s=1, limit=20, at_limit=at_limit).did("get", "s9", lives(9)).broken == "limit.eviction"


def test_few_ties_are_told_apart_exactly() -> None:
    for kept in itertools.combinations(range(3), 2):
        told = crowd(3, limit=2, at_limit="evict-idle")
        for place in range(3):
            told.did("get", f"s{place}", lives(place) if place in kept else NONE)
        assert (told.broken is None) == (2 in kept)


def test_the_idlest_makes_room_and_not_the_oldest() -> None:
    told = crowd(3, apart_s=1, limit=3, at_limit="evict-idle").did("touch", "s0", ok(found=True)).advance(1)
    told.did("create", "s3", ok(id="s3")).did("get", "s0", lives(0))
    assert told.broken is None
    assert told.did("get", "s1", NONE).broken is None
    assert told.did("get", "s2", NONE).broken == "limit.eviction"


def test_one_refused_while_fewer_were_made_than_the_limit_is_about_the_limit_itself() -> None:
    told = crowd(1, limit=3, at_limit="error").advance(HOUR + 1).did("create", "z", ok(absent="false"))
    assert told.broken == "limit.enforced"
