"""The parts of a run's gate: what it takes for whole, for broken and for measured, and how it tells.

Here a measurement is handed over; `test_coverage_gate` has the real ones.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import coverage
import pytest

import pytest_sessionguard
from pytest_sessionguard.core.gates import Count, FileCount, Gate, Measurement
from pytest_sessionguard.plugin import coverage_gate
from pytest_sessionguard.plugin.coverage_gate import OUTPUT, UNMEASURED, WorkersPart
from pytest_sessionguard.plugin.coverage_gate import Gate as GatePlugin
from pytest_sessionguard.run.coverage_settings import CoverageSettings

PYPROJECT = """
[tool.pytest.ini_options]
testpaths = ["tests"]

[tool.sessionguard.coverage]
min = 85
"""

SOUND = Measurement(files=(FileCount(path="a.py", lines=Count(17, 20), branches=Count(17, 20)),))
SHORT = Measurement(
    files=(FileCount(path="a.py", lines=Count(1, 2), branches=Count(2, 2), run_lines=(1,), missing_lines=(2,)),)
)

# A run within this process forgets the modules that it was the first to import, while their packages still hold them:
# the next run would meet two of each.  So all are imported before.
for _module in pkgutil.walk_packages(pytest_sessionguard.__path__, "pytest_sessionguard."):
    if not _module.name.endswith(("__main__", ".prometheus")):
        importlib.import_module(_module.name)


class Project:
    """A project with gates, and what its next run is to have measured."""

    def __init__(self, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
        self._pytester = pytester
        self.measured: Measurement | None = None
        monkeypatch.setattr(GatePlugin, "_measured", lambda _: self.measured)
        self.write("pyproject.toml", PYPROJECT)
        self.write("tests/test_one.py", "def test_one(): pass\n")
        self.write("tests/test_two.py", "def test_two(): pass\n")

    def write(self, name: str, text: str) -> None:
        path = self._pytester.path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def run(self, *words: str) -> tuple[int, list[str]]:
        """Return the exit status, and the lines after pytest's own last one."""
        done = self._pytester.runpytest_inprocess("-p", "sessionguard", "-p", "no:cacheprovider", *words)
        lines = [*done.outlines, *done.errlines]
        begin = next((number for number, line in enumerate(lines) if line.startswith("coverage gate:")), len(lines))
        return int(done.ret), lines[begin:]

    def lines(self, *words: str) -> list[str]:
        done = self._pytester.runpytest_inprocess("-p", "sessionguard", "-p", "no:cacheprovider", *words)
        return [str(line) for line in done.outlines]


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE", "PYTEST_ADDOPTS"):
        monkeypatch.delenv(name, raising=False)
    return Project(pytester, monkeypatch)


UNHELD = " (not held against this run; --sessionguard-gate=on would)"


@pytest.mark.parametrize(
    ("measured", "words", "status", "told"),
    [
        (SOUND, (), 0, ["coverage gate: met"]),
        (SHORT, (), 1, ["coverage gate: MISSED; total"]),
        (SHORT, ("--sessionguard-gate=off",), 0, []),
        (SHORT, ("--collect-only",), 0, []),
        (None, (), 0, [f"coverage gate: INCOMPLETE; {UNMEASURED}{UNHELD}"]),
        (None, ("--sessionguard-gate=on",), 1, [f"coverage gate: INCOMPLETE; {UNMEASURED}"]),
        (Measurement(problems=("a file is damaged",)), (), 1, ["coverage gate: INCOMPLETE; a file is damaged"]),
    ],
)
def test_the_verdict_is_last_and_decides_the_exit_status(
    project: Project, measured: Measurement | None, words: tuple[str, ...], status: int, told: list[str]
) -> None:
    project.measured = measured
    assert project.run(*words) == (status, told)


def test_a_run_that_failed_keeps_its_own_exit_status_and_is_judged(project: Project) -> None:
    project.measured = SHORT
    project.write("tests/test_one.py", "def test_one(): assert 0\n")
    assert project.run() == (1, ["coverage gate: MISSED; total"])
    project.measured = SOUND
    assert project.run() == (1, ["coverage gate: met"])


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("-k", "one"), "-k"),
        (("-m", "not slow", "-k", "one"), "-k, -m"),
        (("--deselect", "tests/test_one.py::test_one"), "--deselect"),
        (("--ignore=tests/test_one.py",), "--ignore"),
        (("--setup-only",), "--setup-only"),
        (("tests/test_one.py",), "tests/test_one.py"),
        (("tests/test_one.py::test_one", "tests/test_two.py"), "tests/test_one.py::test_one"),
        (("-k", "nothing"), "-k"),
    ],
)
def test_a_run_of_some_tests_only_is_not_judged(project: Project, words: tuple[str, ...], reason: str) -> None:
    project.measured = SHORT
    _, told = project.run(*words)
    assert told == [f"coverage gate: INCOMPLETE; only some of the tests ran ({reason}){UNHELD}"]


@pytest.mark.parametrize("words", [(), ("tests",), (".",), ("-m", "not slow"), ("tests/test_one.py", "tests")])
def test_a_run_that_leaves_nothing_out_is_whole(project: Project, words: tuple[str, ...]) -> None:
    project.measured = SOUND
    assert project.run(*words) == (0, ["coverage gate: met"])


def test_what_the_projects_own_settings_leave_out_is_no_part_of_the_whole(project: Project) -> None:
    project.measured = SOUND
    project.write("pyproject.toml", PYPROJECT.replace("testpaths", 'addopts = "-k one"\ntestpaths'))
    assert project.run() == (0, ["coverage gate: met"])


def test_without_testpaths_a_folder_is_taken_for_the_whole_and_a_file_is_not(project: Project) -> None:
    project.measured = SOUND
    project.write("pyproject.toml", PYPROJECT.replace('testpaths = ["tests"]', ""))
    assert project.run("tests")[1] == ["coverage gate: met"]
    assert "only some of the tests ran (tests/test_one.py)" in project.run("tests/test_one.py")[1][0]


def test_what_the_environment_selects_is_seen_too(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_ADDOPTS", "-k one")
    assert "only some of the tests ran (-k)" in project.run()[1][0]


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("tests/test_one.py", "import nothing_of_this_name\n", "the run was interrupted"),
        ("conftest.py", "def pytest_runtestloop(): raise RuntimeError\n", "the run broke off (exit status 3)"),
        ("conftest.py", "collect_ignore_glob = ['*']\n", "no test ran"),
    ],
)
def test_a_run_that_broke_off_is_incomplete(project: Project, name: str, text: str, reason: str) -> None:
    project.measured = SOUND
    project.write(name, text)
    status, told = project.run()
    assert told[0] == f"coverage gate: INCOMPLETE; {reason}"
    assert status != 0


def test_gates_that_are_asked_for_and_not_there_are_the_users_mistake(project: Project) -> None:
    project.write("pyproject.toml", "[tool.pytest.ini_options]\n")
    status, _ = project.run("--sessionguard-gate=on")
    assert status == pytest.ExitCode.USAGE_ERROR
    assert project.run() == (0, [])


def test_a_project_that_names_both_words_and_has_no_gates_loads_nothing_for_them(
    pytester: pytest.Pytester, project: Project
) -> None:
    project.write(
        "pyproject.toml", '[project]\nname = "a"\nversion = "1"\ndependencies = ["sessionguard", "coverage"]\n'
    )
    project.write(
        "tests/test_one.py",
        "def test_one(pytestconfig):\n    assert not pytestconfig.pluginmanager.has_plugin('sessionguard-gate')\n",
    )
    assert project.run() == (0, [])


def test_settings_that_are_no_toml_are_refused(project: Project) -> None:
    project.write("pyproject.toml", "[tool.sessionguard.coverage\n")
    project.write("pytest.ini", "[pytest]\n")
    status, _ = project.run()
    assert status == pytest.ExitCode.USAGE_ERROR


def test_wrong_settings_are_refused_before_anything_runs(project: Project) -> None:
    project.write("pyproject.toml", PYPROJECT.replace("85", "850"))
    status, _ = project.run()
    assert status == pytest.ExitCode.USAGE_ERROR


def test_a_wrong_word_is_refused(project: Project) -> None:
    status, _ = project.run("--sessionguard-gate=maybe")
    assert status == pytest.ExitCode.USAGE_ERROR


def test_quiet_tells_only_the_verdict_of_a_gate_that_is_met(project: Project) -> None:
    project.measured = SOUND
    assert [line for line in project.lines("-q") if line.startswith("met ")] == []
    assert len([line for line in project.lines() if line.startswith("met ")]) == 1
    project.measured = SHORT
    assert len([line for line in project.lines("-q") if line.startswith("MISSED ")]) == 1


def test_on_github_it_annotates_and_writes_a_summary(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.measured = SHORT
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    *_, annotation, verdict = project.lines()
    assert annotation == "::warning file=a.py,line=2,endLine=2,title=coverage gate::line 2 was not run"
    assert verdict == "coverage gate: MISSED; total"
    assert Path("summary.md").read_text(encoding="utf-8").startswith("### coverage gate: MISSED; total\n")
    monkeypatch.delenv("GITHUB_STEP_SUMMARY")
    assert project.lines()[-1] == verdict


def test_without_a_terminal_it_tells_on_standard_error(project: Project, capfd: pytest.CaptureFixture[str]) -> None:
    project.measured = SOUND
    assert project.run("-p", "no:terminal")[0] == 0


def test_changed_lines_that_cannot_be_compared_are_incomplete(project: Project) -> None:
    project.measured = SOUND
    project.write("pyproject.toml", PYPROJECT + 'changed = 90\nbase = "nowhere"\n')
    status, told = project.run()
    assert status == 1
    assert told[0].startswith("coverage gate: INCOMPLETE; changed lines: git merge-base")


STORY = "scenario: A session lives\nversion: 1\nsteps:\n  - create: {as: cart}\n  - touch: cart\n"


@pytest.mark.parametrize(("least", "status"), [(1, 0), (95, 1)])
def test_behaviour_is_counted_from_the_cases_of_the_run(project: Project, least: int, status: int) -> None:
    project.measured = SOUND
    project.write("pyproject.toml", PYPROJECT + f'behaviour = {{ min = {least}, manager = "reference-sync-memory" }}\n')
    project.write("tests/live.session.yaml", STORY)
    project.write(
        "tests/conftest.py",
        "import pytest\n\n\n@pytest.fixture\ndef session_manager():\n    return 'reference-sync-memory'\n",
    )
    told = project.lines()
    assert (
        f"{'met' if not status else 'MISSED'}  behaviour of reference-sync-memory: 1.24 % (2/161), least {least} %"
        in told
    )
    assert project.run()[0] == status


def test_behaviour_that_no_case_of_a_whole_run_could_show_is_incomplete(project: Project) -> None:
    project.measured = SOUND
    project.write("pyproject.toml", PYPROJECT + "behaviour = 95\n")
    reason = "behaviour: no case ran against reference"
    assert project.run() == (1, [f"coverage gate: INCOMPLETE; {reason}"])


def test_a_manager_that_is_not_there_is_told_at_the_end(project: Project) -> None:
    project.measured = SOUND
    project.write("pyproject.toml", PYPROJECT + 'behaviour = { min = 95, manager = "nowhere.toml" }\n')
    assert project.run() == (
        1,
        ["coverage gate: INCOMPLETE; nowhere.toml: no such file; expected one of: pyproject.toml"],
    )


# -- workers ----------------------------------------------------------------------------------------------------------


def node(name: str, **output: Any) -> Any:
    return SimpleNamespace(gateway=SimpleNamespace(id=name), workeroutput=output)


def plugin(config: Any = None, folder: Path | None = None) -> GatePlugin:
    settings = CoverageSettings(folder=folder or Path.cwd(), gate=Gate(least=8500, least_branches=0))
    return GatePlugin(config, settings)


def test_a_worker_that_ended_with_an_error_or_without_a_word_has_crashed() -> None:
    gate = plugin()
    gate.pytest_testnodedown(node("gw0", **{OUTPUT: {"deselected": 0, "data": None}}), None)
    gate.pytest_testnodedown(node("gw1", **{OUTPUT: {"deselected": 0, "data": None}}), "Not properly terminated")
    gate.pytest_testnodedown(SimpleNamespace(gateway=SimpleNamespace(id="gw2")), None)
    assert (gate.crashed, list(gate.workers)) == (["gw1", "gw2"], ["gw0"])
    session: Any = SimpleNamespace(shouldfail=False)
    assert list(gate._broken(session, 0)) == ["workers gw1, gw2 crashed"]


def test_a_worker_tells_what_it_left_out_and_where_its_data_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config: Any = SimpleNamespace(workeroutput={})
    part = WorkersPart(config)
    part.pytest_deselected(["a", "b"])  # type: ignore[list-item]  # only their number counts
    monkeypatch.setattr(coverage_gate, "_running", lambda: None)
    part.pytest_sessionfinish()
    assert config.workeroutput == {OUTPUT: {"deselected": 2, "data": None}}
    written = []
    running = SimpleNamespace(
        save=lambda: written.append("saved"),
        get_data=lambda: SimpleNamespace(data_filename=lambda: tmp_path / "data"),
    )
    monkeypatch.setattr(coverage_gate, "_running", lambda: running)
    part.pytest_sessionfinish()
    assert config.workeroutput[OUTPUT]["data"] == str(tmp_path / "data")
    assert written == ["saved"]


def test_a_worker_has_its_own_part_of_the_plugin(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    registered = []
    config: Any = SimpleNamespace(
        workerinput={},
        rootpath=Path.cwd(),
        pluginmanager=SimpleNamespace(register=lambda plugin, name: registered.append((type(plugin), name))),
    )
    coverage_gate.register(config)
    assert registered == [(WorkersPart, "sessionguard-gate")]


# -- what was measured ------------------------------------------------------------------------------------------------


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The data file of a measured program of one line."""
    (tmp_path / "one.py").write_text("x = 1\n", encoding="utf-8")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    command = [sys.executable, "-m", "coverage", "run", "--data-file=own", "one.py"]
    subprocess.run(command, cwd=tmp_path, env=clean, check=True)
    return tmp_path / "own"


def with_controller(controller: Any) -> Any:
    return SimpleNamespace(
        pluginmanager=SimpleNamespace(get_plugin=lambda _: SimpleNamespace(cov_controller=controller))
    )


def test_what_pytest_cov_gathered_is_what_counts(data: Path) -> None:
    gathered = coverage.Coverage(data_file=str(data))
    gathered.load()
    gate = plugin(with_controller(SimpleNamespace(cov=gathered)), data.parent)
    assert gate._measured() == Measurement(
        files=(FileCount(path="one.py", lines=Count(1, 1), run_lines=(1,)),), branches=False
    )
    gate = plugin(with_controller(SimpleNamespace(cov=gathered, failed_workers=[node("gw1")])), data.parent)
    measured = gate._measured()
    assert measured is not None
    assert measured.problems == ("no coverage data came from gw1",)


def test_a_measurement_under_way_counts_with_its_workers_or_not_at_all(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(data.parent)
    gate = plugin(with_controller(None), data.parent)
    monkeypatch.setattr(coverage_gate, "_running", lambda: None)
    assert gate._measured() is None
    gathered = coverage.CoverageData(str(data))
    gathered.read()
    running = SimpleNamespace(
        config=SimpleNamespace(config_file=None), get_data=lambda: gathered, get_option=lambda name: ".coverage"
    )
    monkeypatch.setattr(coverage_gate, "_running", lambda: running)
    gate.workers = {"gw0": {"data": str(data), "deselected": 0}}
    measured = gate._measured()
    assert measured is not None
    assert [one.path for one in measured.files] == ["one.py"]
    gate.workers["gw1"] = {"data": None, "deselected": 0}
    gate.workers["gw2"] = {"data": str(data.parent / "elsewhere"), "deselected": 0}
    measured = gate._measured()
    assert measured is not None
    assert measured.problems[0].startswith("no coverage data came from gw1, gw2: measure subprocesses too")


def test_coverage_is_never_loaded_to_ask_whether_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "coverage")
    assert coverage_gate._running() is None
    assert "coverage" not in sys.modules
