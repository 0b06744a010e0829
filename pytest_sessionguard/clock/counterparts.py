"""What a captured value is in real and in virtual time: one pair for each value that stands for a clock.

A value that cannot be changed in place (a partial, a `staticmethod`, a tuple, a bound `datetime.now`) has a counterpart
of its own, built of the counterparts of its parts; whoever holds the one is given the other.  Values are told apart by
identity: equality would ask strangers' `__eq__` for their opinion.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import partial
from types import BuiltinMethodType, MethodType
from typing import Any, Final, NamedTuple

from pytest_sessionguard.clock.classes import bound_pair

# The methods of `datetime` and `date` that read a clock; the others answer the same in any time.
_READS_A_CLOCK: Final = frozenset({"now", "utcnow", "today"})

# A longer tuple is data.
LONGEST: Final = 1000

# A tuple in a partial in a staticmethod; no more.
_DEEPEST: Final = 3


class Pair(NamedTuple):
    """A value in real and in virtual time.

    `of_classes`: nothing but freezegun's fake classes tells the two apart; a freeze outside the span uses them too.
    """

    real: Any
    fake: Any
    of_classes: bool


class Counterparts:
    """Know the pair of every value that is, or is built of, a real function or class or its stand-in."""

    def __init__(self, stand_ins: dict[Any, Any]) -> None:
        self._by_id = {
            id(each): Pair(real, fake, isinstance(real, type) and issubclass(real, date))
            for real, fake in stand_ins.items()
            for each in (real, fake)
        }
        self._has_classes = any(pair.of_classes for pair in self._by_id.values())
        # By identity as well: a metaclass may make its classes unhashable.
        self._composed: dict[int, Callable[[Any, int], Pair | None]] = {
            id(tuple): self._of_tuple,
            id(partial): self._of_partial,
            id(staticmethod): self._of_static,
            id(BuiltinMethodType): self._of_bound,
            id(MethodType): self._of_bound,
        }

    def of(self, value: Any, *, deep: bool = True) -> Pair | None:
        """Return the pair that `value` is one side of; none if no clock is in it.

        `deep`: also if it is built of one.
        """
        return self._of(value, _DEEPEST if deep else 0)

    def _of(self, value: Any, depth: int) -> Pair | None:
        pair = self._by_id.get(id(value))
        if pair is None and depth:
            composed = self._composed.get(id(type(value)))
            if composed is not None:
                return composed(value, depth - 1)
        return pair

    def _of_tuple(self, value: tuple[Any, ...], depth: int) -> Pair | None:
        return self._rebuilt(value, value, depth, tuple) if len(value) <= LONGEST else None

    def _of_partial(self, value: partial[Any], depth: int) -> Pair | None:
        count, names = len(value.args), tuple(value.keywords)

        def build(parts: list[Any]) -> partial[Any]:
            built = partial(parts[0], *parts[1 : count + 1], **dict(zip(names, parts[count + 1 :], strict=True)))
            built.__dict__.update(value.__dict__)
            return built

        return self._rebuilt(value, (value.func, *value.args, *value.keywords.values()), depth, build)

    def _of_static(self, value: staticmethod[Any, Any], depth: int) -> Pair | None:
        return self._rebuilt(value, (value.__func__,), depth, lambda parts: staticmethod(*parts))

    def _of_bound(self, value: Any, _depth: int) -> Pair | None:
        """Pair `datetime.now` of the real class with that of the fake one: every reading gives a new object."""
        pair = self._by_id.get(id(value.__self__))
        if pair is None:
            both = None if self._has_classes else bound_pair(value)
            return None if both is None else Pair(*both, False)
        if not pair.of_classes or value.__name__ not in _READS_A_CLOCK:
            return None
        if value.__self__ is pair.real:
            return Pair(value, getattr(pair.fake, value.__name__), True)
        return Pair(getattr(pair.real, value.__name__), value, True)

    def _rebuilt(
        self, value: Any, parts: tuple[Any, ...], depth: int, build: Callable[[list[Any]], Any]
    ) -> Pair | None:
        by_id, composed = self._by_id, self._composed
        for part in parts:
            if id(part) in by_id or id(type(part)) in composed:
                break
        else:
            return None  # at once: most are text and numbers
        pairs = [self._of(part, depth) for part in parts]
        found = [pair for pair in pairs if pair is not None]
        if not found:
            return None
        reals = [part if pair is None else pair.real for part, pair in zip(parts, pairs, strict=True)]
        fakes = [part if pair is None else pair.fake for part, pair in zip(parts, pairs, strict=True)]
        return Pair(
            value if _same(reals, parts) else build(reals),
            value if _same(fakes, parts) else build(fakes),
            all(pair.of_classes for pair in found),
        )


def _same(left: list[Any], right: tuple[Any, ...]) -> bool:
    return all(one is other for one, other in zip(left, right, strict=True))
