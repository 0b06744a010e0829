"""Weaker promises than linearizability, for histories of those that claim less.

Pure.  Sequential consistency keeps each client's own order and forgets whose clock said what; the four session
guarantees keep only what one client can notice of its own.

Sources: L. Lamport, "How to make a multiprocessor computer that correctly executes multiprocess programs", 1979;
D. Terry et al., "Session guarantees for weakly consistent replicated data", 1994, section 3.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pytest_sessionguard.core.orders import ILLEGAL, OrderVerdict, Specification, Told


def sequential(told: Sequence[Told], specification: Specification, *, steps_max: int = 1_000_000) -> OrderVerdict:
    """Search for one order of all objects' calls that keeps each client's own and explains every answer.

    A call that never returned may have happened or not, but none of its client's comes after it.
    """
    clients: dict[Hashable, list[Told]] = {}
    for one in sorted(told, key=lambda one: one.called):
        clients.setdefault(one.client, []).append(one)
    lines = list(clients.values())
    needed = [sum(one.returned is not None for one in line) for line in lines]
    objects = {one.object: number for number, one in enumerate({one.object: one for one in told}.values())}
    start = ((0,) * len(lines), (specification.initial,) * len(objects))
    seen, stack, steps, best = {start}, [start], 0, start[0]
    while stack:
        positions, states = stack.pop()
        steps += 1
        if steps > steps_max:
            return OrderVerdict(verdict="undecided", explained=sum(best), steps=steps)
        if sum(positions) > sum(best):
            best = positions
        if all(position >= least for position, least in zip(positions, needed, strict=True)):
            return OrderVerdict(verdict="legal", explained=sum(needed), steps=steps)
        following = []
        for number, line in enumerate(lines):
            if positions[number] == len(line):
                continue
            one = line[positions[number]]
            slot = objects[one.object]
            after = specification.step(states[slot], one.call)
            if after is ILLEGAL:
                continue
            moved = (*positions[:number], positions[number] + 1, *positions[number + 1 :])
            changed = (*states[:slot], after, *states[slot + 1 :])
            if specification.looks(one.call):
                following = [(moved, changed)]  # A look that is right here is never worth putting off.
                break
            following.append((moved, changed))
        for configuration in following:
            if configuration not in seen:
                seen.add(configuration)
                stack.append(configuration)
    stuck = next(line[at] for line, at, least in zip(lines, best, needed, strict=True) if at < least)
    return OrderVerdict(verdict="illegal", explained=sum(best), stuck=stuck.call, steps=steps)


GUARANTEES: Final = ("read-your-writes", "monotonic-reads", "monotonic-writes", "writes-follow-reads")


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """One session guarantee that a client saw broken: `read` shows a value older than `newer`."""

    guarantee: str
    read: Told
    newer: Told

    def __str__(self) -> str:
        return (
            f"{self.guarantee}: client {self.read.client} read {self.read.call[1]!r} of {self.read.object!r}, "
            f"older than {self.newer.call[1]!r}"
        )


def session_guarantees(told: Iterable[Told]) -> tuple[Broken, ...]:
    """Return which guarantees the reads of registers break, the first break of each.

    A value is older than another where its write was over before the other's began, or where its write is the other's
    predecessor on one client.  Values that were written twice are left alone: nobody can tell which write a read saw.
    """
    calls = sorted(told, key=lambda one: one.called)
    writes: dict[tuple[Hashable, Any], list[Told]] = {}
    for one in calls:
        if one.call[0] == "write":
            writes.setdefault((one.object, one.call[1]), []).append(one)
    written = {key: found[0] for key, found in writes.items() if len(found) == 1}
    doubtful = {key for key, found in writes.items() if len(found) > 1}
    found: dict[str, Broken] = {}
    # What each client has read and written of each object, the last of each.
    reads: dict[tuple[Hashable, Hashable], Told] = {}
    own: dict[tuple[Hashable, Hashable], Told] = {}
    # write -> the writes that its client had read or made before it.
    before: dict[int, list[tuple[str, Told]]] = {}
    for one in calls:
        place = (one.client, one.object)
        if one.call[0] == "write":
            known = [("writes-follow-reads", write) for key, write in reads.items() if key[0] == one.client]
            known += [("monotonic-writes", write) for key, write in own.items() if key[0] == one.client]
            before[one.called] = known
            if one.returned is not None:
                own[place] = one
            continue
        if one.call[0] != "read" or one.returned is None or (one.object, one.call[1]) in doubtful:
            continue
        seen = written.get((one.object, one.call[1]))
        if seen is None and one.call[1] is not None:
            continue  # Nobody wrote it: that is no question of order.
        for guarantee, newer in (("read-your-writes", own.get(place)), ("monotonic-reads", reads.get(place))):
            if newer is not None and _older(seen, newer):
                found.setdefault(guarantee, Broken(guarantee=guarantee, read=one, newer=newer))
        # Whoever has seen a write has seen what its client knew when making it.
        for (client, _), latest in list(reads.items()):
            if client != one.client:
                continue
            for guarantee, earlier in before.get(latest.called, ()):
                if earlier.object == one.object and _older(seen, earlier):
                    found.setdefault(guarantee, Broken(guarantee=guarantee, read=one, newer=earlier))
        if seen is not None:
            reads[place] = seen
    return tuple(found[name] for name in GUARANTEES if name in found)


def _older(seen: Told | None, newer: Told) -> bool:
    """Say whether what a read saw (None: the first value) was certainly there before the newer write."""
    if seen is None:
        return True
    if seen is newer:
        return False
    if seen.client == newer.client:
        return seen.called < newer.called
    return seen.returned is not None and seen.returned < newer.called
