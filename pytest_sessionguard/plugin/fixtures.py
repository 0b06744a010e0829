"""The fixtures, as far as they cost nothing: each loads what it needs when a test asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sessionguard.plugin import options

if TYPE_CHECKING:
    from pytest_sessionguard.plugin.driver import Driver
    from pytest_sessionguard.plugin.faults import Faults
    from pytest_sessionguard.plugin.virtual_time import TimeControl


@pytest.fixture
def session_manager(request: pytest.FixtureRequest) -> Any:
    """The session manager under test; override it to give a Profile, a TARGET, or a class or factory."""
    return options.manager(request.config) or options.DEFAULT_TARGET


@pytest.fixture
def sessionguard_clock(request: pytest.FixtureRequest) -> Iterator[TimeControl]:
    """Virtual time for this test: advance("5m"), set, back, forward, skew."""
    from pytest_sessionguard.plugin import virtual_time

    with virtual_time.clock_for(request.node).installed() as clock:
        control = virtual_time.TimeControl(clock)
        with virtual_time.file_times_for(request, control):
            yield control


@pytest.fixture
def sessionguard(
    request: pytest.FixtureRequest, session_manager: Any, sessionguard_clock: TimeControl
) -> Iterator[Driver]:
    """The session manager under test, to drive: every answer is judged as it comes."""
    from pytest_sessionguard.plugin import driver

    yield from driver.for_test(request, session_manager, sessionguard_clock)


@pytest.fixture
def sessionguard_faults(request: pytest.FixtureRequest, sessionguard: Driver) -> Faults:
    """What goes wrong for the manager under test: `with sessionguard_faults({"fail_call": "close", "at": 2}): ...`."""
    from pytest_sessionguard.plugin import faults

    return faults.Faults(sessionguard, request.node.nodeid)
