"""A JSON file is written whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_sessionguard.core.result import CaseResult, merge_cases
from pytest_sessionguard.errors import UsageError
from pytest_sessionguard.reports import json_file


def test_a_result_is_written_with_the_folders_above_it(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "result.json"
    json_file.write(merge_cases([CaseResult(title="Ä story", status="held")], target="shop"), path)
    read = json.loads(path.read_text(encoding="utf-8"))
    assert (read["version"], read["verdict"], read["scenarios"][0]["scenario"]) == (1, "held", "Ä story")
    assert [file.name for file in path.parent.iterdir()] == ["result.json"]


def test_what_cannot_be_written_as_json_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    json_file.write_value({"old": True}, path)
    with pytest.raises(TypeError):
        json_file.write_value({"new": object()}, path)
    assert json.loads(path.read_text(encoding="utf-8")) == {"old": True}


def test_a_failure_while_moving_leaves_the_old_file_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "result.json"
    json_file.write_value({"old": True}, path)

    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(UsageError, match=r"cannot write .*result\.json: No space left on device"):
        json_file.write_value({"new": True}, path)
    assert [file.name for file in tmp_path.iterdir()] == ["result.json"]
    assert json.loads(path.read_text(encoding="utf-8")) == {"old": True}


def test_a_place_that_cannot_be_written_is_the_users_mistake(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(UsageError, match="cannot write"):
        json_file.write_value({}, tmp_path / "file" / "result.json")
