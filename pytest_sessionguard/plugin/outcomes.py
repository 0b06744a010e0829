"""How the result of a case becomes a pytest outcome, and travels in the report of its test.

A report crosses from a worker to the run's main process as lists, dicts, texts and numbers; so does a case.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from pytest_sessionguard.core.faults import Fault, Fired
from pytest_sessionguard.core.result import CaseResult, Row, ViolationFound
from pytest_sessionguard.core.schedule import Schedule
from pytest_sessionguard.core.switches import Switch
from pytest_sessionguard.core.values import FrozenMap
from pytest_sessionguard.errors import HarnessError, Violation

PLUGIN: Final = "sessionguard-outcomes"
CASE: Final = pytest.StashKey[CaseResult]()
# Where a skip is told to come from: the user's file, not ours.
PLACE: Final = pytest.StashKey[tuple[str, int]]()


def settle(case: CaseResult) -> None:
    """Pass, skip or raise, as the case's status has it; what is unproven is skipped, for it is no pass.

    Raises:
        Violation: the target broke a property.
        HarnessError: the case broke off on a fault of ours.
    """
    if case.status == "violated":
        raise Violation(case.violations[0].property, "\n\n".join(found.message for found in case.violations))
    if case.status == "error":
        raise HarnessError(case.reason)
    if case.status in ("skipped", "unproven"):
        pytest.skip(case.reason if case.status == "skipped" else f"unproven: {case.reason}")


def register(config: pytest.Config) -> None:
    """See to it that reports carry the cases of their tests."""
    if not config.pluginmanager.has_plugin(PLUGIN):
        config.pluginmanager.register(Carrier(), PLUGIN)


class Carrier:
    """Puts the case of a test into its report; registered only where there are cases."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Add `report.sessionguard`, and let a skip point at the user's file."""
        report = yield
        case = item.stash.get(CASE, None)
        if case is not None:
            del item.stash[CASE]
            report.sessionguard = plain(case)  # type: ignore[attr-defined]  # reports may carry more than they declare
            place = item.stash.get(PLACE, None)
            if report.skipped and place is not None and isinstance(report.longrepr, tuple):
                report.longrepr = (*place, report.longrepr[2])
        return report


def shown(path: str | Path) -> str:
    """Return the path as a user would write it from the working folder."""
    below = os.path.relpath(path)
    return str(path) if below.startswith("..") else below


def plain(value: Any) -> Any:
    """Return a case, or a part of one, as lists, dicts, texts and numbers."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, FrozenMap):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return value


def case_of(carried: dict[str, Any]) -> CaseResult:
    """Return the case that `plain` made this of."""
    violations = []
    for found in carried["violations"]:
        rows = tuple(Row(**row) for row in found["operations"])
        tuples = {"expected": tuple(found["expected"]), "policy_lines": tuple(found["policy_lines"]), "also": ()}
        violations.append(ViolationFound(**{**found, **tuples, "operations": rows}))
    mappings = {name: FrozenMap(carried[name]) for name in ("exercised", "unjudged", "behaviour")}
    tuples = {
        "violations": tuple(violations),
        "warnings": tuple(carried["warnings"]),
        "switches": tuple(Switch(**switch) for switch in carried["switches"]),
        "planned": tuple(map(_fault, carried["planned"])),
        "fired": tuple(Fired(**{**one, "fault": _fault(one["fault"])}) for one in carried["fired"]),
    }
    schedule = Schedule(tuple(carried["schedule"]["choices"]))
    return CaseResult(**{**carried, **mappings, **tuples, "schedule": schedule})


def _fault(carried: dict[str, Any]) -> Fault:
    return Fault(**{**carried, "options": FrozenMap(carried["options"])})
