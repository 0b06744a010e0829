"""What one file may hold after a crash, and what names there may be: the parts of which states are put together.

Pure.  All variants where they are few; else all, none, each one missing, each one alone, and a seeded sample.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain, combinations
from typing import Final

from pytest_sessionguard.crash.effects import Effect, Sized, Touched, Wrote
from pytest_sessionguard.crash.persistence import Persistence, Tear, tears
from pytest_sessionguard.crash.simulated import change, put

# Up to so many pending effects, every subset of them is tried.
WHOLE_MAX: Final = 8
# Variants of one file at one moment that are put together with those of others.
VARIANTS_MAX: Final = 2_000
SAMPLED: Final = 64
# Contents up to this size are kept; larger ones are made again when they are needed.
KEPT_BYTES: Final = 1 << 16

Kept = tuple[int, ...]
"""Numbers of the effects that reached the disk, rising."""


def subsets(pending: Sequence[int], rng: random.Random) -> tuple[list[Kept], int]:
    """Return which of the pending effects may have landed, most telling first, and how many choices were left out."""
    if len(pending) <= WHOLE_MAX:
        sizes = range(len(pending), -1, -1)
        return [chosen for size in sizes for chosen in combinations(pending, size)], 0
    every = tuple(pending)
    found: dict[Kept, None] = {every: None, (): None}
    for number in range(len(every)):
        found.setdefault(every[:number] + every[number + 1 :])
        found.setdefault(every[number : number + 1])
        found.setdefault(every[:number])
    for _ in range(SAMPLED):
        bits = rng.getrandbits(len(every))
        found.setdefault(tuple(one for place, one in enumerate(every) if bits >> place & 1))
    return list(found), 2 ** len(every) - len(found)


def prefixes(pending: Sequence[int]) -> list[Kept]:
    """Return the beginnings of what is pending, the longest first."""
    return [tuple(pending[:length]) for length in range(len(pending), -1, -1)]


@dataclass(frozen=True, slots=True)
class Variant:
    """What one file may hold.

    Attributes:
        kept: its pending effects that landed; `torn` of them: one, and how.
        digest: stands for the content, and for the time where the file was given one.
    """

    node: int
    kept: Kept
    torn: tuple[int, Tear] | None
    mtime_ns: int | None
    digest: bytes


class Contents:
    """What the files of one log may hold at one moment.

    `settled` is what each holds for sure, before anything that is pending.  `most`: variants of one file.
    """

    def __init__(
        self,
        settled: Mapping[int, bytes | bytearray],
        effects: Sequence[Effect],
        model: Persistence,
        rng: random.Random,
        *,
        most: int = VARIANTS_MAX,
    ) -> None:
        self._settled = settled
        self._most = most
        self._effects = effects
        self._model = model
        self._rng = rng
        self._kept: dict[tuple[int, Kept, tuple[int, Tear] | None], bytes] = {}
        self.left_out = 0
        self.cuts_left_out = 0

    def variants(self, node: int, pending: Sequence[int], allowed: frozenset[int] | None) -> list[Variant]:
        """Return what a file may hold: its settled content with some of what is pending.

        `allowed`: the pending changes of sizes that have landed, where sizes land in order.
        """
        chosen = self._choices(node, pending, allowed)
        found: dict[bytes, Variant] = {}
        # Whole writes first: one that is missing is told more simply than one that is torn to nothing.
        whole: list[tuple[Kept, tuple[int, Tear] | None]] = [(kept, None) for kept in chosen]
        torn_ones = ((some, tear) for some in chosen for tear in self._torn(some))
        if len(whole) > self._most // 2:
            self.left_out += len(whole) - self._most // 2
            whole = whole[: self._most // 2]
        for kept, torn in chain(whole, torn_ones):
            if len(found) >= self._most:
                self.left_out += 1
                break
            variant = self._variant(node, kept, torn)
            found.setdefault(variant.digest, variant)
        return list(found.values())

    def _choices(self, node: int, pending: Sequence[int], allowed: frozenset[int] | None) -> list[Kept]:
        if allowed is None:
            chosen, left_out = subsets(pending, self._rng)
            self.left_out += left_out
            return chosen
        growing, inside = self._split(node, pending, allowed)
        free, left_out = subsets(inside, self._rng)
        self.left_out += left_out
        return list(dict.fromkeys(tuple(sorted((*start, *others))) for start in prefixes(growing) for others in free))

    def _split(self, node: int, pending: Sequence[int], allowed: frozenset[int]) -> tuple[list[int], list[int]]:
        """Return the effects that make a file longer or shorter, which land in order, and those within its size."""
        size = len(self._settled.get(node, b""))
        growing, inside = [], []
        for number in pending:
            effect = self._effects[number]
            if isinstance(effect, Sized):
                if number not in allowed:
                    break  # Its blocks are still the old ones: nothing later can be seen.
                size = effect.size
                growing.append(number)
            elif isinstance(effect, Wrote) and effect.offset + len(effect.data) > size:
                size = effect.offset + len(effect.data)
                growing.append(number)
            else:
                inside.append(number)
        return growing, inside

    def _torn(self, kept: Kept) -> Iterator[tuple[int, Tear]]:
        sizes_in_order = self._model.ordered
        for number in kept:
            effect = self._effects[number]
            if not isinstance(effect, Wrote):
                continue
            if sizes_in_order and any(later > number for later in kept if self._grows(later)) and self._grows(number):
                continue  # What was written behind it is there, so it is there itself.
            ways, left_out = tears(self._model, effect)
            self.cuts_left_out += left_out
            for tear in ways:
                if sizes_in_order and tear.full and self._grows(number):
                    continue
                yield number, tear

    def _grows(self, number: int) -> bool:
        effect = self._effects[number]
        if isinstance(effect, Sized):
            return True
        return isinstance(effect, Wrote) and effect.offset + len(effect.data) > len(self._settled.get(effect.node, b""))

    def _variant(self, node: int, kept: Kept, torn: tuple[int, Tear] | None) -> Variant:
        content = self._make(node, kept, torn)
        if len(content) <= KEPT_BYTES:
            self._kept[node, kept, torn] = content
        mtime_ns, given = None, b""
        for number in kept:
            effect = self._effects[number]
            if isinstance(effect, Touched):
                if effect.mtime_ns is not None:
                    mtime_ns, given = effect.mtime_ns, str(effect.mtime_ns).encode()
            elif isinstance(effect, (Wrote, Sized)):
                mtime_ns, given = effect.at_ns, b""
        return Variant(node, kept, torn, mtime_ns, blake2b(content, digest_size=12, key=given).digest())

    def content(self, variant: Variant) -> bytes:
        """Return what the file holds."""
        found = self._kept.get((variant.node, variant.kept, variant.torn))
        return self._make(variant.node, variant.kept, variant.torn) if found is None else found

    def _make(self, node: int, kept: Kept, torn: tuple[int, Tear] | None) -> bytes:
        content = bytearray(self._settled.get(node, b""))
        for number in kept:
            effect = self._effects[number]
            if torn is not None and number == torn[0] and isinstance(effect, Wrote):
                tear_into(content, effect, torn[1])
            elif isinstance(effect, (Wrote, Sized)):
                change(content, effect)
        return bytes(content)


def tear_into(content: bytearray, write: Wrote, tear: Tear) -> None:
    """Let a part of a write land."""
    data = memoryview(write.data)
    if tear.stop > tear.start:
        put(content, write.offset + tear.start, data[tear.start : tear.stop])
    end = write.offset + len(data)
    if tear.full and len(content) < end:
        content.extend(bytes(end - len(content)))
