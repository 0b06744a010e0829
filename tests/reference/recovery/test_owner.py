"""A process is told from every other, also from one that has its number."""

from __future__ import annotations

import builtins
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from pytest_sessionguard.reference.recovery import owner as owners


def test_this_process_runs_and_is_never_the_same_owner_twice() -> None:
    one, other = owners.this_process(), owners.this_process()
    assert owners.is_running(one)
    assert one.pid == os.getpid()
    assert one != other
    assert owners.read(one.told()) == one


def test_a_process_that_has_ended_runs_no_more() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = owners.started(child.pid)
    assert started is not None
    it = replace(owners.this_process(), pid=child.pid, started=started)
    assert owners.is_running(it)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not owners.is_running(it), "a zombie runs no more"
    child.communicate()
    assert not owners.is_running(it)


@pytest.mark.parametrize("changed", [{"started": "1"}, {"boot_id": "another life"}, {"pid": 0}, {"pid": -1}])
def test_a_number_that_is_used_again_is_not_taken_for_the_owner(changed: dict[str, Any]) -> None:
    assert not owners.is_running(replace(owners.this_process(), **changed))


@pytest.mark.parametrize("told", [None, {}, [], {"pid": 1}, "text"])
def test_what_names_no_owner_is_none(told: object) -> None:
    assert owners.read(told) is None


def test_without_proc_psutil_tells_when_a_process_began(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "isdir", lambda path: False)
    monkeypatch.setattr(owners, "Path", lambda path: Path("/nowhere") / "stat")
    monkeypatch.setattr(owners, "_BOOT_ID", Path("/nowhere"))
    assert owners.boot_id() == ""
    assert owners.started(os.getpid()) == repr(psutil.Process().create_time())
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert owners.started(child.pid) is None


def test_psutil_is_asked_only_where_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refusing(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "psutil":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refusing)
    assert owners.is_running(owners.this_process())
