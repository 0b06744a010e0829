"""What a story asks for and a profile's manager cannot tell apart, it is skipped for, and told so."""

from __future__ import annotations

import pytest
import toys

from pytest_sessionguard.core.plan import Plan, cells
from pytest_sessionguard.run import scenario_files
from pytest_sessionguard.run.fit import misfits


def a_plan(advance: str, matrix: str = "") -> Plan:
    text = f"""\
scenario: A story
version: 1
{matrix}steps:
  - create: {{as: cart, data: {{n: 1}}}}
  - repeat: {{times: 2, counter: i, steps: [{{advance: {advance}}}]}}
"""
    return cells(scenario_files.load("a.session.yaml", text))[0]


@pytest.mark.parametrize(
    ("advance", "matrix", "near"),
    [
        ("{to_timeout_of: cart}", "", True),
        ("{to_timeout_of: cart, minus: 1us}", "", True),
        ("{to_timeout_of: cart, minus: 1s}", "", True),
        ("{to_timeout_of: cart, plus: 1s}", "", True),
        ("{to_timeout_of: cart, minus: 61s, plus: 1m}", "", True),
        ("{to_timeout_of: cart, minus: 1001ms}", "", False),
        ("{to_timeout_of: cart, plus: 2s}", "", False),
        ("{to_timeout_of: cart, minus: $early}", "matrix: {early: [1ms]}\n", True),
        ("{to_timeout_of: cart, minus: $early}", "matrix: {early: [2s]}\n", False),
        ("{to_timeout_of: cart, minus: '${i}s'}", "", False),  # known only when it runs
        ("1us", "", False),
    ],
)
def test_a_story_stands_no_nearer_to_a_timeout_than_the_manager_can_tell(advance: str, matrix: str, near: bool) -> None:
    plan = a_plan(advance, matrix)
    coarse = toys.a_profile(manager={"granularity": "1s"})
    expected = ("a granularity finer than 1s, to stand so near to a timeout",) if near else ()
    assert misfits(plan, coarse) == expected
    assert misfits(plan, toys.a_profile()) == ()
