"""What an operation may be answered: alternatives, each with the state that follows and the property it stands for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, TypeAlias

from pytest_sessionguard.core.model.state import State
from pytest_sessionguard.core.operations import Answer, Ok, Outcome, Refused
from pytest_sessionguard.core.quick import quick
from pytest_sessionguard.core.values import UNSET, show

After: TypeAlias = Callable[[Answer | None], Iterable[State]]


@quick
@dataclass(frozen=True, slots=True)
class Facet:
    """One part of an answer: what it must be if it is told at all.

    Attributes:
        name: of the Answer's field.
        test: says whether a told value is right.
        says: the expected value, for the reader, or what makes that text where somebody reads it.
        property: what a wrong value breaks.
    """

    name: str
    test: Callable[[Any], bool]
    says: str | Callable[[], str]
    property: str

    def said(self) -> str:
        """The expected value, for the reader."""
        return self.says if isinstance(self.says, str) else self.says()


def same(name: str, value: Any, property_name: str) -> Facet:
    """Expect the very value."""
    return Facet(name, lambda told: bool(told == value), lambda: show(value), property_name)


@lru_cache(maxsize=256)
def there(property_name: str) -> tuple[Facet, Facet]:
    """Expect that it is not said that nothing is there."""
    return Facet("found", bool, "true", property_name), Facet("flag", bool, "true", property_name)


_NOT_THERE: Final = frozenset({"missing", "expired"})


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """One answer that is allowed.

    Attributes:
        kind: "ok", "absent" (None, false or empty instead of what was asked for), "refused".
        words: the absences or the kinds of refusal that are meant.
        means: the kinds of refusal that a returned value may stand for, where an absence is expected.
        facets: what an ok answer must say where it says anything.
        after: the states that may follow; it is given the answer, or None where that is not known.
        property: what is broken where none of the alternatives was answered.
        line: the policy keys that allow it.
        proves: the property that this answer has exercised, where it is not `property`.
    """

    kind: str
    after: After
    property: str
    line: tuple[str, ...] = ()
    words: frozenset[str] = frozenset()
    means: frozenset[str] = _NOT_THERE
    proves: str = ""
    facets: tuple[Facet, ...] = field(default=())

    def fits(self, outcome: Outcome) -> bool:
        """Say whether the answer is this one."""
        if isinstance(outcome, Ok):
            if self.kind == "ok":
                return self.wrong(outcome.answer) is None
            return self.kind == "absent" and _reads_as_absent(outcome.answer, self.words)
        if not isinstance(outcome, Refused):
            return False
        if self.kind == "refused":
            return bool(outcome.kinds & self.words)
        return outcome.answered and self.kind == "absent" and bool(outcome.kinds & self.means)

    def wrong(self, answer: Answer) -> Facet | None:
        """Return the first facet of an ok answer that is not as expected."""
        for facet in self.facets:
            told = getattr(answer, facet.name)
            if told is not UNSET and not facet.test(told):
                return facet
        if answer.absent is not UNSET and not self._falsy_is_right(answer):
            return Facet("absent", lambda _: False, "an answer", self.property)
        return None

    def _falsy_is_right(self, answer: Answer) -> bool:
        """Say whether None, false or empty is itself the value that was expected: an empty cart, a stored None."""
        told = [facet for facet in self.facets if getattr(answer, facet.name) is not UNSET]
        return any(facet.name in {"data", "value", "ids", "count", "flag", "seconds_us", "versions"} for facet in told)

    def describe(self, outcome: Outcome) -> str:
        """Return the answer in words, as far as the given one spoke of the same things."""
        if self.kind == "refused":
            return f"refused ({' or '.join(sorted(self.words))})"
        if self.kind == "absent":
            return "nothing there (" + (" or ".join(sorted(self.words)) or "false") + ")"
        given = outcome.answer if isinstance(outcome, Ok) else Answer()
        told = [facet for facet in self.facets if getattr(given, facet.name) is not UNSET]
        if not told:
            told = [facet for facet in self.facets if facet.name in _TELLING]
        said = dict.fromkeys(f"{facet.name}={facet.said()}" for facet in told)
        return "ok" + (f": {', '.join(said)}" if said else "")


_TELLING = frozenset({"id", "data", "value", "count", "ids", "seconds_us", "metrics"})


def _reads_as_absent(answer: Answer, words: frozenset[str]) -> bool:
    """Say whether an answer says that nothing is there, in one of these words.

    A template that answers `found`, `flag` or `count` says it by false or 0 whatever the words.
    """
    if answer.found is not UNSET or answer.flag is not UNSET:
        return not (answer.found or answer.flag)
    if answer.absent is not UNSET:
        return answer.absent in words
    if answer.seconds_us is not UNSET:
        return answer.seconds_us is not None and answer.seconds_us <= 0
    if answer.count is not UNSET:
        return answer.count == 0
    if answer.ids is not UNSET or answer.versions is not UNSET:
        return not (answer.ids or answer.versions)
    told = (answer.id, answer.data, answer.value, answer.version, answer.status, answer.metrics)
    if all(value is UNSET for value in told):
        return "none" in words  # A template without a result gives nothing whatever happened.
    if answer.id is not UNSET or answer.version is not UNSET or answer.status is not UNSET:
        return False  # A session without data is a session all the same.
    return answer.data is not UNSET and not answer.data and "empty" in words
