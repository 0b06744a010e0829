"""Functions without source are traced, instruction by instruction, or it is said aloud that they are not."""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_sessionguard.core.schedule import Settings
from pytest_sessionguard.explore import schedulers, thread_search, threads, tracing

SOURCE = """
class Hits:
    def __init__(self):
        self.hits = {'a': 0}

    def hit(self):
        self.hits['a'] = self.hits['a'] + 1
"""


@pytest.fixture
def kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    path = tmp_path / "untold.py"
    path.write_text(SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    kind = importlib.import_module("untold").Hits
    path.write_text("# rewritten since\n" + SOURCE)
    yield kind
    del sys.modules["untold"]


def searched(kind: Any) -> Any:
    def program() -> tuple[list[threads.Client], Callable[[], None]]:
        manager = kind()

        def check() -> None:
            assert manager.hits["a"] == 2

        return [manager.hit, manager.hit], check

    scheduler = schedulers.make("exhaustive", Settings(preemptions_max=1))
    return thread_search.search(program, scheduler, targets=[kind], runs_max=100)


def test_a_race_in_code_whose_source_has_changed_is_found(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "tracer", lambda: None)
    before = sys.gettrace()
    assert isinstance(searched(kind).failure, AssertionError)
    sys.settrace(before)


def test_beside_another_tracer_it_is_said_that_there_are_no_switch_points(
    kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracing, "tracer", lambda: print)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert searched(kind).exhaustive
    assert told[0].category is tracing.NoSwitchPoints
    assert "2 functions get no switch points" in str(told[0].message)
    assert "Hits.hit" in str(told[0].message)


def test_only_instructions_that_reach_shared_state_are_switch_points() -> None:
    def shared(d: Any) -> None:
        d["k"] = d["k"] + 1
        d.n += 1

    def private(d: int) -> int:
        return d + 1

    assert len(tracing.shared_offsets(shared.__code__)) == 4
    assert not tracing.shared_offsets(private.__code__)


def test_the_tracer_offers_a_switch_before_each_and_is_gone_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "tracer", lambda: None)
    before = sys.gettrace()
    offered: list[int] = []

    def shared(d: Any) -> None:
        d["k"] = d["k"] + 1

    try:
        with tracing.traced([shared.__code__], lambda: offered.append(1)):
            shared({"k": 1})
        assert sys.gettrace() is None
    finally:
        sys.settrace(before)
    assert len(offered) == 2
