"""What can go wrong around a session system: one file each, found by being there, that exports `FAULT`.

The rule of this folder: a kind says where it has a chance and what happens there, as a value; it does nothing itself.
Whoever runs a case asks the injector at every chance and does what it is told.  Siblings never import each other.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Final, TypeAlias

from pytest_sessionguard import catalog
from pytest_sessionguard.clock.faulty import ClockFault
from pytest_sessionguard.core.faults import Fault

PORTS: Final = ("hook", "file", "operation", "process", "network")
"""Where a fault may have a chance: a hook that the harness supplies, a file below {dir}, a client's operation, the
process as a whole, which the crash explorer ends wherever that may make a difference, and the connections to the server
at [manager] endpoint: each request that is made of it, or each of its replies, is one chance."""

KEYS: Final = ("at", "lasting", "when")
"""What any fault may be told, besides the options of its kind."""


@dataclass(frozen=True, slots=True)
class Point:
    """One chance: the port, and which hook, function or operation it is.

    Attributes:
        grows: it takes room on the disk that was free before; of an operation on a file that takes none, False.
    """

    port: str
    name: str
    grows: bool = True

    def __str__(self) -> str:
        return f"{self.port} {self.name}"


# -- what happens at a chance -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Raise:
    """An error comes instead of an answer."""

    error: BaseException


@dataclass(frozen=True, slots=True)
class Wait:
    """It takes so long; in virtual microseconds."""

    span_us: int


@dataclass(frozen=True, slots=True)
class Cut:
    """Only the first half of what is written arrives; then an error comes, or none and a short count."""

    error: OSError | None


@dataclass(frozen=True, slots=True)
class MoveClock:
    """The wall clock jumps by so much; with `both` the monotonic one too, and no timer runs meanwhile."""

    by_us: int
    both: bool = False


@dataclass(frozen=True, slots=True)
class Misread:
    """The wall clock shows something else, until nothing goes wrong any more; the monotonic one does not notice."""

    shown: ClockFault


@dataclass(frozen=True, slots=True)
class Lose:
    """The answer never arrives."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """The call arrives twice: its client has tried again."""


@dataclass(frozen=True, slots=True)
class Die:
    """The process ends here and now; with `power` the machine does, and what was not flushed may be gone."""

    power: bool


@dataclass(frozen=True, slots=True)
class Part:
    """Nothing gets through any more in these directions, "to-server" or "from-server": for so long, or until healed."""

    directions: frozenset[str]
    for_us: int | None = None


@dataclass(frozen=True, slots=True)
class Reset:
    """The connection is reset before anything of a message arrives, or once its first half has."""

    half: bool


@dataclass(frozen=True, slots=True)
class Away:
    """The server is away for so long: its connections are reset, and so is every new one; or the new ones alone."""

    for_us: int
    only_new: bool = False


@dataclass(frozen=True, slots=True)
class Damage:
    """The newest file below {dir} whose path matches is damaged."""

    pattern: str


Effect: TypeAlias = Raise | Wait | Cut | MoveClock | Misread | Lose | Repeat | Die | Part | Reset | Away | Damage


# -- kinds ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """What a fault of a kind may be told besides.

    Attributes:
        takes: "text", "duration", "integer", or the words that may stand there.
    """

    takes: str | tuple[str, ...]
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultKind:
    """One kind of fault.

    Attributes:
        takes: what its subject is: "text", "duration" (which may be negative), "integer", or the words that it may be.
        port: where it has chances.
        has_chance: whether a point is a chance of such a fault.
        effect: what happens there.
        whens: whether it may strike before or after the effect.
        everywhere: it strikes at every chance there is: nobody tells it at which.
    """

    name: str
    summary: str
    example: str
    takes: str | tuple[str, ...]
    port: str
    effect: Callable[[Fault, Point], Effect]
    has_chance: Callable[[Fault, Point], bool] = lambda fault, point: True
    whens: tuple[str, ...] = ("before", "after")
    options: Mapping[str, Option] = field(default_factory=lambda: MappingProxyType({}))
    everywhere: bool = False


@cache
def kinds() -> Mapping[str, FaultKind]:
    """Return every kind of this folder by its name."""
    found: list[FaultKind] = [
        module.FAULT
        for module in (catalog.load(__name__, name) for name in catalog.names(__name__))
        if hasattr(module, "FAULT")
    ]
    return MappingProxyType({kind.name: kind for kind in found})


def is_subject(fault: Fault, point: Point) -> bool:
    """Say whether the point is the one that the fault names; "any" names all of its port."""
    subject: Hashable = fault.subject
    return subject in (point.name, "any")
