"""Settings: an argument, else the environment, else the default; checked once, at construction.

Pure but for `os.environ`, which is read only when no environment is given.  Everything that a manager may promise
differently is one field of `Rules`; the book reads nothing else.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeVar, get_args

from pytest_sessionguard.errors import InvalidSession, InvalidSetting, SessionError

AtTimeout = Literal["expired", "alive"]
LimitScope = Literal["manager", "owner"]
AtLimit = Literal["error", "evict-oldest"]
Expired = Literal["marked", "gone"]
AtStop = Literal["ends", "keeps"]

TIMEOUT_SECS: Final = 3600.0
MAX_CONCURRENT: Final = 100
CLEANUP_INTERVAL_SECS: Final = 300.0
SECONDS_MAX: Final = 1e11  # three thousand years: an instant and a span still fit into 63 bits of microseconds

Word = TypeVar("Word", bound=str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a manager promises.

    Units: microseconds; None is endless, unlimited or never.
    """

    timeout_us: int | None = 3_600_000_000
    lifetime_us: int | None = None
    grace_us: int | None = None
    at_timeout: AtTimeout = "expired"
    limit: int | None = MAX_CONCURRENT
    limit_scope: LimitScope = "manager"
    at_limit: AtLimit = "error"
    expired: Expired = "marked"

    def span(self, timeout_us: int | None) -> int | None:
        """Return the half-open span that a timeout stands for.

        Idle >= timeout is dead: the span is the timeout.  Idle > timeout is dead: at the timeout itself the session
        still answers, so the span reaches one microsecond past it.
        """
        if timeout_us is None or self.at_timeout == "expired":
            return timeout_us
        return timeout_us + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Rules, and what only the faces need."""

    rules: Rules
    cleanup_interval_secs: float | None
    at_stop: AtStop | None


def read(
    *,
    timeout_secs: float | None,
    absolute_timeout_secs: float | None,
    resume_secs: float | None,
    max_concurrent: int | None,
    cleanup_interval_secs: float | None,
    at_timeout: str,
    limit_scope: str,
    at_limit: str,
    expired: str,
    at_stop: str | None,
    environ: Mapping[str, str] | None,
) -> Settings:
    """Return the settings; None asks for the environment's value, then for the default; `math.inf` for none at all.

    Raises:
        InvalidSetting: a value that cannot be; the message says which, where it came from, and what was expected.
    """
    env = os.environ if environ is None else environ
    timeout, timeout_source = _first("timeout_secs", timeout_secs, "SESSION_TIMEOUT_SECS", env, TIMEOUT_SECS)
    limit, limit_source = _first("max_concurrent", max_concurrent, "SESSION_MAX_CONCURRENT", env, MAX_CONCURRENT)
    interval, interval_source = _first(
        "cleanup_interval_secs", cleanup_interval_secs, "SESSION_CLEANUP_INTERVAL", env, CLEANUP_INTERVAL_SECS
    )
    interval_us = _span(interval_source, interval)
    rules = Rules(
        timeout_us=_span(timeout_source, timeout),
        lifetime_us=_optional_span("absolute_timeout_secs", absolute_timeout_secs),
        grace_us=_optional_span("resume_secs", resume_secs),
        at_timeout=_word("at_timeout", at_timeout, get_args(AtTimeout)),
        limit=_limit(limit_source, limit),
        limit_scope=_word("limit_scope", limit_scope, get_args(LimitScope)),
        at_limit=_word("at_limit", at_limit, get_args(AtLimit)),
        expired=_word("expired", expired, get_args(Expired)),
    )
    return Settings(
        rules=rules,
        cleanup_interval_secs=None if interval_us is None else interval_us / 1e6,
        at_stop=None if at_stop is None else _word("at_stop", at_stop, get_args(AtStop)),
    )


def timeout_of(timeout_secs: float | None, rules: Rules) -> int | None:
    """Return the idle timeout of one session: its own, or the manager's.

    Raises:
        InvalidSession: not a positive number of seconds.
    """
    if timeout_secs is None:
        return rules.timeout_us
    try:
        return _microseconds(timeout_secs)
    except ValueError as problem:
        raise InvalidSession("timeout_secs", timeout_secs, str(problem)) from None


@dataclass(frozen=True, slots=True)
class _Source:
    kind: str
    name: str

    def refuse(self, given: object, expected: str) -> SessionError:
        return InvalidSetting(self.name, given, expected, source=self.kind)


def _first(
    name: str, argument: object, variable: str, environ: Mapping[str, str], default: float
) -> tuple[object, _Source]:
    if argument is not None:
        return argument, _Source("argument", name)
    text = environ.get(variable)
    if text is None:
        return default, _Source("default", name)
    source = _Source("environment", variable)
    try:
        return (int(text) if text.strip().lstrip("+-").isdigit() else float(text)), source
    except ValueError:
        raise source.refuse(text, "a number") from None


def _microseconds(given: object) -> int | None:
    """Return seconds as microseconds, None for infinity; a bool, zero, a negative and NaN are no spans."""
    expected = "a number of seconds of at least 0.000001, or infinity for none"
    if isinstance(given, bool) or not isinstance(given, int | float) or given != given:  # NaN differs from itself
        raise ValueError(expected)
    if given == math.inf:
        return None
    if not 0 < given <= SECONDS_MAX or round(given * 1_000_000) == 0:
        raise ValueError(f"{expected}, and at most {SECONDS_MAX:g}")
    return round(given * 1_000_000)


def _span(source: _Source, given: object) -> int | None:
    try:
        return _microseconds(given)
    except ValueError as problem:
        raise source.refuse(given, str(problem)) from None


def _optional_span(name: str, given: object) -> int | None:
    return None if given is None else _span(_Source("argument", name), given)


def _limit(source: _Source, given: object) -> int | None:
    if given == math.inf:
        return None
    if isinstance(given, bool) or not isinstance(given, int) or given < 1:
        raise source.refuse(given, "a whole number of at least 1, or infinity for no limit")
    return given


def _word(name: str, given: object, words: tuple[Word, ...]) -> Word:
    for word in words:
        if given == word:
            return word
    raise InvalidSetting(name, given, " or ".join(repr(word) for word in words))
