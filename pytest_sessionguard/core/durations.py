"""Spans of time: "30m" <-> integer microseconds.

Pure.  Inside the package time is always an integer number of microseconds, so that a boundary is exact.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

UNITS_US: Final = {
    "us": 1,
    "ms": 1_000,
    "s": 1_000_000,
    "m": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
}

_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(us|ms|s|m|h|d)")
_WHOLE: Final = re.compile(r"(?:\d+(?:\.\d+)?(?:us|ms|s|m|h|d)\s*)+")


def parse(text: str | int | float) -> int:
    """Return the duration as microseconds: "90s", "1h30m", "1.5ms", or a plain number of seconds.

    Units: microseconds.
    Raises:
        ValueError: not a duration, negative, or finer than a microsecond.
    """
    if isinstance(text, bool):
        raise ValueError(f"{text!r} is not a duration")
    if isinstance(text, (int, float)):
        amount = Decimal(str(text)) * UNITS_US["s"]
    else:
        word = text.strip()
        if not _WHOLE.fullmatch(word):
            raise ValueError(f"{text!r} is not a duration: write a number and a unit, such as 90s, 30m, 1h30m or 5ms")
        amount = sum((Decimal(number) * UNITS_US[unit] for number, unit in _PART.findall(word)), Decimal(0))
    if not amount.is_finite():
        raise ValueError(f"{text!r} is not a duration")
    if amount < 0:
        raise ValueError(f"{text!r} is negative: a duration is zero or more")
    if amount != amount.to_integral_value():
        raise ValueError(f"{text!r} is finer than a microsecond, the smallest step of time")
    return int(amount)


def show(span_us: int) -> str:
    """Return the shortest exact spelling: 5_400_000_000 -> "1h30m", 0 -> "0s", -5 -> "-5us"."""
    if span_us == 0:
        return "0s"
    sign, rest = ("-", -span_us) if span_us < 0 else ("", span_us)
    parts = []
    for unit in ("d", "h", "m", "s", "ms", "us"):
        count, rest = divmod(rest, UNITS_US[unit])
        if count:
            parts.append(f"{count}{unit}")
    return sign + "".join(parts)
