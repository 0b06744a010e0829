"""Strands without a target: how many steps each takes, what each step touches, and who waits for whom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from pytest_sessionguard.core.schedule import NOBODY, Observer, Scheduler

Touches = tuple[tuple[str, bool], ...]


@dataclass(frozen=True)
class Run:
    """One run: who took each step, and what was chosen at each decision."""

    steps: tuple[int, ...]
    choices: tuple[int, ...]
    preemptions: int


def steps_of(*counts: int) -> list[list[Touches]]:
    """Return strands of so many steps that touch nothing."""
    return [[()] * number for number in counts]


def run(scheduler: Scheduler, strands: Sequence[Sequence[Touches]]) -> Run:
    """Run the strands to their end under a scheduler that has begun."""
    observer = scheduler if isinstance(scheduler, Observer) else None
    left = [list(strand) for strand in strands]
    current, steps, choices, preemptions = NOBODY, [], [], 0
    while enabled := [number for number, rest in enumerate(left) if rest]:
        chosen = enabled[0]
        if len(enabled) > 1:
            chosen = scheduler.choose(enabled, current)
            assert chosen in enabled
            choices.append(chosen)
            preemptions += chosen != current and current in enabled
        for key, is_write in left[chosen].pop(0):
            if observer is not None:
                observer.observe(chosen, key, is_write)
        steps.append(chosen)
        current = chosen
    return Run(tuple(steps), tuple(choices), preemptions)


def runs(scheduler: Scheduler, strands: Sequence[Sequence[Touches]], runs_max: int = 100_000) -> Iterator[Run]:
    """Give run after run until the scheduler has nothing left."""
    for number in count(1):
        scheduler.begin()
        yield run(scheduler, strands)
        if not scheduler.end() or number == runs_max:
            return
