"""What is recorded: everything that is done, however it is done; and what could not be is told."""

from __future__ import annotations

import io
import mmap
import os
import pathlib
import shutil
import sqlite3
import sys
import tempfile
import threading
from functools import partial
from os import replace as moved_by_name
from pathlib import Path
from typing import Any

import pytest

from pytest_sessionguard.crash import effects, guard, record
from pytest_sessionguard.crash.effects import (
    Entered,
    Locked,
    Log,
    Marked,
    Moved,
    Removed,
    Sized,
    Synced,
    Touched,
    Wrote,
)
from pytest_sessionguard.crash.recorder import ACTIVE

needs_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="what only Linux offers")


class Keeper:
    opener = staticmethod(open)
    write_at = os.pwrite if hasattr(os, "pwrite") else None


remove_later = partial(os.unlink)


def recorded(folder: Path, work: Any) -> Log:
    with record(folder) as recording:
        work(folder)
        return recording.log()


def kinds(log: Log) -> list[str]:
    return [type(effect).__name__ for effect in log.effects]


def test_a_buffered_write_is_recorded_when_it_is_flushed(tmp_path: Path) -> None:
    def work(folder: Path) -> None:
        with open(folder / "a", "w") as file:
            file.write("one")
            os.fsync(file.fileno())  # Too early: nothing has reached the system yet.
            file.flush()
            file.write("two")

    log = recorded(tmp_path, work)
    assert kinds(log) == ["Entered", "Synced", "Wrote", "Wrote"]
    assert [one.data for one in log.effects if isinstance(one, Wrote)] == [b"one", b"two"]
    assert log.incomplete == ()


def everything(folder: Path) -> None:
    """Do one of each, in many ways."""
    (folder / "text").write_text("hello\n", encoding="utf-8")
    (folder / "bytes").write_bytes(b"12345")
    with open(folder / "text", "a", encoding="utf-8") as file:
        print("more", file=file)
    with open(folder / "bytes", "r+b") as file:
        file.seek(2)
        file.write(b"xx")
        file.truncate(4)
    with open(folder / "raw", "wb", buffering=0) as raw:
        raw.write(b"unbuffered")
    with Keeper.opener(folder / "by class", "x") as file:
        file.write("captured")
    (folder / "sub").mkdir()
    os.makedirs(folder / "deep" / "er", exist_ok=True)
    descriptor = os.open(folder / "sub" / "os", os.O_RDWR | os.O_CREAT, 0o600)
    os.write(descriptor, b"abcdefgh")
    os.pwrite(descriptor, b"ZZ", 3)
    os.lseek(descriptor, 0, os.SEEK_END)
    os.writev(descriptor, [b"ij", b"kl"])
    twin = os.dup(descriptor)
    os.write(twin, b"by its twin")
    os.close(twin)
    os.ftruncate(descriptor, 9)
    os.fsync(descriptor)
    os.fdatasync(descriptor)
    os.fchmod(descriptor, 0o640)
    os.utime(descriptor, ns=(5, 7))
    os.close(descriptor)
    os.truncate(folder / "text", 3)
    os.truncate(folder / "text", 30)
    os.link(folder / "text", folder / "hard")
    os.symlink("text", folder / "soft")
    with open(folder / "soft", "a") as file:
        file.write("through the link")
    moved_by_name(folder / "hard", folder / "sub" / "hard")
    os.rename(folder / "deep", folder / "moved")
    (folder / "moved" / "er" / "inside").touch()
    here = os.open(folder, os.O_RDONLY)
    inside = os.open("by folder", os.O_WRONLY | os.O_CREAT, dir_fd=here)
    os.write(inside, b"dir_fd")
    os.close(inside)
    os.replace("by folder", "renamed", src_dir_fd=here, dst_dir_fd=here)
    os.mkdir("gone", dir_fd=here)
    os.rmdir("gone", dir_fd=here)
    os.fsync(here)
    os.close(here)
    with tempfile.NamedTemporaryFile("w", dir=folder, delete=False) as temporary:
        temporary.write("temporary")
    pathlib.Path(temporary.name).replace(folder / "was temporary")
    with tempfile.TemporaryDirectory(dir=folder) as short:
        Path(short, "x").write_text("short-lived")
    shutil.copy2(folder / "text", folder / "copied")
    shutil.copyfile(folder / "bytes", folder / "copied too")
    shutil.copytree(folder / "sub", folder / "tree")
    shutil.rmtree(folder / "tree")
    shutil.move(folder / "copied", folder / "sub" / "copied")
    remove_later(folder / "copied too")
    os.remove(folder / "raw")
    old = os.getcwd()
    os.chdir(folder)
    try:
        with open("relative", "w") as file:
            file.write("to where we are")
        os.rename("relative", "relative2")
    finally:
        os.chdir(old)
    os.sync()


def test_whatever_is_done_below_the_folder_is_recorded(tmp_path: Path) -> None:
    log = recorded(tmp_path, everything)
    assert log.incomplete == ()
    assert {type(one) for one in log.effects} == {Entered, Moved, Removed, Wrote, Sized, Touched, Synced}
    assert Synced(None) in log.effects
    assert Touched(next(n for n, p in effects.names_of(log).items() if p == "sub/os"), 7, None) in log.effects


@needs_linux
def test_what_linux_alone_offers_is_recorded(tmp_path: Path) -> None:
    import fcntl

    def work(folder: Path) -> None:
        source = os.open(folder / "a", os.O_RDWR | os.O_CREAT | os.O_DSYNC)
        os.write(source, b"0123456789")
        target = os.open(folder / "b", os.O_RDWR | os.O_CREAT)
        os.sendfile(target, source, 2, 4)
        os.lseek(source, 0, os.SEEK_SET)
        os.copy_file_range(source, target, 3)
        os.pwritev(target, [b"x", b"y"], 20)
        os.posix_fallocate(target, 0, 100)
        os.posix_fallocate(target, 0, 10)
        fcntl.flock(target, fcntl.LOCK_EX)
        nameless = os.open(folder, os.O_TMPFILE | os.O_RDWR)
        os.write(nameless, b"named at last")
        here = os.open(folder, os.O_RDONLY)
        os.link(f"/proc/self/fd/{nameless}", folder / "c", dst_dir_fd=here, follow_symlinks=True)
        for one in (source, target, nameless, here):
            os.close(one)

    log = recorded(tmp_path, work)
    assert log.incomplete == ()
    assert isinstance(log.effects[2], Synced), "O_DSYNC flushes each write"
    assert Locked(2) in log.effects


def test_what_was_there_before_is_known(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "old").write_text("old")
    os.link(tmp_path / "sub" / "old", tmp_path / "twin")
    os.symlink("sub", tmp_path / "soft")

    def work(folder: Path) -> None:
        with open(folder / "twin", "a") as file:
            file.write(" and new")
        with open(folder / "sub" / "old", "w") as file:
            file.write("all new")
        os.rename(folder / "twin", folder / "sub" / "old")  # The same file: nothing happens.

    log = recorded(tmp_path, work)
    assert log.incomplete == ()
    assert kinds(log) == ["Wrote", "Sized", "Wrote"]
    assert log.base["twin"].node == log.base["sub/old"].node


def test_what_is_done_elsewhere_is_not_recorded(tmp_path: Path) -> None:
    watched, other = tmp_path / "watched", tmp_path / "other"
    watched.mkdir()
    other.mkdir()

    def work(_: Path) -> None:
        (other / "a").write_text("a")
        os.rename(other / "a", other / "b")
        descriptor = os.open(other / "b", os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
        (other / "b").unlink()
        read_end, write_end = os.pipe()
        with os.fdopen(write_end, "wb") as pipe:
            pipe.write(b"x")
        os.close(read_end)

    assert recorded(watched, work).effects == ()


def test_errors_come_through_and_are_not_recorded(tmp_path: Path) -> None:
    def work(folder: Path) -> None:
        with pytest.raises(FileNotFoundError):
            open(folder / "missing" / "a", "w")  # noqa: SIM115
        with pytest.raises(FileNotFoundError):
            os.rename(folder / "no", folder / "yes")
        with pytest.raises(FileNotFoundError):
            os.unlink(folder / "no")
        with pytest.raises(ValueError):
            open(folder / "a", "wb", encoding="utf-8")  # noqa: SIM115
        with pytest.raises(ValueError):
            open(folder / "a", "w", buffering=0)  # noqa: SIM115
        with pytest.raises(TypeError):
            open(None, "w")  # type: ignore[call-overload] # noqa: SIM115
        with pytest.raises(OSError):
            os.fsync(99_999)
        with pytest.raises(IsADirectoryError):
            open(folder, "w")  # noqa: SIM115

    log = recorded(tmp_path, work)
    assert kinds(log) == ["Entered"]  # An unbuffered text is refused when the file is there already, as by `open`.
    assert log.incomplete == ()


def test_a_file_from_outside_is_told_as_incomplete_and_taken_as_safe(tmp_path: Path) -> None:
    watched = tmp_path / "watched"
    watched.mkdir()
    (tmp_path / "one").write_text("one")
    (tmp_path / "two").write_text("two")
    (tmp_path / "three").symlink_to("two")

    def work(folder: Path) -> None:
        os.replace(tmp_path / "one", folder / "one")
        os.link(tmp_path / "two", folder / "two")
        here = os.open(folder, os.O_RDONLY)
        os.replace(tmp_path / "three", "three", dst_dir_fd=here)
        os.close(here)
        os.rename(folder / "one", tmp_path / "out")

    log = recorded(watched, work)
    assert kinds(log) == ["Entered", "Wrote", "Synced"] * 2 + ["Entered", "Removed"]
    assert log.incomplete[:2] == ("one came from outside of the folder", "two came from outside of the folder")


@needs_linux
@pytest.mark.parametrize("how", ["map", "sqlite", "raw", "child"])
def test_what_goes_past_the_recorder_is_told(tmp_path: Path, how: str) -> None:
    (tmp_path / "mapped").write_bytes(b"0" * 64)

    def work(folder: Path) -> None:
        if how == "map":
            with open(folder / "mapped", "r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
                mapped[:5] = b"12345"
        elif how == "sqlite":
            connection = sqlite3.connect(folder / "s.db")
            connection.execute("create table t (a)")
            connection.close()
        elif how == "raw":
            with io.FileIO(os.fspath(folder / "raw"), "w") as raw:
                raw.write(b"past")
        else:
            assert os.system(f"echo child > '{folder}/child'") == 0

    log = recorded(tmp_path, work)
    first = {
        "map": "a file of the folder was mapped into memory",
        "sqlite": "SQLite writes s.db by itself",
        "raw": "raw was opened past what can be recorded",
        "child": "changed beside what could be recorded: child",
    }
    assert log.incomplete[0] == first[how]
    assert log.incomplete[-1].startswith("changed beside what could be recorded: ")


def test_audit_events_of_others_are_no_concern(tmp_path: Path) -> None:
    """Called here as the interpreter does, since it traces nothing in there."""
    (tmp_path / "a").touch()
    descriptor = os.open(tmp_path / "a", os.O_RDWR)
    guard.heard("open", (tmp_path / "a", "w", os.O_WRONLY))  # Nothing is recorded.
    with record(tmp_path) as recording:
        for event, arguments in (
            ("os.listdir", (tmp_path,)),
            ("open", (tmp_path / "a", "r", os.O_RDONLY)),
            ("open", (None, "w", os.O_WRONLY)),
            ("open", (3, "w", os.O_WRONLY)),
            ("open", ("/elsewhere/a", "w", os.O_WRONLY)),
            ("sqlite3.connect", (":memory:",)),
            ("sqlite3.connect", (None,)),
            ("mmap.__new__", (-1, 10, 1, 0)),
            ("fcntl.flock", (None, 1)),
        ):
            guard.heard(event, arguments)
        with guard.expected():
            guard.heard("open", (tmp_path / "a", "w", os.O_WRONLY))
        assert recording.log() == Log(base=recording.base)
        guard.heard("fcntl.lockf", (descriptor, 1))
        guard.heard("mmap.__new__", (descriptor, 10, 1, 0))
        guard.heard("sqlite3.connect", (tmp_path / "b",))
        guard.heard("open", (tmp_path / "a", "w", os.O_WRONLY))
        assert len(recording.log().incomplete) == 3
        assert recording.effects == [Locked(1)]
    os.close(descriptor)


def test_volatile_files_are_not_missed(tmp_path: Path) -> None:
    with record(tmp_path, volatile=("*.pid",)) as recording:
        os.system(f"echo 1 > '{tmp_path}/my.pid'")
        assert recording.log().incomplete == ()


def test_several_changes_beside_the_recorder_are_counted(tmp_path: Path) -> None:
    with record(tmp_path) as recording:
        os.system(f"cd '{tmp_path}'; touch a b c d e")
        assert recording.log().incomplete == ("changed beside what could be recorded: a, b, c and 2 more",)


def test_marks_stand_among_the_effects(tmp_path: Path) -> None:
    with record(tmp_path) as recording:
        recording.mark("begun")
        (tmp_path / "a").touch()
        recording.mark("done")
    assert recording.log().effects[0] == Marked("begun")
    assert recording.log().effects[-1] == Marked("done")
    assert recording.log().operations == len(recording.effects) - 2


def test_times_follow_the_clock_that_is_given(tmp_path: Path) -> None:
    with record(tmp_path, now_ns=lambda: 17) as recording:
        (tmp_path / "a").write_text("a")
        os.utime(tmp_path / "a")
    assert [one.at_ns for one in recording.effects if isinstance(one, (Entered, Wrote))] == [17, 17]
    assert recording.effects[-1] == Touched(1, 17)


def test_everything_is_put_back(tmp_path: Path) -> None:
    before = (open, io.open, os.open, os.replace, moved_by_name, Keeper.opener, set(os.supports_dir_fd))
    with record(tmp_path), record(tmp_path):
        assert open is not before[0]
        assert moved_by_name is not before[4]
    after = (open, io.open, os.open, os.replace, moved_by_name, Keeper.opener, set(os.supports_dir_fd))
    assert after == before
    assert ACTIVE.recording is None


def test_a_file_that_outlives_the_recording_still_works(tmp_path: Path) -> None:
    with record(tmp_path):
        file = open(tmp_path / "a", "w")  # noqa: SIM115
        file.write("in")
        again = open  # A stand-in that was kept does no harm.
    file.write(" and out")
    file.close()
    with again(tmp_path / "b", "w") as other:
        other.write("b")
    file = open(tmp_path / "a", "r+")  # noqa: SIM115
    with file:
        assert file.read() == "in and out"


def test_a_recorded_file_looks_like_any_other(tmp_path: Path) -> None:
    plain_path, path = tmp_path / "plain", tmp_path / "watched" / "a"
    path.parent.mkdir()

    def facts(file: Any) -> tuple[Any, ...]:
        raw = getattr(getattr(file, "buffer", file), "raw", file)
        return (type(file), file.mode, file.writable(), file.readable(), getattr(file, "encoding", None), raw.mode)

    for mode in ("w", "wb", "a", "r+", "w+b", "xb"):
        for one in (plain_path, path):
            if "x" in mode:
                one.unlink()
        with open(plain_path, mode) as plain:
            expected = facts(plain)
        with record(path.parent), open(path, mode) as file:
            assert facts(file) == expected
            assert file.name == path
        with record(path.parent), open(path, "w", buffering=1) as file:
            assert file.line_buffering


def test_threads_write_at_once_and_nothing_is_missed(tmp_path: Path) -> None:
    def write(number: int) -> None:
        for _ in range(20):
            with open(tmp_path / f"{number}", "a") as file:
                file.write("x" * number)

    with record(tmp_path) as recording:
        threads = [threading.Thread(target=write, args=(number,)) for number in range(1, 5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert recording.log().incomplete == ()


def test_effects_are_told_in_words() -> None:
    names = {0: ".", 1: "a", 2: "sub"}
    assert [
        effects.told(one, names)
        for one in (
            Entered(0, "a", 1, "file"),
            Entered(2, "b", 1),
            Moved(0, "a", 2, "c", 1),
            Removed(2, "c", 1),
            Wrote(1, 4, b"xyz"),
            Sized(1, 9),
            Touched(1, 3),
            Synced(2),
            Synced(None),
            Locked(1),
            Marked("done"),
        )
    ] == [
        "make a",
        "link sub/b",
        "rename a to sub/c",
        "remove sub/c",
        "write 3 bytes at 4 of a",
        "cut a to 9 bytes",
        "set the time or the mode of a",
        "fsync sub",
        "sync",
        "lock a",
        "mark done",
    ]
