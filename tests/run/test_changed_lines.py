"""Which lines a change touches, by a real repository."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pytest_sessionguard.core.gates import Count, FileCount, Gate, Measurement
from pytest_sessionguard.run import changed_lines
from pytest_sessionguard.run.changed_lines import NoComparison
from pytest_sessionguard.run.coverage_settings import CoverageSettings


def git(folder: Path, *words: str) -> None:
    named = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *named, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository whose branch has left main; main went on since."""
    git(tmp_path, "init", "-q", "-b", "main")
    project = tmp_path / "project"
    project.mkdir()
    (project / "a.py").write_text("one = 1\ntwo = 2\nthree = 3\n", encoding="utf-8")
    (project / "gone.py").write_text("x = 1\n", encoding="utf-8")
    (tmp_path / "outside.py").write_text("x = 1\n", encoding="utf-8")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "begin")
    git(tmp_path, "checkout", "-qb", "work")
    git(tmp_path, "checkout", "-q", "main")
    (project / "a.py").write_text("zero = 0\none = 1\ntwo = 2\nthree = 3\n", encoding="utf-8")
    git(tmp_path, "commit", "-qam", "others' work")
    git(tmp_path, "checkout", "-q", "work")
    return tmp_path


def test_only_lines_of_this_change_are_touched_committed_or_not(repository: Path) -> None:
    project = repository / "project"
    (project / "a.py").write_text("one = 1\ntwo = 22\nthree = 3\n++ four\n", encoding="utf-8")
    (project / "gone.py").unlink()
    (repository / "outside.py").write_text("x = 2\n", encoding="utf-8")
    git(repository, "commit", "-qam", "change")
    (project / "a.py").write_text("one = 1\ntwo = 22\nthree = 33\n++ four\n", encoding="utf-8")
    (project / "schön neu.py").write_text("x = 1\ny = 2\n", encoding="utf-8")
    assert changed_lines.changed(project, "main") == {
        "a.py": frozenset({2, 3, 4}),
        "schön neu.py": frozenset({1, 2, 3}),
    }


def test_lines_that_were_only_taken_away_touch_nothing(repository: Path) -> None:
    (repository / "project" / "a.py").write_text("one = 1\nthree = 3\n", encoding="utf-8")
    assert changed_lines.changed(repository / "project", "main") == {}


def test_text_that_looks_like_a_diff_is_text() -> None:
    added = "--- a/a.py\n+++ b/a.py\n@@ -0,0 +1,2 @@\n+++ b/x.py\n+@@ -1 +1 @@\n"
    deleted = "--- a/b.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"
    diff = added + deleted
    assert changed_lines.parse(diff) == {"a.py": frozenset({1, 2})}


def test_a_base_that_is_not_there_says_so_and_how_to_fetch_it(repository: Path) -> None:
    with pytest.raises(NoComparison, match=r"changed lines: git merge-base: .*nowhere.*fetch-depth: 0"):
        changed_lines.changed(repository, "nowhere")


def test_without_git_it_says_so(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NoComparison, match="git cannot be run"):
        changed_lines.changed(repository, "main")


MEASURED = Measurement(files=(FileCount(path="a.py", lines=Count(2, 3), run_lines=(1, 2), missing_lines=(3,)),))


def settings(folder: Path, changed: int | None) -> CoverageSettings:
    return CoverageSettings(folder=folder, gate=Gate(least=0, least_branches=0, changed=changed), base="main")


def test_what_was_counted_on_changed_lines_goes_with_the_measurement(repository: Path) -> None:
    project = repository / "project"
    (project / "a.py").write_text("one = 1\ntwo = 22\nthree = 33\n", encoding="utf-8")
    measured, changed = changed_lines.with_changed(MEASURED, settings(project, 9000))
    assert measured is MEASURED
    assert changed is not None
    assert [(one.path, one.lines) for one in changed] == [("a.py", Count(1, 2))]


def test_where_changed_lines_are_not_gated_git_is_not_asked(tmp_path: Path) -> None:
    assert changed_lines.with_changed(MEASURED, settings(tmp_path, None)) == (MEASURED, None)
    assert changed_lines.with_changed(MEASURED, CoverageSettings(folder=tmp_path)) == (MEASURED, None)


def test_a_base_that_cannot_be_compared_with_makes_the_measurement_incomplete(repository: Path) -> None:
    measured, changed = changed_lines.with_changed(MEASURED, settings(repository, 9000), "nowhere")
    assert changed is None
    assert measured.problems[0].startswith("changed lines: git merge-base")
