"""What Hypothesis draws for a session system: random numbers for the generator, texts of steps, and who is stopped.

What is drawn never depends on what the target answered: a target that is not deterministic makes a run flaky, never the
drawing.  All of it shrinks towards less: fewer features, fewer arguments, nobody stopped.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final, TypeVar

from hypothesis import strategies as st

from pytest_sessionguard.core.scenario import AnyStep
from pytest_sessionguard.core.scenario_text import line_of
from pytest_sessionguard.core.schedule import parse
from pytest_sessionguard.errors import HarnessError

T = TypeVar("T")
Draw = Callable[[st.SearchStrategy[Any]], Any]

_BYTE: Final = 256

# So many bytes decide one operation, and so many what is done at once or what an example is about; as a rule that is
# enough, and more are drawn where it is not.
STEP: Final = 12
BLOCK: Final = 32

# Clients that do one thing each decide so often, about.
_FIRST: Final = 4


@cache
def _block(size: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=size, max_size=size)


class Rolls(random.Random):
    """Random numbers out of Hypothesis' hand.

    They come as a block of bytes of one size: however much of it a step needs in the end, leaving out a step before it
    disturbs nothing.  A chance shrinks towards not being taken, a choice towards the first that there is.
    """

    def __init__(self) -> None:
        super().__init__(0)
        self._draw: Draw | None = None
        self._size = 0
        self._left: Iterator[int] = iter(())

    def begin(self, draw: Draw, size: int) -> None:
        """Draw a block of so many bytes for what is rolled from now on."""
        self._draw, self._size = draw, size
        self._left = iter(draw(_block(size)))

    def upto(self, most: int) -> int:
        """Return a number from 0 to `most`, at most 65535.

        Raises:
            HarnessError: nobody draws.
        """
        if not most:
            return 0
        if most < _BYTE:
            return self._byte() * (most + 1) // _BYTE
        return (self._byte() * _BYTE + self._byte()) * (most + 1) // _BYTE**2

    def _byte(self) -> int:
        byte = next(self._left, None)
        if byte is None:
            if self._draw is None:
                raise HarnessError("a random number is asked for while Hypothesis draws nothing")
            self.begin(self._draw, self._size)
            byte = next(self._left)
        return byte

    def random(self) -> float:
        return (_BYTE - 0.5 - self._byte()) / _BYTE

    def choice(self, seq: Sequence[T]) -> T:  # type: ignore[override]  # of any sequence
        return seq[self.upto(len(seq) - 1)]

    def randint(self, a: int, b: int) -> int:
        return a + self.upto(b - a)


def chosen(rolls: random.Random, shares: Mapping[str, float]) -> list[str]:
    """Return the names that are drawn, each as often as its share says."""
    return [name for name, share in shares.items() if rolls.random() < share]


def texts(steps: Iterable[AnyStep], written: dict[str, AnyStep]) -> list[str]:
    """Return the steps as lines of a scenario file, and note in `written` what they say."""
    lines = []
    for step in steps:
        line = line_of(step)
        written[line] = step
        lines.append(line)
    return lines


# -- who runs next ----------------------------------------------------------------------------------------------------


def switches(rolls: random.Random, *, decisions: int) -> list[tuple[int, int]]:
    """Draw at which decisions somebody else goes on, and who: some of the first few, or at most three of more."""
    if rolls.random() < 0.7:
        first = {rolls.randint(0, _FIRST - 1) for _ in range(rolls.choice((1, 2, 2, 3)))}
        return [(at, rolls.choice((1, 1, 1, 2))) for at in sorted(first)]
    drawn: dict[int, int] = {}
    for _ in range(rolls.choice((1, 2, 3))):
        most = rolls.choice((decisions // 8, decisions // 3, decisions))
        drawn[rolls.randint(0, most)] = rolls.choice((1, 1, 1, 2))
    return sorted(drawn.items())


class Switching:
    """A scheduler that lets whoever runs go on, but at some decisions of a block of branches.

    Shape: `at` the number of a decision, from 0 in each block -> how many further on in the row the next one stands.
    """

    def __init__(self) -> None:
        self.at: Mapping[int, int] = {}
        self._schedule: tuple[int, ...] = ()
        self._decision = 0

    def enter(self, at: Iterable[tuple[int, int]]) -> None:
        """Begin a block of branches."""
        self.at, self._schedule, self._decision = dict(at), (), 0

    def follow(self, schedule: str | int) -> None:
        """Begin a block of branches whose decisions are told, as letters; who cannot run is passed over."""
        told = parse(schedule) if isinstance(schedule, str) and schedule.isupper() else None
        self.enter(())
        self._schedule = told.choices if told is not None else ()

    def begin(self) -> None:
        self._decision = 0

    def choose(self, enabled: Sequence[int], current: int) -> int:
        if self._decision < len(self._schedule) and self._schedule[self._decision] in enabled:
            self._decision += 1
            return self._schedule[self._decision - 1]
        place = enabled.index(current) if current in enabled else 0
        further = self.at.get(self._decision, 0)
        self._decision += 1
        return enabled[(place + further) % len(enabled)]

    def end(self) -> bool:
        return False
