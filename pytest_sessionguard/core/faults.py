"""What is to go wrong in a case, as values.

Pure.  A fault strikes at the k-th chance that it has: the k-th call of a hook, the k-th operation on a file, the k-th
operation of a client.  What each kind does stands in the room `faults`.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final

from pytest_sessionguard.core import durations
from pytest_sessionguard.core.values import EMPTY, FrozenMap, show

WHENS: Final = ("before", "after")

CRASH: Final = "crash"
"""The kind that ends the process itself."""

PARTITION: Final = "partition"
"""The kind after which nothing gets through to a server; also the step that does it, or heals it."""

COUNTS: Final = frozenset({"budget"})
"""Options that are whole numbers; any other number is a span of microseconds."""


def told_to(name: str, value: Hashable) -> str:
    """Return what a fault is told as it is written: a word, a number, or a span of time."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if name in COUNTS else durations.show(value)
    return value if isinstance(value, str) else show(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is to go wrong.

    Attributes:
        kind: the name of a file in `faults`.
        subject: what it is about, as its kind understands it: a hook's role, an error's name, microseconds.
        at: at which chance it strikes, counted from 1; None: at each in turn, a case for each.
        lasting: it strikes at every later chance, too.
        when: before what it strikes has taken effect, or after.
        options: what else its kind knows.
        place: where in the user's file it stands, or empty.
    """

    kind: str
    subject: Hashable
    at: int | None = 1
    lasting: bool = False
    when: str = "before"
    options: FrozenMap = EMPTY
    place: str = field(default="", compare=False)

    def __str__(self) -> str:
        told = [f"{self.kind}: {told_to(self.kind, self.subject)}"]
        told.append("at: every" if self.at is None else f"at: {self.at}")
        if self.lasting:
            told.append("lasting: true")
        if self.when != "before":
            told.append(f"when: {self.when}")
        told += [f"{name}: {told_to(name, value)}" for name, value in self.options.items()]
        return "{" + ", ".join(told) + "}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fired:
    """A fault that has struck, for the journal.

    Units: `at_us` virtual microseconds since the case began.
    Attributes:
        chance: at which of its chances.
        point: where: "hook close", "file write", "operation update".
        followed: what became of the operation that it struck; empty where it struck none.
    """

    fault: Fault
    chance: int
    point: str
    at_us: int = 0
    followed: str = ""
