"""A program in the making: which sessions there probably are, what time it probably is, and the steps so far.

The draft only guesses what the manager will do, from the policy; a step that turns out to have nothing to work with is
passed over when the program runs.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from pytest_sessionguard.core.programs import NOWHERE
from pytest_sessionguard.core.scenario import AnyStep, Step
from pytest_sessionguard.core.values import EMPTY, FrozenMap
from pytest_sessionguard.explore.repertoire import Repertoire


@dataclass(slots=True, kw_only=True)
class Sketch:
    """One session as the draft believes it to be.

    Units: microseconds.
    Attributes:
        chosen: the id that its caller chose, or None.
        ended: whether something has ended it.
        dies_us: when its timeout is reached, or None.
        readers: the clients that have an object of it.
    """

    name: str
    chosen: Any = None
    owner: str = ""
    ended: bool = False
    dies_us: int | None = None
    timeout_us: int | None = None
    readers: tuple[str, ...] = ()
    versions: int = 0


class Draft:
    """Steps, and what they probably lead to."""

    def __init__(self, rng: random.Random, repertoire: Repertoire) -> None:
        self.rng = rng
        self.repertoire = repertoire
        self.steps: list[AnyStep] = []
        self.sketches: list[Sketch] = []
        self.now_us = 0
        self.client = ""
        self._names = 0
        self._resources = 0
        self._variables = 0

    # -- sessions

    def fresh(self, **known: Any) -> Sketch:
        """Return a session that a step is about to give."""
        self._names += 1
        sketch = Sketch(name=f"s{self._names}", **known)
        self.sketches.append(sketch)
        return sketch

    def resource(self) -> str:
        """Return a name for a resource."""
        self._resources += 1
        return f"r{self._resources}"

    def variable(self) -> str:
        """Return a name for what a step captures."""
        self._variables += 1
        return f"v{self._variables}"

    def living(self) -> list[Sketch]:
        """Return the sessions that probably live."""
        return [one for one in self.sketches if self.lives(one)]

    def lives(self, sketch: Sketch) -> bool:
        """Say whether a session probably lives."""
        return not sketch.ended and (sketch.dies_us is None or self.now_us < sketch.dies_us)

    def renew(self, sketch: Sketch) -> None:
        """Note that a session was used."""
        if self.lives(sketch) and sketch.timeout_us is not None:
            sketch.dies_us = self.now_us + sketch.timeout_us

    # -- steps

    def add(
        self,
        verb: str,
        arguments: dict[str, Any],
        *,
        capture: FrozenMap = EMPTY,
    ) -> None:
        """Add a step."""
        self.steps.append(
            Step(verb=verb, arguments=FrozenMap(arguments), place=NOWHERE, capture=capture, client=self.client)
        )

    def take(self) -> tuple[AnyStep, ...]:
        """Return the steps since the last time this was asked."""
        taken = tuple(self.steps)
        self.steps.clear()
        return taken
