"""A whole run in virtual time: every test of a suite that knows nothing of it.

One clock is in force from the first test's set-up to the last one's tear-down, fixtures of every scope included: a
thread or a loop that a module's fixture started lives in the same time as the tests that wait for it.  Between two
tests the clock rests: pytest and its plugins wait in real time, and no thread of the suite runs.  For a test that is
to keep real time, or that brings a clock of its own, the clock is taken out of force; threads that are left go on in
real time.

The lock factories are in place before the first conftest is imported, so that a lock of any module of the suite is
handed over at the right virtual time.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import ExitStack
from typing import Any, Final

import pytest

from pytest_sessionguard.clock import threads
from pytest_sessionguard.clock.virtual import VirtualClock
from pytest_sessionguard.reports import plain_text

NAME: Final = "sessionguard-whole-run"
MARKER: Final = "real_time"

# Suites that were written in real time rely on it that nothing ends at the very instant that it is due.
LATE_US: Final = 1

# Where a report carries what its test took.
_CARRIED: Final = "sessionguard_time"

# Fixtures that bring a clock of their own.
_OWN_CLOCK: Final = frozenset({"sessionguard_clock", "sessionguard"})
_SHOWN_MAX: Final = 20


class WholeRun:
    """Holds the clock of a run."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self._left_real = tuple(config.getini("sessionguard_time_real"))
        self._clock: VirtualClock | None = None
        self._stack = ExitStack()
        self._taken: dict[str, tuple[int, float]] = {}
        # Test -> virtual microseconds, real seconds; gathered in the run's main process.
        self.told: dict[str, tuple[int, float]] = {}

    # -- in and out of force ------------------------------------------------------------------------------------------

    def _is_real(self, item: pytest.Item) -> bool:
        return (
            item.get_closest_marker(MARKER) is not None
            or item.get_closest_marker("virtual_time") is not None
            or not isinstance(item, pytest.Function)
            or not _OWN_CLOCK.isdisjoint(item.fixturenames)
            or item.nodeid.startswith(self._left_real)
        )

    def _enter(self) -> VirtualClock:
        if self._clock is None:
            clock = VirtualClock(start=_now_us(), threads=True, late_us=LATE_US)
            self._clock = self._stack.enter_context(clock.installed())
            threads.watch()
        return self._clock

    def leave(self) -> None:
        """Take the clock out of force."""
        if self._clock is not None:
            threads.end_stuck()
        self._clock = None
        self._stack.close()

    # -- hooks --------------------------------------------------------------------------------------------------------

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Put the clock in force for a test; this hook, because set-up, call and tear-down are all within it."""
        if self._is_real(item):
            self.leave()
            return (yield)
        clock = self._enter()
        # Meanwhile real time went on; what is dated by the kernel is not to come from the future.
        clock.wall_offset_us += max(0, _now_us() - clock.wall_us)
        threads.work_on()
        before_us, began_s = clock.virtual_elapsed_us, time.perf_counter()
        self._taken[item.nodeid] = before_us, began_s
        try:
            return (yield)
        finally:
            threads.rest()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[Any]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Let the last report of a test carry its times: a report crosses to the main process, nothing else does."""
        report = yield
        taken = self._taken.get(item.nodeid)
        if call.when == "teardown" and taken is not None and self._clock is not None:
            del self._taken[item.nodeid]
            setattr(report, _CARRIED, [self._clock.virtual_elapsed_us - taken[0], time.perf_counter() - taken[1]])
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Gather what the reports carry."""
        carried = getattr(report, _CARRIED, None)
        if carried is not None:
            self.told[report.nodeid] = int(carried[0]), float(carried[1])

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Leave virtual time before others clear up."""
        self.leave()

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Tell how much time passed, and where."""
        if not self.told or hasattr(self.config, "workerinput"):
            return
        terminalreporter.section("sessionguard time")
        for line in lines(self.told, each=bool(self.config.getoption("sessionguard_time_report"))):
            terminalreporter.line(line)

    def pytest_unconfigure(self) -> None:
        """Give the real factories back."""
        self.leave()
        threads.give_locks_back()


def lines(told: dict[str, tuple[int, float]], *, each: bool) -> list[str]:
    """Return the account: the sum, and if `each`, the tests that saved most."""
    total_us = sum(virtual_us for virtual_us, _ in told.values())
    total_s = sum(real_s for _, real_s in told.values())
    found = [f"virtual {_shown(total_us)} in {total_s:.1f} s ({len(told)} tests)"]
    if each:
        saved = sorted(told.items(), key=lambda one: one[1][1] - one[1][0] / 1e6)
        found += [
            f"  {_shown(virtual_us):>12} in {real_s:.3f} s  {nodeid}"
            for nodeid, (virtual_us, real_s) in saved[:_SHOWN_MAX]
            if virtual_us
        ]
    return found


def _shown(virtual_us: int) -> str:
    # Without the microsecond by which each sleep is late.
    return plain_text.span(virtual_us // 1000 * 1000)


def _now_us() -> int:
    return time.time_ns() // 1000


def prepare(config: pytest.Config) -> None:
    """Have the run in virtual time; to be called before any module of the suite is imported."""
    threads.keep_locks()
    config.pluginmanager.register(WholeRun(config), NAME)
