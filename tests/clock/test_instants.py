"""What is left until a deadline is nothing at the deadline, whatever floats make of it."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sessionguard.clock.instants import Instant

MICROSECONDS = st.integers(0, 10**15)


@given(MICROSECONDS, st.integers(0, 10**12))
def test_a_deadline_that_has_come_leaves_nothing(now_us: int, span_us: int) -> None:
    deadline = Instant(now_us / 1e6) + span_us / 1e6
    assert deadline - Instant((now_us + span_us) / 1e6) == 0
    assert round((deadline - Instant(now_us / 1e6)) * 1e6) == span_us
    assert span_us / 1e6 + Instant(now_us / 1e6) == deadline
    assert deadline - Instant((now_us + span_us + 1) / 1e6) < 0


def test_a_span_between_two_microseconds_is_rounded_up() -> None:
    assert Instant(1.0) + 0.0000011 == 1.000002


def test_what_is_no_span_is_added_as_to_any_float() -> None:
    assert Instant(1.0) + inf == inf
    assert inf - Instant(1.0) == inf
    assert Instant(2.5) - 1 == 1.5
    with pytest.raises(TypeError):
        Instant(1.0) + "1"  # type: ignore[operator]  # as for any float
