"""What the standard library remembers of real time does not reach into virtual time."""

from __future__ import annotations

import logging
import uuid

import pytest

from pytest_sessionguard.clock.virtual import START_US, VirtualClock


def test_a_log_record_counts_from_the_start_of_the_span() -> None:
    before = logging.makeLogRecord({}).relativeCreated
    with VirtualClock().installed() as clock:
        clock.advance(1_500_000)
        assert logging.makeLogRecord({}).relativeCreated == 1500
        assert logging.Formatter("%(asctime)s", "%m").format(logging.makeLogRecord({})) in ("01", "12")
    assert logging.makeLogRecord({}).relativeCreated >= before


def test_a_formatter_of_logs_may_keep_a_clock_of_its_own() -> None:
    formatter = logging.Formatter("%(asctime)s")
    formatter.converter = logging.time.gmtime  # type: ignore[attr-defined]  # as its documentation says
    with VirtualClock().installed():
        assert formatter.format(logging.makeLogRecord({})) == "2026-01-01 00:00:00,000"


@pytest.mark.parametrize("version", [1, 6, 7])
def test_a_uuid_made_of_the_time_is_made_of_the_virtual_time(version: int) -> None:
    make = getattr(uuid, f"uuid{version}", None)
    if make is None:
        pytest.skip(f"this Python has no uuid{version}")
    make()
    with VirtualClock().installed() as clock:
        first, second = make(), make()
        clock.advance(3_600_000_000)
        third = make()
    assert first != second
    if version == 7:
        assert [one.int >> 80 for one in (first, third)] == [START_US // 1000, START_US // 1000 + 3_600_000]
    else:
        assert third.time - first.time == 36_000_000_000
        assert first.time == START_US * 10 + 0x01B21DD213814000
    assert make() > second or version == 1
