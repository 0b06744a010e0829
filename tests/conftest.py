"""What all tests may use."""

import sys

pytest_plugins = ["pytester"]

# Scenario files that are the material of tests, not stories to be run.
collect_ignore_glob = ["run/malformed/*", "run/wellformed/*"]


def pytest_sessionfinish() -> None:
    """End the server of the shipped profiles, where a test has had one started."""
    servers = sys.modules.get("pytest_sessionguard.reference.servers")
    if servers is not None:
        servers.stop_all()
