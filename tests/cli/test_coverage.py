"""`sessionguard coverage check`: the verdict as text, JSON, annotations and exit status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_sessionguard.cli import main
from pytest_sessionguard.run import scenario_files

SETTINGS = """
[tool.sessionguard.coverage]
min = 80
[tool.sessionguard.coverage.components]
app = { paths = ["src/app.py"], min = MIN }
"""

SOURCE = "def half(n):\n    if n % 2:\n        return None\n    return n // 2\n\n\nhalf(2)\n"


def status_of(*arguments: str) -> int:
    with pytest.raises(SystemExit) as raised:
        main(["coverage", *arguments])
    assert isinstance(raised.value.code, int)
    return raised.value.code


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of which 4 of 5 lines and 1 of 2 branches were covered."""
    monkeypatch.chdir(tmp_path)
    for name in ("COVERAGE_FILE", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "app.py").write_text(SOURCE, encoding="utf-8")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    command = [sys.executable, "-m", "coverage", "run", "--branch", "--source=src", "src/app.py"]
    subprocess.run(command, check=True, env=clean)
    write(80)
    return tmp_path


def write(least: float, more: str = "min_branch = 50\n") -> None:
    text = SETTINGS.replace("MIN", f"{least}, min_branch = 50").replace("min = 80\n", f"min = 80\n{more}")
    Path("pyproject.toml").write_text(text, encoding="utf-8")


def test_a_gate_that_is_met_passes_and_the_verdict_is_last(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of("check") == 0
    told = capsys.readouterr().out.splitlines()
    assert told[1].split() == ["met", "app", "1", "80", "%", "(4/5)", "80", "50", "%", "(1/2)", "50"]
    assert told[-1] == "coverage gate: met"


def test_a_gate_that_is_missed_by_a_hundredth_fails(capsys: pytest.CaptureFixture[str]) -> None:
    write(80.01)
    assert status_of("check", "--json", "gate.json", "--quiet") == 1
    assert capsys.readouterr().out == "coverage gate: MISSED; app\n"
    told = json.loads(Path("gate.json").read_text(encoding="utf-8"))
    assert (told["verdict"], told["coverage"]["components"][0]["min_hundredths"]) == ("missed", 8001)


def test_quiet_says_nothing_of_a_gate_that_is_met(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of("check", "--quiet") == 0
    assert capsys.readouterr().out == ""


def test_source_that_is_gone_is_incomplete(capsys: pytest.CaptureFixture[str]) -> None:
    Path("src/app.py").unlink()
    assert status_of("check") == 3
    assert capsys.readouterr().out.startswith("coverage gate: INCOMPLETE; No source for code")


def test_another_data_file_may_be_named_or_stand_in_the_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(".coverage").rename("elsewhere")
    assert status_of("check") == 2
    assert "no such file: measure first" in capsys.readouterr().err
    assert status_of("check", "--data", "elsewhere") == 0
    monkeypatch.setenv("COVERAGE_FILE", "elsewhere")
    assert status_of("check") == 0


def test_settings_that_are_wrong_or_missing_are_the_users_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    write(101)
    assert status_of("check") == 2
    assert capsys.readouterr().err.startswith("pyproject.toml:6:39: min is a share from 0 to 100, not 101")
    Path("other.toml").write_text("[tool]\n", encoding="utf-8")
    assert status_of("check", "--config", "other.toml") == 2
    assert "other.toml: no table [tool.sessionguard.coverage]" in capsys.readouterr().err
    write(80)
    assert status_of("check", "--only", "behaviour") == 2
    assert "gates no behaviour" in capsys.readouterr().err


def test_on_github_the_missing_lines_are_annotated_before_the_verdict(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], project: Path
) -> None:
    write(90)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(project.parent))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    assert status_of("check") == 1
    *_, annotation, verdict = capsys.readouterr().out.splitlines()
    where = f"file={project.name}/src/app.py,line=3,endLine=3"
    assert annotation == f"::warning {where},title=coverage gate::line 3 was not run"
    assert verdict == "coverage gate: MISSED; app"
    assert Path("summary.md").read_text(encoding="utf-8").startswith("### coverage gate: MISSED; app\n")
    assert status_of("check", "--no-github") == 1
    assert "::warning" not in capsys.readouterr().out


def git(*words: str) -> None:
    named = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *named, *words], check=True, capture_output=True)


def test_changed_lines_are_gated_against_a_base(capsys: pytest.CaptureFixture[str]) -> None:
    write(80, 'min_branch = 0\nchanged = 90\nbase = "main"\n')
    git("init", "-q", "-b", "main")
    Path("src/app.py").write_text(SOURCE.replace("return None", "return 0"), encoding="utf-8")
    git("add", "src")
    git("commit", "-qm", "begin")
    Path("src/app.py").write_text(SOURCE, encoding="utf-8")
    assert status_of("check") == 1
    told = capsys.readouterr().out
    assert "changed lines: lines 0 % (0/1) are short of 90 %" in told
    assert told.splitlines()[-1] == "coverage gate: MISSED; changed lines"
    assert status_of("check", "--base", "nowhere") == 3


BEHAVIOUR = '[tool.sessionguard.coverage]\nbehaviour = { min = 1, manager = "reference-sync-memory" }\n'

STORY = "scenario: A session lives\nversion: 1\nsteps:\n  - create: {as: cart}\n  - touch: cart\n"


def ran() -> None:
    Path("story.session.yaml").write_text(STORY, encoding="utf-8")
    with pytest.raises(SystemExit) as raised:
        main(["run", "story.session.yaml", "--manager", "reference-sync-memory", "--json", "result.json", "--quiet"])
    assert raised.value.code == 0


def test_behaviour_is_counted_from_the_result_of_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    Path("pyproject.toml").write_text(BEHAVIOUR, encoding="utf-8")
    ran()
    assert status_of("check", "--result", "result.json") == 0
    told = capsys.readouterr().out
    assert "met  behaviour of reference-sync-memory: 1.24 % (2/161), least 1 %" in told
    assert "touch of a deleted session" in told


def test_missing_behaviour_is_written_as_scenarios_that_close_the_gap(capsys: pytest.CaptureFixture[str]) -> None:
    Path("pyproject.toml").write_text(BEHAVIOUR.replace("min = 1", "min = 95"), encoding="utf-8")
    ran()
    assert status_of("check", "--result", "result.json", "--write", "missing") == 1
    assert "# create with live sessions" in capsys.readouterr().out
    assert len(scenario_files.find(["missing"])) == 159
    with pytest.raises(SystemExit) as raised:
        arguments = ["--manager", "reference-sync-memory", "--json", "more.json", "--quiet"]
        main(["run", "story.session.yaml", "missing", *arguments])
    assert raised.value.code == 0
    assert status_of("check", "--result", "more.json") == 0
    assert "100 % (161/161)" in capsys.readouterr().out


def test_where_nothing_can_be_written_the_user_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    Path("pyproject.toml").write_text(BEHAVIOUR, encoding="utf-8")
    ran()
    Path("taken").write_text("", encoding="utf-8")
    assert status_of("check", "--result", "result.json", "--write", "taken/here") == 2
    assert "cannot write to taken/here" in capsys.readouterr().err


def test_lines_and_behaviour_are_judged_together_or_apart(capsys: pytest.CaptureFixture[str]) -> None:
    write(80, "min_branch = 50\nbehaviour = 95\n")
    assert status_of("check") == 3
    assert capsys.readouterr().out.endswith("behaviour: no result was handed over: --result FILE\n")
    assert status_of("check", "--only", "lines") == 0
