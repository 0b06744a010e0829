"""System calls are understood: what a traced program did is what its folder shows."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pytest_sessionguard.crash import effects, traced
from pytest_sessionguard.crash.effects import Log, Marked
from pytest_sessionguard.crash.traced import read_calls, trace, unavailable
from pytest_sessionguard.errors import UsageError

HERE = Path(__file__).parent
NO_TRACE = unavailable() if sys.platform.startswith("linux") else "needs Linux"
needs_strace = pytest.mark.skipif(bool(NO_TRACE), reason=NO_TRACE)
needs_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="runs calls that only Linux has")


def hexed(text: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in os.fsencode(text))


def read(folder: Path, *lines: str, before: Any = None, **options: Any) -> Log:
    """Return the log of calls written with plain texts between quotes and angles."""
    written = []
    for line in lines:
        text = line.replace("@", str(folder))
        parts = text.split('"')
        quoted = [f'"{hexed(part)}"' if place % 2 else part for place, part in enumerate(parts)]
        angled = "".join(quoted).split("<")
        written.append(
            angled[0] + "".join(f"<{hexed(one.partition('>')[0])}>{one.partition('>')[2]}" for one in angled[1:])
        )
    return read_calls(written, os.fspath(folder), marks="/marks", before=before or {}, **options)


def told(log: Log) -> list[str]:
    names = effects.names_of(log)
    return [effects.told(effect, names) for effect in log.effects]


@needs_linux
def test_a_saved_trace_is_what_the_program_did(tmp_path: Path) -> None:
    folder, marks = tmp_path / "folder", tmp_path / "marks"
    folder.mkdir()
    marks.touch()
    environment = {**os.environ, "SESSIONGUARD_MARKS": str(marks)}
    subprocess.run([sys.executable, str(HERE / "calls.py"), str(folder)], env=environment, check=True)
    text = (HERE / "calls.strace").read_text(encoding="ascii")
    text = text.replace("@FOLDER@", hexed(str(folder))).replace("@MARKS@", hexed(str(marks)))
    log = read_calls(text.splitlines(), str(folder), marks=str(marks), before={})
    assert log.incomplete == ()
    assert log.effects[0] == Marked("begin")
    assert log.effects[-1] == Marked("done")
    assert told(log)[1:6] == [
        "make text",
        "write 5 bytes at 0 of text",
        "write 6 bytes at 5 of text",
        "write 2 bytes at 2 of text",
        "fsync text",
    ]
    assert told(log)[-4:-1] == ["write 4 bytes at 0 of text", "fsync .", "sync"]


@needs_strace
def test_a_program_is_traced(tmp_path: Path) -> None:
    (tmp_path / "before").write_text("old")
    log = trace([sys.executable, "-I", "-S", str(HERE / "calls.py"), str(tmp_path)], tmp_path)
    assert log.incomplete == ()
    assert log.base["before"].data == b"old"
    assert {type(one).__name__ for one in log.effects} == {
        "Entered", "Moved", "Removed", "Wrote", "Sized", "Synced", "Marked",
    }  # fmt: skip


@needs_strace
def test_a_program_that_fails_is_the_users_matter(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the traced command ended with 3"):
        trace([sys.executable, "-c", "raise SystemExit(3)"], tmp_path)


def test_without_a_tracer_the_reason_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert unavailable() == "strace is not installed"
    with pytest.raises(UsageError, match="commands cannot be traced: strace is not installed"):
        trace(["true"], tmp_path)
    fake = tmp_path / "strace"
    fake.write_text("#!/bin/sh\necho ptrace: Operation not permitted >&2\nexit 1\n")
    fake.chmod(0o755)
    assert unavailable() == "strace is not permitted to trace: ptrace: Operation not permitted"


def test_calls_cut_in_two_are_put_together() -> None:
    lines = ['1 write(3</a>, "", 1 <unfinished ...>', "2 sync() = 0", "1 <... write resumed>) = 1", "3 exit"]
    assert list(traced.whole_lines(lines)) == ["2 sync() = 0", '1 write(3</a>, "", 1) = 1', "3 exit"]


def test_what_failed_or_lies_elsewhere_did_nothing(tmp_path: Path) -> None:
    log = read(
        tmp_path,
        'openat(AT_FDCWD, "@/a", O_RDWR|O_CREAT, 0666) = -1 ENOENT (No such file or directory)',
        'openat(AT_FDCWD, "/elsewhere", O_RDWR|O_CREAT, 0666) = 3</elsewhere>',
        'write(3</elsewhere>, "x", 1) = 1',
        'pwrite64(3</elsewhere>, "x", 1, 0) = 1',
        "fsync(3</elsewhere>) = 0",
        "ftruncate(3</elsewhere>, 5) = 0",
        'truncate("/elsewhere", 5) = 0',
        "fallocate(3</elsewhere>, 0, 0, 5) = 0",
        'rename("/elsewhere", "/there") = 0',
        'unlink("/there") = 0',
        'mkdir("/there", 0777) = 0',
        'symlink("x", "/there/y") = 0',
        'link("/a", "/b") = 0',
        "mmap(NULL, 10, PROT_READ|PROT_WRITE, MAP_SHARED, 3</elsewhere>, 0) = 0x7f",
        "copy_file_range(3</elsewhere>, NULL, 4</elsewhere>, NULL, 10, 0) = 10",
        'openat(AT_FDCWD, "@/missing", O_RDONLY) = 4<@/missing>',
        "exit_group(0) = ?",
    )
    assert log == Log()


def test_what_cannot_be_told_from_a_trace_is_told_as_incomplete(tmp_path: Path) -> None:
    log = read(
        tmp_path,
        'creat("@/a", 0666) = 3<@/a>',
        "fallocate(3<@/a>, FALLOC_FL_PUNCH_HOLE, 0, 5) = 0",
        "sendfile(3<@/a>, 4</x>, NULL, 5) = 5",
        "copy_file_range(4</x>, NULL, 3<@/a>, NULL, 10, 0) = 10",
        "mmap(NULL, 10, PROT_READ|PROT_WRITE, MAP_SHARED, 3<@/a>, 0) = 0",
        "mmap(NULL, 10, PROT_READ, MAP_SHARED, 3<@/a>, 0) = 0",
        'rename("/x", "@/b") = 0',
        'link("/x", "@/c") = 0',
    )
    assert log.incomplete == (
        "fallocate with FALLOC_FL_PUNCH_HOLE",
        "sendfile into a: what was copied is not traced",
        "copy_file_range into a: what was copied is not traced",
        "a was mapped into memory",
        "b came from outside of the folder",
        "c came from outside of the folder",
        "changed beside what was traced: a",
    )
    volatile = read(
        tmp_path,
        'creat("@/a-shm", 0666) = 3<@/a-shm>',
        "mmap(NULL, 10, PROT_READ|PROT_WRITE, MAP_SHARED, 3<@/a-shm>, 0) = 0",
        volatile=("*-shm",),
    )
    assert volatile.incomplete == ()


def test_names_that_go_take_what_is_in_them_along(tmp_path: Path) -> None:
    log = read(
        tmp_path,
        'mkdir("@/d", 0777) = 0',
        'creat("@/d/f", 0666) = 3<@/d/f>',
        'rename("@/d", "@/e") = 0',
        'write(3<@/e/f>, "x", 1) = 1',
        'openat(AT_FDCWD, "@/e/f", O_WRONLY|O_APPEND) = 4<@/e/f>',
        'write(4<@/e/f>, "y", 1) = 1',
        'openat(AT_FDCWD, "@/e/f", O_WRONLY|O_TRUNC) = 5<@/e/f>',
        'rename("@/e/f", "/out") = 0',
        'unlink("@/e/f") = 0',
        "fallocate(5</out>, 0, 0, 5) = 0",
        'rmdir("@/e") = 0',
    )
    assert told(log) == [
        "make d",
        "make d/f",
        "rename d to e",
        "write 1 bytes at 0 of d/f",
        "write 1 bytes at 1 of d/f",
        "cut d/f to 0 bytes",
        "remove d/f",
        "remove e",
    ]


def sqlite_durability() -> ModuleType:
    path = HERE.parents[1] / "benchmarks" / "sqlite_durability.py"
    spec = importlib.util.spec_from_file_location("sqlite_durability", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@needs_strace
def test_sqlite_keeps_what_its_settings_promise() -> None:
    measure = sqlite_durability()
    found = {}
    for journal, synchronous in (("delete", "full"), ("delete", "extra"), ("wal", "normal"), ("wal", "full")):
        (found[journal, synchronous],) = measure.outcomes(journal, synchronous, states_max=250, models=("ordered",))
    lost = {setting: one.lost for setting, one in found.items()}
    assert lost["delete", "full"] > 0, "the journal's name may come back: its folder was not flushed"
    assert lost["delete", "extra"] == lost["wal", "full"] == 0
    assert lost["wal", "normal"] > found["wal", "normal"].states // 5
    assert sum(one.damaged for one in found.values()) == 0
