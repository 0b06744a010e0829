"""Who keeps real time."""

from __future__ import annotations

import pytest

from pytest_sessionguard.clock.exempt import KEEPS_REAL_TIME


@pytest.mark.parametrize(
    ("module_name", "real"),
    [
        ("_pytest", True),
        ("_pytest.timing", True),
        ("hypothesis.internal.conjecture.engine", True),
        ("concurrent.futures._base", True),
        ("pytest_sessionguard.run.runner", True),
        ("pytest_sessionguard.reference.manager", False),
        ("unittest.mock", False),
        ("unittest.case", True),
        ("IPython.core.debugger", True),
        ("pytest_sessionguard_demo", False),
        ("hypothesist", False),
        ("concurrent", False),
        ("logging", False),
        ("asyncio.base_events", False),
        ("__main__", False),
        ("", False),
    ],
)
def test_a_package_is_exempt_with_all_its_modules_and_nothing_else(module_name: str, real: bool) -> None:
    assert KEEPS_REAL_TIME[module_name] is real
