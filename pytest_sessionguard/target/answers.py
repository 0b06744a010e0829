"""What a manager returned, read by the result word of its template into the facets of an answer.

Empty data is told as data: whether it stands for a session that is not there is for the policy to say.
Pure but for reading attributes of what the target gave.  Nothing is guessed: a facet is told only where the template
and the profile say that the value carries it.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from datetime import timedelta
from typing import Any, Final

from pytest_sessionguard.core.operations import KINDS, Answer, Ok, Outcome, Refused
from pytest_sessionguard.core.values import UNSET, FrozenMap, Unset, freeze, show
from pytest_sessionguard.target.placeholders import UNITS_US
from pytest_sessionguard.target.refusals import told
from pytest_sessionguard.target.session_objects import NoSuchPart, frozen_data, part
from pytest_sessionguard.target.shape import Profile

_PLAIN: Final = (str, bytes, int, float)

NEVER: Final = "never"


class Unreadable(Exception):
    """The manager returned what its template does not announce."""


class Reader:
    """Read what one profile's manager returns."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._shape = profile.session
        self._meanings = [(kind, value) for kind in profile.answers for value in _several(profile.answers[kind])]
        self._refusals = [(kind, value) for kind, value in self._meanings if kind in KINDS]
        self._readers: dict[str, Callable[[Any], Answer]] = {
            "id": self._id,
            "session": self.session,
            "data": self._data,
            "found": lambda raw: Answer(found=bool(raw)),
            "flag": lambda raw: Answer(flag=bool(raw)),
            "version": self._version,
            "versions": self._versions,
            "count": self._count,
            "ids": self._ids,
            "seconds": self._seconds,
            "status": self._status,
            "metrics": self._metrics,
            "value": lambda raw: Answer(value=freeze(raw), absent=absence(raw)),
            "nothing": lambda raw: Answer(),
        }

    def outcome(self, raw: Any, word: str) -> Outcome:
        """Return what the manager returned as an answer.

        Raises:
            Unreadable: it is not what the result word announces.
        """
        refused = self.refusal(raw) if self._refusals else None
        if refused is not None:
            return refused
        try:
            return Ok(self._readers[word](raw))
        except (Unreadable, NoSuchPart) as error:
            raise Unreadable(f"answered {_short(raw)} where `-> {word}` was expected: {error}") from error
        except (TypeError, ValueError, RecursionError) as error:
            raise Unreadable(f"answered {_short(raw)} where `-> {word}` was expected: {told(error)}") from error

    def refusal(self, raw: Any) -> Refused | None:
        """Return the refusal that `[answers]` says the value is, if it is one."""
        kinds = {kind for kind, value in self._refusals if _same(raw, value)}
        return Refused(frozenset(kinds), f"answered {_short(raw)}", answered=True) if kinds else None

    def id_of(self, raw: Any) -> Hashable | Unset:
        """Return the id that a session object carries, where the profile says where; UNSET where that is None.

        Raises:
            NoSuchPart: it has nothing of that name.
        """
        if raw is None or self._shape.id is None:
            return UNSET
        found = part(raw, self._shape.id)
        return UNSET if found is None else freeze(found)  # Django's way to say that the session was not there.

    # -- one method a result word

    def session(self, raw: Any) -> Answer:
        """Return the facets of a session object."""
        if raw is None or isinstance(raw, bool):
            return Answer(absent=absence(raw))
        shape = self._shape
        data: Any = UNSET
        if shape.data is not None:
            data = frozen_data(part(raw, shape.data), shape)
        return Answer(
            absent=absence(raw) if data is UNSET else UNSET,
            id=self.id_of(raw),
            owner=self._optional(raw, shape.owner),
            data=data,
            version=self._optional(raw, shape.version),
            status=_word(self._optional(raw, shape.status)),
        )

    def _optional(self, raw: Any, path: str | None) -> Any:
        """Return a part that a mapping may leave out; an object must have it."""
        if path is None:
            return UNSET
        try:
            return freeze(part(raw, path))
        except NoSuchPart:
            if isinstance(raw, Mapping):
                return UNSET
            raise

    def _id(self, raw: Any) -> Answer:
        if raw is None or isinstance(raw, bool) or raw == "":
            return Answer(absent=absence(raw))
        return Answer(id=freeze(raw))

    def _data(self, raw: Any) -> Answer:
        if raw is None or isinstance(raw, bool):
            return Answer(absent=absence(raw))
        return Answer(data=frozen_data(raw, self._shape))

    def _version(self, raw: Any) -> Answer:
        if raw is None or isinstance(raw, bool):
            return Answer(absent=absence(raw))
        return Answer(version=freeze(raw))

    def _versions(self, raw: Any) -> Answer:
        if raw is None or isinstance(raw, bool):
            return Answer(absent=absence(raw))
        path = self._shape.version
        items = [item if path is None or _is_plain(item) else part(item, path) for item in _items(raw)]
        return Answer(versions=tuple(freeze(item) for item in items), count=len(items))

    def _count(self, raw: Any) -> Answer:
        if raw is None or isinstance(raw, bool):
            return Answer(absent=absence(raw))
        if isinstance(raw, int):
            return Answer(count=raw)
        if isinstance(raw, Collection) and not isinstance(raw, (str, bytes)):
            return Answer(count=len(raw))
        raise Unreadable("expected a whole number, or a collection to count")

    def _ids(self, raw: Any) -> Answer:
        if raw is None or isinstance(raw, bool):
            return Answer(absent=absence(raw))
        path = self._shape.id
        ids = [
            freeze(item if path in (None, ".") or _is_plain(item) else part(item, str(path))) for item in _items(raw)
        ]
        return Answer(ids=tuple(ids), count=len(ids))

    def _seconds(self, raw: Any) -> Answer:
        if raw is None or any(kind == NEVER and _same(raw, value) for kind, value in self._meanings):
            return Answer(seconds_us=None, absent=absence(raw))
        if isinstance(raw, bool):
            return Answer(absent=absence(raw))
        if isinstance(raw, timedelta):
            return Answer(seconds_us=raw // timedelta(microseconds=1))
        if not isinstance(raw, (int, float)):
            raise Unreadable("expected a number, a timedelta or None")
        if math.isinf(raw) and raw > 0:
            return Answer(seconds_us=None)
        unit_us = UNITS_US.get(self._profile.timeout_unit, UNITS_US["s"])
        return Answer(seconds_us=round(raw * unit_us))

    def _status(self, raw: Any) -> Answer:
        for state in self._profile.health:
            for value in _several(self._profile.health[state]):
                if _same(raw, value) or (value == "none" and raw is None) or _word(raw) == value:
                    return Answer(status=state)
        if raw is None:
            return Answer(absent=absence(raw))
        return Answer(status=_word(freeze(raw)))

    def _metrics(self, raw: Any) -> Answer:
        if raw is None or isinstance(raw, bool):
            return Answer(absent=absence(raw))
        found = {name: freeze(part(raw, str(path))) for name, path in self._profile.metrics.items()}
        return Answer(metrics=FrozenMap(found))


def absence(raw: Any) -> str | Unset:
    """Return how a falsy value says that nothing is there; UNSET for any other."""
    if raw is None:
        return "none"
    if raw is False:
        return "false"
    try:
        return UNSET if raw else "empty"
    except Exception:  # noqa: BLE001 - an object that refuses to be true or false is there.
        return UNSET


def _items(raw: Any) -> Iterable[Any]:
    if isinstance(raw, (str, bytes)) or not isinstance(raw, Iterable):
        raise Unreadable("expected several values")
    return raw


def _is_plain(item: Any) -> bool:
    return item is None or isinstance(item, _PLAIN)


def _several(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _same(raw: Any, value: Any) -> bool:
    """Say whether a returned value is the declared one: true is not 1, and an enum may be declared by its value."""
    plain = raw.value if isinstance(raw, enum.Enum) else raw
    if isinstance(plain, bool) is not isinstance(value, bool) or (plain is None) is not (value is None):
        return False
    try:
        return bool(plain == value) or (not _is_plain(plain) and freeze(plain) == value)
    except Exception:  # noqa: BLE001 - whatever cannot be compared is not the declared value.
        return False


def _word(value: Any) -> Any:
    """Return an enum member as the word that a profile would write."""
    if value is UNSET or not isinstance(value, enum.Enum):
        return value
    return value.value if isinstance(value.value, str) else value.name.lower()


def _short(raw: Any) -> str:
    try:
        return show(freeze(raw), width_max=80)
    except Exception:  # noqa: BLE001 - the text is for a message; an object that cannot be shown is named by its type.
        return f"an object of type {type(raw).__name__}"
