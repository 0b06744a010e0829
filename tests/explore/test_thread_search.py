"""A search over small programs of threads ends at the first thing that goes wrong, or when nothing is left."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_sessionguard.core.schedule import Schedule, Settings
from pytest_sessionguard.errors import ScheduleMisfit, VirtualDeadlock
from pytest_sessionguard.explore import schedulers, thread_search, threads
from pytest_sessionguard.target.imports import import_module, put_on_path

put_on_path([Path(__file__).parent / "targets"])
racy = import_module("racy")
POINTS = threads.switch_points()


def searched(kind: Any, name: str = "exhaustive", runs_max: int = 500, **settings: Any) -> Any:
    def program() -> tuple[list[threads.Client], Callable[[], None]]:
        manager = kind()

        def check() -> None:
            assert manager.is_right()

        return [lambda client=client: client(manager) for client in kind.clients], check

    scheduler = schedulers.make(name, Settings(preemptions_max=2, **settings))
    return thread_search.search(program, scheduler, targets=[kind], runs_max=runs_max, points=POINTS)


def test_the_first_failure_ends_the_search_and_its_schedule_brings_it_back() -> None:
    found = searched(racy.Hits)
    assert isinstance(found.failure, AssertionError)
    again = searched(racy.Hits, "replay", schedule=found.schedule)
    assert (type(again.failure), again.runs, again.schedule) == (AssertionError, 1, found.schedule)
    assert isinstance(searched(racy.Two).failure, VirtualDeadlock)


def test_a_sound_program_is_explored_to_the_end_or_as_often_as_is_asked() -> None:
    assert searched(racy.SafeMade).exhaustive
    assert searched(racy.SafeMade, "random", runs_max=3).runs == 3


def test_a_schedule_that_fits_nothing_is_the_user_s_mistake() -> None:
    with pytest.raises(ScheduleMisfit):
        searched(racy.Hits, "replay", schedule=Schedule((4, 4)))
