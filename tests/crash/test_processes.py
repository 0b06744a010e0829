"""Real processes are killed, and what they leave is judged."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from pytest_sessionguard.crash import processes
from pytest_sessionguard.crash.processes import kill_at_random, kill_each, kill_once
from pytest_sessionguard.errors import HarnessError, UsageError
from tests.crash import stores

pytestmark = pytest.mark.skipif(bool(processes.unavailable()), reason=processes.unavailable())


def kills(store: Any) -> list[processes.Kill]:
    return list(kill_each(stores.workload(store), stores.judge(store)))


def test_a_child_is_killed_at_each_of_its_marks() -> None:
    found = kills(stores.Atomic)
    assert [len(one.marks) for one in found] == list(range(1, 9))
    assert found[3].marks == (("begin", 0), ("done", 0), ("begin", 1), ("done", 1))
    assert {one.problem for one in found} == {""}
    assert all(one.killed for one in found)


def test_what_was_acknowledged_and_not_written_is_missed() -> None:
    class Forgets(stores.Atomic):
        def put(self, name: str, text: str) -> None:
            self.kept[name] = text

    assert kills(Forgets)[1].problem == "1 acknowledged, 0 found or wrong"


def test_children_are_killed_at_random_moments_and_lose_nothing() -> None:
    found = list(
        kill_at_random(
            stores.workload(stores.Journal),
            stores.judge(stores.Journal),
            kills=5,
            marks_max=6,
            delay_us_max=300,
            seed=1,
        )
    )
    assert len(found) == 5
    assert {one.problem for one in found} == {""}
    assert all(len(one.marks) >= one.after_marks for one in found)


def test_c_code_is_killed_as_well() -> None:
    def work(folder: Path, mark: Any) -> None:
        base = sqlite3.connect(folder / "s.db", isolation_level=None)
        base.execute("pragma journal_mode=wal")
        base.execute("create table t (n)")
        for number in range(3):
            base.execute("insert into t values (?)", (number,))
            mark(number)

    def judge(folder: Path, marks: Any) -> str:
        base = sqlite3.connect(folder / "s.db")
        (count,) = base.execute("select count(*) from t").fetchone()
        base.close()
        return "" if count == len(marks) else f"{count} of {len(marks)}"

    assert [one.problem for one in kill_each(work, judge)] == ["", "", ""]


def test_a_child_that_ends_by_itself_was_not_killed() -> None:
    kill = kill_once(stores.workload(stores.Atomic), stores.judge(stores.Atomic), after_marks=99)
    assert not kill.killed
    assert len(kill.marks) == 8


def test_what_a_reopening_raises_is_its_problem() -> None:
    def raises(folder: Path, marks: Any) -> str:
        raise OSError("unreadable")

    kill = kill_once(stores.workload(stores.Atomic), raises, after_marks=1)
    assert kill.problem == "OSError: unreadable"


def test_a_workload_that_raises_is_the_users_matter() -> None:
    def raises(folder: Path, mark: Any) -> None:
        mark("before")
        raise LookupError("no such thing")

    with pytest.raises(UsageError, match="the workload raised in its process: LookupError: no such thing"):
        kill_once(raises, lambda folder, marks: None, after_marks=5)


def test_a_child_that_hangs_is_killed_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "PATIENCE_S", 0.02)

    def hangs(folder: Path, mark: Any) -> None:
        read_end, _ = os.pipe()
        os.read(read_end, 1)

    with pytest.raises(HarnessError, match=r"a child has said nothing for 0\.02 s"):
        kill_once(hangs, lambda folder, marks: None, after_marks=1)


def test_where_nothing_can_be_killed_the_reason_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "fork")
    with pytest.raises(UsageError, match="no process can be killed: this system has no fork and SIGKILL"):
        kill_once(stores.workload(stores.Atomic), stores.judge(stores.Atomic), after_marks=1)


def test_the_childs_own_part(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Done here, with its end and its death told instead of done: nobody measures what runs in a child."""
    told: list[Any] = []

    class Ended(BaseException):
        pass

    def ended(status: int) -> None:
        told.append(("exit", status))
        raise Ended

    monkeypatch.setattr(os, "_exit", ended)
    monkeypatch.setattr(os, "kill", lambda process, number: told.append((process == os.getpid(), int(number))))
    read_end, write_end = os.pipe()
    with pytest.raises(Ended):
        processes._work(stores.workload(stores.Atomic), tmp_path, write_end, 2)
    with pytest.raises(Ended):
        processes._work(lambda folder, mark: 1 / 0, tmp_path, write_end, 0)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as said:
        marks, error = processes._heard(said, 0, 0, 0)
    assert len(marks) == 8
    assert error == "ZeroDivisionError: division by zero"
    assert told == [(True, 9), ("exit", 0), ("exit", 0)]
