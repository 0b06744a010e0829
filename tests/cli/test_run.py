"""`sessionguard run`: what it prints, writes, and exits with."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_sessionguard.cli import main
from pytest_sessionguard.run import shipped_stories

STORY = """scenario: A touched session lives on
version: 1
matrix: {early: [1s, 1ms]}
steps:
  - create: {as: cart, data: {items: 1}}
  - advance: {to_timeout_of: cart, minus: $early}
  - touch: cart
  - advance: $early
  - expect: {session: cart, alive: true}
"""
NEEDY = "scenario: A session is moved\nversion: 1\nrequires: [checkpoint]\nsteps:\n  - create: {as: cart}\n"

LATE = """
import time


class Late:
    def __init__(self, idle_timeout):
        self.idle_timeout, self.sessions = idle_timeout, {}

    def create(self, id):
        self.sessions[id] = time.time()
        return id

    def get(self, id):
        made = self.sessions.get(id)
        return {} if made is not None and time.time() - made < self.idle_timeout + 1 else None
"""
LATE_PROFILE = """
[manager]
factory = "late:Late"
path = ["."]
args = { idle_timeout = "{idle_timeout}" }

[operations]
create = "create(id) -> id"
get = "get(id) -> data"

[policy]
idle_timeout = "30m"
existing = "replace"
"""
OVER = """scenario: An idle session is gone
version: 1
steps:
  - create: {as: cart}
  - advance: {to_timeout_of: cart, plus: 1ms}
  - expect: {session: cart, alive: false}
"""


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(name: str, text: str) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(text, encoding="utf-8")


def status_of(*arguments: str) -> int:
    with pytest.raises(SystemExit) as exit_info:
        main(["run", *arguments])
    code = exit_info.value.code
    assert isinstance(code, int)
    return code


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> str:
    write("late.py", LATE)
    write("late.sessionguard.toml", LATE_PROFILE)
    monkeypatch.delitem(sys.modules, "late", raising=False)
    return "late.sessionguard.toml"


def test_what_holds_exits_with_0_and_tells_each_case_and_the_whole(capsys: pytest.CaptureFixture[str]) -> None:
    write("stories/a.session.yaml", STORY)
    assert status_of("stories", "--json", "out/result.json") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [
        "held      A touched session lives on [early=1s]  (1 h 0 min)",
        "held      A touched session lives on [early=1ms]  (1 h 0 min)",
    ]
    assert lines[-1].startswith("held: 2 held on reference; virtual 2 h 0 min in ")
    assert any(line.startswith("exercised  ") for line in lines)
    result = json.loads(Path("out/result.json").read_text(encoding="utf-8"))
    assert (result["verdict"], result["cases"], result["target"]) == ("held", 2, "reference")


def test_the_result_is_of_the_published_shape() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    from pytest_sessionguard.core.result import result_schema

    write("a.session.yaml", STORY)
    write("b.session.yaml", NEEDY)
    assert status_of("a.session.yaml", "b.session.yaml", "--json", "result.json", "--quiet") == 0
    jsonschema.validate(json.loads(Path("result.json").read_text(encoding="utf-8")), result_schema())


def test_one_cell_is_run_alone(capsys: pytest.CaptureFixture[str]) -> None:
    write("a.session.yaml", STORY)
    assert status_of("a.session.yaml", "--cell", "early=1ms") == 0
    assert "held: 1 held on reference" in capsys.readouterr().out
    assert status_of("a.session.yaml", "--cell", "early=1m") == 2
    assert capsys.readouterr().err == "no scenario has the cell 'early=1m', did you mean 'early=1ms'?\n"


def test_a_violation_exits_with_1_and_is_told_in_full(late: str, capsys: pytest.CaptureFixture[str]) -> None:
    write("over.session.yaml", OVER)
    assert status_of("over.session.yaml", "--manager", late) == 1
    told = capsys.readouterr().out
    assert "VIOLATED  An idle session is gone" in told
    assert "--- violation 1 of 1 ---\nexpiry." in told
    assert "scenario over.session.yaml:6:" in told
    assert f"replay   sessionguard run over.session.yaml --manager {late}" in told
    assert "violated: 1 violated on late.sessionguard.toml" in told


def test_quiet_tells_only_what_is_wrong(late: str, capsys: pytest.CaptureFixture[str]) -> None:
    write("over.session.yaml", OVER)
    assert status_of("over.session.yaml", "--quiet") == 0
    assert capsys.readouterr().out == ""
    assert status_of("over.session.yaml", "--quiet", "--manager", late) == 1
    assert capsys.readouterr().out.startswith("\n--- violation 1 of 1 ---")


def test_where_everything_was_skipped_nothing_is_proven(capsys: pytest.CaptureFixture[str]) -> None:
    write("needy.session.yaml", NEEDY)
    assert status_of("needy.session.yaml") == 3
    told = capsys.readouterr().out
    assert "A session is moved" not in told
    assert "none ran   " in told
    assert "skipped    1, for want of: operation checkpoint (1)" in told


@pytest.mark.parametrize("option", ["-v", "--verbose"])
def test_each_skipped_case_is_told_where_that_is_asked_for(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    write("needy.session.yaml", NEEDY)
    write("a.session.yaml", STORY)
    assert status_of(".") == 0
    told = capsys.readouterr().out
    assert "A session is moved" not in told
    assert "skipped    1, for want of: operation checkpoint (1)" in told
    assert status_of(".", option) == 0
    assert "skipped   A session is moved: needs operation checkpoint" in capsys.readouterr().out


def test_without_a_file_the_shipped_stories_are_run(late: str, capsys: pytest.CaptureFixture[str]) -> None:
    status_of("--json", "out.json", "--manager", late)
    told = json.loads(Path("out.json").read_text(encoding="utf-8"))
    stories = shipped_stories.folder()
    assert {Path(case["path"]).parent for case in told["scenarios"]} == {stories}
    assert len({case["path"] for case in told["scenarios"]}) == len(list(stories.glob("*.session.yaml")))


def test_an_installation_without_stories_asks_for_a_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = shipped_stories.folder
    monkeypatch.setattr(shipped_stories, "folder", lambda: real(Path("elsewhere/package")))
    assert status_of() == 2
    assert "no stories came with elsewhere/package: name a scenario file" in capsys.readouterr().err


def test_every_mistake_in_every_file_is_told_and_nothing_is_run(late: str, capsys: pytest.CaptureFixture[str]) -> None:
    write("a.session.yaml", STORY.replace("touch:", "tuoch:"))
    write("b.session.yaml", OVER.replace("alive", "alife"))
    write("c.session.yaml", OVER)
    write(late, LATE_PROFILE.replace("existing", "exsiting"))
    assert status_of("a.session.yaml", "b.session.yaml", "c.session.yaml", "--manager", late, "--json", "r.json") == 2
    streams = capsys.readouterr()
    assert streams.out == ""
    assert not Path("r.json").exists()
    for start in ("a.session.yaml:7:5: ", "b.session.yaml:6:", f"{late}:13:1: "):
        assert any(line.startswith(start) for line in streams.err.splitlines()), start


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["none.session.yaml"], "none.session.yaml: there is no such file or folder"),
        (["."], "this folder holds no scenario file"),
        (["c.session.yaml", "--manager", "refernce"], "did you mean 'reference'?"),
        (["c.session.yaml", "--manager", "searched.sessionguard.toml"], "probes are read by search only"),
    ],
)
def test_what_cannot_be_run_is_the_users_mistake(
    late: str, arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if "." not in arguments:
        write("c.session.yaml", OVER)
    write("searched.sessionguard.toml", LATE_PROFILE + '\n[probes]\nkept = "len:sessions"\n')
    assert status_of(*arguments) == 2
    assert told in capsys.readouterr().err


def test_an_interruption_keeps_what_was_found(
    late: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from pytest_sessionguard.run.runner import Runner

    real, runs = Runner.run, []

    def run(self: Runner, plan: object) -> object:
        runs.append(plan)
        if len(runs) == 2:
            raise KeyboardInterrupt
        return real(self, plan)  # type: ignore[arg-type]

    monkeypatch.setattr(Runner, "run", run)
    write("a.session.yaml", STORY)
    assert status_of("a.session.yaml", "--json", "r.json") == 3
    assert "unproven: interrupted: 1 held on reference" in capsys.readouterr().out
    assert json.loads(Path("r.json").read_text(encoding="utf-8"))["interrupted"] is True


def test_a_fault_of_ours_exits_with_4(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from pytest_sessionguard.run.conversation import Conversation

    def fail(self: Conversation) -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(Conversation, "judge", fail)
    write("a.session.yaml", STORY)
    assert status_of("a.session.yaml") == 4
    told = capsys.readouterr().out
    assert "ZeroDivisionError: planted" in told
    assert told.count("--- a fault of sessionguard") == 1
    assert "a fault of sessionguard, not of the target, broke off A touched session lives on [early=1s]; " in told


def test_a_terminal_sees_colour_and_progress_and_a_pipe_sees_neither(tmp_path: Path) -> None:
    pty = pytest.importorskip("pty")
    import os

    write("a.session.yaml", STORY)
    command = [sys.executable, "-m", "pytest_sessionguard", "run", "a.session.yaml"]
    piped = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "\x1b" not in piped.stdout + piped.stderr
    assert "of 2 ..." not in piped.stderr
    ours, theirs = pty.openpty()
    done = subprocess.Popen(command, stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "xterm"})
    os.close(theirs)
    seen = b""
    while True:
        try:
            chunk = os.read(ours, 65536)
        except OSError:  # The other side is closed: this system's way to say the end.
            break
        if not chunk:
            break
        seen += chunk
    os.close(ours)
    assert done.wait() == 0
    assert b"\x1b[32mheld" in seen
    assert b"1 of 2 ..." in seen
