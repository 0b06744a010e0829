"""What `[tool.sessionguard.coverage]` says, and every fault of it at its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_sessionguard.core.gates import Component, Gate
from pytest_sessionguard.errors import UsageError
from pytest_sessionguard.run import coverage_settings
from pytest_sessionguard.run.coverage_settings import BehaviourGate, CoverageSettings

HEAD = "[tool.sessionguard.coverage]\n"
FOLDER = Path("/project")

NO_MIN = "no `min`: expected the least share of every component and of the total, such as 85"
NO_PATHS = 'no `paths`: expected patterns of files, such as ["src/app/store/**"]'
NO_BASE = 'no `base`: expected the revision to compare with, such as "origin/main"'
NO_LIST = "paths is a list of patterns of files, not ['a', 3]"
NO_COMPONENT = "a component cannot be called total: what all must reach is [tool.sessionguard.coverage.total]"


def read(text: str) -> CoverageSettings | None:
    return coverage_settings.read(text, source="pyproject.toml", folder=FOLDER)


def gate(text: str) -> Gate:
    settings = read(HEAD + text)
    assert settings is not None
    assert settings.gate is not None
    return settings.gate


def faults(text: str) -> list[str]:
    with pytest.raises(UsageError) as raised:
        read(HEAD + text)
    return [str(fault) for fault in raised.value.faults]


def test_the_example_of_the_documentation_is_read() -> None:
    settings = read(
        """
[tool.sessionguard.coverage]
min = 85
[tool.sessionguard.coverage.components]
store   = { paths = ["src/app/store/**"], min = 90, min_branch = 85 }
manager = { paths = ["src/app/manager.py"] }
"""
    )
    assert settings == CoverageSettings(
        folder=FOLDER,
        gate=Gate(
            least=8500,
            least_branches=8500,
            components=(
                Component(name="store", paths=("src/app/store/**",), least=9000, least_branches=8500),
                Component(name="manager", paths=("src/app/manager.py",), least=8500, least_branches=8500),
            ),
        ),
    )


@pytest.mark.parametrize(
    ("general", "own", "lines", "branches"),
    [
        ("min = 85", "", 8500, 8500),
        ("min = 85", ", min = 90", 9000, 9000),
        ("min = 85\nmin_branch = 70", ", min = 90", 9000, 7000),
        ("min = 85\nmin_branch = 70", ", min_branch = 80.5", 8500, 8050),
        ("total.min = 60", ", min = 90.25", 9025, 9025),
    ],
)
def test_a_component_says_otherwise_or_has_what_all_have(general: str, own: str, lines: int, branches: int) -> None:
    (part,) = gate(f'{general}\n[tool.sessionguard.coverage.components]\na = {{ paths = "src"{own} }}').components
    assert (part.least, part.least_branches) == (lines, branches)


def test_the_total_may_have_a_least_of_its_own() -> None:
    told = gate("min = 85\nevery_file = true\n[tool.sessionguard.coverage.total]\nmin = 80")
    assert (told.least, told.least_branches, told.every_file) == (8000, 8000, True)


@pytest.mark.parametrize(
    ("text", "behaviour"),
    [
        ("behaviour = 95", BehaviourGate(least=9500)),
        ("behaviour = { min = 95 }", BehaviourGate(least=9500)),
        ('behaviour = { min = 9.5, manager = "a.toml" }', BehaviourGate(least=950, managers=("a.toml",))),
        ('behaviour = { min = 0, manager = ["a", "b"] }', BehaviourGate(least=0, managers=("a", "b"))),
    ],
)
def test_behaviour_may_be_gated_alone(text: str, behaviour: BehaviourGate) -> None:
    assert read(HEAD + text) == CoverageSettings(folder=FOLDER, behaviour=behaviour)


def test_changed_lines_name_their_base() -> None:
    settings = read(HEAD + 'min = 85\nchanged = 90\nbase = "origin/main"')
    assert settings is not None
    assert settings.gate is not None
    assert (settings.gate.changed, settings.base) == (9000, "origin/main")


@pytest.mark.parametrize("text", ["", "[tool]", "[tool.sessionguard]", "tool = 3", "[tool.sessionguard.policy]\n"])
def test_no_table_is_no_gate(text: str) -> None:
    assert read(text) is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", ["1:20: nothing is gated: expected `min`, the least share of every component"]),
        ("mim = 85\nmin = 85", ["2:1: unknown key 'mim', did you mean 'min'?"]),
        ("min = 101", ["2:7: min is a share from 0 to 100, not 101"]),
        ("min = -1", ["2:7: min is a share from 0 to 100, not -1"]),
        ("min = true", ["2:7: min is a share from 0 to 100, not True"]),
        ('min = "85%"', ["2:7: min is a share from 0 to 100, not 85%"]),
        ("min = nan", ["2:7: min is a share from 0 to 100, not NaN"]),
        ("min = 85.123", ["2:7: min = 85.123: expected at most two decimals"]),
        ("min = 85\nevery_file = 1", ["3:14: every_file is true or false, not 1"]),
        ("min = 85\nchanged = 90", [f"3:1: {NO_BASE}"]),
        ("min = 85\nbase = 3", ["3:8: base is a text, not 3"]),
        ("min = 85\ntotal = 3", ["3:9: expected a table of min, min_branch, not 3"]),
        ("min = 85\ncomponents = 3", ["3:14: components is a table of components, not 3"]),
        ("min = 85\ncomponents.a = {}", [f"3:12: {NO_PATHS}"]),
        ("min = 85\ncomponents.a.paths = []", ["3:22: paths is a list of patterns of files, not []"]),
        ('min = 85\ncomponents.a.paths = ["a", 3]', [f"3:22: {NO_LIST}"]),
        ('min = 85\ncomponents.a.paths = ["!a"]', ["3:22: every pattern takes files out and none lets any in"]),
        ('min = 85\ncomponents.total.paths = ["a"]', [f"3:12: {NO_COMPONENT}"]),
        ("components.a.paths = 'a'", [f"1:20: {NO_MIN}"]),
        ("behaviour = {}", ["2:1: no `min`: expected the least share of behaviours, such as 95"]),
        ("behaviour = { min = 1, manager = 3 }", ["2:34: manager is a TARGET or a list of them, not 3"]),
    ],
)  # fmt: skip
def test_a_fault_is_told_at_its_place(text: str, told: list[str]) -> None:
    places = [fault.removeprefix("pyproject.toml:") for fault in faults(text)]
    assert sorted(places) == sorted(told)


def test_all_faults_are_told_at_once() -> None:
    assert len(faults("min = 101\nbehaviour = 102\nevery_file = 3\nnix = 1")) == 4


def test_a_file_is_read_with_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text(HEAD + "min = 85\r\n", encoding="utf-8")
    settings = coverage_settings.load(path)
    assert settings is not None
    assert settings.folder == tmp_path


@pytest.mark.parametrize(
    ("written", "told"),
    [(b"\xff", "not UTF-8 text"), (b"min =", "not TOML"), (None, "cannot be read: No such file")],
)
def test_what_cannot_be_read_is_refused(written: bytes | None, told: str, tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    if written is not None:
        path.write_bytes(written)
    with pytest.raises(UsageError, match=told):
        coverage_settings.load(path)
