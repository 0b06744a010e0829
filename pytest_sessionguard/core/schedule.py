"""Who runs next: a schedule is plain data, and a scheduler makes one decision at a time.

A *strand* is whatever runs on its own: a client, a task or thread that it started.  Strands are numbered: the clients
from 0 in their order, then the others in the order in which they came to be.  A decision is made only where more than
one strand can run, so a schedule holds nothing that the target itself decides.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final, Protocol, runtime_checkable

from pytest_sessionguard.errors import UsageError

LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

# A run of one strand up to this long is written out, a longer one is counted.
SPELLED_MAX: Final = 3

# What a schedule read from text may hold: a run length is a typing mistake long before this.
CHOICES_MAX: Final = 1_000_000

_RUN: Final = re.compile(r"([A-Z]|\((\d{1,6})\))(\d{0,7})")

NOBODY: Final = -1
"""The strand that ran last before the first decision."""


def letter(strand: int) -> str:
    """Return how a strand is named: A to Z, then (26) and so on."""
    return LETTERS[strand] if strand < len(LETTERS) else f"({strand})"


@dataclass(frozen=True, slots=True)
class Schedule:
    """The strand chosen at each decision, from the first on.

    Shape of its text: `ABBA`; a run length may follow a letter, as in `A12B`; strands after Z are `(26)`.
    """

    choices: tuple[int, ...] = ()

    def __str__(self) -> str:
        told = []
        for strand, run in groupby(self.choices):
            name, length = letter(strand), len(tuple(run))
            told.append(name * length if length <= SPELLED_MAX else f"{name}{length}")
        return "".join(told)

    def __len__(self) -> int:
        return len(self.choices)

    @property
    def switches(self) -> int:
        """Return at how many decisions another strand was chosen than at the decision before."""
        return max(0, sum(1 for _ in groupby(self.choices)) - 1)


def parse(text: str) -> Schedule:
    """Return the schedule that a text such as `ABBA` or `A12B` tells; spaces and case do not count.

    Raises:
        UsageError: the text is no schedule.
    """
    packed = "".join(text.split()).upper()
    choices: list[int] = []
    at = 0
    while at < len(packed):
        found = _RUN.match(packed, at)
        if found is None:
            raise UsageError(
                f"schedule {text!r}: {packed[at]!r} names no strand; "
                "write one letter for each decision, as in ABBA or A12B"
            )
        name, number, length = found.groups()
        times = int(length) if length else 1
        if len(choices) + times > CHOICES_MAX:
            raise UsageError(f"schedule {text!r}: more than {CHOICES_MAX} decisions")
        choices += [int(number) if number else LETTERS.index(name)] * times
        at = found.end()
    return Schedule(tuple(choices))


# -- who decides ----------------------------------------------------------------------------------------------------


class Scheduler(Protocol):
    """Decides which strand runs next, in one run after the other."""

    def begin(self) -> None:
        """Start a run."""

    def choose(self, enabled: Sequence[int], current: int) -> int:
        """Return the member of `enabled` that runs next.

        `enabled` is sorted and has at least two members; it may be read only during the call.  `current` ran last
        (`NOBODY` at first); to choose another while `current` is enabled is a preemption.

        Raises:
            ScheduleMisfit: a schedule to follow names a strand that cannot run here.
        """

    def end(self) -> bool:
        """End a run, and say whether another is worth while: False when everything has been explored."""


@runtime_checkable
class Observer(Protocol):
    """A scheduler that leaves out orders which could make no difference."""

    def observe(self, strand: int, key: object, is_write: bool) -> None:
        """Take note that the strand touched something, in its present step.

        Who reports must report everything that strands share; a run without a single report tells nothing, and no
        order of it is left out.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What schedulers are made from; each takes what it knows.

    Attributes:
        preemptions_max: how often a strand that could go on may be stopped in one run; None for any number.
        changes: how many changes of priority PCT makes in one run.
        schedule: the decisions to replay.
    """

    seed: int = 0
    preemptions_max: int | None = None
    changes: int = 2
    schedule: Schedule = Schedule()


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerKind:
    """One way to schedule.

    Attributes:
        ends: whether it comes to an end by itself, once it has explored all that it ever will.
    """

    name: str
    summary: str
    make: Callable[[Settings], Scheduler]
    ends: bool
