"""A command watched from outside: the system calls of a process, and so also what C code does to files.

Uses `strace`, where there is one and tracing is permitted; `unavailable` says why not.  The traced program may write
lines to the file named by the environment variable `SESSIONGUARD_MARKS`: each is a mark of the log.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from pytest_sessionguard.crash.effects import (
    FILE,
    FOLDER,
    LINK,
    ROOT,
    Effect,
    Entered,
    Image,
    Log,
    Marked,
    Moved,
    Removed,
    Sized,
    Synced,
    Wrote,
)
from pytest_sessionguard.crash.folders import differences, matches, read_folder
from pytest_sessionguard.crash.simulated import Disk
from pytest_sessionguard.errors import UsageError

MARKS: Final = "SESSIONGUARD_MARKS"

_CALLS: Final = (
    *("openat", "open", "creat", "lseek", "write", "pwrite64", "writev", "pwritev", "pwritev2", "fsync", "fdatasync"),
    *("sync", "rename", "renameat", "renameat2", "unlink", "unlinkat", "mkdir", "mkdirat", "rmdir", "link", "linkat"),
    *("symlink", "symlinkat", "truncate", "ftruncate", "fallocate", "sendfile", "copy_file_range", "mmap"),
)

# Before each of their paths stands the folder from which it counts.
_FROM_FOLDERS: Final = frozenset({"openat", "renameat", "renameat2", "unlinkat", "mkdirat", "linkat"})

# A string argument is cut beyond this; a write that long is told as incomplete.
STRING_MAX: Final = 4 << 20

_LINE: Final = re.compile(r"^(?:(\d+) +)?(\w+)\((.*)\) += (-?\d+|\?)(?:<([^>]*)>)?")
_UNFINISHED: Final = re.compile(r"^(\d+) +(\w+)\((.*) <unfinished \.\.\.>$")
_RESUMED: Final = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>(.*)$")
_STRING: Final = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')
_DESCRIPTOR: Final = re.compile(r"^(-?\d+|AT_FDCWD)(?:<([^>]*)>)?")


def unavailable() -> str:
    """Return why commands cannot be traced here; nothing where they can."""
    program = shutil.which("strace")
    if program is None:
        return "strace is not installed"
    done = subprocess.run([program, "-o", os.devnull, "true"], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else f"strace is not permitted to trace: {done.stderr.strip()[:200]}"


def trace(
    command: Sequence[str],
    folder: str | Path,
    *,
    volatile: tuple[str, ...] = (),
    env: Mapping[str, str] | None = None,
) -> Log:
    """Run a command to its end and return what it did below a folder.

    Raises:
        UsageError: nothing can be traced here, or the command failed.
    """
    reason = unavailable()
    if reason:
        raise UsageError(f"commands cannot be traced: {reason}")
    place = os.path.realpath(folder)
    before, _ = read_folder(place)
    with tempfile.TemporaryDirectory(prefix="sessionguard-trace-") as beside:
        marks, calls = os.path.join(beside, "marks"), os.path.join(beside, "calls")
        Path(marks).touch()
        options = ["-f", "-y", "-xx", "-s", str(STRING_MAX), "-o", calls, "-e", f"trace={','.join(_CALLS)}"]
        done = subprocess.run(
            ["strace", *options, *command],
            env={**os.environ, **(env or {}), MARKS: marks},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise UsageError(f"the traced command ended with {done.returncode}: {done.stderr.strip()[-400:]}")
        with open(calls, encoding="ascii", errors="replace") as lines:
            return read_calls(lines, place, marks=marks, before=before, volatile=volatile)


def read_calls(lines: Iterable[str], folder: str, *, marks: str, before: Image, volatile: tuple[str, ...] = ()) -> Log:
    """Return the log that the lines of a trace (`strace -f -y -xx`) make.

    Args:
        marks: the file to which marks were written.
        before: what the folder held when the trace began; what it holds now is looked up.
    """
    reader = _Reader(folder, marks, before, volatile)
    for line in whole_lines(lines):
        reader.read(line)
    return reader.log()


def whole_lines(lines: Iterable[str]) -> Iterator[str]:
    """Give the calls, those that another process interrupted put together where they ended."""
    begun: dict[str, str] = {}
    for line in lines:
        text = line.rstrip("\n")
        unfinished = _UNFINISHED.match(text)
        resumed = _RESUMED.match(text)
        if unfinished is not None:
            begun[unfinished[1]] = f"{unfinished[1]} {unfinished[2]}({unfinished[3]}"
        elif resumed is not None:
            yield begun.pop(resumed[1], "") + resumed[3]
        else:
            yield text


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


class _Call:
    """One system call that succeeded."""

    def __init__(self, process: str, name: str, arguments: str, result: int, leads_to: str | None) -> None:
        self.process, self.name, self.arguments, self.result = process, name, arguments, result
        strings = _STRING.findall(arguments)
        self.strings = [_bytes(text) for text, _ in strings]
        self.is_cut = any(dots for _, dots in strings)
        self.leads_to = None if leads_to is None else os.fsdecode(_bytes(leads_to))
        # What stands between commas once the strings are out of the way.
        self.plain = [part.strip() for part in _STRING.sub("", arguments).split(",")]

    def path_of(self, place: int) -> str:
        """Return where the descriptor that is an argument leads."""
        found = _DESCRIPTOR.match(self.plain[place])
        named = "" if found is None or found[2] is None else found[2]
        return os.fsdecode(_bytes(named)) if named.startswith("\\x") else named

    def descriptor(self, place: int) -> tuple[str, str]:
        """Return process and descriptor of an argument."""
        found = _DESCRIPTOR.match(self.plain[place])
        return self.process, "" if found is None else found[1]

    def number(self, place: int) -> int:
        """Return an argument that is a number."""
        return int(self.plain[place], 0)


class _Reader:
    """Makes effects of system calls."""

    def __init__(self, folder: str, marks: str, base: Image, volatile: tuple[str, ...]) -> None:
        self._folder = folder
        self._marks = marks
        self._base = base
        self._volatile = volatile
        self._nodes = {path: item.node for path, item in base.items()} | {".": ROOT}
        self._sizes = {item.node: len(item.data) for item in base.values()}
        self._numbers = max(self._nodes.values())
        self._offsets: dict[tuple[str, str], int | None] = {}
        self._effects: list[Effect] = []
        self._incomplete: dict[str, None] = {}
        self._rules: dict[str, Callable[[_Call], None]] = {
            **dict.fromkeys(("openat", "open", "creat"), self._opened),
            **dict.fromkeys(("write", "writev"), self._wrote),
            **dict.fromkeys(("pwrite64", "pwritev", "pwritev2"), self._wrote_at),
            **dict.fromkeys(("fsync", "fdatasync"), self._synced),
            **dict.fromkeys(("rename", "renameat", "renameat2"), self._renamed),
            **dict.fromkeys(("unlink", "unlinkat", "rmdir"), self._removed),
            **dict.fromkeys(("mkdir", "mkdirat"), self._made_folder),
            **dict.fromkeys(("link", "linkat"), self._linked),
            **dict.fromkeys(("symlink", "symlinkat"), self._made_link),
            **dict.fromkeys(("truncate", "ftruncate"), self._sized),
            **dict.fromkeys(("sendfile", "copy_file_range"), self._copied),
            "fallocate": self._allocated,
            "lseek": self._sought,
            "mmap": self._mapped,
            "sync": lambda _: self._effects.append(Synced(None)),
        }

    def read(self, line: str) -> None:
        """Take one line of the trace."""
        found = _LINE.match(line)
        if found is None or found[4] == "?" or int(found[4]) < 0 or found[2] not in self._rules:
            return
        leads_to = found[5] if found[5] and found[5].startswith("\\x") else None
        self._rules[found[2]](_Call(found[1] or "", found[2], found[3], int(found[4]), leads_to))

    def log(self) -> Log:
        """Return what was done; compared with what the folder holds now."""
        disk = Disk(self._base)
        for effect in self._effects:
            disk.apply(effect)
        given, _ = read_folder(self._folder)
        wrong = [path for path in differences(disk.image(), given) if not matches(path, self._volatile)]
        if wrong:
            self._incomplete[f"changed beside what was traced: {', '.join(wrong[:3])}"] = None
        return Log(base=self._base, effects=tuple(self._effects), incomplete=tuple(self._incomplete))

    # -- paths

    def _path(self, written: bytes, folder: str = "") -> str | None:
        """Return a path as it stands below the folder; None outside."""
        path = os.path.normpath(os.path.join(folder or os.getcwd(), os.fsdecode(written)))
        if path == self._folder:
            return "."
        if not path.startswith(self._folder + "/"):
            return None
        return path[len(self._folder) + 1 :]

    def _node(self, place: str) -> int | None:
        path = self._path(os.fsencode(place)) if place else None
        return None if path is None else self._nodes.get(path)

    def _parent(self, path: str) -> tuple[int, str]:
        folder, _, name = path.rpartition("/")
        return self._nodes.get(folder or ".", ROOT), name

    def _new(self, path: str, kind: str, target: bytes = b"") -> None:
        self._numbers += 1
        self._nodes[path] = self._numbers
        self._sizes[self._numbers] = 0
        self._effects.append(Entered(*self._parent(path), self._numbers, kind, target=target))

    def _named(self, call: _Call, place: int) -> str | None:
        """Return the path that the n-th string of a call means."""
        folder = ""
        if call.name in _FROM_FOLDERS:
            starts = [part for part in call.plain if _DESCRIPTOR.match(part)]
            folder = "" if place >= len(starts) else call.path_of(call.plain.index(starts[place]))
        return self._path(call.strings[place], folder)

    # -- calls

    def _opened(self, call: _Call) -> None:
        self._offsets[call.process, str(call.result)] = None if "O_APPEND" in call.arguments else 0
        path = self._named(call, 0)
        if path is None:
            return
        if path not in self._nodes:
            if call.name == "creat" or "O_CREAT" in call.arguments:
                self._new(path, FILE)
        elif "O_TRUNC" in call.arguments and self._sizes[self._nodes[path]]:
            self._resize(self._nodes[path], 0)

    def _wrote(self, call: _Call) -> None:
        place = call.path_of(0)
        if place == self._marks:
            self._effects += [Marked(line.decode()) for line in b"".join(call.strings).splitlines()]
            return
        node = self._node(place)
        if node is None:
            return
        at = self._offsets.get(call.descriptor(0), 0)
        offset = self._sizes[node] if at is None else at
        self._put(call, node, offset)
        if at is not None:
            self._offsets[call.descriptor(0)] = offset + call.result

    def _wrote_at(self, call: _Call) -> None:
        node = self._node(call.path_of(0))
        if node is not None:
            place = -2 if call.name == "pwritev2" else -1
            self._put(call, node, call.number(len(call.plain) + place))

    def _put(self, call: _Call, node: int, offset: int) -> None:
        if call.is_cut:
            self._incomplete[f"a write of more than {STRING_MAX} bytes"] = None
        data = b"".join(call.strings)[: call.result]
        self._effects.append(Wrote(node, offset, data))
        self._sizes[node] = max(self._sizes[node], offset + len(data))

    def _sought(self, call: _Call) -> None:
        self._offsets[call.descriptor(0)] = call.result

    def _synced(self, call: _Call) -> None:
        node = self._node(call.path_of(0))
        if node is not None:
            self._effects.append(Synced(node))

    def _sized(self, call: _Call) -> None:
        by_path = call.name == "truncate"
        path = self._path(call.strings[0]) if by_path else None
        node = (None if path is None else self._nodes.get(path)) if by_path else self._node(call.path_of(0))
        if node is not None:
            self._resize(node, call.number(-1))

    def _resize(self, node: int, size: int) -> None:
        self._effects.append(Sized(node, size))
        self._sizes[node] = size

    def _allocated(self, call: _Call) -> None:
        node = self._node(call.path_of(0))
        if node is None:
            return
        end = call.number(2) + call.number(3)
        if call.plain[1] != "0":
            self._incomplete[f"fallocate with {call.plain[1]}"] = None
        elif end > self._sizes[node]:
            self._resize(node, end)

    def _renamed(self, call: _Call) -> None:
        source, target = self._named(call, 0), self._named(call, 1)
        node = None if source is None else self._nodes.get(source)
        if source is None or node is None:
            if target is not None:
                self._incomplete[f"{target} came from outside of the folder"] = None
        elif target is None:
            self._effects.append(Removed(*self._parent(source), node))
            self._forget(source)
        else:
            self._effects.append(Moved(*self._parent(source), *self._parent(target), node))
            moved = {path: number for path, number in self._nodes.items() if f"{path}/".startswith(f"{source}/")}
            self._forget(target)
            self._forget(source)
            self._nodes |= {target + path[len(source) :]: number for path, number in moved.items()}

    def _forget(self, path: str) -> None:
        for one in [known for known in self._nodes if f"{known}/".startswith(f"{path}/")]:
            del self._nodes[one]

    def _removed(self, call: _Call) -> None:
        path = self._named(call, 0)
        if path is not None and path in self._nodes:
            self._effects.append(Removed(*self._parent(path), self._nodes[path]))
            self._forget(path)

    def _made_folder(self, call: _Call) -> None:
        path = self._named(call, 0)
        if path is not None:
            self._new(path, FOLDER)

    def _linked(self, call: _Call) -> None:
        source, target = self._named(call, 0), self._named(call, 1)
        if target is None:
            return
        if source is None or source not in self._nodes:
            self._incomplete[f"{target} came from outside of the folder"] = None
        else:
            self._nodes[target] = self._nodes[source]
            self._effects.append(Entered(*self._parent(target), self._nodes[source]))

    def _made_link(self, call: _Call) -> None:
        folder = call.path_of(1) if call.name == "symlinkat" else ""
        path = self._path(call.strings[1], folder)
        if path is not None:
            self._new(path, LINK, call.strings[0])

    def _copied(self, call: _Call) -> None:
        place = call.path_of(0 if call.name == "sendfile" else 2)
        if self._node(place) is not None:
            self._incomplete[f"{call.name} into {os.path.basename(place)}: what was copied is not traced"] = None

    def _mapped(self, call: _Call) -> None:
        if "PROT_WRITE" not in call.plain[2] or "MAP_SHARED" not in call.plain[3]:
            return
        place = call.path_of(4)
        if self._node(place) is not None and not matches(place, self._volatile):
            self._incomplete[f"{os.path.basename(place)} was mapped into memory"] = None
