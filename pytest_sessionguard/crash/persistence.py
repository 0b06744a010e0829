"""What a disk may hold after a crash, model by model: which effects are safe, which may be missing, which may be torn.

Pure.  A model is a named value; adding one adds a value here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pytest_sessionguard.crash.effects import Effect, Entered, Moved, Removed, Sized, Synced, Touched, Wrote

SECTOR: Final = 512
PAGE: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Persistence:
    """One answer to the question of what reaches the disk, and when.

    Units: `tear` bytes.
    Attributes:
        keeps_cache: everything that was done is kept, up to some operation: the machine goes on running.
        ordered: names and sizes reach the disk in the order in which they were changed, and a flush of any file
            takes all earlier ones along.
        tear: a write may stop at any multiple of this.
        holes: a file may have got its new size without the data: zeros stand in its place.
    """

    name: str
    summary: str
    keeps_cache: bool = False
    ordered: bool = False
    tear: int = SECTOR
    holes: bool = False


STRICT: Final = Persistence(
    name="strict",
    summary="only what POSIX promises: data after fsync of the file, names after fsync of the folder; all else in any "
    "order, torn at sectors, or the size without the data",
    holes=True,
)
ORDERED: Final = Persistence(
    name="ordered",
    summary="a journalling file system such as ext4 with data=ordered: names and sizes in their order, a file never "
    "longer than its data, a flush of any file commits all earlier names",
    ordered=True,
)
KILL: Final = Persistence(
    name="kill",
    summary="the process dies and the machine goes on: all operations up to some point, the last write cut at a page",
    keeps_cache=True,
    tear=PAGE,
)

MODELS: Final = {model.name: model for model in (STRICT, ORDERED, KILL)}


def settles(model: Persistence, flush: Synced, effect: Effect) -> bool:
    """Say whether a flush makes an earlier effect safe."""
    if flush.node is None:
        return True
    match effect:
        case Wrote(node=node) | Sized(node=node) | Touched(node=node):
            return node == flush.node
        case Entered(parent=parent) | Removed(parent=parent):
            return model.ordered or parent == flush.node
        case Moved(parent=parent, to_parent=to_parent):
            return model.ordered or flush.node in (parent, to_parent)
        case _:
            return True


@dataclass(frozen=True, slots=True)
class Tear:
    """How much of one write reached the disk: the bytes from `start` to `stop`, counted within the write.

    Attributes:
        full: the file has its full size nevertheless, with zeros where nothing was before.
    """

    start: int
    stop: int
    full: bool


TEARS_MAX: Final = 8
"""So many of the places where one write may be torn are tried: the first, the last, and some between."""


def tears(model: Persistence, write: Wrote) -> tuple[tuple[Tear, ...], int]:
    """Return how a write may be torn, and at how many places it might have been beside those."""
    length = len(write.data)
    first = model.tear - write.offset % model.tear
    cuts: Sequence[int] = range(first, length, model.tear)
    every = len(cuts)
    if len(cuts) > TEARS_MAX:
        cuts = tuple(cuts[place * (len(cuts) - 1) // (TEARS_MAX - 1)] for place in range(TEARS_MAX))
    found = [Tear(0, cut, full=False) for cut in cuts]  # A beginning, and the file ends there.
    if not model.keeps_cache and cuts:
        found.append(Tear(cuts[0], length, full=True))  # All but the first sector.
    if model.holes:
        found += [Tear(0, cut, full=True) for cut in cuts]  # A beginning, then zeros up to the full size.
        if length:
            found.append(Tear(0, 0, full=True))  # The size alone.
    return tuple(found), every - len(cuts)


def told(tear: Tear, length: int) -> str:
    """Return a tear in words."""
    if tear.start:
        return f"without its first {tear.start} bytes"
    if tear.stop:
        return f"up to byte {tear.stop}" + (f", then zeros up to byte {length}" if tear.full else "")
    return "as zeros"
