"""What Hypothesis draws: numbers, schedules, and operations as lines of a scenario file."""

from __future__ import annotations

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from pytest_sessionguard import strategies
from pytest_sessionguard.core.programs import Program
from pytest_sessionguard.errors import HarnessError, UsageError
from pytest_sessionguard.explore.drawn import Rolls, Switching, switches

PROFILE = "reference-async-memory"
FEW = settings(max_examples=50, phases=(Phase.generate,), database=None)


@settings(max_examples=20, deadline=None, database=None)
@given(st.data())
def test_what_is_rolled_is_in_range(data: st.DataObject) -> None:
    rolls = Rolls()
    rolls.begin(data.draw, 4)
    assert 0 < rolls.random() < 1
    assert rolls.choice("abc") in "abc"
    assert rolls.randint(3, 5) in (3, 4, 5)
    drawn = switches(rolls, decisions=16)
    assert drawn == sorted(drawn)


def test_nothing_is_rolled_behind_the_back_of_hypothesis() -> None:
    with pytest.raises(HarnessError):
        Rolls().random()


def test_whoever_runs_goes_on_but_where_a_switch_is() -> None:
    scheduler = Switching()
    scheduler.begin()
    scheduler.enter([(1, 1)])
    assert [scheduler.choose((0, 1), current) for current in (-1, 0, 1)] == [0, 1, 1]
    assert not scheduler.end()


@settings(max_examples=20, deadline=None, database=None)
@given(strategies.operations(PROFILE))
def test_an_operation_is_a_line_of_a_scenario_file(line: str) -> None:
    assert ": " in line


def test_operations_can_be_chosen() -> None:
    line = find(strategies.operations(PROFILE, verbs=("touch",)), lambda text: "s2" in text, settings=FEW)
    assert "touch" in line
    assert "create" in find(strategies.operations(PROFILE, verbs=("create",)), lambda text: True)


def test_an_operation_that_the_profile_has_not_is_refused() -> None:
    with pytest.raises(UsageError, match="declares no operation tuch to draw, did you mean"):
        strategies.operations(PROFILE, verbs=("tuch",))


def test_programs_are_drawn_with_and_without_clients() -> None:
    assert isinstance(find(strategies.programs(PROFILE), lambda program: not program.clients), Program)
    assert find(strategies.programs(PROFILE), lambda program: bool(program.clients), settings=FEW).clients
