"""What is to be done to a library is done, whether it is there already or comes later."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_sessionguard.clock.late import Late


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    name = "a_library_that_comes_late"
    (tmp_path / f"{name}.py").write_text("loaded = True\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield name
    sys.modules.pop(name, None)


def test_a_library_is_seen_to_when_it_comes_and_when_it_is_there(library: str) -> None:
    seen: list[bool] = []
    late = Late({library: lambda: seen.append(sys.modules[library].loaded)})
    late.enter()
    assert seen == []
    import json  # noqa: F401 - any other module comes as ever

    importlib.import_module(library)
    assert seen == [True]
    late.leave()
    late.leave()
    assert late not in sys.meta_path
    late.enter()
    assert seen == [True, True]
    assert late not in sys.meta_path


def test_what_comes_after_the_end_or_never_is_left_alone(library: str) -> None:
    seen: list[int] = []
    late = Late({library: lambda: seen.append(1), "no_such_library": lambda: seen.append(2)})
    late.enter()
    spec = late.find_spec(library, None)
    late.leave()
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert late.find_spec("no_such_library", None) is None
    assert seen == []
