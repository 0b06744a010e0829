"""`sessionguard replay` repeats one case, and tells whether it still fails."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_sessionguard.cli import main

STORE = """
import itertools

class Store:
    def __init__(self):
        self.kept, self.numbers = {}, itertools.count()
    def create(self, data=None):
        name = f"id{next(self.numbers)}"
        self.kept[name] = data
        return name
    def get(self, id):
        return self.kept.get(id)
    def delete(self, id):
        return id in self.kept  # and keeps it
"""
PROFILE = """
[manager]
factory = "%s:Store"
path = ["."]
[operations]
create = "create(data?) -> id"
get = "get(id) -> data"
delete = "delete(id) -> found"
[policy]
"""
CASE = """\
# manager: shop.sessionguard.toml
scenario: lifecycle.delete is broken by create, delete, delete
version: 1
steps:
  - create: {as: s1}
  - delete: s1
  - delete: s1
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    name = f"shop_{abs(hash(tmp_path))}"
    (tmp_path / f"{name}.py").write_text(STORE)
    (tmp_path / "shop.sessionguard.toml").write_text(PROFILE % name)
    (tmp_path / "lifecycle.delete-1.session.yaml").write_text(CASE)
    return tmp_path


def status(*arguments: str) -> object:
    with pytest.raises(SystemExit) as ended:
        main(["replay", *arguments])
    return ended.value.code


def test_a_file_is_replayed_with_the_manager_that_it_was_found_with(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status("lifecycle.delete-1.session.yaml", "--json", "out.json") == 1
    shown = capsys.readouterr().out
    assert "lifecycle.delete violated" in shown
    assert "replay   sessionguard replay lifecycle.delete-1.session.yaml --manager shop.sessionguard.toml" in shown
    assert json.loads((shop / "out.json").read_text())["verdict"] == "violated"


def test_a_token_is_replayed_and_held_by_who_has_mended_it(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from pytest_sessionguard.core import replay_token

    token = replay_token.encode(CASE)
    assert status(token, "--manager", "shop.sessionguard.toml", "--quiet") == 1
    assert f"replay   sessionguard replay {token} --manager shop.sessionguard.toml" in capsys.readouterr().out
    assert status(token) == 0
    assert capsys.readouterr().out == "held      the case no longer fails\n"


@pytest.mark.parametrize(
    ("case", "told"), [("sg1:AAAA", "is damaged"), ("nowhere.session.yaml", "no such file"), ("sg9:x", "no such file")]
)
@pytest.mark.usefixtures("shop")
def test_what_is_no_case_is_the_users_mistake(case: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert status(case) == 2
    assert told in capsys.readouterr().err


def test_a_script_of_plain_calls_is_printed_and_runs(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert status("lifecycle.delete-1.session.yaml", "--script") == 0
    (shop / "script.py").write_text(capsys.readouterr().out)
    done = subprocess.run([sys.executable, "script.py"], cwd=shop, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == ["create() -> 'id0'", "delete(s1) -> True", "delete(s1) -> True"]
