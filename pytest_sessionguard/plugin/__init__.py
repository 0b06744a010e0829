"""The pytest plugin: the hooks, and nothing that costs.

The rule of this room: this file and what it imports at once load nothing but the standard library and pytest, because
every pytest run of everybody who has the package installed pays for it.  Each hook loads its own file when there is
work for it: a marker that is used, a scenario file to collect, something to tell at the end.
"""

from __future__ import annotations

from typing import Final

import pytest

from pytest_sessionguard.plugin import options
from pytest_sessionguard.plugin.fixtures import session_manager, sessionguard_clock

__all__ = ["session_manager", "sessionguard_clock"]

_MARKERS: Final = ("virtual_time(start=None): run the test, and the fixtures of its own, in virtual time",)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options; this early, because every command line is parsed with them."""
    options.add(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers, for --strict-markers."""
    for line in _MARKERS:
        config.addinivalue_line("markers", line)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Prepare a test marked `virtual_time`; here, because the marks of parametrised cases are known only now."""
    if item.get_closest_marker("virtual_time") is None:
        return
    from pytest_sessionguard.plugin import virtual_time

    plugins = item.config.pluginmanager
    if not plugins.has_plugin("sessionguard-virtual-time"):
        plugins.register(virtual_time.VirtualTimeTests(), "sessionguard-virtual-time")
    virtual_time.ask_for_clock(item)
