"""sessionguard: tests session systems in virtual time, against a model of what they promise.

The public face: names only, each imported when it is first asked for, so that importing the package costs nothing.
`pytest -p pytest_sessionguard` works as `-p sessionguard` does: this module then registers the real plugin.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import pytest

    from pytest_sessionguard.clock.virtual import VirtualClock as VirtualClock
    from pytest_sessionguard.core.policy import Policy as Policy
    from pytest_sessionguard.core.policy import policy as policy
    from pytest_sessionguard.errors import HarnessError as HarnessError
    from pytest_sessionguard.errors import SessionError as SessionError
    from pytest_sessionguard.errors import SessionguardError as SessionguardError
    from pytest_sessionguard.errors import UsageError as UsageError
    from pytest_sessionguard.errors import Violation as Violation
    from pytest_sessionguard.run.machines import SessionMachine as SessionMachine
    from pytest_sessionguard.target.profile import Profile as Profile
    from pytest_sessionguard.target.profile import profile as profile

__version__ = "0.1.0"

# Public name -> the module that has it.
PUBLIC: Final = {
    "HarnessError": "pytest_sessionguard.errors",
    "Policy": "pytest_sessionguard.core.policy",
    "Profile": "pytest_sessionguard.target.profile",
    "SessionError": "pytest_sessionguard.errors",
    "SessionMachine": "pytest_sessionguard.run.machines",
    "SessionguardError": "pytest_sessionguard.errors",
    "UsageError": "pytest_sessionguard.errors",
    "Violation": "pytest_sessionguard.errors",
    "VirtualClock": "pytest_sessionguard.clock.virtual",
    "policy": "pytest_sessionguard.core.policy",
    "profile": "pytest_sessionguard.target.profile",
}


# No `__dir__`: pytest reads every name that a plugin's dir() lists, and would import them all.
def __getattr__(name: str) -> Any:
    if name not in PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(PUBLIC[name]), name)
    globals()[name] = value
    return value


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Register the real plugin under its entry point's name, unless it is there already.

    The name is what makes it one: autoload and `-p sessionguard` find it taken, `-p no:sessionguard` still forbids it.
    """
    if not pluginmanager.has_plugin("sessionguard"):
        pluginmanager.register(import_module("pytest_sessionguard.plugin"), "sessionguard")
