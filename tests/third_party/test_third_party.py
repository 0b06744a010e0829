"""Every story of `scenarios/` against real session systems from PyPI, each described by its profile alone.

What does not hold is listed here with its reason; anything else that is violated, unproven or broken fails.  That the
listed ones are the packages' own is shown without the harness in `test_findings.py`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from pytest_sessionguard.core.plan import Plan, cells
from pytest_sessionguard.core.result import CaseResult, Result
from pytest_sessionguard.run import scenario_files
from pytest_sessionguard.run.runner import run_all
from pytest_sessionguard.target.profile import Profile, load, refused_for_run

HERE = Path(__file__).parent
STORIES = HERE.parents[1] / "scenarios"
PAGE = HERE.parents[1] / "docs" / "third-party.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What of a package does not hold.

    Attributes:
        operation: the one whose answer is wrong.
        properties: the properties that are violated by it.
        stories: the stories that show it; empty: whichever look by that operation.
    """

    operation: str
    properties: frozenset[str]
    stories: frozenset[str] = frozenset()

    def explains(self, case: CaseResult) -> bool:
        (found,) = case.violations
        wrong = [row.operation for row in found.operations if row.remark.startswith("expected ")]
        return (
            found.property in self.properties
            and [text.partition("(")[0] for text in wrong] == [self.operation]
            and (not self.stories or case.title in self.stories)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """One third-party session system.

    Attributes:
        package: how it is imported.
        distribution: how it is installed.
        seen_in: the version in which the findings were seen.
    """

    package: str
    distribution: str
    seen_in: str
    findings: tuple[Finding, ...] = ()


def finding(operation: str, properties: str, *stories: str) -> Finding:
    return Finding(operation=operation, properties=frozenset(properties.split()), stories=frozenset(stories))


EXISTS = finding("exists", "expiry.idle expiry.per-session expiry.boundary lifecycle.views-agree")
ONE_MORE = finding("exists", "limit.eviction", "At the limit the session next to expire makes room")
DELETED_LATE = finding("delete", "expiry.idle", "Whoever deletes an expired session is told that it was gone")
DELETED_TWICE = finding(
    "delete",
    "lifecycle.delete",
    "Whoever deletes a session twice is told that it was gone",
    "A deletion that arrives twice removes nobody else",
)
TAKEN = finding(
    "create",
    "lifecycle.id-reuse",
    "The id of an expired session may be used again",
    "An expired id begins anew although nobody has swept",
)
TIMER_LEFT = finding("exists", "expiry.not-early", "A session made after clearing lives its whole time")

# What cannot be written is called done.
SWALLOWED = finding("get", "fault.reported")

SWEPT_LATE = finding("sweep", "sweep.complete", "A sweep at the very timeout takes what is due")

SYSTEMS = {
    "cachetools-ttlcache": System(package="cachetools", distribution="cachetools", seen_in="8.0.0"),
    "cachelib-simple": System(
        package="cachelib",
        distribution="cachelib",
        seen_in="0.17.0",
        findings=(ONE_MORE, DELETED_LATE),
    ),
    "cachelib-file": System(
        package="cachelib",
        distribution="cachelib",
        seen_in="0.17.0",
        findings=(ONE_MORE, DELETED_LATE, DELETED_TWICE, TAKEN, SWALLOWED),
    ),
    "django-db": System(package="django", distribution="Django", seen_in="5.2.19"),
    "diskcache": System(
        package="diskcache",
        distribution="diskcache",
        seen_in="5.6.3",
        findings=(SWEPT_LATE,),
    ),
    "litestar-memory": System(
        package="litestar",
        distribution="litestar",
        seen_in="2.25.0",
        findings=(EXISTS,),
    ),
    "litestar-file": System(
        package="litestar",
        distribution="litestar",
        seen_in="2.25.0",
        findings=(EXISTS, SWALLOWED),
    ),
    "aiocache-memory": System(
        package="aiocache",
        distribution="aiocache",
        seen_in="0.12.3",
        findings=(TIMER_LEFT,),
    ),
}

SHAPES_MIN = 5


@cache
def rows() -> dict[str, str]:
    """Return the page's row on each system."""
    page = PAGE.read_text(encoding="utf-8")
    return dict(re.findall(r"^\| \[([\w-]+)\]\([^)]*\) \| (.+) \|$", page, re.MULTILINE))


def ran_min(name: str) -> int:
    """Return how many stories run at the least, as the page says."""
    return int(rows()[name].split(" | ")[2])


@cache
def plans() -> tuple[Plan, ...]:
    return tuple(plan for path in scenario_files.find([str(STORIES)]) for plan in cells(scenario_files.load(path)))


def profile_of(name: str) -> Profile:
    """Return the profile of a system, or skip where its package is missing."""
    pytest.importorskip(SYSTEMS[name].package, reason=f"{SYSTEMS[name].distribution} is not installed")
    profile = load(str(HERE / f"{name}.sessionguard.toml"))
    assert refused_for_run(profile) == ()
    return profile


def told(profile: Profile, *titles: str) -> Result:
    """Return what became of every story, or of those named."""
    return run_all([plan for plan in plans() if not titles or plan.scenario.title in titles], profile)


def not_held(result: Result) -> list[CaseResult]:
    return [case for case in result.cases if case.status not in ("held", "skipped")]


def ran(result: Result) -> int:
    return result.count("held") + result.count("violated")


@pytest.mark.unmeasured
@pytest.mark.parametrize("name", SYSTEMS)
def test_every_story_that_fits_holds_except_what_is_listed(name: str) -> None:
    system = SYSTEMS[name]
    result = told(profile_of(name))
    wrong = not_held(result)
    unexplained = [
        case for case in wrong if case.status != "violated" or not any(one.explains(case) for one in system.findings)
    ]
    assert [(case.name, case.status, case.reason, *map(str, case.violations)) for case in unexplained] == []
    if version(system.distribution) == system.seen_in:
        shown = {one for case in wrong for one in system.findings if one.explains(case)}
        assert shown == set(system.findings)
    assert ran(result) >= ran_min(name)
    for case in result.cases:
        assert case.status != "skipped" or case.reason.startswith("needs "), case


@pytest.mark.parametrize("name", ["litestar-memory", "litestar-file"])
def test_litestar_is_sound_but_for_the_one_operation(name: str) -> None:
    profile = profile_of(name)
    operations: Any = profile.operations
    result = told(replace(profile, operations=operations.without("exists")))
    wrong = [case for case in not_held(result) if not (name == "litestar-file" and SWALLOWED.explains(case))]
    assert [(case.name, *map(str, case.violations)) for case in wrong] == []
    assert ran(result) >= ran_min(name)


@pytest.mark.unmeasured
@pytest.mark.parametrize("name", ["cachelib-simple", "cachelib-file", "django-db"])
def test_what_a_policy_declares_is_what_would_not_hold_without_it(name: str) -> None:
    profile = profile_of(name)
    assert profile.policy.clock_back == "undeclared"
    strict = replace(profile, policy=replace(profile.policy, clock_back="keeps"))
    (case,) = told(strict, "A clock set back expires nothing and revives nothing").cases
    assert case.violations[0].property == "expiry.clock-back"


# -- the page -------------------------------------------------------------------------------------------------------


def test_the_page_tells_of_every_system_and_of_every_finding() -> None:
    assert sorted(rows()) == sorted(SYSTEMS) == sorted(path.name.split(".")[0] for path in HERE.glob("*.toml"))
    for name, row in rows().items():
        system = SYSTEMS[name]
        assert f"{system.distribution} {system.seen_in}" in row
        for one in system.findings:
            assert f"`{one.operation}`" in row
        assert ("nothing" in row) is not bool(system.findings)
    assert len({system.package for system in SYSTEMS.values()}) >= SHAPES_MIN


def test_no_profile_names_code_of_its_own_but_for_a_projects_settings() -> None:
    own = {path.stem for path in HERE.glob("*.py") if not path.stem.startswith("test_")}
    assert own == {"django_project"}
    texts = {path.name: path.read_text(encoding="utf-8") for path in HERE.glob("*.toml")}
    assert [name for name, text in texts.items() if "django_project" in text] == ["django-db.sessionguard.toml"]


def test_profiles_are_read_without_a_remark() -> None:
    for name in SYSTEMS:
        assert profile_of(name).warnings == ()
