"""Durations: exact, in microseconds, and read back as written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sessionguard.core import durations


@pytest.mark.parametrize(
    ("text", "span_us"),
    [
        ("90s", 90_000_000),
        ("30m", 1_800_000_000),
        ("1h30m", 5_400_000_000),
        ("1.5ms", 1_500),
        ("1us", 1),
        ("2d", 172_800_000_000),
        (5, 5_000_000),
        (0.25, 250_000),
        (0, 0),
    ],
)
def test_a_duration_is_an_exact_number_of_microseconds(text: str | float, span_us: int) -> None:
    assert durations.parse(text) == span_us


@pytest.mark.parametrize("text", ["", "soon", "3600", "-5s", "5 parsecs", "1.5us", "s", "5s5", True, -1, float("inf")])
def test_what_is_no_duration_is_refused(text: str | float) -> None:
    with pytest.raises(ValueError):
        durations.parse(text)


@given(st.integers(min_value=0, max_value=10**15))
def test_a_shown_duration_reads_back_as_itself(span_us: int) -> None:
    assert durations.parse(durations.show(span_us)) == span_us


def test_a_negative_span_is_shown_with_its_sign() -> None:
    assert durations.show(-1_000_001) == "-1s1us"
