"""Recovery: what comes back, from which checkpoint, by whom, and after every crash."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Hashable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pytest_sessionguard import crash
from pytest_sessionguard.errors import RecoveryBusy, RecoveryFailed
from pytest_sessionguard.reference.recovery import GuardedSessions, RecoveryKeeper, success_rate
from pytest_sessionguard.reference.recovery import keeper as keepers
from pytest_sessionguard.reference.recovery.checkpoints import KEPT, Checkpoint
from pytest_sessionguard.reference.recovery.records import RecoveryRecord


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "kept"


@pytest.fixture(autouse=True)
def nobody_stays() -> Iterator[None]:
    """Let go of every lock that an owner of this process still holds, as the end of the process would."""
    yield
    while keepers._HELD:
        os.close(keepers._HELD.popitem()[1])


def at(folder: Path, clock: Any, **settings: Any) -> GuardedSessions:
    return GuardedSessions(folder, clock=clock, environ={}, **{"disk_free": lambda: 1 << 40, **settings})


def crashed(system: GuardedSessions) -> None:
    """End as a killed process does: the lock is gone, and nothing was said."""
    system.keeper.let_go()


def ids(system: GuardedSessions) -> set[str]:
    return set(system.sessions.list_ids())


def test_a_crash_is_told_and_what_was_checkpointed_comes_back(folder: Path, clock: Any) -> None:
    first = at(folder, clock)
    assert first.health() == "new"
    kept = first.sessions.create("ada", {"n": 1}, session_id="kept")
    first.checkpoint()
    first.sessions.create(session_id="later")
    assert first.health() == "ok"
    clock.advance(10)
    first.keeper.beat()
    crashed(first)
    again = at(folder, clock)
    assert again.health() == "process-dead"
    record = again.recover()
    assert record is not None
    assert (record.status, record.reason, record.restored, record.checkpoint) == ("success", "process-dead", 1, 1)
    assert record.lost_us == 10_000_000
    found = again.sessions.get("kept")
    assert found is not None
    assert (found.data, found.client_id, found.created_us) == ({"n": 1}, "ada", kept.created_us)
    assert ids(again) == {"kept"}
    assert again.health() == "ok"


def test_recovering_twice_is_recovering_once(folder: Path, clock: Any) -> None:
    first = at(folder, clock)
    first.sessions.create(session_id="a")
    first.checkpoint()
    crashed(first)
    again = at(folder, clock)
    again.recover()
    again.sessions.update("a", {"n": 2})
    assert again.recover() is None
    assert again.sessions.get("a").data == {"n": 2}  # type: ignore[union-attr]
    assert len(again.keeper.records.all()) == 1
    assert success_rate(again.keeper.records.all()) == 1.0


def test_sessions_that_ran_out_meanwhile_stay_gone(folder: Path, clock: Any) -> None:
    first = at(folder, clock)
    first.sessions.create(session_id="short", timeout_secs=60)
    first.sessions.create(session_id="long")
    first.checkpoint()
    crashed(first)
    clock.advance(60)
    again = at(folder, clock)
    record = again.recover()
    assert record is not None
    assert (record.restored, record.expired) == (1, 1)
    assert ids(again) == {"long"}


def test_a_graceful_end_is_no_crash_and_its_sessions_come_back(folder: Path, clock: Any) -> None:
    with at(folder, clock) as first:
        first.start()
        first.sessions.create(session_id="a")
    first.stop()
    again = at(folder, clock)
    assert again.health() == "ended"
    with again:
        assert again.health() == "ok"
        assert ids(again) == {"a"}
        assert again.keeper.records.all() == ()


def damage(folder: Path, number: int) -> None:
    path = folder / "checkpoints" / f"{number:010}.json"
    path.write_bytes(path.read_bytes()[:-2])


def test_a_damaged_newest_checkpoint_gives_way_to_the_one_before(folder: Path, clock: Any) -> None:
    first = at(folder, clock)
    first.sessions.create(session_id="a")
    first.checkpoint()
    first.sessions.create(session_id="b")
    first.checkpoint()
    damage(folder, 2)
    assert first.health() == "corrupt"
    crashed(first)
    again = at(folder, clock)
    record = again.recover()
    assert record is not None
    assert (record.status, record.checkpoint) == ("partial", 1)
    assert "checkpoint 2: its checksum does not fit" in record.problems[0]
    assert ids(again) == {"a"}


def test_where_no_checkpoint_can_be_read_recovery_fails_and_says_so(folder: Path, clock: Any) -> None:
    first = at(folder, clock)
    first.checkpoint()
    damage(folder, 1)
    crashed(first)
    again = at(folder, clock)
    with pytest.raises(RecoveryFailed, match=r"no checkpoint can be read \(checkpoint 1: its checksum"):
        again.recover()
    assert [record.status for record in again.keeper.records.all()] == ["failed"]
    assert success_rate(again.keeper.records.all()) == 0.0
    assert success_rate(()) is None


def test_an_owner_that_crashed_before_its_first_checkpoint_has_nothing_to_bring_back(folder: Path, clock: Any) -> None:
    first = at(folder, clock)
    first.keeper.own()
    crashed(first)
    again = at(folder, clock)
    record = again.recover()
    assert record is not None
    assert (record.status, record.checkpoint, record.restored) == ("partial", None, 0)
    assert record.problems == ("there is no checkpoint",)
    assert at(folder, clock).keeper.checkpoints.numbers() == [1]


@pytest.mark.parametrize("body", ['{"number": 1}', "[]"])
def test_a_checkpoint_that_tells_too_little_is_passed_over(folder: Path, clock: Any, body: str) -> None:
    first = at(folder, clock)
    first.checkpoint()
    keepers.sealed.write(str(folder / "checkpoints" / "0000000002.json"), json.loads(body))
    assert isinstance(first.keeper.checkpoints.read(2), str)
    assert "gone" in str(first.keeper.checkpoints.read(9))


def test_only_the_newest_checkpoints_are_kept(folder: Path, clock: Any) -> None:
    first = at(folder, clock)
    for _ in range(KEPT + 3):
        first.checkpoint()
    assert first.keeper.checkpoints.numbers() == list(range(KEPT + 3, 3, -1))


def test_files_are_verified_by_their_bytes(folder: Path, clock: Any, tmp_path: Path) -> None:
    same, changed = tmp_path / "same.txt", tmp_path / "changed.txt"
    same.write_text("a")
    changed.write_text("b")
    first = at(folder, clock, files=[str(same), str(changed)])
    first.checkpoint()
    crashed(first)
    changed.write_text("c")
    record = at(folder, clock).recover()
    assert record is not None
    assert (record.status, record.files_verified, record.files_changed) == ("partial", 1, (str(changed),))


def test_a_recovery_that_crashes_three_times_has_failed(folder: Path, clock: Any) -> None:
    first = at(folder, clock)
    first.sessions.create(session_id="a")
    first.checkpoint()
    crashed(first)

    def dies(kept: object) -> None:
        raise ZeroDivisionError

    for attempt in range(1, 4):
        keeper = RecoveryKeeper(folder, clock=clock)
        with pytest.raises(ZeroDivisionError):
            keeper.recover(dies)
        assert keeper.records.all()[-1].attempts == attempt
    with pytest.raises(RecoveryFailed, match="3 attempts came to nothing"):
        RecoveryKeeper(folder, clock=clock).recover(dies)
    again = at(folder, clock)  # Whoever has mended the cause starts anew.
    assert again.recover() is not None
    assert ids(again) == {"a"}


def test_a_living_owner_is_not_recovered_by_another(folder: Path, clock: Any) -> None:
    first, second = at(folder, clock), at(folder, clock)
    first.checkpoint()
    assert second.health() == "ok"
    assert second.recover() is None
    with pytest.raises(RecoveryBusy, match="another process owns it"):
        second.checkpoint()
    clock.advance(301)
    assert second.health() == "heartbeat-stale"
    with pytest.raises(RecoveryBusy, match="heartbeat-stale and still holds its lock"):
        second.recover()


def test_of_two_recoverers_at_once_one_wins(folder: Path, clock: Any) -> None:
    first = at(folder, clock)
    first.sessions.create(session_id="a")
    first.checkpoint()
    crashed(first)
    inside, goes_on = threading.Event(), threading.Event()

    def slowly(kept: object) -> None:
        inside.set()
        assert goes_on.wait(20)

    winner = threading.Thread(target=lambda: RecoveryKeeper(folder, clock=clock).recover(slowly))
    winner.start()
    assert inside.wait(20)
    with pytest.raises(RecoveryBusy, match="another process recovers it"):
        at(folder, clock).recover()
    goes_on.set()
    winner.join(20)


def test_an_owner_file_that_is_damaged_is_corrupt(folder: Path, clock: Any) -> None:
    first = at(folder, clock)
    first.checkpoint()
    (folder / "owner.json").write_text("no owner")
    assert first.health() == "corrupt"


def test_low_disk_is_a_warning_while_the_owner_is_well(folder: Path, clock: Any) -> None:
    first = at(folder, clock, disk_free=lambda: 5)
    first.checkpoint()
    assert first.keeper.diagnose().warnings
    real = RecoveryKeeper(folder, clock=clock)
    assert real.evidence().disk_free > 0
    assert RecoveryKeeper(folder / "deeper", clock=clock).evidence().disk_free > 0


def test_a_lock_file_that_was_removed_is_no_proof_of_life(folder: Path, clock: Any) -> None:
    first = at(folder, clock)
    first.checkpoint()
    (folder / "owner.lock").unlink()
    assert at(folder, clock).health() == "process-dead"


def test_a_record_knows_what_it_may_be() -> None:
    with pytest.raises(ValueError, match="not 'won'"):
        RecoveryRecord(number=1, status="won", reason="", began_us=0)


# -- time ------------------------------------------------------------------------------------------------------------


def test_signs_of_life_and_checkpoints_come_by_themselves(folder: Path) -> None:
    from pytest_sessionguard.clock.virtual import VirtualClock

    clock = VirtualClock(threads=True)
    with clock.installed(), GuardedSessions(folder, environ={}, disk_free=lambda: 1 << 40) as system:
        system.sessions.create(session_id="a")
        before = system.keeper.checkpoints.numbers()
        clock.advance(3_600_000_000)
        assert system.health() == "ok"
        assert len(system.keeper.checkpoints.numbers()) - len(before) == 2


# -- crashes ---------------------------------------------------------------------------------------------------------

STEPS = 4


def a_day_at_work(folder: Path, mark: Callable[[Hashable], None], clock: Any) -> None:
    system = at(folder / "kept", clock)
    for number in range(STEPS):
        system.sessions.create(session_id=f"s{number}")
        mark(("begun", number))
        system.checkpoint()
        mark(("done", number))


def wrong(folder: Path, marks: crash.explorer.Marks, clock: Any) -> str | None:
    """Say what is wrong: every checkpoint that was acknowledged is there, and recovery has told it."""
    done = sum(isinstance(mark, tuple) and mark[0] == "done" for mark in marks)
    begun = sum(isinstance(mark, tuple) and mark[0] == "begun" for mark in marks)
    system = at(folder / "kept", clock)
    try:
        system.recover()
    except RecoveryFailed as failed:
        # Nothing to bring back, and nothing was promised.
        return None if not done and "there is no checkpoint" in str(failed) else f"after {done} of {begun}: {failed}"
    finally:
        system.keeper.let_go()
    found = len(ids(system))
    return None if done <= found <= begun else f"after {done} of {begun} checkpoints: {found} sessions"


@pytest.mark.parametrize("model", [crash.STRICT, crash.KILL], ids=lambda model: model.name)
def test_no_crash_of_a_checkpoint_or_of_recovery_loses_what_was_acknowledged(
    clock: Any, model: crash.Persistence
) -> None:
    report = crash.explore(partial(a_day_at_work, clock=clock), partial(wrong, clock=clock), model=model, budget=120)
    assert report.failed == 0, str(report)
    assert report.recovery_states > 10


def test_the_same_exploration_finds_a_checkpoint_that_is_not_synced(
    clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keepers.sealed, "sync_folder", lambda path: None)
    work, judge = partial(a_day_at_work, clock=clock), partial(wrong, clock=clock)
    assert crash.explore(work, judge, budget=200, stop_after=1).failed


_WORKS = """
import sys
from pytest_sessionguard.reference.recovery import GuardedSessions
system = GuardedSessions(sys.argv[1], environ={}, max_concurrent=10**6)
system.start()
while True:
    session = system.sessions.create()
    system.checkpoint()
    print(session.id, flush=True)
"""


def test_a_killed_process_is_found_dead_and_its_checkpoints_are_brought_back(folder: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", _WORKS, folder], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        acknowledged = {child.stdout.readline().strip() for _ in range(5)}
        os.kill(child.pid, signal.SIGSTOP)
        watching = GuardedSessions(folder, environ={}, max_concurrent=10**6)
        assert watching.health() == "ok", "a process that stands still has not crashed yet"
        child.kill()
        lines = child.stdout.read().splitlines(keepends=True)
        acknowledged |= {line.strip() for line in lines if line.endswith("\n")}
    assert watching.health() == "process-dead"
    record = watching.recover()
    assert record is not None
    assert record.status == "success"
    assert acknowledged <= set(watching.sessions.list_ids())
    watching.keeper.end()


def test_checkpoints_are_read_as_they_were_taken(folder: Path, clock: Any) -> None:
    first = at(folder, clock)
    first.sessions.create("ada", {"n": [1]}, session_id="a", capabilities=["x"])
    first.checkpoint()
    read = first.keeper.checkpoints.read(1)
    assert isinstance(read, Checkpoint)
    assert [(one.session_id, one.data, one.capabilities) for one in read.sessions] == [("a", {"n": [1]}, ("x",))]
