"""`sessionguard check`: what it prints, writes, and exits with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_sessionguard.cli import main

SHELF = """
class Shelf:
    def __init__(self):
        self.kept = {}

    def put(self, data):
        name = str(len(self.kept))
        self.kept[name] = dict(data)
        return name

    def look(self, name):
        return dict(self.kept[name])

    def drop(self, name):
        FORGETS
"""
PROFILE = """
[manager]
factory = "shelf:Shelf"
path = ["."]

[operations]
create = "put(data) -> id"
get = "look(id) -> data"
delete = "drop(id)"

[policy]
missing = "error"

[errors]
missing = "KeyError"
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.toml").write_text(PROFILE, encoding="utf-8")
    return tmp_path


def shelf(here: Path, name: str, forgets: str) -> str:
    (here / f"{name}.py").write_text(SHELF.replace("FORGETS", forgets), encoding="utf-8")
    path = here / f"{name}.sessionguard.toml"
    path.write_text(PROFILE.replace("shelf:", f"{name}:"), encoding="utf-8")
    return path.name


def checked(*words: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(["check", *words])
    code = caught.value.code
    assert isinstance(code, int)
    return code


def test_a_violation_is_told_in_full_and_is_exit_status_1(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = shelf(here, "shelf_keeping", "del self.kept[name]; self.kept[name] = {}")
    assert checked(target, "--cases", "40", "--seed", "3") == 1
    out = capsys.readouterr().out
    assert "lifecycle.delete violated" in out
    assert "VIOLATED  lifecycle.delete" in out
    assert "seed 3" in out


def test_what_is_left_unproven_is_exit_status_3(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = shelf(here, "shelf_sound", "self.kept.pop(name)")
    assert checked(target, "--cases", "2", "--seed", "3") == 3
    assert "unproven" in capsys.readouterr().out


def test_quiet_prints_only_what_is_wrong(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = shelf(here, "shelf_quiet", "self.kept.pop(name)")
    checked(target, "--cases", "2", "--seed", "1", "--quiet")
    assert capsys.readouterr().out == ""


def test_the_result_is_written_as_json(here: Path) -> None:
    target = shelf(here, "shelf_json", "self.kept.pop(name)")
    checked(target, "--cases", "40", "--seed", "9", "--json", "deep/result.json")
    told = json.loads((here / "deep" / "result.json").read_text(encoding="utf-8"))
    assert (told["seed"], told["version"], told["target"]) == (9, 1, target)
    assert told["cases"] > 0


def test_a_seed_is_drawn_and_printed_where_none_is_given(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checked(shelf(here, "shelf_seed", "self.kept.pop(name)"), "--cases", "2")
    assert "seed " in capsys.readouterr().out.splitlines()[0]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--budget", "1s", "--cases", "3"], "give one of them"),
        (["--budget", "soon"], "--budget"),
        (["--budget", "0s"], "no time to search in"),
        (["--workers", "many"], "no number of processes"),
        (["--only", "lifecycl.create"], "no property is called so"),
        (["--allow", "fault.none"], "no property is called so"),
    ],
)
def test_a_users_mistake_is_exit_status_2(words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert checked("reference", *words) == 2
    assert told in capsys.readouterr().err


def test_what_the_profile_says_of_the_search_counts_unless_the_command_line_says_else(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = shelf(here, "shelf_written", "self.kept.pop(name)")
    with (here / target).open("a", encoding="utf-8") as file:
        file.write('\n[check]\ncases = 3\nseed = 5\nallow = ["lifecycle.delete"]\n')
    checked(target)
    out = capsys.readouterr().out
    assert "seed 5" in out
    assert "3 cases in" in out
    assert "allowed: " in out
    checked(target, "--seed", "6")
    assert "seed 6" in capsys.readouterr().out


def test_what_one_has_found_another_replays_first(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = shelf(here, "shelf_shared", "del self.kept[name]; self.kept[name] = {}")
    assert checked(target, "--cases", "40", "--seed", "3", "--only", "lifecycle.delete", "--database", "team") == 1
    assert "0 cases in team" in capsys.readouterr().out
    asked = [
        target,
        "--cases",
        "1",
        "--seed",
        "4",
        "--only",
        "lifecycle.delete",
        "--found",
        "mine",
        "--database",
        "team",
    ]
    assert checked(*asked) == 1
    out = capsys.readouterr().out
    assert "0 cases in team" not in out
    assert "lifecycle.delete violated" in out
    assert list((here / "mine").glob("lifecycle.delete-*.session.yaml"))


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("ftp://somewhere", "no database 'ftp://somewhere': expected a folder, redis://HOST:PORT/NUMBER or github://"),
        ("github://alone", "no database 'github://alone'"),
        ("p.toml", "and this is a file"),
        ("redis://127.0.0.1:1/0", "cannot be reached: ConnectionError"),
    ],
)
def test_a_database_that_is_none_or_out_of_reach_is_a_mistake(
    url: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert checked("reference", "--cases", "1", "--database", url) == 2
    assert told in capsys.readouterr().err
