"""Scenario files as pytest items: one item for each cell of a scenario's matrix.

Loaded when the first scenario file is met.  An item is a `pytest.Function` around a function made for it, so that
fixtures, markers, `-k` and other plugins know it for what it is.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pytest_sessionguard.core.plan import Plan, cells
from pytest_sessionguard.core.scenario import Scenario
from pytest_sessionguard.errors import SessionguardError, UsageError
from pytest_sessionguard.plugin import options, outcomes, targets
from pytest_sessionguard.run import scenario_files


class SessionFile(pytest.File):
    """One `*.session.yaml`."""

    def collect(self) -> Iterator[SessionItem]:
        """Give an item for each cell.

        Raises:
            CollectError: every fault of the file, or of the profile that the whole run is to use.
        """
        outcomes.register(self.config)
        try:
            scenario = scenario_files.load(outcomes.shown(self.path))
            target = options.manager(self.config)
            if target is not None:
                targets.runner_of(target, self.config)
        except UsageError as error:
            raise self.CollectError(str(error)) from None
        marks = [self._mark(name, scenario) for name in scenario.markers]
        for plan in cells(scenario):
            function = _function(plan, marks)
            yield SessionItem.from_parent(self, name=item_name(plan), callobj=function, plan=plan)

    def _mark(self, name: str, scenario: Scenario) -> pytest.MarkDecorator:
        """Return the mark of that name.

        Raises:
            CollectError: it is not declared, under --strict-markers.
        """
        try:
            mark: pytest.MarkDecorator = getattr(pytest.mark, name)
        except pytest.fail.Exception as error:
            raise self.CollectError(f"{scenario.place}: {error}") from None
        return mark


class SessionItem(pytest.Function):
    """One scenario in one cell of its matrix."""

    def __init__(self, *, plan: Plan, **rest: Any) -> None:
        self.plan = plan
        super().__init__(**rest)
        self.stash[outcomes.PLACE] = (str(self.path), plan.scenario.place.line)

    def reportinfo(self) -> tuple[os.PathLike[str] | str, int | None, str]:
        """Return where the scenario stands; lines count from 0 here."""
        return self.path, self.plan.scenario.place.line - 1, self.name

    def run_against(self, named: Any) -> None:
        """Run the case against the manager that `session_manager` gave."""
        case = targets.runner_of(named, self.config).run(self.plan)
        self.stash[outcomes.CASE] = case
        self.user_properties.append(("sessionguard_virtual_s", case.virtual_us / 1_000_000))
        outcomes.settle(case)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Return what a reader needs of a failure: for one of ours its own text and the command that repeats it."""
        if isinstance(excinfo.value, SessionguardError):
            return f"{excinfo.value}\n\n  again    {options.again(self.config, self.nodeid)}"
        return super().repr_failure(excinfo)


def item_name(plan: Plan) -> str:
    """Return what the item is called: the title, and the cell in brackets; `::` parts the names of a node id."""
    title = " ".join(plan.scenario.title.split()).replace("::", ":")
    return f"{title}[{plan.name}]" if plan.name else title


def _function(plan: Plan, marks: list[pytest.MarkDecorator]) -> Callable[..., None]:
    """Return the test function of an item: its parameters are the fixtures it needs, its marks those of the file."""

    def scenario(request: pytest.FixtureRequest, session_manager: Any) -> None:
        request.node.run_against(session_manager)

    function: Callable[..., None] = scenario
    if plan.scenario.fixtures:
        function = pytest.mark.usefixtures(*plan.scenario.fixtures)(function)
    for mark in marks:
        function = mark(function)
    return function
