"""Files written while time is virtual show virtual times, below the folders that are followed and nowhere else."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from pytest_sessionguard.clock import filetimes
from pytest_sessionguard.clock.virtual import START_US, VirtualClock

START = START_US // 1_000_000


def written_at(path: Path) -> float:
    return path.stat().st_mtime - START


def test_a_file_shows_when_it_was_written_in_virtual_time(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "deep" / "new"
    with VirtualClock().installed() as clock, filetimes.following(clock, tmp_path):
        old.write_text("1")
        assert written_at(old) == 0
        time.sleep(3600)
        assert written_at(old) == 0
        new.parent.mkdir()
        with new.open("w") as file:
            file.write("2")
            file.flush()
            time.sleep(10)
        clock.set_wall(clock.wall_us + 50_000_000)
        assert (written_at(new), written_at(new.parent)) == (3600, 3600)
        old.write_text("3")
        assert os.path.getmtime(old) == time.time()
        assert [entry.stat().st_mtime - START for entry in os.scandir(new.parent)] == [3600]
        with new.open() as file:
            assert os.fstat(file.fileno()).st_mtime == os.lstat(new).st_mtime == START + 3600
    assert os.stat(new).st_mtime == START + 3600
    assert os.stat(old).st_mtime == START + 3660


def test_who_writes_does_not_matter(tmp_path: Path) -> None:
    with VirtualClock().installed() as clock, filetimes.following(clock, tmp_path):
        clock.advance(60_000_000)
        with closing(sqlite3.connect(tmp_path / "data")) as database, database:
            database.execute("create table a (b)")
        subprocess.run([sys.executable, "-c", "open('child', 'w').close()"], cwd=tmp_path, check=True)
        os.close(os.open(tmp_path / "raw", os.O_CREAT | os.O_WRONLY))
        for name in ("data", "child", "raw"):
            assert written_at(tmp_path / name) == 60


def test_touching_and_setting_a_time_is_as_told(tmp_path: Path) -> None:
    file, copy = tmp_path / "file", tmp_path / "copy"
    real = time.time()
    with VirtualClock().installed() as clock, filetimes.following(clock, tmp_path):
        file.touch()
        clock.advance(5_000_000)
        file.touch()
        assert written_at(file) == 5
        shutil.copy2(file, copy)
        clock.advance(5_000_000)
        assert written_at(copy) == 5
        os.utime(file, (real, real))
        clock.advance(5_000_000)
        assert file.stat().st_mtime == pytest.approx(real)
        os.utime(file)
        assert written_at(file) == 15


def test_what_was_there_before_and_what_lies_elsewhere_is_left_alone(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    before = inside / "before"
    before.touch()
    os.utime(before, (1, 1))
    with VirtualClock().installed() as clock, filetimes.following(clock, inside):
        outside.touch()
        (inside / "link").symlink_to(outside)
        clock.advance(1)
        assert before.stat().st_mtime == 1
        assert (inside / "link").lstat().st_mtime == START
        (outside.parent / "third").write_text("")
        assert abs((outside.parent / "third").stat().st_mtime - time.time()) > 86_400


def test_a_folder_that_goes_away_does_no_harm(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    with VirtualClock().installed() as clock, filetimes.following(clock, gone):
        shutil.rmtree(gone)
        clock.advance(1)
        gone.mkdir()
        assert written_at(gone) == pytest.approx(0, abs=1e-5)


def test_within_one_block_another_follows_more_folders(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    with VirtualClock().installed() as clock, filetimes.following(clock, one):
        with filetimes.following(clock, other):
            (other / "file").touch()
            clock.advance(1_000_000)
        (one / "file").write_text("")
        (other / "late").write_text("")
        assert written_at(one / "file") == 1
        assert written_at(other / "file") == 0
        assert written_at(other / "late") > 86_400


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt])
def test_nothing_stays_patched_whatever_happens(error: type[BaseException], tmp_path: Path) -> None:
    names = ("stat", "lstat", "fstat", "scandir", "utime")
    before = {name: getattr(os, name) for name in names}, *map(set, filetimes._SETS)
    clock = VirtualClock()
    with pytest.raises(error), clock.installed(), filetimes.following(clock, tmp_path):
        assert os.stat in os.supports_follow_symlinks
        raise error
    assert before == ({name: getattr(os, name) for name in names}, *map(set, filetimes._SETS))
    assert type(clock) is VirtualClock
    assert filetimes._followers == {}
