"""Operations that need a session object or a version first, and expectations that need other ways of looking."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest
import toys

from pytest_sessionguard.core.plan import cells
from pytest_sessionguard.core.result import CaseResult
from pytest_sessionguard.core.violation import ViolationFound
from pytest_sessionguard.errors import UsageError
from pytest_sessionguard.run import scenario_files
from pytest_sessionguard.run.runner import run_plan
from pytest_sessionguard.target.shape import Profile


def run(profile: Profile, steps: str, header: str = "") -> CaseResult:
    body = textwrap.indent(textwrap.dedent(steps), "  ")
    (plan,) = cells(scenario_files.load("a.session.yaml", f"scenario: A story\nversion: 1\n{header}steps:\n{body}"))
    return run_plan(plan, profile)


def violation(case: CaseResult) -> ViolationFound:
    assert case.status == "violated", (case.status, case.reason)
    return case.violations[0]


def test_a_session_object_and_a_version_are_read_before_they_are_needed() -> None:
    steps = """
    - create: {as: a, data: {n: 1}}
    - update: {session: a, set: {m: 2}}
    - save: {session: a, data: {k: 3}}
    - advance: 1m
    - update: {session: a, set: {m: 4}}
      client: other
    - expect: {session: a, data: {k: 3, m: 4}, version: 4, owner: somebody}
    """
    case = run(toys.a_desk(), steps)
    assert (case.status, case.reason) == ("held", "")
    assert case.operations == 6  # One `get` more, for the other client, who held nothing.


def test_a_version_that_nobody_knows_by_now_is_read_first() -> None:
    operations = {**toys.DESK, "save": "write(id, data, version)"}
    steps = """
    - create: {as: a, data: {n: 1}}
    - save: {session: a, data: {n: 2}}
    - save: {session: a, data: {n: 3}}
    - delete: a
    - save: {session: a, data: {n: 4}}
      refused: true
    """
    case = run(toys.a_desk(operations), steps)
    assert (case.status, case.reason) == ("held", "")
    assert case.operations == 6  # Two readings, the second of which found nothing to save over.


def test_a_stale_version_is_refused() -> None:
    steps = """
    - create: {as: a, data: {n: 1}}
      capture: {old: version}
    - save: {session: a, data: {n: 2}}
    - save: {session: a, data: {n: 3}, version: $old}
      refused: conflict
    - expect: {session: a, data: {n: 2}}
    """
    assert run(toys.a_desk(), steps).status == "held"


def test_a_version_that_cannot_be_read_is_asked_for() -> None:
    operations = {**toys.DESK, "create": "open(id, owner, data)", "save": "write(id, data, version)",
                  "get": "live(id) -> data"}  # fmt: skip
    del operations["update"]
    with pytest.raises(UsageError, match="say `version` in the step"):
        run(toys.a_desk(operations), "- create: {as: a}\n- save: {session: a, data: {n: 1}}\n")


def test_without_a_session_to_hold_the_operation_is_not_done_and_was_refused() -> None:
    steps = "- create: {as: a, id: id-of-a}\n- delete: a\n- update: {session: a, set: {n: 1}}\n  refused: true\n"
    case = run(toys.a_desk(), steps)
    assert (case.status, case.reason) == ("held", "")
    assert case.operations == 3 + 0

    found = violation(run(toys.a_desk(), steps.replace("refused: true", "capture: {v: version}")))
    assert (found.expected, found.line) == (("a session for update to work with",), 6)

    class Immortal(toys.Desk):
        def get(self, id: str) -> Any:
            return toys.DeskSession(self, id)

        def drop(self, id: str) -> bool:
            return True

    found = violation(run(toys.a_desk(factory=Immortal), steps))
    assert found.property == "lifecycle.delete"


def test_metrics_are_expected_and_watched() -> None:
    steps = "- create: {as: a}\n- create: {as: b}\n- expect: {metrics: {active: 2}}\n"
    case = run(toys.a_desk(), steps, "invariants: [metrics.consistent]\n")
    assert (case.status, case.reason) == ("held", "")
    assert case.exercised["metrics.consistent"] >= 3
    found = violation(run(toys.a_desk(), steps.replace("active: 2", "active: 3")))
    assert (found.expected, found.given) == (("metrics: {'active': 3}",), "metrics: {'active': 2}")


def test_a_resource_is_open_until_its_session_ends() -> None:
    steps = """
    - create: {as: a}
    - attach: {session: a, resource: file}
    - expect: {resource: file, closed: false}
    - delete: a
    - expect: {resource: file, closed: true}
    """
    assert run(toys.a_desk(), steps).status == "held"
    early = violation(run(toys.a_desk(), steps.replace("closed: false", "closed: true")))
    assert (early.expected, early.given) == (("resource file closed",), "it is open")

    class Leaking(toys.Desk):
        def drop(self, id: str) -> bool:
            self.resources.clear()
            return super().drop(id)

    (found,) = run(toys.a_desk(factory=Leaking), steps[: steps.rindex("- expect")]).violations
    assert found.property == "resources.closed-once"

    class Twice(toys.Desk):
        def drop(self, id: str) -> bool:
            for resource in self.resources.get(id, []):
                resource.close()
            return super().drop(id)

    (found,) = run(toys.a_desk(factory=Twice), steps).violations
    assert found.property == "resources.closed-once"
    assert [row.client for row in found.operations if row.remark] == ["target"]


def test_where_only_an_operation_that_renews_can_look_it_renews_and_says_so() -> None:
    operations = {key: toys.DESK[key] for key in ("create", "get")}
    steps = """
    - create: {as: a}
    - advance: 29m
    - expect: {session: a, alive: true}
    - advance: 29m
    - expect: {session: a, alive: true}
    """

    class Renewing(toys.Desk):
        def get(self, id: str) -> Any:
            entry = self.live(id)
            if entry is not None:
                entry["at"] = toys.time.time()
            return super().get(id)

    profile = toys.a_desk(operations, factory=Renewing, policy={"activity": ["create", "get"]})
    assert run(profile, steps).status == "held"
    found = violation(run(profile, f"{steps.rstrip()}\n    - expect: {{session: a, alive: false}}\n"))
    remarks = [row.remark for row in found.operations]
    assert remarks[1:3] == ["looked at by an operation that renews"] * 2


def test_what_no_operation_can_tell_is_unproven() -> None:
    operations = {key: toys.OPERATIONS[key] for key in ("create", "get", "touch", "update")}
    profile = toys.a_profile(operations=operations, policy={"missing": {"get": "creates", "touch": "creates"}})
    case = run(profile, "- create: {as: a}\n- expect: {session: a, alive: true}\n")
    assert case.status == "unproven"
    assert "no operation can tell alive" in case.reason


def test_what_an_answer_leaves_open_is_unproven() -> None:
    class Empty(toys.Toy):
        def get(self, id: str) -> Any:
            return super().get(id) or {}

    operations = {key: toys.OPERATIONS[key] for key in ("create", "get")}
    profile = toys.a_profile(Empty, operations, policy={"missing": "empty", "at_timeout": "expired"})
    steps = (
        "- create: {as: a}\n- expect: {session: a, alive: true}\n- advance: 31m\n- expect: {session: a, alive: false}\n"
    )
    assert run(profile, steps).status == "held"  # The record tells what empty data cannot.
