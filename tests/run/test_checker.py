"""The search: what it finds, what it spares, and that it says no more than it has shown."""

from __future__ import annotations

import copy
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from toys import OPERATIONS, Toy

from pytest_sessionguard.core.result import Result, to_json
from pytest_sessionguard.core.tally import Tally
from pytest_sessionguard.errors import UsageError
from pytest_sessionguard.run.bench import Bench
from pytest_sessionguard.run.checker import Progress, Search, Settings, check
from pytest_sessionguard.run.families import families
from pytest_sessionguard.run.rounds import Rounds
from pytest_sessionguard.run.runner import claims
from pytest_sessionguard.target.profile import load
from pytest_sessionguard.target.shape import Profile

POLICY: Mapping[str, Any] = {
    "idle_timeout": "60s",
    "existing": "error",
    "missing": "none",
    "update": "merge",
    "data": "copies",
}


def a_profile(factory: type[Toy], operations: Mapping[str, str] = OPERATIONS, **policy: Any) -> Profile:
    missing = {"get": "none", "ttl": "none", **dict.fromkeys(("exists", "touch", "update", "delete"), "false")}
    return Profile.of(
        {
            "manager": {"factory": factory, "args": {"idle": "{idle_timeout}"}},
            "operations": dict(operations),
            "policy": {**POLICY, "missing": missing, **policy},
            "errors": {"exists": "FileExistsError"},
        },
        name="toy",
    )


def searched(profile: Profile, cases: int = 120, **more: Any) -> Result:
    return check(profile, Settings(seed=1, budget_s=None, cases=cases, **{"kinds": ("sequential",), **more}))


def statuses(result: Result) -> dict[str, str]:
    return {one.name: one.status for one in result.properties}


class Sound(Toy):
    """Nobody shares anything."""

    def update(self, id: str, changes: dict[str, Any]) -> bool:
        return super().update(id, copy.deepcopy(changes))


class LivesOn(Sound):
    """At its timeout a session still lives."""

    def alive(self, id: str) -> dict[str, Any] | None:
        with self.lock:
            entry = self.kept.get(id)
            if entry is not None and time.time() - entry["at"] > self.idle:
                del self.kept[id]
                entry = None
            return entry


class Forgets(Sound):
    """An update replaces all data."""

    def update(self, id: str, changes: dict[str, Any]) -> bool:
        entry = self.alive(id)
        if entry is None:
            return False
        entry["data"], entry["at"] = dict(changes), time.time()
        return True


def test_a_sound_manager_is_not_accused() -> None:
    result = searched(a_profile(Sound))
    assert [found.message for found in result.violations] == []
    assert statuses(result)["expiry.boundary"] == "held"
    assert statuses(result)["data.merge"] == "held"


@pytest.mark.parametrize(("factory", "name"), [(LivesOn, "expiry.boundary"), (Forgets, "data.merge")])
def test_a_planted_bug_is_found_and_named(factory: type[Toy], name: str) -> None:
    result = searched(a_profile(factory))
    assert result.verdict == "violated"
    assert name in {found.property for found in result.violations}


@pytest.mark.unmeasured
def test_the_search_goes_on_after_a_violation_and_tells_one_bug_once() -> None:
    class Both(LivesOn, Forgets):
        pass

    result = searched(a_profile(Both), cases=150)
    found = [violation.property for violation in result.violations]
    assert {"expiry.boundary", "data.merge"} <= set(found)
    assert result.ran is not None
    assert result.ran == 150


def test_the_first_violation_ends_it_where_that_is_asked() -> None:
    result = searched(a_profile(Forgets), cases=5_000, first=True)
    assert result.ran is not None
    assert result.ran < 1_000


def test_what_was_hardly_exercised_is_unproven_and_not_held() -> None:
    result = searched(a_profile(Sound), cases=3)
    assert result.verdict == "unproven"
    assert "held" not in {statuses(result)[name] for name in ("expiry.boundary", "data.merge", "lifecycle.create")}


def test_a_budget_of_no_time_shows_nothing() -> None:
    result = check(a_profile(Sound), Settings(seed=1, budget_s=0.0))
    assert (result.ran, result.verdict) == (0, "unproven")


@pytest.mark.unmeasured
def test_the_same_seed_tells_the_same() -> None:
    def told() -> dict[str, Any]:
        found = to_json(searched(a_profile(Forgets), cases=50))
        return {key: value for key, value in found.items() if key not in ("duration_s", "scenarios")}

    assert told() == told()


def test_only_what_is_asked_for_is_told() -> None:
    result = searched(a_profile(Forgets), only=("expiry.",), skip=("expiry.boundary",))
    told = statuses(result)
    assert result.violations == ()
    assert told["expiry.idle"] == "held"
    assert told["data.merge"] == told["expiry.boundary"] == "not-applicable"


def test_a_name_that_no_property_has_is_refused() -> None:
    with pytest.raises(UsageError, match="--only expirey: no property is called so"):
        searched(a_profile(Sound), only=("expirey",))


@pytest.mark.unmeasured
def test_an_allowed_property_keeps_nothing_from_being_held() -> None:
    small = a_profile(Sound, {"create": OPERATIONS["create"], "get": OPERATIONS["get"]})
    unproven = [one.name for one in searched(small).properties if one.status == "unproven"]
    result = searched(small, allow=dict.fromkeys(unproven, "known"))
    assert result.verdict == "held"


def test_progress_tells_properties_cases_and_violations() -> None:
    told: list[Progress] = []
    check(a_profile(Forgets), Settings(seed=1, budget_s=None, cases=60, kinds=("sequential",)), on_progress=told.append)
    assert [one.cases for one in told] == sorted(one.cases for one in told)
    assert told[-1].violations >= 1
    assert 0 < told[-1].shown <= told[-1].asked


def test_rounds_begin_with_what_is_cheap() -> None:
    search = Search(load("reference"), Settings(seed=1, budget_s=None, cases=10_000))
    first = search.rounds.next(Tally(), None, None)
    assert {name for name, _ in first} >= {"stories", "sequential"}
    assert "concurrent" not in {name for name, _ in first}
    assert "concurrent" in {name for name, _ in search.rounds.next(Tally(), None, None)}


def test_a_round_that_is_cut_short_has_some_of_all() -> None:
    search = Search(load("reference"), Settings(seed=1, budget_s=None, cases=10_000))
    search.rounds.next(Tally(), None, None)
    items = search.rounds.next(Tally(), 400, None)
    assert {name for name, _ in items[: len(items) // 4]} == {name for name, _ in items}


def test_no_case_is_handed_out_twice_and_none_left_out() -> None:
    search = Search(load("reference"), Settings(seed=1, budget_s=None, cases=10_000))
    items = [item for _ in range(4) for item in search.rounds.next(Tally(), None, None)]
    for name in {name for name, _ in items}:
        numbers = sorted(number for one, number in items if one == name)
        assert numbers == list(range(len(numbers)))


def test_what_is_cheap_is_run_more_often_in_the_same_time() -> None:
    search = Search(load("reference"), Settings(seed=1))
    search.rounds.next(Tally(), None, {"sequential": 0.001, "stories": 0.02})
    costs_s = {"sequential": 0.001, "stories": 0.02, "concurrent": 0.1}
    counted = Counter(name for name, _ in search.rounds.next(Tally(), None, costs_s))
    assert counted["sequential"] > 20 * counted["concurrent"] > 0


def test_with_few_cases_every_kind_has_some_and_the_reason_says_what_would_show_more() -> None:
    bench = Bench(load("reference-sync-file"), seed=1)
    able = tuple(one for one in families().values() if not one.applies(bench))
    asked = claims(bench.profile)
    few = Rounds(able, bench, asked).next(Tally(), 60, None)
    assert len(few) == 60
    counts = Counter(name for name, _ in few)
    assert min(counts[name] for name in ("crashes", "damage", "faults")) >= 3
    assert {name for name, _ in few} == {one.name for one in able}
    result = check(bench.profile, Settings(seed=1, budget_s=None, cases=1, kinds=("crashes",), only=("durability",)))
    (told,) = (one.reason for one in result.properties if one.name == "durability.power-loss")
    assert told.endswith("more cases, or --only durability.power-loss, would (cases so far: 1 of crashes)")
