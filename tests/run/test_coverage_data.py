"""What coverage.py has on disk or under way becomes counts; nothing on disk is changed, and no measurement is begun."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import coverage
import pytest

from pytest_sessionguard.core.gates import Count
from pytest_sessionguard.errors import UsageError
from pytest_sessionguard.run import coverage_data

SOURCE = "def half(n):\n    if n % 2:\n        return None\n\n    return n // 2\n\n\nhalf(2)\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "app.py").write_text(SOURCE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COVERAGE_FILE", raising=False)
    return tmp_path


def measure(*words: str) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    command = [sys.executable, "-m", "coverage", "run", "--source=src", *words, "src/app.py"]
    subprocess.run(command, check=True, env=clean)


def test_lines_and_branches_of_a_data_file_are_counted(folder: Path) -> None:
    measure("--branch")
    measured = coverage_data.of_file(folder / ".coverage", folder)
    (one,) = measured.files
    assert (one.path, one.lines, one.branches) == ("src/app.py", Count(4, 5), Count(1, 2))
    assert (one.gaps(), one.untaken()) == (((3, 3),), ())
    assert (measured.branches, measured.problems) == (True, ())


def test_paths_are_those_of_the_projects_folder_wherever_it_is_judged(folder: Path) -> None:
    measure()
    measured = coverage_data.of_file(folder / ".coverage", folder / "sub", config_file=False)
    assert [one.path for one in measured.files] == ["../src/app.py"]
    assert not measured.branches


def test_without_a_data_file_the_user_is_told_what_to_do(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"no such file: measure first"):
        coverage_data.of_file(folder / ".coverage", folder)
    measure("--parallel-mode")
    with pytest.raises(UsageError, match=r"1 files of parallel runs lie beside it: combine them by `coverage combine`"):
        coverage_data.of_file(folder / ".coverage", folder)


def test_what_is_no_data_file_is_refused(folder: Path) -> None:
    (folder / "data").write_text("no database", encoding="utf-8")
    with pytest.raises(UsageError, match="data"):
        coverage_data.of_file(folder / "data", folder)


def test_data_that_was_not_combined_is_a_problem(folder: Path) -> None:
    measure("--parallel-mode")
    measure()
    assert coverage_data.of_file(folder / ".coverage", folder).problems == ()
    (parallel,) = folder.glob(".coverage.*")
    later = time.time() + 60
    os.utime(parallel, (later, later))
    (problem,) = coverage_data.of_file(folder / ".coverage", folder).problems
    assert problem.startswith("1 newer data files of parallel runs lie beside .coverage")


def test_source_that_is_gone_is_a_problem_and_no_data_is_none(folder: Path) -> None:
    measure()
    (folder / "src" / "app.py").unlink()
    measured = coverage_data.of_file(folder / ".coverage", folder)
    assert measured.files == ()
    assert measured.problems[0].startswith("No source for code")
    (folder / "src" / "app.py").write_text(SOURCE, encoding="utf-8")
    assert coverage_data.of_finished(coverage.Coverage(data_file=None), folder) == coverage_data.Measurement()


class Running:
    """Stands for a measurement under way; a second real one would take lines away from the first."""

    def __init__(self, file: Path) -> None:
        self.config = SimpleNamespace(config_file=None)
        self._data = coverage.CoverageData(str(file))
        self._data.read()

    def get_data(self) -> Any:
        return self._data

    def get_option(self, name: str) -> str:
        assert name == "run:data_file"
        return ".coverage"


def test_what_is_under_way_is_joined_with_what_its_subprocesses_left_since(folder: Path) -> None:
    (folder / "src" / "other.py").write_text("x = 1\n", encoding="utf-8")
    measure("--data-file=own")
    measure("--data-file=.coverage.host.1")
    before = sorted((path.name, path.stat().st_mtime_ns) for path in folder.iterdir())
    running: Any = Running(folder / "own")
    measured = coverage_data.of_running(running, folder, since_ns=0, others=("nowhere",), problems=("told",))
    assert {one.path: str(one.lines) for one in measured.files} == {
        "src/app.py": "80 % (4/5)",
        "src/other.py": "0 % (0/1)",
    }
    assert measured.problems == ("told",)
    assert sorted((path.name, path.stat().st_mtime_ns) for path in folder.iterdir()) == before


def test_what_an_earlier_run_left_does_not_count(folder: Path) -> None:
    measure("--data-file=.coverage.host.1")
    (folder / "src" / "app.py").write_text("x = 1\n", encoding="utf-8")
    measure("--data-file=own")
    running: Any = Running(folder / "own")
    now = coverage_data.of_running(running, folder, since_ns=time.time_ns())
    assert str(now.files[0].lines) == "100 % (1/1)"


def test_data_that_cannot_be_joined_is_a_problem(folder: Path) -> None:
    measure("--data-file=own")
    measure("--data-file=.coverage.host.1", "--branch")
    running: Any = Running(folder / "own")
    measured = coverage_data.of_running(running, folder, since_ns=0)
    assert measured.problems
    assert measured.problems[0].startswith("the data of subprocesses cannot be combined")


def test_the_measurement_of_this_process_is_known() -> None:
    assert coverage_data.current() is coverage.Coverage.current()
