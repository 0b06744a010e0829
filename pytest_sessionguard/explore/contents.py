"""Session data and values as they are drawn: of the profile's type, told apart where they can be.

Every value written is another one where there are enough, so that what turns up in the wrong place tells where it came
from; among them are those that managers trip over: nothing, zero, empty, nested, not plain ASCII.
"""

from __future__ import annotations

import random
from collections.abc import Hashable
from typing import Any, Final

from pytest_sessionguard.core.values import EMPTY, FrozenMap
from pytest_sessionguard.explore.repertoire import KEYS
from pytest_sessionguard.target.session_objects import conform
from pytest_sessionguard.target.shape import SessionShape

_EDGES: Final[tuple[Hashable, ...]] = (
    None,
    False,
    0,
    "",
    -1,
    1.5,
    (),
    EMPTY,
    ("x", 1),
    FrozenMap({"deep": FrozenMap({"er": (1, 2)})}),
    "ünïcödé ✓",
    "two\nlines",
    "x" * 200,
)
LIST_KEY: Final = "items"


class Contents:
    """Draws data for one program.

    `edgy`: how often a value is one of those that managers trip over.
    """

    def __init__(self, rng: random.Random, shape: SessionShape, edgy: float) -> None:
        self._rng = rng
        self._shape = shape
        self._edgy = 0.0 if shape.data_values == "token" else edgy
        self._last = 0

    def value(self) -> Any:
        """Return one value of a session's data."""
        if self._rng.random() < self._edgy:
            return self._rng.choice(_EDGES)
        self._last += 1
        return f"w{self._last}" if self._shape.data_values == "token" or self._shape.data_type == "flat" else self._last

    def key(self) -> str:
        """Return a key of a session's data."""
        return self._rng.choice(KEYS)

    def changes(self) -> FrozenMap:
        """Return what an update names: one key, sometimes two, rarely none."""
        count = self._rng.choice((1, 1, 1, 1, 2, 2, 0))
        if not count and not self._shape.data_empty:
            count = 1
        return FrozenMap({self.key(): self.value() for _ in range(count)})

    def data(self) -> Any:
        """Return the whole data of a session.  As written in a file; the profile's type is made of it when it runs."""
        shape = self._shape
        if shape.data_type == "list":
            least = 0 if shape.data_empty else 1
            return tuple(self.value() for _ in range(self._rng.randint(least, 2)))
        entries = self.changes()
        if shape.data_type in ("str", "bytes"):
            self._last += 1
            text = f"data {self._last}" if shape.data_values != "token" else f"data{self._last}"
            return conform(text, shape)
        return entries
