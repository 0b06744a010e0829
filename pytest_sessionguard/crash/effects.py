"""What file operations do to a folder, as values.

Pure.  Files and folders are nodes, known by number: a node lives on when its name goes, and may have several.  The
folder itself is node 0.  A log is all that was done, in its order, with what the workload acknowledged in between.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from typing import Final, TypeAlias

ROOT: Final = 0

FILE: Final = "file"
FOLDER: Final = "folder"
LINK: Final = "link"


@dataclass(frozen=True, slots=True)
class Item:
    """One thing in a folder.

    Units: `mtime_ns` since the Unix epoch.
    Attributes:
        data: what a file holds; where a symbolic link leads.
        node: items of the same number are one file under several names.
    """

    kind: str = FILE
    data: bytes = b""
    mode: int = 0o644
    mtime_ns: int = 0
    node: int = -1


Image: TypeAlias = Mapping[str, Item]
"""What a folder holds: path from the folder -> item, every folder before what is in it."""


@dataclass(frozen=True, slots=True)
class Entered:
    """A folder got a name for a node; with `kind` the node is new."""

    parent: int
    name: str
    node: int
    kind: str = ""
    mode: int = 0o644
    target: bytes = b""
    at_ns: int = 0


@dataclass(frozen=True, slots=True)
class Moved:
    """A name went from one folder to another, or to another name, over whatever had it."""

    parent: int
    name: str
    to_parent: int
    to_name: str
    node: int


@dataclass(frozen=True, slots=True)
class Removed:
    """A folder lost a name."""

    parent: int
    name: str
    node: int


@dataclass(frozen=True, slots=True)
class Wrote:
    """Bytes were written to a file."""

    node: int
    offset: int
    data: bytes
    at_ns: int = 0


@dataclass(frozen=True, slots=True)
class Sized:
    """A file was cut, or made longer by zeros."""

    node: int
    size: int
    at_ns: int = 0


@dataclass(frozen=True, slots=True)
class Touched:
    """A node was given another time or other permissions."""

    node: int
    mtime_ns: int | None = None
    mode: int | None = None


@dataclass(frozen=True, slots=True)
class Synced:
    """A file or a folder was flushed to the disk; None: everything was."""

    node: int | None


@dataclass(frozen=True, slots=True)
class Locked:
    """A file was locked or unlocked: no disk keeps that."""

    node: int


@dataclass(frozen=True, slots=True)
class Marked:
    """What the workload said between its operations: that one began, or was acknowledged."""

    value: Hashable


NameEffect: TypeAlias = Entered | Moved | Removed
ContentEffect: TypeAlias = Wrote | Sized | Touched
Effect: TypeAlias = NameEffect | ContentEffect | Synced | Locked | Marked


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """All that was done below one folder.

    Attributes:
        base: what the folder held before; its items' numbers are those of the effects.
        incomplete: why the log may lack something, each reason once.
    """

    base: Image = field(default_factory=dict)
    effects: tuple[Effect, ...] = ()
    incomplete: tuple[str, ...] = ()

    @property
    def operations(self) -> int:
        """How many of the effects changed or flushed something."""
        return sum(not isinstance(effect, (Marked, Locked)) for effect in self.effects)


def without(log: Log, patterns: tuple[str, ...]) -> Log:
    """Return the log without the files whose names match: what they hold means nothing after a crash."""
    if not patterns:
        return log
    named = {effect.node: effect.name for effect in log.effects if isinstance(effect, Entered) and effect.kind}
    named |= {item.node: path.rpartition("/")[2] for path, item in log.base.items()}
    gone = {node for node, name in named.items() if any(fnmatch(name, pattern) for pattern in patterns)}
    base = {path: item for path, item in log.base.items() if item.node not in gone}
    kept = tuple(effect for effect in log.effects if getattr(effect, "node", None) not in gone)
    return Log(base=base, effects=kept, incomplete=log.incomplete)


def names_of(log: Log) -> dict[int, str]:
    """Return the first path that each node had, for the reader."""
    found = {ROOT: "."}
    for path, item in log.base.items():
        found.setdefault(item.node, path)
    for effect in log.effects:
        if isinstance(effect, Entered):
            found.setdefault(effect.node, joined(found.get(effect.parent, "?"), effect.name))
    return found


def joined(folder: str, name: str) -> str:
    """Return the path of a name in a folder."""
    return name if folder == "." else f"{folder}/{name}"


def told(effect: Effect, names: Mapping[int, str]) -> str:
    """Return an effect in words."""

    def path(parent: int, name: str) -> str:
        return joined(names.get(parent, "?"), name)

    match effect:
        case Entered(parent=parent, name=name, kind=kind):
            return f"make {path(parent, name)}" if kind else f"link {path(parent, name)}"
        case Moved(parent=parent, name=name, to_parent=to_parent, to_name=to_name):
            return f"rename {path(parent, name)} to {path(to_parent, to_name)}"
        case Removed(parent=parent, name=name):
            return f"remove {path(parent, name)}"
        case Wrote(node=node, offset=offset, data=data):
            return f"write {len(data)} bytes at {offset} of {names.get(node, '?')}"
        case Sized(node=node, size=size):
            return f"cut {names.get(node, '?')} to {size} bytes"
        case Touched(node=node):
            return f"set the time or the mode of {names.get(node, '?')}"
        case Synced(node=node):
            return "sync" if node is None else f"fsync {names.get(node, '?')}"
        case Locked(node=node):
            return f"lock {names.get(node, '?')}"
        case Marked(value=value):
            return f"mark {value}"
