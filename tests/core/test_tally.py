"""What may be said of a property after a search: never more than was exercised."""

from __future__ import annotations

from typing import Any

from pytest_sessionguard.core.properties import PROPERTIES
from pytest_sessionguard.core.result import CaseResult, PropertyResult
from pytest_sessionguard.core.tally import MODEL, Tally, judged

ENOUGH = PROPERTIES["sweep.complete"].least


def a_case(status: str = "held", **more: Any) -> CaseResult:
    return CaseResult(title="one", status=status, **more)


def told(tally: Tally, name: str, **more: Any) -> PropertyResult:
    given: dict[str, Any] = {
        "claimed": ["sweep.complete"],
        "violated": (),
        "asked": ["sweep.complete"],
        "never": {},
        "allowed": {},
        **more,
    }
    return next(one for one in judged(tally, **given) if one.name == name)


def after(times: int, **more: Any) -> Tally:
    tally = Tally()
    tally.count(a_case(exercised={"sweep.complete": times}, **more), "sequential")
    return tally


def test_a_property_exercised_as_often_as_its_page_says_has_held() -> None:
    assert told(after(ENOUGH), "sweep.complete") == PropertyResult(name="sweep.complete", status="held", cases=1)


def test_one_time_less_is_unproven_and_says_so() -> None:
    less = told(after(ENOUGH - 1), "sweep.complete")
    assert less.status == "unproven"
    assert less.reason == (
        f"exercised {ENOUGH - 1} times only; it takes {ENOUGH} times that a sweep found expired sessions"
    )


def test_a_property_that_nothing_exercised_is_unproven() -> None:
    assert told(Tally(), "sweep.complete").reason.startswith("no case exercised it")


def test_why_nothing_can_exercise_it_is_told_in_place_of_a_count() -> None:
    assert told(Tally(), "sweep.complete", never={"sweep.complete": "no such case"}).reason == "no such case"


def test_a_violation_outweighs_whatever_was_exercised() -> None:
    assert told(after(ENOUGH), "sweep.complete", violated=["sweep.complete"]).status == "violated"


def test_what_the_profile_does_not_claim_does_not_apply() -> None:
    assert told(after(ENOUGH), "sweep.only-expired").status == "not-applicable"


def test_what_nobody_asks_for_is_not_told_as_held() -> None:
    assert told(after(ENOUGH), "sweep.complete", asked=[]).reason == "not asked for"


def test_one_history_that_could_not_be_judged_leaves_everything_unproven() -> None:
    tally = after(ENOUGH, unjudged={MODEL: "too many orders"})
    assert told(tally, "sweep.complete").reason == "a case could not be judged: too many orders"


def test_what_could_not_be_looked_at_is_unproven_for_that_reason() -> None:
    assert told(after(ENOUGH, unjudged={"sweep.complete": "no look"}), "sweep.complete").reason == "no look"


def test_what_the_user_allows_to_stay_unproven_says_why() -> None:
    assert told(Tally(), "sweep.complete", allowed={"sweep.complete": "swept by cron"}).reason.startswith(
        "allowed: swept by cron; no case"
    )


def test_skipped_and_broken_cases_count_for_nothing() -> None:
    tally = Tally()
    for status in ("skipped", "error"):
        tally.count(a_case(status, exercised={"sweep.complete": 99}))
    assert tally.cases == 0
    assert not tally.times


def test_two_tallies_put_together_are_one_of_all_their_cases() -> None:
    both, one = after(1, unjudged={"limit.enforced": "first"}), after(2, unjudged={"limit.enforced": "second"})
    both.add(one)
    assert (both.cases, both.times["sweep.complete"], both.in_cases["sweep.complete"]) == (2, 3, 2)
    assert both.unjudged == {"limit.enforced": "first"}


def test_every_property_says_how_often_a_search_must_exercise_it() -> None:
    assert all(one.least >= 1 for one in PROPERTIES.values())
    assert all(f"so many times: {one.least}\n" in one.page() for one in PROPERTIES.values())


def test_what_would_show_more_of_a_property_is_told_where_it_was_not_shown_often_enough() -> None:
    (one,) = (
        one
        for one in judged(
            Tally(),
            claimed=("fault.atomic",),
            violated=(),
            asked=("fault.atomic",),
            never={},
            allowed={},
            hints={"fault.atomic": "more cases would"},
        )
        if one.name == "fault.atomic"
    )
    assert one.status == "unproven"
    assert one.reason.endswith("each fault of the plan fired; more cases would")
