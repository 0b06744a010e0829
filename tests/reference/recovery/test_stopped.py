"""An owner that stands still is stale and not dead: nobody takes its folder, and it goes on as if nothing had been."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Hashable
from pathlib import Path

import pytest

from pytest_sessionguard.crash import processes
from pytest_sessionguard.errors import RecoveryBusy, UsageError
from pytest_sessionguard.reference.recovery.keeper import RecoveryKeeper

pytestmark = pytest.mark.skipif(bool(processes.unavailable()), reason="needs fork and SIGSTOP")

STALE_SECS = 301.0


def owning(folder: Path, mark: Callable[[Hashable], None]) -> None:
    """Own the folder and give a sign of life at every mark, as fast as they are heard."""
    keeper = RecoveryKeeper(folder)
    keeper.own()
    keeper.checkpoint(())
    for number in range(100_000):
        keeper.beat()
        mark(number)


def seen(folder: Path, later_secs: float = 0.0) -> str:
    return RecoveryKeeper(folder, clock=lambda: time.time() + later_secs).diagnose().word


def test_an_owner_that_stands_still_is_stale_and_keeps_its_folder(tmp_path: Path) -> None:
    with processes.at_work(owning, tmp_path) as owner:
        owner.mark()
        assert seen(tmp_path) == "ok"
        owner.stop()
        assert seen(tmp_path) == "ok", "nobody can tell a short while from none"
        assert seen(tmp_path, STALE_SECS) == "heartbeat-stale"
        other = RecoveryKeeper(tmp_path, clock=lambda: time.time() + STALE_SECS)
        with pytest.raises(RecoveryBusy, match="still holds its lock"):
            other.recover(lambda sessions: None)
        before = (tmp_path / "heartbeat").read_bytes()
        owner.go_on()
        while (tmp_path / "heartbeat").read_bytes() == before:
            owner.mark()
        assert seen(tmp_path) == "ok"
        owner.stop()
    assert seen(tmp_path) == "process-dead"


def test_a_process_that_raises_or_has_ended_is_told(tmp_path: Path) -> None:
    def raising(folder: Path, mark: Callable[[Hashable], None]) -> None:
        raise RuntimeError("no room")

    with processes.at_work(raising, tmp_path) as child:
        with pytest.raises(UsageError, match="RuntimeError: no room"):
            child.mark()
        with pytest.raises(UsageError, match="says no more"):
            child.mark()
        child.stop()
        child.end()


def test_where_no_process_can_be_stopped_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "fork")
    with pytest.raises(UsageError, match="no process can be stopped"), processes.at_work(owning, tmp_path):
        pass
