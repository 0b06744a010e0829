"""What goes wrong between a manager and its server: a careful store stands it, and a careless one is found."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
from servers import needs_redis

from pytest_sessionguard.core.plan import cells
from pytest_sessionguard.core.result import CaseResult
from pytest_sessionguard.core.scenario_text import text_of
from pytest_sessionguard.core.values import FrozenMap
from pytest_sessionguard.errors import UsageError
from pytest_sessionguard.reference import servers
from pytest_sessionguard.run import scenario_files
from pytest_sessionguard.run.bench import Bench
from pytest_sessionguard.run.families import families
from pytest_sessionguard.run.runner import Runner
from pytest_sessionguard.target.profile import load
from pytest_sessionguard.target.shape import Profile

pytestmark = needs_redis

STORY = """scenario: A session is changed
version: 1
start:
  - create: {as: cart, data: {n: 1}}
steps:
  - update: {session: cart, set: {n: 2, m: 2}}
"""
AFTER = """after_fault:
  - expect: {acknowledged: kept}
  - update: {session: cart, set: {n: 3}}
  - expect: {session: cart, has: {n: 3}}
"""
KINDS = (
    "partition: both",
    "partition: to-server",
    "partition: from-server, for: 1s",
    "latency: 1500ms",
    "latency: 3s, when: after",
    "reset: nothing",
    "reset: half",
    "reset: half, when: after",
    "outage: 3s",
)


def a_profile(name: str = "Pantry", **manager: Any) -> Profile:
    from faults import pantries

    told = {
        "factory": getattr(pantries, name),
        "args": {"host": "{host}", "port": "{port}", "limit": "{limit}"},
        "endpoint": servers.redis_server,
        "reset": servers.forget_all,
        **manager,
    }
    return Profile.of({"manager": told, **pantries.TABLES})


def told(profile: Profile | str, text: str) -> CaseResult:
    (plan,) = cells(scenario_files.load("network.session.yaml", text))
    return Runner(load(profile) if isinstance(profile, str) else profile).run(plan)


@pytest.mark.parametrize("words", KINDS)
def test_each_kind_strikes_at_every_request_and_a_careful_store_stands_it(words: str) -> None:
    case = told(a_profile(), STORY + f"faults: [{{{words}, at: every}}]\n" + AFTER)
    assert (case.status, case.reason) == ("held", ""), case.violations
    assert [fired.chance for fired in case.fired] == [1, 2]
    reply = "reply" if "after" in words else "request"
    assert {fired.point for fired in case.fired} == {f"network {reply}"}
    assert case.exercised["fault.atomic"] > 0


@pytest.mark.parametrize("face", ["sync", "async"])
@pytest.mark.parametrize("words", ["partition: from-server, at: 4, for: 3s", "reset: half, at: 4, when: after"])
def test_the_reference_store_asks_again_and_does_nothing_twice(face: str, words: str) -> None:
    text = "scenario: Made once\nversion: 1\nsteps: [{create: {as: cart}}]\n"
    case = told(f"reference-{face}-redis", text + f"faults: [{{{words}}}]\nafter_fault: [{{expect: {{count: 1}}}}]\n")
    assert case.status == "held", case.violations or case.reason
    assert [fired.followed for fired in case.fired] == ["create: answered"]


def test_two_at_once_stand_a_slow_network_in_whatever_order() -> None:
    text = """scenario: Two at once
version: 1
start:
  - create: {as: cart, data: {n: 1}}
steps:
  - parallel:
      - [{update: {session: cart, set: {a: 1}}}]
      - [{update: {session: cart, set: {b: 1}}}]
    schedules: 4
faults: [{latency: 20ms, lasting: true}]
after_fault: [{expect: {session: cart, data: {n: 1, a: 1, b: 1}}}]
"""
    case = told("reference-redis", text)
    assert (case.status, case.reason) == ("held", ""), case.violations


def test_a_crowded_server_is_waited_for_by_who_has_lost_its_connection() -> None:
    case = told("reference-redis", STORY + "faults: [{crowded: 2s}, {reset: nothing, at: 2}]\n" + AFTER)
    assert case.status == "held", case.violations or case.reason
    assert {fired.followed for fired in case.fired} == {"update: answered"}
    assert 2_000_000 <= case.virtual_us < 3_000_000


def test_the_same_story_goes_the_same_way_twice_to_the_microsecond() -> None:
    text = STORY + "faults: [{outage: 2500ms, at: every}]\n" + AFTER
    first, second = (told("reference-redis", text) for _ in range(2))
    assert len(first.fired) == 4
    assert (first.fired, first.virtual_us) == (second.fired, second.virtual_us)


def test_how_long_it_takes_is_virtual_and_to_the_microsecond() -> None:
    began_s = time.monotonic()
    case = told(a_profile(), STORY + "faults: [{latency: 1900ms, lasting: true}, {latency: 1ms, when: after}]\n")
    assert [fired.followed for fired in case.fired] == ["update: answered"] * 3
    assert case.virtual_us == 2 * 1_900_000 + 1_000
    late = told(a_profile(), STORY + "faults: [{latency: 1h}]\n")
    assert late.fired[0].followed == "update: nobody knows whether it has happened"
    assert late.virtual_us == 2_000_000
    assert time.monotonic() - began_s < 60


def test_a_partition_is_a_step_too_and_heals_when_told_or_by_itself() -> None:
    text = """scenario: Nothing gets through for a while
version: 1
steps:
  - create: {as: cart, data: {n: 1}}
  - partition: both
  - update: {session: cart, set: {n: 2}}
  - partition: heal
  - expect: {session: cart, data: {n: 1}}
  - partition: {of: from-server, for: 1s}
  - update: {session: cart, set: {n: 3}}
  - expect: {session: cart, data: {n: 3}}
"""
    story = scenario_files.load("p.session.yaml", text)
    again = scenario_files.load("p.session.yaml", text_of(story))
    assert [step.arguments for step in again.steps] == [step.arguments for step in story.steps]  # type: ignore[union-attr]
    case = told(a_profile(), text)
    assert (case.status, case.reason) == ("held", ""), case.violations
    assert case.virtual_us == 3_000_000
    looked = text.replace("update: {session: cart, set: {n: 2}}", "expect: {session: cart, alive: true}")
    wrong = told(a_profile("TakesSilenceForNone"), looked)
    assert wrong.status == "violated"


def test_a_story_with_a_network_is_skipped_where_there_is_none_and_vacuous_where_nothing_is_asked() -> None:
    skipped = told("reference-sync-memory", STORY + "faults: [{partition: both}]\n")
    assert (skipped.status, skipped.reason[:35]) == ("skipped", "needs a manager that reaches its se")
    assert told("reference-sync-memory", STORY + "  - partition: heal\n").status == "skipped"
    vacuous = told(a_profile(), STORY + "faults: [{reset: half, at: 9}]\n")
    assert vacuous.status == "unproven"
    assert "vacuous: {reset: half, at: 9} never struck (2 chances at a network)" in vacuous.reason


def test_wrong_words_are_refused_at_their_place() -> None:
    with pytest.raises(UsageError, match="did you mean 'both'"):
        scenario_files.load("p.session.yaml", STORY + "  - partition: bath\n")
    with pytest.raises(UsageError, match="partition cannot stand in a branch"):
        scenario_files.load("p.session.yaml", STORY + "  - parallel: [[{partition: both}], [{touch: cart}]]\n")


# -- who meets it badly ------------------------------------------------------------------------------------------------

CREATED = """scenario: A session is made
version: 1
start:
  - list: {}
steps:
  - create: {as: cart}
"""
LOOKED = "after_fault: [{expect: {acknowledged: kept}}, {restart: {}}, {expect: {acknowledged: kept}}]\n"
THRICE = CREATED + "  - create: {as: second}\n  - create: {as: third}\n"
AGAIN = "after_fault: [{create: {as: last}}, {expect: {acknowledged: kept}}]\n"
SEEN = STORY.replace("update: {session: cart, set: {n: 2, m: 2}}", "expect: {session: cart, alive: true}")


@pytest.mark.parametrize(
    ("name", "story", "words", "after", "expected"),
    [
        ("Swallows", STORY, "reset: nothing, at: 2", LOOKED, "fault.reported"),
        ("AsksAgain", CREATED, "reset: nothing, at: 2, when: after", LOOKED, "fault.reported"),
        ("KeyByKey", STORY, "outage: 1s, at: 3", LOOKED, "fault.atomic"),
        ("RemembersFirst", STORY, "partition: both, at: 1", LOOKED, "fault.atomic"),
        ("KeepsThePlace", THRICE, "reset: half, lasting: true", AGAIN, "fault.no-leak"),
        ("TakesSilenceForNone", SEEN, "latency: 3s", LOOKED, "fault.reported"),
        ("WaitsForEver", STORY, "partition: from-server, at: 2", LOOKED, "fault.no-leak"),
    ],
)
def test_a_store_that_meets_a_network_badly_is_found_and_a_careful_one_is_not(
    name: str, story: str, words: str, after: str, expected: str
) -> None:
    text = f"{story}faults: [{{{words}}}]\n{after}"
    found = told(a_profile(name), text)
    assert [violation.property for violation in found.violations] == [expected], found.reason or found.violations
    careful = told(a_profile(), text)
    assert careful.status in ("held", "unproven"), careful.violations[0].message


def test_the_search_finds_by_itself_what_is_wrong() -> None:
    profile = a_profile("AsksAgain")
    operations = FrozenMap({verb: profile.operations[verb] for verb in ("create", "list")})
    bench, family = Bench(replace(profile, operations=operations), seed=1), families()["faults"]
    assert family.applies(bench) == ""
    tried = (one for number in range(family.size(bench) or 0) for one in family.run(bench, number))
    found = next(one for one in tried if one.case.violations)
    assert found.case.violations[0].property.startswith("fault.")
    assert found.fault.startswith(("{partition", "{reset", "{outage", "{latency"))


def test_a_test_has_a_network_too(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def session_manager():
            return "reference-redis"

        def test_a_server_that_is_away_for_less_than_the_retry_is_waited_for(sessionguard, sessionguard_faults):
            cart = sessionguard.create(data={"items": 1})
            with sessionguard_faults({"outage": "3s"}) as faults:
                assert not sessionguard.update(cart, changes={"items": 2}).refused
            assert [one.point for one in faults.fired] == ["network request"]
            sessionguard.expect(cart, data={"items": 2})
            with sessionguard_faults({"partition": "both"}):
                sessionguard.update(cart, changes={"items": 3})
            assert not sessionguard.update(cart, changes={"items": 4}).refused
        """
    )
    pytester.runpytest_inprocess("-p", "no:asyncio", "-p", "no:randomly", "-p", "no:cacheprovider").assert_outcomes(
        passed=1
    )
