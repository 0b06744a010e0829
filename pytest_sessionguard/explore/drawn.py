"""What Hypothesis draws for a session system: random numbers for the generator, texts of steps, and who is stopped.

What is drawn never depends on what the target answered: a target that is not deterministic makes a run flaky, never the
drawing.  All of it shrinks towards less: fewer features, fewer arguments, nobody stopped.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final, TypeVar

from hypothesis import strategies as st

from pytest_sessionguard.core.scenario import AnyStep
from pytest_sessionguard.core.scenario_text import line_of
from pytest_sessionguard.errors import HarnessError

T = TypeVar("T")
Draw = Callable[[st.SearchStrategy[Any]], Any]

_GRAINS: Final = 64

# Clients that do one thing each decide so often, about.
_FIRST: Final = 5


@cache
def _upto(most: int) -> st.SearchStrategy[int]:
    return st.integers(0, most)


class Rolls(random.Random):
    """Random numbers out of Hypothesis' hand, for as long as it draws.

    A chance shrinks towards not being taken, a choice towards the first that there is.
    """

    def __init__(self) -> None:
        super().__init__(0)
        self.draw: Draw | None = None

    def upto(self, most: int) -> int:
        """Return a number from 0 to `most`, drawn.

        Raises:
            HarnessError: nobody draws.
        """
        if self.draw is None:
            raise HarnessError("a random number is asked for while Hypothesis draws nothing")
        drawn: int = self.draw(_upto(most)) if most else 0
        return drawn

    def random(self) -> float:
        return (_GRAINS - 0.5 - self.upto(_GRAINS - 1)) / _GRAINS

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
    if rolls.random() < 0.6:
        return [(at, rolls.choice((1, 1, 1, 2))) for at in range(_FIRST) if rolls.random() < 0.35]
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
        self._decision = 0

    def enter(self, at: Iterable[tuple[int, int]]) -> None:
        """Begin a block of branches."""
        self.at = dict(at)
        self._decision = 0

    def begin(self) -> None:
        self._decision = 0

    def choose(self, enabled: Sequence[int], current: int) -> int:
        place = enabled.index(current) if current in enabled else 0
        further = self.at.get(self._decision, 0)
        self._decision += 1
        return enabled[(place + further) % len(enabled)]

    def end(self) -> bool:
        return False
