"""`sessionguard judge`: histories of sessions and of simple objects, right and wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pytest_sessionguard.cli import sessionguard, statuses
from pytest_sessionguard.cli.commands.judge import judge


def status_of(*arguments: str) -> int:
    return statuses.of(lambda: sessionguard.main(args=arguments, standalone_mode=False))


def saved(folder: Path, *rows: dict[str, Any]) -> str:
    path = folder / "history.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def call(name: str, asked: Any, told: Any, *, process: int = 0, **more: Any) -> list[dict[str, Any]]:
    common = {"process": process, "f": name, **more}
    return [{"type": "invoke", "value": asked, **common}, {"type": "ok", "value": told, **common}]


CREATED = call("create", {"data": {"n": 1}}, {"id": "s1"})
READ = call("get", {"id": "s1"}, {"id": "s1", "data": {"n": 1}})


def test_a_history_of_sessions_that_the_policy_explains_is_held(tmp_path: Path) -> None:
    done = CliRunner().invoke(
        judge, [saved(tmp_path, *CREATED, *READ), "--manager", "reference"], standalone_mode=False
    )
    assert done.return_value == 0
    assert "2 operations are explained" in done.output
    assert "lifecycle.get" in done.output


def test_an_answer_that_the_policy_forbids_is_told_with_its_line(tmp_path: Path) -> None:
    wrong = call("get", {"id": "s1"}, {"id": "s1", "data": {"n": 2}})
    path, result = saved(tmp_path, *CREATED, *wrong), tmp_path / "verdict.json"
    arguments = [path, "--manager", "reference", "--json", str(result)]
    done = CliRunner().invoke(judge, arguments, standalone_mode=False)
    assert done.return_value == 1
    assert f"data.read-your-writes at {path}:3" in done.output
    assert json.loads(result.read_text())["verdict"] == "violated"


def test_a_history_without_operations_shows_nothing(tmp_path: Path) -> None:
    for model in (["--manager", "reference"], ["--model", "register"]):
        assert CliRunner().invoke(judge, [saved(tmp_path), *model], standalone_mode=False).return_value == 3


STALE = [*call("write", 1, None), *call("read", None, None, process=1), *call("read", None, 1, process=1)]
BACK = [*call("write", 1, None), *call("read", None, 1, process=1), *call("read", None, None, process=1)]


@pytest.mark.parametrize(
    ("rows", "level", "status"),
    [
        (STALE, "linearizable", 1),
        (STALE, "sequential", 0),
        (STALE, "session", 0),
        (BACK, "linearizable", 1),
        (BACK, "sequential", 1),
        (BACK, "session", 1),
    ],
)
def test_a_register_is_judged_by_what_it_claims(
    rows: list[dict[str, Any]], level: str, status: int, tmp_path: Path
) -> None:
    arguments = [saved(tmp_path, *rows), "--model", "register", "--consistency", level]
    assert CliRunner().invoke(judge, arguments, standalone_mode=False).return_value == status


def test_a_store_is_judged_key_by_key(tmp_path: Path) -> None:
    rows = [*call("append", "a", None, key="x"), *call("get", None, "a", key="x"), *call("get", None, "", key="y")]
    arguments = [saved(tmp_path, *rows), "--model", "key-value", "--quiet"]
    done = CliRunner().invoke(judge, arguments, standalone_mode=False)
    assert (done.return_value, done.output) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "say either --manager"),
        (["--model", "register", "--manager", "reference"], "say either --manager"),
        (["--manager", "reference", "--consistency", "session"], "goes with --model"),
        (["--model", "key-value", "--consistency", "session"], "needs --model register"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = saved(tmp_path, *call("get", None, "", key="x"))
    assert status_of("judge", path, *arguments) == 2
    assert said in capsys.readouterr().err


def test_calls_of_another_model_and_files_of_no_text_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of("judge", saved(tmp_path, *call("append", "a", None)), "--model", "register") == 2
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    assert status_of("judge", str(tmp_path / "binary"), "--model", "register") == 2
    assert "not UTF-8" in capsys.readouterr().err
