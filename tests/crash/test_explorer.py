"""Durability bugs are found, sound stores are spared, recovery is crashed too."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from pytest_sessionguard.crash import KILL, ORDERED, STRICT, explore
from pytest_sessionguard.crash.explorer import AGAIN, DURING, FIRST, CrashReport
from tests.crash import stores


def explored(store: Any, **options: Any) -> CrashReport:
    return explore(stores.workload(store), stores.judge(store), **options)


@pytest.mark.parametrize("store", stores.BROKEN)
def test_each_classic_durability_bug_is_found(store: Any) -> None:
    report = explored(store)
    assert report.failed
    assert report.exhaustive
    assert report.failures[0].crash


@pytest.mark.parametrize("model", [STRICT, ORDERED, KILL], ids=lambda model: model.name)
@pytest.mark.parametrize("store", stores.SOUND)
def test_a_sound_store_is_never_accused(store: Any, model: Any) -> None:
    report = explored(store, model=model)
    assert report.failures == ()
    assert report.exhaustive
    assert report.states > 10


def test_a_kill_alone_finds_two_of_the_six() -> None:
    found = [store for store in stores.BROKEN if explored(store, model=KILL).failed]
    assert found == [stores.InPlace, stores.GapBeforeRename]


def test_the_same_exploration_gives_the_same_report() -> None:
    # Names of temporary files are random, so a store without any.
    one, again = (explored(stores.InPlace, budget=40, seed=3) for _ in range(2))
    assert one == again
    assert str(one).startswith("strict: ")


class Forgets:
    """Recovers rightly once, and then is not what it was."""

    @staticmethod
    def work(folder: Path, mark: Any) -> None:
        (folder / "a").write_text("a")
        mark("done")

    @staticmethod
    def judge_again(folder: Path, marks: tuple[Any, ...]) -> str | None:
        opened = folder / "opened"
        if opened.exists():
            return "opened before"
        opened.touch()
        return None


def test_a_recovery_that_is_not_idempotent_is_found() -> None:
    report = explore(Forgets.work, Forgets.judge_again, nested=False)
    assert {failure.stage for failure in report.failures} == {AGAIN}
    assert explore(Forgets.work, Forgets.judge_again, nested=False, reopens=1).failed == 0


def recover_by_moving(folder: Path, marks: tuple[Any, ...]) -> str:
    """Recover a document from its backup, in two steps between which there is neither."""
    document, backup = folder / "document", folder / "backup"
    if backup.exists():
        text = backup.read_text()
        backup.unlink()
        stores.sync_folder(os.fspath(folder))
        with document.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        stores.sync_folder(os.fspath(folder))
    if not marks:
        return ""
    return "" if document.exists() and document.read_text() == "precious" else "lost"


def leave_a_backup(folder: Path, mark: Any) -> None:
    with (folder / "backup").open("w") as file:
        file.write("precious")
        file.flush()
        os.fsync(file.fileno())
    stores.sync_folder(os.fspath(folder))
    mark("done")


def test_a_crash_during_recovery_is_explored() -> None:
    report = explore(leave_a_backup, recover_by_moving)
    assert {failure.stage for failure in report.failures} == {DURING}
    assert report.recovery_states
    failure = report.failures[0]
    assert "remove backup" in failure.recovery_crash
    assert "then, during recovery, after" in str(failure)
    assert explore(leave_a_backup, recover_by_moving, nested=False).failed == 0


def test_recovery_beyond_the_budget_is_told() -> None:
    def many(folder: Path, mark: Any) -> None:
        for number in range(3):
            (folder / f"f{number}").write_text("x")
            mark(number)

    def busy(folder: Path, marks: tuple[Any, ...]) -> None:
        (folder / "log").write_text("y" * 2_000)

    report = explore(many, busy, budget=8)
    assert any(one.startswith("recovery was not crashed in") for one in report.cut)
    assert any(one.startswith("after crashes during recovery: ") for one in report.cut)
    assert "left out: " in str(report)


def test_what_a_reopening_raises_is_a_failure() -> None:
    def raises(folder: Path, marks: tuple[Any, ...]) -> None:
        raise KeyError("no such thing")

    report = explore(Forgets.work, raises, stop_after=2)
    assert report.failed == 2
    assert report.failures[0].problem == "KeyError: 'no such thing'"
    assert report.failures[0].stage == FIRST
    assert report.cut == ("it ended after 2 wrong states",)


def test_an_incomplete_recording_is_never_called_exhaustive() -> None:
    def beside(folder: Path, mark: Any) -> None:
        os.system(f"touch '{folder}/beside'")

    report = explore(beside, lambda folder, marks: None)
    assert not report.exhaustive
    assert "incomplete: changed beside what could be recorded: beside" in str(report)


def test_volatile_files_are_not_rebuilt() -> None:
    def work(folder: Path, mark: Any) -> None:
        (folder / "kept").touch()
        (folder / "my.pid").touch()
        mark("done")

    seen: set[str] = set()
    explore(work, lambda folder, marks: seen.update(os.listdir(folder)), volatile=("*.pid",))
    assert seen == {"kept"}


def test_a_state_is_rebuilt_as_it_was(tmp_path: Path) -> None:
    def work(folder: Path, mark: Any) -> None:
        (folder / "sub").mkdir(mode=0o700)
        (folder / "sub" / "a").write_text("a")
        (folder / "sub" / "a").chmod(0o600)
        os.utime(folder / "sub" / "a", ns=(11, 12))
        os.link(folder / "sub" / "a", folder / "twin")
        os.symlink("twin", folder / "soft")
        mark("done")

    facts = []

    def look(folder: Path, marks: tuple[Any, ...]) -> None:
        if marks:
            status = (folder / "twin").stat()
            names = sorted(os.listdir(folder))
            inner = (folder / "sub").stat().st_mode & 0o777
            facts.append((names, status.st_nlink, status.st_mode & 0o777, status.st_mtime_ns, inner))

    explore(work, look, model=KILL)
    assert facts[-1] == (["soft", "sub", "twin"], 2, 0o600, 12, 0o700)
