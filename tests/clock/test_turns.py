"""The reference manager's cleaner under `advance`: what the turns are for."""

from __future__ import annotations

import threading

from pytest_sessionguard.clock.virtual import MICROSECONDS, VirtualClock
from pytest_sessionguard.reference import SessionManager


def test_the_sync_managers_cleaner_sweeps_exactly_when_due() -> None:
    with VirtualClock(threads=True).installed() as clock:
        closed: list[int] = []
        manager = SessionManager(
            timeout_secs=100, cleanup_interval_secs=300, on_close=lambda *_: closed.append(clock.virtual_elapsed_us)
        )
        with manager:
            clock.advance(0)
            manager.create("client")
            clock.advance(299_999_999)
            assert closed == []
            clock.advance(1)
            assert closed == [300 * MICROSECONDS]
            manager.create("client")
            clock.advance(3600 * MICROSECONDS)
            assert closed[1:] == [600 * MICROSECONDS]
        assert clock.virtual_elapsed_us == 3900 * MICROSECONDS
    assert [thread for thread in threading.enumerate() if thread.name == "session-cleaner"] == []
