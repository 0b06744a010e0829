"""Stories run against toy managers: sound ones hold, broken ones are caught, faults are laid at the right door."""

from __future__ import annotations

import textwrap
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import toys

from pytest_sessionguard.clock.readings import READINGS
from pytest_sessionguard.core.plan import Plan, cells
from pytest_sessionguard.core.result import CaseResult, exit_status, result_schema, to_json
from pytest_sessionguard.core.violation import ViolationFound
from pytest_sessionguard.errors import HarnessError, UsageError
from pytest_sessionguard.run import runner, scenario_files
from pytest_sessionguard.run.runner import Runner, claims, run_all, run_plan
from pytest_sessionguard.target.shape import Profile


def plans_of(steps: str, header: str = "") -> tuple[Plan, ...]:
    body = textwrap.indent(textwrap.dedent(steps), "  ")
    text = f"scenario: A story\nversion: 1\n{textwrap.dedent(header)}steps:\n{body}"
    return cells(scenario_files.load("a.session.yaml", text))


def run(profile: Profile | Any, steps: str, header: str = "") -> CaseResult:
    profile = profile if isinstance(profile, Profile) else toys.a_profile(profile)
    (plan,) = plans_of(steps, header)
    case = run_plan(plan, profile, target="toy.toml")
    assert READINGS.clock is None
    return case


def violation(case: CaseResult) -> ViolationFound:
    assert case.status == "violated", (case.status, case.reason)
    (found,) = case.violations
    return found


TOUCH = """
- create: {as: cart, data: {items: 1}}
- advance: {to_timeout_of: cart, minus: 1s}
- touch: cart
- advance: 1s
- expect: {session: cart, alive: true, data: {items: 1}}
- advance: {to_timeout_of: cart, minus: 1us}
- expect: {session: cart, alive: true, expires_in: 1us}
- advance: 1us
- expect: {session: cart, alive: false}
- expect: {count: 0, ids: []}
"""

async_profile = toys.a_profile(toys.AsyncToy, manager={"callers": "tasks"})


# -- sound managers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "profile",
    [
        toys.a_profile(),
        toys.a_profile(toys.generated),
        toys.a_profile(toys.entered),
        async_profile,
        toys.a_profile(toys.async_entered),
        toys.a_profile(lambda idle, limit: toys.AsyncToy(idle, limit)),
    ],
    ids=["class", "generator", "context manager", "async", "async context manager", "async in disguise"],
)
def test_a_sound_manager_of_any_shape_holds(profile: Profile) -> None:
    case = run(profile, TOUCH, "invariants: [limit.enforced]\n")
    assert (case.status, case.reason) == ("held", "")
    assert case.exercised["expiry.touch-renews"]
    assert case.exercised["scenario.expectation"] == 4
    assert case.virtual_us >= 3_599_000_000
    assert case.steps == 10


def test_what_a_profile_does_not_judge_is_said_of_no_case() -> None:
    case = run(toys.a_profile(), "- advance: 1h\n")
    assert (case.status, case.reason) == ("unproven", "nothing in it was judged")


def test_every_cell_of_a_matrix_is_a_case() -> None:
    plans = plans_of(
        "- create: {as: a}\n- advance: $span\n- expect: {session: a, alive: true}\n", "matrix: {span: [1s, 2s]}\n"
    )
    result = run_all(plans, toys.a_profile(), target="toy.toml", seed=4)
    assert [(case.cell, case.status) for case in result.cases] == [("span=1s", "held"), ("span=2s", "held")]
    assert (result.verdict, exit_status(result), result.seed, result.virtual_us) == ("held", 0, 4, 3_000_000)
    jsonschema.validate(to_json(result), result_schema())
    assert {one.name: one.status for one in result.properties}["lifecycle.create"] == "held"
    assert {one.name: one.status for one in result.properties}["sweep.complete"] == "unproven"
    assert {one.name: one.status for one in result.properties}["data.version"] == "not-applicable"


def test_the_figures_that_a_story_wishes_for_are_handed_over() -> None:
    header = "with: {idle_timeout: 10m, limit: 1}\n"
    case = run(toys.Toy, "- create: {as: a}\n- create: {as: b}\n  refused: limit\n- advance: $idle_timeout\n"
               "- expect: {session: a, alive: false}\n", header)  # fmt: skip
    assert case.status == "held"
    assert case.virtual_us == 600_000_000


# -- broken managers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("factory", "name", "steps"),
    [
        (toys.Forgetful, "expiry.touch-renews", TOUCH),
        (toys.Early, "expiry.not-early", "- create: {as: a}\n- advance: 29m59s\n- expect: {session: a, alive: true}\n"),
        (toys.Limitless, "limit.enforced", "- repeat: {times: 4, steps: [{create: {as: a}}]}\n"),
        (toys.Noisy, "lifecycle.delete", "- create: {as: a}\n- delete: a\n- expect: {session: a, alive: false}\n"),
        (toys.Crashing, "lifecycle.errors", "- create: {as: a}\n- update: {session: a, set: {b: 1}}\n"),
    ],
)
def test_a_broken_manager_is_caught_and_the_property_named(factory: Any, name: str, steps: str) -> None:
    assert violation(run(factory, steps)).property == name


def test_a_violation_tells_all_that_a_reader_needs() -> None:
    found = violation(
        run(toys.Crashing, "- create: {as: cart, data: {a: 1}}\n- update: {session: cart, set: {b: 1}}\n")
    )
    assert [row.operation for row in found.operations] == ["create(data={'a': 1})", "update(cart, changes={'b': 1})"]
    assert "ZeroDivisionError: of course" in found.given
    assert "toys.py:" in found.given
    assert found.operations[-1].remark.startswith("expected ")
    assert (found.path, found.line, found.scenario) == ("a.session.yaml", 5, "a.session.yaml")
    assert found.replay == "sessionguard run a.session.yaml --manager toy.toml"
    assert found.output == "about to fail\n"
    assert "lifecycle.errors violated" in found.message


def test_the_command_to_repeat_a_cell_names_it() -> None:
    (plan,) = plans_of("- create: {as: a}\n- update: {session: a, set: {b: $n}}\n", "matrix: {n: [1]}\n")
    (found,) = run_plan(plan, toys.a_profile(toys.Crashing), target="my toy.toml").violations
    assert found.replay == "sessionguard run a.session.yaml --manager 'my toy.toml' --cell n=1"


def test_an_unwritten_key_that_would_explain_the_answer_is_named() -> None:
    class OneMore(toys.Toy):
        def alive(self, id: str) -> Any:
            entry = self.kept.get(id)
            return None if entry is not None and toys.time.time() - entry["at"] > self.idle else entry

    found = violation(run(OneMore, "- create: {as: a}\n- advance: 30m\n- expect: {session: a, alive: false}\n"))
    assert found.property == "expiry.boundary"
    assert (found.undeclared, found.undeclared_value) == ("at_timeout", 'at_timeout = "alive"')


# -- what a story expects -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "expected", "given"),
    [
        ("- create: {as: a, data: {n: 1}}\n- expect: {session: a, data: {n: 2}}\n", "data: {'n': 2}", "data: {'n': 1}"),
        ("- create: {as: a, data: {n: 1}}\n- expect: {session: a, has: {m: 2}}\n", "has: {'m': 2}", "data: {'n': 1}"),
        ("- create: {as: a}\n- expect: {session: a, alive: false}\n", "alive: false", "alive: true (ok: flag=True)"),
        ("- create: {as: a}\n- delete: a\n- expect: {session: a, alive: true}\n", "alive: true",
         "alive: false (ok: flag=False)"),
        ("- create: {as: a}\n- expect: {session: a, expires_in: 1m}\n", "expires_in: 1m", "seconds: 30m"),
        ("- create: {as: a}\n- expect: {count: 2}\n", "count: 2", "count: 1"),
        ("- create: {as: a}\n- expect: {ids: []}\n", "ids: []", "ids: [a]"),
        ("- create: {as: a}\n- touch: a\n  answer: {found: false}\n", "found: False", "found: True"),
        ("- create: {as: a}\n- touch: a\n  refused: true\n", "refused", "ok: found=True"),
        ("- create: {as: a}\n- create: {as: b, id: x}\n  refused: exists\n", "refused (exists)", "ok: id=b"),
        ("- create: {as: a}\n- eventually: {within: 1m, every: 7s, expect: {session: a, alive: false}}\n",
         "alive: false", "alive: true (ok: flag=True)"),
        ("- call: {function: 'operator:truediv', args: {}}\n", "operator:truediv to return", "TypeError"),
    ],
)  # fmt: skip
def test_an_expectation_that_is_not_met_is_a_violation_of_the_story(steps: str, expected: str, given: str) -> None:
    found = violation(run(toys.Toy, steps))
    assert found.property == "scenario.expectation"
    assert found.expected == (expected,)
    assert given in found.given
    last = max(number for number, line in enumerate(steps.splitlines()) if line.startswith("- "))
    assert found.line == 4 + last


def test_what_the_model_forbids_is_told_before_what_the_story_expects() -> None:
    found = violation(run(toys.Forgetful, TOUCH))
    assert found.property == "expiry.touch-renews"


def test_an_eventual_expectation_comes_true_in_time() -> None:
    case = run(
        toys.Toy, "- create: {as: a}\n- eventually: {within: 1h, every: 1m, expect: {session: a, alive: false}}\n"
    )
    assert (case.status, case.virtual_us) == ("held", 1_800_000_000)


def test_what_is_captured_can_be_used() -> None:
    steps = """
    - create: {as: a, data: {items: [4, 5]}}
    - update: {session: a, set: {x: 1}}
      capture: {was: found}
    - create: {as: b, data: {was: $was}}
    - expect: {session: b, data: {was: true}}
    - repeat:
        times: 2
        counter: i
        steps: [{update: {session: b, set: {"n${i}": $i}}}]
    - expect: {session: b, data: {was: true, n1: 1, n2: 2}}
    """
    assert run(toys.Toy, steps).status == "held"


def test_capturing_what_was_not_told_is_a_violation_of_the_story() -> None:
    operations = {**toys.OPERATIONS, "pop": "get(id) -> data"}
    steps = "- create: {as: a, data: {n: 1}}\n- pop: a\n  capture: {x: data.m}\n"
    found = violation(run(toys.a_profile(operations=operations), steps))
    assert found.expected == ("an answer with data.m",)


def test_a_function_is_called_and_its_answer_compared() -> None:
    steps = """
    - call: {function: "operator:add", args: {}}
    """
    assert violation(run(toys.Toy, steps)).property == "scenario.expectation"
    steps = """
    - create: {as: a}
    - call: {function: "test_runner:size_of", args: {plus: 2}}
      answer: {value: 3}
      capture: {size: value}
    - expect: {count: 1}
    """
    assert run(toys.Toy, steps).status == "held"


def size_of(manager: toys.Toy, plus: int) -> int:
    return len(manager.kept) + plus


def test_final_steps_run_after_a_violation_too() -> None:
    calls.clear()
    steps = "- create: {as: a}\n- update: {session: a, set: {b: 1}}\n"
    found = violation(run(toys.Crashing, steps, "finally:\n  - call: test_runner:note\n"))
    assert found.property == "lifecycle.errors"
    assert calls == [1]


calls: list[int] = []


def note() -> None:
    calls.append(1)


def test_a_wall_clock_that_is_set_is_seen_and_time_is_not_lost() -> None:
    steps = """
    - create: {as: a}
    - set_clock: {forward: 29m}
    - expect: {session: a, alive: true, expires_in: 1m}
    - set_clock: {to: "2030-01-01T00:00:00Z"}
    - expect: {session: a, alive: false}
    """
    assert run(toys.Toy, steps).status == "held"


@pytest.mark.parametrize(("to", "told"), [("back: 1m", "set back by 1m"), ("forward: 90s", "set forward by 1m30s")])
def test_a_violation_shows_where_the_clock_was_set(to: str, told: str) -> None:
    case = run(toys.Toy, f"- create: {{as: a}}\n- set_clock: {{{to}}}\n- expect: {{session: a, alive: false}}\n")
    rows = [(row.client, row.operation) for row in violation(case).operations]
    assert rows[1:] == [("harness", f"clock {told}"), ("look", "exists(a)")]


class Lodger(toys.Toy):
    """Sessions whose timeout is whatever their maker says."""

    def __init__(self) -> None:
        super().__init__()

    def lodge(self, id: str, data: Any, timeout: float = 60.0) -> str:
        self.idle = timeout
        return self.create(data, id)


@pytest.mark.parametrize(
    ("create", "status"), [("lodge(id, data, timeout) -> id", "held"), ("lodge(id, data, timeout?) -> id", "skipped")]
)
def test_where_every_session_is_given_its_timeout_a_story_may_wish_for_any(create: str, status: str) -> None:
    steps = """
    - create: {as: a, data: {n: 1}}
    - advance: 119m
    - expect: {session: a, alive: true}
    - advance: 1m
    - expect: {session: a, alive: false}
    """
    profile = toys.a_profile(
        Lodger,
        {**toys.OPERATIONS, "create": create},
        manager={"args": {}},
        policy={"per_session_timeout": True},
    )
    assert run(profile, steps, "with: {idle_timeout: 2h}\n").status == status


# -- refusals -------------------------------------------------------------------------------------------------------


def test_what_the_policy_says_instead_of_an_error_is_a_refusal_too() -> None:
    steps = """
    - touch: {session: {id: never-issued}}
      refused: missing
    - create: {as: a, id: x}
    - create: {as: b, id: x}
      refused: [exists, limit]
    - delete: a
    - delete: a
      refused: true
    """
    assert run(toys.Toy, steps).status == "held"


def test_a_session_that_was_refused_cannot_be_spoken_of() -> None:
    steps = "- create: {as: a, id: x}\n- create: {as: b, id: x}\n- touch: b\n"
    found = violation(run(toys.Toy, steps))
    assert found.expected == ("a session named b",)
    assert "FileExistsError" in found.given


def test_time_does_not_go_back() -> None:
    with pytest.raises(UsageError, match=r"a.session.yaml:\d+:\d+: advance: that instant is 1m in the past"):
        run(toys.Toy, "- create: {as: a}\n- advance: {to_timeout_of: a, minus: 3m}\n", "with: {idle_timeout: 2m}\n")


def test_a_story_that_supposes_a_longer_timeout_is_skipped_and_the_others_go_on() -> None:
    (wary,) = plans_of("- create: {as: a}\n- advance: {to_timeout_of: a, minus: 31m}\n")
    (other,) = plans_of(TOUCH)
    result = run_all([wary, other], toys.a_profile())
    assert [case.status for case in result.cases] == ["skipped", "held"]
    assert result.cases[0].reason == (
        'needs a timeout longer than 30m: the profile says idle_timeout = "30m", and 31m would do'
    )
    assert not result.cases[0].exercised


def test_a_session_without_a_deadline_has_none_to_go_to() -> None:
    with pytest.raises(UsageError, match="has no timeout to go to, or is over already"):
        run(toys.Toy, "- create: {as: a}\n- delete: a\n- advance: {to_timeout_of: a}\n")


# -- skipped --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "header", "why"),
    [
        ("- create: {as: a}\n- rotate: a\n", "", "operation rotate"),
        ("- create: {as: a, owner: ann}\n", "", "create that takes owner"),
        ("- create: {as: a}\n- touch: a\n  answer: {version: 2}\n", "", "touch that tells version"),
        ("- create: {as: a}\n- expect: {session: a, status: x}\n", "", "get that tells status"),
        ("- create: {as: a}\n", "requires: [absolute_timeout]\n", "policy key absolute_timeout"),
        ("- create: {as: a}\n", "with: {absolute_timeout: 1h}\n", "hands over no {absolute_timeout}"),
    ],
)
def test_a_story_that_the_profile_cannot_run_is_skipped_and_told_why(steps: str, header: str, why: str) -> None:
    case = run(toys.Toy, steps, header)
    assert case.status == "skipped"
    assert why in case.reason
    assert exit_status(runner.gather([case], toys.a_profile(), target="t")) == 3


PARALLEL = """
- create: {as: a, data: {n: 0}}
- parallel:
    - [{update: {session: a, set: {x: 1}}}]
    - [{update: {session: a, set: {y: 1}}}]
- expect: {session: a, data: {n: 0, x: 1, y: 1}}
"""


def test_callers_that_come_one_by_one_never_come_at_once() -> None:
    case = run(toys.a_profile(manager={"callers": "one"}), PARALLEL)
    assert case.status == "skipped"
    assert "callers" in case.reason


# -- at once --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "profile",
    [toys.a_profile(), async_profile, toys.a_profile(toys.AsyncToy), toys.a_profile(manager={"callers": "tasks"})],
    ids=["threads", "tasks", "async for threads", "sync for tasks"],
)
def test_branches_run_at_once_and_are_judged_together(profile: Profile) -> None:
    case = run(profile, PARALLEL)
    assert (case.status, case.reason) == ("held", "")
    if profile.callers == "tasks" and profile is async_profile:
        assert case.exercised["concurrency.no-lost-update"]


@pytest.mark.parametrize(
    "profile",
    [toys.a_profile(toys.Racing), toys.a_profile(toys.AsyncRacing, manager={"callers": "tasks"})],
    ids=["threads", "tasks"],
)
def test_a_lost_update_is_caught(profile: Profile) -> None:
    found = violation(run(profile, PARALLEL))
    assert found.property == "concurrency.no-lost-update"
    assert {row.client for row in found.operations} >= {"A", "B"}


def test_a_refusal_that_a_branch_expects_is_told_when_all_are_over() -> None:
    steps = """
    - create: {as: a, data: {n: 0}}
    - parallel:
        - [{touch: a, refused: true}]
        - [{update: {session: a, set: {y: 1}}}, {repeat: {times: 2, steps: [{touch: a}]}}]
    """
    for profile in (toys.a_profile(), async_profile):
        found = violation(run(profile, steps))
        assert found.property == "scenario.expectation"
        assert not any(row.remark == "never answers" for row in found.operations)


def test_tasks_that_wait_for_each_other_are_told_as_a_deadlock() -> None:
    profile = toys.a_profile(toys.AsyncStuck, manager={"callers": "tasks"})
    found = violation(run(profile, PARALLEL))
    assert found.property == "concurrency.deadlock-free"
    assert [row.remark for row in found.operations if row.remark] == ["never answers"]
    assert found.given.startswith("nothing, for ever")


def test_threads_that_never_come_back_are_told_as_a_deadlock() -> None:
    steps = "- create: {as: a}\n- parallel: [[{delete: a}], [{touch: a}]]\n"
    found = violation(run(toys.Stuck, steps))
    assert found.property == "concurrency.deadlock-free"
    assert "delete(a)" in found.summary


# -- invariants -----------------------------------------------------------------------------------------------------

KEPT = "- create: {as: a, data: {deep: [1]}}\n- touch: a\n- update: {session: a, set: {b: 2}}\n"


@pytest.mark.parametrize("factory", [toys.Sharing, toys.SharingWithin])
def test_data_that_is_shared_is_caught(factory: Any) -> None:
    assert run(factory, KEPT).status == "held"
    found = violation(run(factory, KEPT, "invariants: [data.isolation]\n"))
    assert found.property == "data.isolation"


def test_an_invariant_is_looked_at_after_every_step() -> None:
    case = run(toys.Toy, KEPT, "invariants: [data.isolation, limit.enforced, expiry.not-early]\n")
    assert (case.status, case.reason) == ("held", "")
    assert case.exercised["data.isolation"] >= 3
    assert case.exercised["limit.enforced"] >= 3
    assert case.operations == 3 + 3 * 3


@pytest.mark.parametrize(
    ("tables", "name", "why"),
    [
        ({"policy": {"activity": ["create", "get", "exists", "ttl"]}}, "data.isolation", "get would renew"),
        ({"operations": {key: toys.OPERATIONS[key] for key in ("create", "get")}}, "limit.enforced", "has no count"),
        ({}, "data.version", "does not claim it"),
        ({"policy": {"missing": "creates"}}, "data.isolation", "makes what is missing"),
    ],
)
def test_an_invariant_that_cannot_be_looked_at_is_unproven(tables: dict[str, Any], name: str, why: str) -> None:
    case = run(toys.a_profile(**tables), "- create: {as: a}\n", f"invariants: [{name}]\n")
    assert case.status == "unproven"
    assert why in case.reason
    result = runner.gather([case], toys.a_profile(**tables), target="t")
    assert exit_status(result) == 3


def test_an_invariant_that_nothing_put_to_the_test_is_unproven() -> None:
    case = run(toys.Toy, "- sweep: {}\n", "invariants: [expiry.touch-renews]\n")
    assert case.status == "unproven"
    assert "nothing in the story put it to the test" in case.reason


# -- restarts and endings -------------------------------------------------------------------------------------------

FILED = {
    "operations": {**toys.OPERATIONS, "close": "close()"},
    "manager": {"args": {"root": "{dir}", "idle": "{idle_timeout}", "limit": "{limit}"}},
    "policy": {"survives": "restart"},
}
RESTART = "- create: {as: a, data: {n: 1}}\n- restart: {}\n- expect: {session: a, data: {n: 1}}\n"


def test_a_durable_manager_keeps_its_sessions_over_a_restart() -> None:
    assert run(toys.a_profile(toys.Filed, **FILED), RESTART).status == "held"


def test_a_manager_that_forgets_is_caught() -> None:
    assert violation(run(toys.a_profile(toys.Amnesiac, **FILED), RESTART)).property == "durability.restart"


def test_a_manager_that_cannot_be_made_again_is_caught() -> None:
    found = violation(run(toys.a_profile(toys.NeverAgain, **FILED), RESTART))
    assert found.property == "durability.restart"
    assert "the file is locked" in found.given
    assert found.line == 5


def test_a_manager_that_fails_when_it_is_closed_is_caught() -> None:
    found = violation(run(toys.a_profile(toys.ClosesBadly, **FILED), "- create: {as: a}\n"))
    assert found.operations[-1].operation == "close()"
    assert "disk on fire" in found.given


def test_a_context_that_fails_when_it_is_left_is_caught() -> None:
    found = violation(run(toys.leaving_badly, "- create: {as: a}\n"))
    assert found.property == "lifecycle.errors"
    assert "the lid is stuck" in found.given


def test_a_story_may_end_the_manager_itself() -> None:
    steps = "- create: {as: a}\n- close: {}\n"
    assert run(toys.a_profile(toys.Filed, **FILED), steps, "invariants: [limit.enforced]\n").status == "held"


def test_a_cleaner_that_is_a_task_lives_in_virtual_time() -> None:
    operations = {**toys.OPERATIONS, "start": "start()", "stop": "stop()", "count": "inner.kept.__len__() -> count"}
    profile = toys.a_profile(
        toys.AsyncToy,
        operations,
        manager={"args": {"idle": "{idle_timeout}", "limit": "{limit}", "every": "{sweep_interval}"}},
        policy={"sweep_interval": "5m", "expired": {"count": "stale"}},
    )
    case = run(profile, "- create: {as: a}\n- advance: 35m\n- expect: {count: 0}\n")
    assert (case.status, case.reason) == ("held", "")
    idle = replace(profile, args=profile.args.without("every"))
    assert violation(run(idle, "- create: {as: a}\n- advance: 36m\n- expect: {count: 0}\n")).property.startswith(
        ("sweep.", "lifecycle.", "expiry.", "scenario.")
    )


# -- whose fault ----------------------------------------------------------------------------------------------------


def test_a_profile_that_does_not_fit_is_the_users_fault() -> None:
    def factory(**given: Any) -> toys.Toy:
        return toys.Toy(**given, size=1)

    with pytest.raises(UsageError, match="gave no manager: TypeError"):
        run(factory, "- create: {as: a}\n")
    assert READINGS.clock is None


def test_a_factory_that_fails_later_on_is_the_targets_fault() -> None:
    made: list[int] = []

    def factory(idle: float, limit: int) -> toys.Toy:
        made.append(1)
        if len(made) > 1:
            raise RuntimeError("out of cheese")
        return toys.Toy(idle, limit)

    (plan,) = plans_of("- create: {as: a}\n")
    result = run_all([plan, plan], toys.a_profile(factory))
    assert [case.status for case in result.cases] == ["held", "violated"]
    assert "out of cheese" in result.violations[0].given


@pytest.mark.parametrize("error", [HarnessError("ours"), RuntimeError("a slip")])
def test_a_fault_of_ours_is_an_error_with_its_traceback_and_no_violation(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slip(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("pytest_sessionguard.run.conversation.Conversation.judge", slip)
    for profile in (toys.a_profile(), async_profile):
        (plan,) = plans_of("- create: {as: a}\n")
        result = run_all([plan], profile)
        assert (result.verdict, exit_status(result), result.violations) == ("error", 4, ())
        assert str(error) in result.cases[0].reason
        assert READINGS.clock is None


@pytest.mark.parametrize("factory", [toys.Interrupting])
def test_an_interruption_passes_through_once_everything_is_cleared(factory: Any, tmp_path: Path) -> None:
    ended: list[str] = []

    def generated(idle: float, limit: int) -> Any:
        yield factory(idle, limit)
        ended.append("left")

    (plan,) = plans_of("- create: {as: a}\n- update: {session: a, set: {b: 1}}\n")
    with pytest.raises(KeyboardInterrupt):
        run_plan(plan, toys.a_profile(generated))
    assert ended == ["left"]
    assert READINGS.clock is None
    result = run_all([plan, plan], toys.a_profile(generated))
    assert (result.interrupted, result.cases, exit_status(result)) == (True, (), 3)


def test_a_case_is_told_of_as_soon_as_it_is_over() -> None:
    seen: list[str] = []
    run_all(plans_of("- create: {as: a}\n"), toys.a_profile(), on_case=lambda case: seen.append(case.status))
    assert seen == ["held"]


def test_a_runner_remembers_that_its_target_needs_a_loop() -> None:
    made: list[int] = []

    def factory(idle: float, limit: int) -> toys.AsyncToy:
        made.append(1)
        return toys.AsyncToy(idle, limit)

    one = Runner(toys.a_profile(factory))
    (plan,) = plans_of("- create: {as: a}\n")
    assert [one.run(plan).status for _ in range(2)] == ["held", "held"]
    assert len(made) == 3


def test_a_manager_that_turns_out_to_be_async_is_left_before_another_is_made() -> None:
    left: list[int] = []

    def factory(idle: float, limit: int) -> Any:
        yield toys.AsyncToy(idle, limit)
        left.append(1)

    assert run(toys.a_profile(factory), "- create: {as: a}\n").status == "held"
    assert len(left) == 2


def test_a_profile_claims_what_its_tables_allow() -> None:
    assert "data.version" not in claims(toys.a_profile())
    hooks = {"on_close": "close(session)"}

    class Hooked(toys.Filed):
        def __init__(self, on_close: Any, **given: Any) -> None:
            super().__init__(**given)

    operations = {**toys.OPERATIONS, "save": "update(id, data) -> version"}
    more = toys.a_profile(Hooked, operations, manager={**FILED["manager"], "hooks": hooks, "callers": "tasks"})
    assert "data.version" in claims(more)
    assert "resources.closed-once" in set(claims(more)) - set(claims(toys.a_profile()))


# -- zones and beginnings ---------------------------------------------------------------------------------------------

ZONE = "zone: Europe/Berlin\nbegins: 2026-03-29T00:59:30Z\n"


class LocalToy(toys.Toy):
    """Takes the clock on the wall for the time that passes."""

    def alive(self, id: str) -> dict[str, Any] | None:
        entry = self.kept.get(id)
        if entry is not None and datetime.now() - datetime.fromtimestamp(entry["at"]) >= timedelta(seconds=self.idle):
            del self.kept[id]
            return None
        return entry


def test_a_story_begins_at_its_instant_in_its_zone_and_leaves_no_trace() -> None:
    seen: list[tuple[str, datetime]] = []

    class Watching(toys.Toy):
        def __init__(self, **given: Any) -> None:
            super().__init__(**given)
            seen.append((time.tzname[0], datetime.now(UTC)))

    before = time.tzname
    case = run(Watching, TOUCH, ZONE)
    assert (case.status, time.tzname) == ("held", before)
    assert seen == [("CET", datetime(2026, 3, 29, 0, 59, 30, tzinfo=UTC))]
    assert case.exercised["expiry.timezone"] >= 1
    assert "expiry.timezone" not in run(toys.Toy, TOUCH).exercised


def test_a_deadline_that_is_wrong_in_a_zone_alone_is_the_zones_fault() -> None:
    assert violation(run(LocalToy, TOUCH, ZONE)).property == "expiry.timezone"
    assert run(LocalToy, TOUCH, ZONE.replace("Europe/Berlin", "UTC")).status == "held"


def test_a_deadline_that_is_wrong_everywhere_is_not_the_zones_fault() -> None:
    class Late(toys.Toy):
        def __init__(self, idle: float = 60.0, limit: int | None = None) -> None:
            super().__init__(idle + 1, limit)

    steps = "- create: {as: cart, data: {}}\n- advance: {to_timeout_of: cart, plus: 500ms}\n- list: {}\n"
    for zone in ("Europe/Berlin", "UTC"):
        assert violation(run(Late, steps, ZONE.replace("Europe/Berlin", zone))).property == "expiry.idle"


def test_a_story_in_a_zone_that_this_system_lacks_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "obstacle", lambda name: f"{name} is not here")
    case = run(toys.Toy, TOUCH, ZONE)
    assert (case.status, case.reason) == ("skipped", "needs the time zone Europe/Berlin (Europe/Berlin is not here)")


class MtimeToy(toys.Toy):
    """Keeps its sessions in files, and takes their times for the last activity, as some web frameworks do."""

    def __init__(self, root: str, idle: float = 60.0, limit: int | None = None) -> None:
        super().__init__(idle, limit)
        self.root = Path(root)

    def create(self, data: Any = None, id: str | None = None) -> str:
        made = super().create(data, id)
        (self.root / made).write_text("")
        return made

    def alive(self, id: str) -> dict[str, Any] | None:
        entry, file = self.kept.get(id), self.root / id
        if entry is not None and time.time() - file.stat().st_mtime >= self.idle:
            del self.kept[id]
            return None
        return entry

    def touch(self, id: str) -> bool:
        if self.alive(id) is None:
            return False
        (self.root / id).touch()
        return True


def test_a_manager_that_goes_by_the_times_of_its_files_is_in_virtual_time_too() -> None:
    args = {"idle": "{idle_timeout}", "root": "{dir}"}
    steps = """
    - create: {as: cart}
    - advance: {to_timeout_of: cart, minus: 1s}
    - touch: cart
    - advance: 59s
    - touch: cart
    - advance: {to_timeout_of: cart, plus: 1s}
    - touch: cart
    """
    case = run(toys.a_profile(MtimeToy, manager={"args": args}), steps)
    assert (case.status, case.reason) == ("held", "")
