"""A folder in memory: effects applied one after another, and the image that they make.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterator

from pytest_sessionguard.crash.effects import (
    FILE,
    FOLDER,
    ROOT,
    Effect,
    Entered,
    Image,
    Item,
    Moved,
    NameEffect,
    Removed,
    Sized,
    Touched,
    Wrote,
    joined,
)

Names = dict[tuple[int, str], int]
"""Folder's number and name -> the node that it leads to."""


class Disk:
    """What is on a disk.

    Attributes:
        names: what leads where.
        kinds: node -> what it is, for all but plain files; `made`: node -> the item as it was made.
        contents: node -> what the file holds.
    """

    def __init__(self, base: Image) -> None:
        self.names: Names = {}
        self.made: dict[int, Item] = {}
        self.contents: dict[int, bytearray] = {}
        self.times: dict[int, int] = {}
        self.modes: dict[int, int] = {}
        folders = {".": ROOT}
        for path, item in base.items():
            folder, _, name = path.rpartition("/")
            self.names[folders[folder or "."], name] = item.node
            self.made[item.node] = item
            if item.kind == FOLDER:
                folders[path] = item.node
            elif item.kind == FILE:
                self.contents[item.node] = bytearray(item.data)
            self.times[item.node], self.modes[item.node] = item.mtime_ns, item.mode

    def apply(self, effect: Effect) -> None:
        """Let the effect come about."""
        match effect:
            case Entered() | Moved() | Removed():
                if isinstance(effect, Entered) and effect.kind:
                    self.made[effect.node] = Item(effect.kind, effect.target, effect.mode, effect.at_ns, effect.node)
                    self.times[effect.node], self.modes[effect.node] = effect.at_ns, effect.mode
                rename(self.names, effect)
            case Wrote(node=node, at_ns=at_ns) | Sized(node=node, at_ns=at_ns):
                change(self.contents.setdefault(node, bytearray()), effect)
                self.times[node] = at_ns
            case Touched(node=node, mtime_ns=mtime_ns, mode=mode):
                if mtime_ns is not None:
                    self.times[node] = mtime_ns
                if mode is not None:
                    self.modes[node] = mode
            case _:
                pass

    def apply_names(self, effect: Effect) -> None:
        """Let a change of names come about, of nodes that are known already."""
        if isinstance(effect, (Entered, Moved, Removed)):
            rename(self.names, effect)

    def image(self) -> dict[str, Item]:
        """Return what the folder holds."""
        return {path: self.item(node) for path, node in reachable(self.names, self.made)}

    def item(self, node: int, data: bytes | None = None) -> Item:
        """Return a node as an item, with other content where `data` is given."""
        made = self.made[node]
        if made.kind == FILE:
            data = bytes(self.contents.get(node, b"")) if data is None else data
        else:
            data = made.data
        return Item(made.kind, data, self.modes[node], self.times[node], node)


def rename(names: Names, effect: NameEffect) -> None:
    """Let names change."""
    match effect:
        case Entered(parent=parent, name=name, node=node):
            names[parent, name] = node
        case Moved(parent=parent, name=name, to_parent=to_parent, to_name=to_name, node=node):
            if names.get((parent, name)) == node:
                del names[parent, name]
            names[to_parent, to_name] = node
        case Removed(parent=parent, name=name):
            names.pop((parent, name), None)


def change(content: bytearray, effect: Wrote | Sized) -> None:
    """Let a file's content change."""
    if isinstance(effect, Wrote):
        put(content, effect.offset, effect.data)
    elif effect.size <= len(content):
        del content[effect.size :]
    else:
        content.extend(bytes(effect.size - len(content)))


def put(content: bytearray, offset: int, data: bytes | memoryview) -> None:
    """Put bytes at an offset; what lies between the end and the offset is zeros."""
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


def reachable(names: Names, made: dict[int, Item]) -> Iterator[tuple[str, int]]:
    """Give every path that leads to a node, folders before what is in them, sorted."""
    children: dict[int, list[tuple[str, int]]] = {}
    for (parent, name), node in names.items():
        children.setdefault(parent, []).append((name, node))
    waiting = [(name, node) for name, node in sorted(children.get(ROOT, ()), reverse=True)]
    seen = {ROOT}
    while waiting:
        path, node = waiting.pop()
        if node not in made:
            continue
        yield path, node
        if made[node].kind == FOLDER and node not in seen:
            seen.add(node)
            waiting += [(joined(path, name), child) for name, child in sorted(children.get(node, ()), reverse=True)]
