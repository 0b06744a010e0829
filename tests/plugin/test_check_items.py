"""`--sessionguard-check`: the properties of a profile as pytest items, all out of one search."""

from __future__ import annotations

import pytest

from pytest_sessionguard.plugin import check_items
from pytest_sessionguard.run.checker import Settings, check
from pytest_sessionguard.run.found import settle
from pytest_sessionguard.target.profile import load

# What a search loads is there before a pytest within this one notes what is loaded, and is the same for all of them.
LOADED = (check_items, settle)

MANAGER = """
import itertools


class Sessions:
    def __init__(self):
        self.kept, self.numbers = {}, itertools.count(1)

    def create(self, data):
        name = f"id{next(self.numbers)}"
        self.kept[name] = repr(data)
        return name

    def get(self, name):
        return eval(self.kept[name]) if name in self.kept else None

    def delete(self, name):
        return name in self.kept if BROKEN else self.kept.pop(name, None) is not None
"""
PROFILE = """
[manager]
factory = "shop:Sessions"
path = ["."]

[operations]
create = "create(data) -> id"
get = "get(id) -> data"
delete = "delete(id) -> found"

[policy.missing]
get = "none"
delete = "false"

[check]
seed = 7
cases = 60
"""
NAME = "shop.sessionguard.toml"


@pytest.fixture(scope="module", autouse=True)
def _loaded() -> None:
    check(load("reference-sync-memory"), Settings(seed=1, cases=8))


@pytest.fixture
def shop(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(shop=f"BROKEN = False\n{MANAGER}")
    pytester.path.joinpath(NAME).write_text(PROFILE, encoding="utf-8")
    return pytester


def ran(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """Check the shop."""
    asked = ["--sessionguard-check", f"--sessionguard-profile={NAME}", "-p", "no:randomly", *arguments]
    return pytester.runpytest_inprocess(*asked)


def test_each_property_is_an_item_and_a_sound_manager_passes(shop: pytest.Pytester) -> None:
    result = ran(shop, "-v", "-k", "lifecycle.delete or lifecycle.get")
    result.stdout.fnmatch_lines(
        ["*::lifecycle.get PASSED*", "*::lifecycle.delete PASSED*", f"check {NAME}, seed 7: * cases in *; 2 held"]
    )
    told = result.parseoutcomes()
    assert told["passed"] == 2
    assert f"collected {told['passed'] + told['deselected']} items" in result.stdout.str()


def test_a_violated_property_fails_with_what_shows_it(shop: pytest.Pytester) -> None:
    shop.makepyfile(shop=f"BROKEN = True\n{MANAGER}")
    result = ran(shop, "-k", "lifecycle.delete", "--sessionguard-database=team")
    assert [path for path in shop.path.joinpath("team").rglob("*") if path.is_file()]
    result.stdout.fnmatch_lines(["lifecycle.delete violated: *", "*sessionguard replay *", "FAILED *lifecycle.delete*"])
    assert list(shop.path.glob(".sessionguard/found/lifecycle.delete-1.session.yaml"))


def test_what_is_unproven_is_no_pass_and_a_budget_replaces_the_cases(shop: pytest.Pytester) -> None:
    result = ran(shop, "-rs", "-k", "lifecycle.ids-unique", "--sessionguard-budget=1ms")
    result.stdout.fnmatch_lines(["SKIPPED*unproven: *"])


def test_a_wrong_seed_is_refused_before_anything_runs(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_inprocess("--sessionguard-check", "--sessionguard-seed=x")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--sessionguard-seed takes a whole number, not 'x'*"])
