"""Every state that a crash may leave of a log, under one persistence model.

Pure.  A crash matters just before each flush, each mark and the end: what may be left at any moment between may also
be left then, since what was done last need not have landed.  Two states of the same bytes, with the same marks behind
them, are one.  Where there are more than the budget allows, each moment gets its share: first the telling ones (all,
nothing, one thing missing, one thing torn), then a seeded sample; what was cut is told.
"""

from __future__ import annotations

import random
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice, product
from math import prod
from typing import Final

from pytest_sessionguard.crash.effects import (
    FILE,
    Entered,
    Image,
    Item,
    Log,
    Marked,
    Moved,
    Removed,
    Sized,
    Synced,
    Touched,
    Wrote,
    names_of,
    told,
)
from pytest_sessionguard.crash.persistence import Persistence, Tear, settles, tears
from pytest_sessionguard.crash.persistence import told as tear_told
from pytest_sessionguard.crash.simulated import Disk, reachable, rename
from pytest_sessionguard.crash.variants import VARIANTS_MAX, Contents, Kept, Variant, prefixes, subsets

_NAMES: Final = (Entered, Moved, Removed)
_CONTENT: Final = (Wrote, Sized, Touched)

# Of a moment with more states than its share, so many draws are made for each state wanted.
DRAWS: Final = 4
# However small its share, so many variants of one file are put together.
LEAST: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class CrashState:
    """What one crash leaves.

    Attributes:
        moment: how many effects had been done.
        marks: what the workload had said by then.
        missing: the effects that were done and did not land; `torn`: those that landed in part, and how.
    """

    moment: int
    marks: tuple[Hashable, ...]
    image: Image
    missing: tuple[int, ...] = ()
    torn: tuple[tuple[int, Tear], ...] = ()


def describe(state: CrashState, log: Log) -> str:
    """Return a crash in words: when, what did not reach the disk, what did in part."""
    names = names_of(log)

    def effect(number: int) -> str:
        return told(log.effects[number], names)

    done = [one for one in log.effects[: state.moment] if not isinstance(one, Marked)]
    parts = [f"after {told(done[-1], names)}" if done else "before any recorded operation"]
    if state.missing:
        shown = "; ".join(effect(number) for number in state.missing[:4])
        more = f"; {len(state.missing) - 4} more" if len(state.missing) > 4 else ""
        parts.append(f"not on the disk: {shown}{more}")
    for number, tear in state.torn:
        write = log.effects[number]
        assert isinstance(write, Wrote)
        parts.append(f"{effect(number)}: only {tear_told(tear, len(write.data))}")
    return "; ".join(parts)


def least(log: Log, model: Persistence) -> Image:
    """Return the least that a crash at the end of the log leaves: what was flushed, and nothing else."""
    walk = _Walk(log, model)
    walk.go_to(len(log.effects))
    return {path: walk.disk.item(node) for path, node in walk.paths(())}


class CrashStates:
    """The distinct states of one log, in one order; what was left out is known when they are over.

    `seen` are the states met before, by their keys: they are not given again.
    """

    def __init__(
        self,
        log: Log,
        model: Persistence,
        *,
        budget: int,
        seed: int = 0,
        marks: tuple[Hashable, ...] = (),
        seen: set[tuple[int, bytes]] | None = None,
    ) -> None:
        self._log = log
        self._model = model
        self._budget = budget
        self._rng = random.Random(f"{seed}/{model.name}")
        self._before = marks
        self._seen = set() if seen is None else seen
        self.moments = 0
        self.given = 0
        self._cut_moments = 0
        self._left_out = 0
        self._subsets_left_out = 0
        self._cuts_left_out = 0

    @property
    def cut(self) -> tuple[str, ...]:
        """What was left out, in words; nothing where every state was given."""
        found = []
        if self._cut_moments:
            where = f"at {self._cut_moments} of {self.moments} moments a sample was tried"
            found.append(f"{where}, about {self._left_out:,} states left out")
        if self._subsets_left_out:
            found.append(f"{self._subsets_left_out:,} orders of what was pending at once were left out")
        if self._cuts_left_out:
            found.append("long writes were torn at some of their sectors only")
        return tuple(found)

    def __iter__(self) -> Iterator[CrashState]:
        if self._model.keeps_cache:
            yield from self._prefixes()
        else:
            yield from self._subsets()

    # -- the page cache survives -------------------------------------------------------------------------------------

    def _prefixes(self) -> Iterator[CrashState]:
        disk = Disk(self._log.base)
        marks = self._before
        effects = self._log.effects
        yield from self._fresh(self._whole(disk, 0, marks))
        for number, effect in enumerate(effects):
            if self.given >= self._budget:
                self._left_out += len(effects) - number
                self._cut_moments = max(self._cut_moments, 1)
                return
            if isinstance(effect, Wrote):
                ways, left_out = tears(self._model, effect)
                self._cuts_left_out += left_out
                for tear in ways:
                    part = Disk(disk.image())
                    part.apply(Wrote(effect.node, effect.offset, effect.data[: tear.stop], effect.at_ns))
                    state = self._whole(part, number + 1, marks)
                    yield from self._fresh(
                        CrashState(moment=number + 1, marks=marks, image=state.image, torn=((number, tear),))
                    )
            disk.apply(effect)
            if isinstance(effect, Marked):
                marks = (*marks, effect.value)
            self.moments += 1
            yield from self._fresh(self._whole(disk, number + 1, marks))

    def _whole(self, disk: Disk, moment: int, marks: tuple[Hashable, ...]) -> CrashState:
        return CrashState(moment=moment, marks=marks, image=disk.image())

    def _fresh(self, state: CrashState) -> Iterator[CrashState]:
        digest = blake2b(digest_size=12)
        for path, item in state.image.items():
            digest.update(f"{path}\0{item.kind}\0{len(item.data)}\0".encode("utf-8", "surrogateescape"))
            digest.update(item.data)
        key = (len(state.marks), digest.digest())
        if key not in self._seen:
            self._seen.add(key)
            self.given += 1
            yield state

    # -- what was not flushed may be missing -------------------------------------------------------------------------

    def _subsets(self) -> Iterator[CrashState]:
        walk = _Walk(self._log, self._model)
        stops = self._stops()
        for order, stop in enumerate(stops):
            walk.go_to(stop)
            self.moments += 1
            share = max(1, (self._budget - self.given) // (len(stops) - order))
            if self.given >= self._budget:
                self._cut_moments += 1
                continue
            yield from self._at(walk, share)

    def _stops(self) -> list[int]:
        """Return the moments that matter, as numbers of effects done."""
        effects = self._log.effects
        stops, since = [], True
        for number, effect in enumerate(effects):
            if isinstance(effect, (Marked, Synced)):
                if since:
                    stops.append(number)
                since = isinstance(effect, Marked)
            elif isinstance(effect, (*_NAMES, *_CONTENT)):
                since = True
        return [*stops, len(effects)]

    def _at(self, walk: _Walk, share: int) -> Iterator[CrashState]:
        most = max(LEAST, min(VARIANTS_MAX, 2 * share))
        contents = Contents(walk.disk.contents, self._log.effects, self._model, self._rng, most=most)
        trees = self._trees(walk, contents)
        sizes = [prod(len(variants) for variants in tree.variants) for tree in trees]
        self._subsets_left_out += contents.left_out
        self._cuts_left_out += contents.cuts_left_out
        if sum(sizes) <= share:
            chosen: Iterator[tuple[_Tree, tuple[Variant, ...]]] = (
                (tree, picked) for tree in trees for picked in product(*tree.variants)
            )
        else:
            chosen = islice(_telling(trees, self._rng), DRAWS * share)
        tried: set[bytes] = set()
        before = self.given
        for tree, picked in chosen:
            digest = tree.key(picked)
            tried.add(digest)
            key = (len(self._before) + walk.marks, digest)
            if key in self._seen:
                continue
            if self.given - before >= share and sum(sizes) > share:
                break
            self._seen.add(key)
            self.given += 1
            yield self._state(walk, tree, picked, contents)
        if sum(sizes) > share:
            self._cut_moments += 1
            self._left_out += max(0, sum(sizes) - len(tried))

    def _trees(self, walk: _Walk, contents: Contents) -> list[_Tree]:
        """Return the names that there may be, each with what the files that they lead to may hold."""
        effects = self._log.effects
        if self._model.ordered:
            sizes = [n for n in walk.pending if isinstance(effects[n], Sized)]
            choices = prefixes(sorted([*walk.open_names, *sizes]))
        else:
            choices, left_out = subsets(walk.open_names, self._rng)
            self._subsets_left_out += left_out
        found: dict[tuple[tuple[tuple[str, int], ...], frozenset[int] | None], _Tree] = {}
        variants: dict[tuple[int, frozenset[int] | None], list[Variant]] = {}
        for kept in choices:
            allowed = frozenset(kept) if self._model.ordered else None
            paths = tuple(walk.paths(kept))
            if (paths, allowed) in found:
                continue
            nodes = list(dict.fromkeys(node for _, node in paths if walk.disk.made[node].kind == FILE))
            for node in nodes:
                key = (node, allowed)
                if key not in variants:
                    variants[key] = contents.variants(node, walk.pending_of(node), allowed)
            found[paths, allowed] = _Tree(kept, paths, [variants[node, allowed] for node in nodes])
        return list(found.values())

    def _state(self, walk: _Walk, tree: _Tree, picked: tuple[Variant, ...], contents: Contents) -> CrashState:
        by_node = {variant.node: variant for variant in picked}
        image: dict[str, Item] = {}
        landed = set(tree.kept)
        torn = []
        for path, node in tree.paths:
            variant = by_node.get(node)
            if variant is None:
                image[path] = walk.disk.item(node)
                continue
            item = walk.disk.item(node, contents.content(variant))
            if variant.mtime_ns is not None:
                item = Item(item.kind, item.data, item.mode, variant.mtime_ns, node)
            image[path] = item
            landed.update(variant.kept)
            if variant.torn is not None and variant.torn not in torn:
                torn.append(variant.torn)
        # Of a file that no name leads to, nobody asks what it holds.
        of_interest = [n for n in walk.pending if walk.node_of(n) in by_node]
        missing = tuple(n for n in sorted([*walk.open_names, *of_interest]) if n not in landed)
        marks = (*self._before, *walk.marks_made)
        return CrashState(moment=walk.moment, marks=marks, image=image, missing=missing, torn=tuple(torn))


class _Tree:
    """One set of names, and what each file that they lead to may hold."""

    __slots__ = ("kept", "paths", "variants")

    def __init__(self, kept: Kept, paths: tuple[tuple[str, int], ...], variants: list[list[Variant]]) -> None:
        self.kept, self.paths, self.variants = kept, paths, variants

    def key(self, picked: tuple[Variant, ...]) -> bytes:
        """Return what stands for the bytes of all files."""
        digests = {variant.node: variant.digest for variant in picked}
        parts = [path.encode("utf-8", "surrogateescape") + b"\0" + digests.get(node, b"") for path, node in self.paths]
        return b"\0".join(parts)


class _Walk:
    """A log followed effect by effect: what is settled, and what is pending.

    Attributes:
        disk: what is settled; what nodes were made as is kept for all of them.
        open_names: the pending changes of names; `pending`: those of contents.
    """

    def __init__(self, log: Log, model: Persistence) -> None:
        self._effects = log.effects
        self._model = model
        self.disk = Disk(log.base)
        self.moment = 0
        self.marks_made: list[Hashable] = []
        self.marks = 0
        self.open_names: list[int] = []
        self.pending: list[int] = []
        self._names: list[int] = []  # Changes of names since the last that is settled with all before it.

    def go_to(self, stop: int) -> None:
        """Do the effects up to a moment."""
        while self.moment < stop:
            number, effect = self.moment, self._effects[self.moment]
            self.moment += 1
            match effect:
                case Marked(value=value):
                    self.marks_made.append(value)
                    self.marks += 1
                case Synced():
                    self._flush(effect)
                case Entered() | Moved() | Removed():
                    if isinstance(effect, Entered) and effect.kind:
                        self._born(effect)
                    self._names.append(number)
                    self.open_names.append(number)
                case Wrote() | Sized() | Touched():
                    self.pending.append(number)
                case _:
                    pass

    def _born(self, effect: Entered) -> None:
        disk = self.disk
        disk.made[effect.node] = Item(effect.kind, effect.target, effect.mode, effect.at_ns, effect.node)
        disk.times[effect.node], disk.modes[effect.node] = effect.at_ns, effect.mode

    def _flush(self, flush: Synced) -> None:
        model, effects = self._model, self._effects
        left = []
        for number in self.pending:
            if settles(model, flush, effects[number]):
                self.disk.apply(effects[number])
            else:
                left.append(number)
        self.pending = left
        self.open_names = [number for number in self.open_names if not settles(model, flush, effects[number])]
        still_open = set(self.open_names)
        while self._names and self._names[0] not in still_open:
            self.disk.apply_names(effects[self._names.pop(0)])

    def paths(self, kept: Kept) -> Iterator[tuple[str, int]]:
        """Give the paths that there are when these of the open changes of names have landed."""
        names = dict(self.disk.names)
        missing = set(self.open_names).difference(kept)
        for number in self._names:
            effect = self._effects[number]
            if number not in missing and isinstance(effect, _NAMES):
                rename(names, effect)
        return reachable(names, self.disk.made)

    def pending_of(self, node: int) -> list[int]:
        """Return the pending changes of one file's content."""
        return [number for number in self.pending if self.node_of(number) == node]

    def node_of(self, number: int) -> int:
        """Return the file that a change of content is about."""
        effect = self._effects[number]
        return effect.node if isinstance(effect, _CONTENT) else -1


def _telling(trees: Sequence[_Tree], rng: random.Random) -> Iterator[tuple[_Tree, tuple[Variant, ...]]]:
    """Give the states that tell most, then draw at random without end."""
    for tree in trees:
        yield tree, tuple(variants[0] for variants in tree.variants)
        yield tree, tuple(variants[-1] for variants in tree.variants)
    longest = max((len(variants) for tree in trees for variants in tree.variants), default=0)
    for rank in range(longest):
        for tree in trees:
            for place, variants in enumerate(tree.variants):
                if rank < len(variants):
                    yield (
                        tree,
                        tuple(one[0] if other != place else variants[rank] for other, one in enumerate(tree.variants)),
                    )
    while trees:
        tree = trees[rng.randrange(len(trees))]
        yield tree, tuple(variants[rng.randrange(len(variants))] for variants in tree.variants)
