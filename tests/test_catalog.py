"""Files of a folder are found by being there."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pytest_sessionguard import catalog


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    package = tmp_path / "a_catalogue"
    package.mkdir()
    for name in ("__init__", "zebra", "ant"):
        (package / f"{name}.py").write_text(f"NAME = {name!r}\n", encoding="utf-8")
    (package / "notes.txt").write_text("", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    return "a_catalogue"


def test_names_are_sorted_and_nothing_is_imported_for_them(folder: str) -> None:
    assert catalog.names(folder) == ("ant", "zebra")
    assert "a_catalogue.ant" not in sys.modules


def test_a_module_is_loaded_by_its_name(folder: str) -> None:
    assert catalog.load(folder, "zebra").NAME == "zebra"


def test_what_is_not_there_is_answered_with_what_is(folder: str) -> None:
    with pytest.raises(LookupError, match="a_catalogue has no 'bee'; it has ant, zebra"):
        catalog.load(folder, "bee")
