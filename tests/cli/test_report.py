"""`report` and `merge` read what --json has written, and end as that run did."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_sessionguard.cli import main
from pytest_sessionguard.core.result import CaseResult, PropertyResult, Result
from pytest_sessionguard.core.violation import ViolationFound
from pytest_sessionguard.reports import json_file

VIOLATED = Result(
    target="shop.toml", seed=7, verdict="violated", cases=(CaseResult(title="A story", status="violated"),),
    properties=(PropertyResult(name="limit.enforced", status="violated", cases=1),),
    violations=(ViolationFound(property="limit.enforced", summary="too many"),),
)  # fmt: skip
HELD = replace(
    VIOLATED, verdict="held", violations=(), cases=(),
    properties=(PropertyResult(name="limit.enforced", status="held", cases=2),),
)  # fmt: skip


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    json_file.write(VIOLATED, tmp_path / "violated.json")
    json_file.write(HELD, tmp_path / "held.json")
    return tmp_path


def status(*arguments: str) -> object:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return ended.value.code


def test_a_result_is_told_as_its_run_told_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert status("report", "violated.json") == 1
    shown = capsys.readouterr().out
    assert "limit.enforced violated: too many" in shown
    assert "violated: 1 violated" in shown
    assert status("report", "held.json", "--quiet") == 0
    assert capsys.readouterr().out == ""


def test_a_page_is_written_in_its_place(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert status("report", "violated.json", "--html", "out/page.html", "--json", "again.json") == 1
    assert "too many" in (here / "out/page.html").read_text(encoding="utf-8")
    assert (here / "again.json").read_bytes() == (here / "violated.json").read_bytes()
    assert capsys.readouterr().out == ""


def test_shards_are_joined(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert status("merge", "held.json", "violated.json", "--json", "all.json") == 1
    assert "VIOLATED  limit.enforced  3 cases" in capsys.readouterr().out
    assert json.loads((here / "all.json").read_text(encoding="utf-8"))["verdict"] == "violated"


@pytest.mark.parametrize(("text", "told"), [(None, "No such file"), ("{", "is no JSON"), ("{}", "is no result")])
def test_what_is_no_result_is_the_users_mistake(
    here: Path, text: str | None, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if text is not None:
        (here / "x.json").write_text(text)
    assert status("report", "x.json") == 2
    assert "x.json" in (shown := capsys.readouterr().err)
    assert told in shown
