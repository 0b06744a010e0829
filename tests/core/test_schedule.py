"""A schedule is written as letters and read back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sessionguard.core.schedule import Schedule, letter, parse
from pytest_sessionguard.errors import UsageError


@pytest.mark.parametrize(
    ("choices", "text"),
    [
        ((), ""),
        ((0, 1, 1, 0), "ABBA"),
        ((2,) * 3, "CCC"),
        ((0,) * 12 + (1,), "A12B"),
        ((26, 26, 0), "(26)(26)A"),
        ((30,) * 4, "(30)4"),
    ],
)
def test_a_schedule_is_shown_as_letters(choices: tuple[int, ...], text: str) -> None:
    assert str(Schedule(choices)) == text


@given(st.lists(st.integers(0, 40), max_size=60))
def test_what_is_shown_reads_back_equal(choices: list[int]) -> None:
    schedule = Schedule(tuple(choices))
    assert parse(str(schedule)) == schedule
    assert len(schedule) == len(choices)


def test_spaces_and_case_do_not_count() -> None:
    assert parse(" ab ba\n") == Schedule((0, 1, 1, 0))
    assert parse("A2B0C1") == Schedule((0, 0, 2))


@pytest.mark.parametrize("text", ["A-B", "3A", "(x)", "Ä", "A9999999", "(1"])
def test_what_is_no_schedule_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="schedule "):
        parse(text)


def test_switches_are_counted_between_decisions() -> None:
    assert [parse(text).switches for text in ("", "A", "AAA", "ABBA", "A5B5")] == [0, 0, 0, 2, 1]


def test_strands_after_z_are_numbers() -> None:
    assert [letter(0), letter(25), letter(26)] == ["A", "Z", "(26)"]
