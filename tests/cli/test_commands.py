"""The commands that run nothing: what they print, what they refuse, how they exit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_sessionguard import __version__, catalog
from pytest_sessionguard.cli import main

COMMANDS = catalog.names("pytest_sessionguard.cli.commands")

SOUND = """
scenario: A session lives
version: 1
steps:
  - create: {as: cart}
  - expect: {session: cart, alive: true}
"""


def status_of(*arguments: str) -> int:
    with pytest.raises(SystemExit) as exit_info:
        main(arguments)
    code = exit_info.value.code
    assert isinstance(code, int)
    return code


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(name, "--help") == 0
    told = capsys.readouterr().out
    assert "Example: sessionguard " + name in told
    assert "--json" in told
    assert "--quiet" in told


def test_the_group_lists_every_command_in_one_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of("--help") == 0
    lines = capsys.readouterr().out.split("Commands:\n")[1].split("\n\n")[0].splitlines()
    assert [line.split()[0] for line in lines] == list(COMMANDS)
    assert not [line for line in lines if line.endswith("...")]


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of("--version") == 0
    assert capsys.readouterr().out == f"sessionguard, version {__version__}\n"


@pytest.mark.parametrize("arguments", [["nix"], ["schema"], ["schema", "nix"], ["properties", "--nix"], ["validate"]])
def test_a_wrong_command_line_is_the_users_mistake(arguments: list[str]) -> None:
    assert status_of(*arguments) == 2


def test_python_dash_m_is_the_same_door() -> None:
    command = [sys.executable, "-m", "pytest_sessionguard", "properties", "expiry.bondary"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "there is no property 'expiry.bondary', did you mean 'expiry.boundary'?\n"


def test_properties_lists_the_catalogue_and_explains_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of("properties") == 0
    assert "limit.enforced" in capsys.readouterr().out
    assert status_of("properties", "limit.enforced", "--json", "one.json") == 0
    told = capsys.readouterr().out
    assert told.startswith("limit.enforced\n")
    assert "`limit`" in told
    (row,) = json.loads(Path("one.json").read_text(encoding="utf-8"))
    assert row["name"] == "limit.enforced"


@pytest.mark.parametrize("what", ["scenario", "profile", "result", "coverage"])
def test_a_schema_is_json_and_a_sound_schema(what: str, capsys: pytest.CaptureFixture[str]) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    assert status_of("schema", what) == 0
    printed = json.loads(capsys.readouterr().out)
    jsonschema.Draft202012Validator.check_schema(printed)
    assert status_of("schema", what, "--json", "schema.json") == 0
    assert capsys.readouterr().out == ""
    assert json.loads(Path("schema.json").read_text(encoding="utf-8")) == printed


def test_profiles_lists_what_is_shipped(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of("profiles", "--json", "profiles.json") == 0
    assert "reference-sync-sqlite" in capsys.readouterr().out
    names = [row["name"] for row in json.loads(Path("profiles.json").read_text(encoding="utf-8"))]
    assert "reference" in names


def test_validate_is_content_with_sound_files(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.session.yaml").write_text(SOUND, encoding="utf-8")
    assert status_of("validate", "a.session.yaml") == 0
    assert capsys.readouterr().out == "no fault in a.session.yaml\n"


def test_validate_tells_the_faults_of_all_files_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.session.yaml").write_text(
        SOUND.replace("alive", "alife").replace("version: 1", "version: 2"), encoding="utf-8"
    )
    Path("b.sessionguard.toml").write_text('[manger]\nfactory = "collections:OrderedDict"\n', encoding="utf-8")
    given = ("a.session.yaml", "b.sessionguard.toml", "none.session.yaml", "none.toml")
    assert status_of("validate", *given, "--json", "faults.json") == 2
    told = capsys.readouterr().err
    for start in (
        "a.session.yaml:3:",
        "a.session.yaml:6:",
        "b.sessionguard.toml:1:",
        "none.session.yaml: ",
        "none.toml: ",
    ):
        assert any(line.startswith(start) for line in told.splitlines()), start
    faults = json.loads(Path("faults.json").read_text(encoding="utf-8"))["faults"]
    assert {fault["line"] for fault in faults if fault["path"] == "a.session.yaml"} == {3, 6}


def test_init_writes_a_profile_once_and_never_over_another(capsys: pytest.CaptureFixture[str]) -> None:
    target = "pytest_sessionguard.reference.manager:SessionManager"
    assert status_of("init", target) == 0
    proposed = capsys.readouterr().out
    assert "[manager]" in proposed
    assert status_of("init", target, "--output", "new.sessionguard.toml") == 0
    assert Path("new.sessionguard.toml").read_text(encoding="utf-8") == proposed
    assert "wrote new.sessionguard.toml" in capsys.readouterr().out
    assert status_of("init", target, "--output", "new.sessionguard.toml") == 2
    assert "is there already" in capsys.readouterr().err
    assert status_of("init", target, "--output", "no/such/folder.toml") == 2
    assert status_of("init", target, "--json", "init.json", "--quiet") == 0
    assert json.loads(Path("init.json").read_text(encoding="utf-8"))["profile"] == proposed
    assert status_of("validate", "new.sessionguard.toml", "--quiet") == 0
    assert capsys.readouterr().out == ""


def test_init_of_nothing_is_the_users_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of("init", "no_such_module:Store") == 2
    assert "no_such_module" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["properties"], ["profiles"], ["schema", "profile"]])
def test_quiet_prints_nothing(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(*arguments, "--quiet") == 0
    assert capsys.readouterr().out == ""


def test_help_loads_nothing_heavy() -> None:
    program = (
        "import sys\nfrom pytest_sessionguard.cli import main\n"
        "try:\n    main(['run', '--help'])\nexcept SystemExit:\n    pass\n"
        "print('LOADED', *{'yaml', 'freezegun', 'hypothesis', 'pytest', 'asyncio'} & set(sys.modules))"
    )
    environment = {name: value for name, value in os.environ.items() if name != "COVERAGE_PROCESS_START"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.splitlines()[-1] == "LOADED"
