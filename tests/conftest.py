"""What all tests may use."""

from __future__ import annotations

import sys
from collections.abc import Generator

import pytest

pytest_plugins = ["pytester"]

# Scenario files that are the material of tests, not stories to be run.
collect_ignore_glob = ["run/malformed/*", "run/wellformed/*"]


def pytest_sessionfinish() -> None:
    """End the server of the shipped profiles, where a test has had one started."""
    servers = sys.modules.get("pytest_sessionguard.reference.servers")
    if servers is not None:
        servers.stop_all()


def pytest_configure(config: pytest.Config) -> None:
    """Name the marks of this project's own tests."""
    config.addinivalue_line(
        "markers", "unmeasured: a long search through what other tests measure; coverage.py rests while it runs"
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Let the measurement rest where a test asks for it: traced, a search takes twice as long."""
    running = None
    # Not loaded for this: where nothing is measured, no test is to be slower.
    if "coverage" in sys.modules and item.get_closest_marker("unmeasured") is not None:
        from pytest_sessionguard.run import coverage_data

        running = coverage_data.current()
    if running is None:
        return (yield)
    running.stop()
    try:
        return (yield)
    finally:
        running.start()
