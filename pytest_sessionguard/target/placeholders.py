"""`{dir}`, `{limit}`, `{idle_timeout}`: what a profile leaves to be filled in for each case.

Pure.  A string that is one placeholder takes the figure with its type; within a longer text it becomes text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from pytest_sessionguard.core import durations

PLACES: Final = ("dir", "endpoint", "host", "port")
TIMES: Final = ("idle_timeout", "absolute_timeout", "sweep_interval")
NUMBERS: Final = ("limit", "history_limit")
FIGURES: Final = TIMES + NUMBERS
PLACEHOLDERS: Final = PLACES + FIGURES

UNITS_US: Final = {"s": durations.UNITS_US["s"], "ms": durations.UNITS_US["ms"], "m": durations.UNITS_US["m"]}
TIMEOUT_UNITS: Final = (*UNITS_US, "timedelta")

_WRITTEN: Final = re.compile(r"\{([A-Za-z_]\w*)\}")


def names_in(value: Any) -> tuple[str, ...]:
    """Return the known placeholders in a value, however deep, in their order."""
    if isinstance(value, str):
        return tuple(name for name in _WRITTEN.findall(value) if name in PLACEHOLDERS)
    if isinstance(value, Mapping):
        return tuple(name for item in value.values() for name in names_in(item))
    if isinstance(value, (list, tuple)):
        return tuple(name for item in value for name in names_in(item))
    return ()


def words_in(text: str) -> tuple[tuple[str, int], ...]:
    """Return everything in the text that is written like a placeholder, known or not, and where it starts (from 0)."""
    return tuple((match.group(1), match.start()) for match in _WRITTEN.finditer(text))


def fill(value: Any, figures: Mapping[str, Any]) -> Any:
    """Return the value with its placeholders filled in; lists and tables are made afresh, other objects handed on.

    A placeholder that has no figure stays as it is written.
    """
    if isinstance(value, str):
        whole = _WRITTEN.fullmatch(value)
        if whole is not None and whole.group(1) in figures:
            return figures[whole.group(1)]
        return _WRITTEN.sub(lambda match: str(figures.get(match.group(1), match.group())), value)
    if isinstance(value, Mapping):
        return {key: fill(item, figures) for key, item in value.items()}
    if isinstance(value, list):
        return [fill(item, figures) for item in value]
    if isinstance(value, tuple):
        return tuple(fill(item, figures) for item in value)
    return value


def in_unit(span_us: int | None, unit: str) -> int | float | timedelta | None:
    """Return a span in the unit that a manager takes: a whole number of units is an `int`.

    Units: the profile's `timeout_unit`.
    """
    if span_us is None:
        return None
    if unit == "timedelta":
        return timedelta(microseconds=span_us)
    whole, rest = divmod(span_us, UNITS_US[unit])
    return span_us / UNITS_US[unit] if rest else whole
