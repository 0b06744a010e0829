"""The pytest plugin: the hooks, and nothing that costs.

The rule of this room: this file and what it imports at once load nothing but the standard library and pytest, because
every pytest run of everybody who has the package installed pays for it.  Each hook loads its own file when there is
work for it: a marker that is used, a scenario file to collect, something to tell at the end.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest

from pytest_sessionguard.plugin import options
from pytest_sessionguard.plugin.fixtures import session_manager, sessionguard, sessionguard_clock, sessionguard_faults

__all__ = ["session_manager", "sessionguard", "sessionguard_clock", "sessionguard_faults"]

SUFFIX: Final = ".session.yaml"

_MARKERS: Final = (
    "sessionguard(manager=None, **figures): the session manager under test, and figures of its policy for this test",
    "sessionguard_faults(*faults, **fault): what goes wrong for the manager under test, as a scenario file says it",
    "virtual_time(start=None, file_times=False): run the test in virtual time, and date its files in tmp_path by it",
    "real_time: keep the test in real time where --sessionguard-time=virtual puts all others in virtual time",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options; this early, because every command line is parsed with them."""
    options.add(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Prepare a whole run in virtual time; this early, because conftests are modules of the suite."""
    if options.time(early_config, early_config.known_args_namespace) == "virtual":
        from pytest_sessionguard.plugin import whole_run

        whole_run.prepare(early_config)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers, for --strict-markers; refuse wrong options before anything is collected."""
    for line in _MARKERS:
        config.addinivalue_line("markers", line)
    options.check(config)
    config.pluginmanager.register(Ledger(config), "sessionguard-ledger")
    if options.has_gates(config):
        from pytest_sessionguard.plugin import coverage_gate

        coverage_gate.register(config)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect a scenario file."""
    if not file_path.name.endswith(SUFFIX):
        return None
    from pytest_sessionguard.plugin.collector import SessionFile

    return SessionFile.from_parent(parent, path=file_path)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add the properties of the profile, where they are to be checked; this early, so that -k chooses among them."""
    if options.checks(config):
        from pytest_sessionguard.plugin import check_items

        check_items.add(session, config, items)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Prepare a test marked `virtual_time`; here, because the marks of parametrised cases are known only now."""
    if item.get_closest_marker("virtual_time") is None:
        return
    from pytest_sessionguard.plugin import virtual_time

    plugins = item.config.pluginmanager
    if not plugins.has_plugin("sessionguard-virtual-time"):
        plugins.register(virtual_time.VirtualTimeTests(), "sessionguard-virtual-time")
    virtual_time.ask_for_clock(item)


class Ledger:
    """Gathers the cases that reports carry, in the run's main process, and tells of them at the end."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.carried: list[dict[str, Any]] = []
        self.interrupted = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take a case out of the report; this hook, because workers' reports come by here too."""
        case = getattr(report, "sessionguard", None)
        if case is not None:
            self.carried.append(case)

    def pytest_keyboard_interrupt(self) -> None:
        """Note that what follows was not run."""
        self.interrupted = True

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Tell of the cases and write the report: here, where the last worker has reported and there is a terminal."""
        if options.checks(self.config):
            from pytest_sessionguard.plugin import check_items

            told = check_items.summary(self.config)
            terminalreporter.line(told) if told else None
        if not self.carried or hasattr(self.config, "workerinput"):
            return
        from pytest_sessionguard.plugin import summary

        result = summary.result_of(self.carried, self.config, interrupted=self.interrupted)
        terminalreporter.section("sessionguard")
        for line in summary.lines(result):
            terminalreporter.line(line)
        if options.report(self.config) is not None:
            terminalreporter.line(f"report     {summary.write(result, self.config)}")
