"""What a manager counts.

`Metrics` is a value; `Tally` is the only thing here that changes.  Ages are of live sessions at the instant of asking
and cost the same for one session as for a million.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pytest_sessionguard.reference.sessions import Session, Status
from pytest_sessionguard.reference.stores import Census

# Upper bounds of the histogram, inclusive; what lasted longer than the last falls into one more, endless bucket.
DURATION_BOUNDS_S: Final = (1.0, 10.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 14400.0, 28800.0, 86400.0)
_BOUNDS_US: Final = tuple(round(bound * 1e6) for bound in DURATION_BOUNDS_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """Figures at one instant.

    Units: ages and `duration_sum` in seconds; ages are 0.0 when no session is live.
    Shape: `total` counts stored sessions, `active` the live ones; `expired` counts those still stored, too.
        `durations[i]` sessions lasted at most `DURATION_BOUNDS_S[i]` and longer than the bound before; the last is
        endless.
    """

    total: int
    active: int
    oldest_age: float
    newest_age: float
    average_age: float
    created: int
    expired: int
    closed: int
    close_errors: int
    durations: tuple[int, ...]
    duration_sum: float


class Tally:
    """Counts what this manager began and ended; any thread may count."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._created = 0
        self._expired = 0
        self._closed = 0
        self._close_errors = 0
        self._durations = [0] * (len(_BOUNDS_US) + 1)
        self._duration_sum_us = 0

    def count_created(self) -> None:
        """Count a session that began."""
        with self._lock:
            self._created += 1

    def count_close_error(self) -> None:
        """Count a resource or a hook that failed at the end of a session."""
        with self._lock:
            self._close_errors += 1

    def count_ended(self, ended: Iterable[Session]) -> None:
        """Count sessions that came to their end, by how and after how long."""
        with self._lock:
            for session in ended:
                if session.status is Status.EXPIRED:
                    self._expired += 1
                else:
                    self._closed += 1
                lasted_us = (session.expires_us or session.created_us) - session.created_us
                self._durations[bisect_left(_BOUNDS_US, lasted_us)] += 1
                self._duration_sum_us += lasted_us

    def at(self, census: Census, *, now_us: int) -> Metrics:
        """Return everything counted so far, beside a census taken at `now_us`."""
        active = census.active
        with self._lock:
            return Metrics(
                total=census.total,
                active=active,
                oldest_age=_age_s(census.oldest_created_us, now_us),
                newest_age=_age_s(census.newest_created_us, now_us),
                average_age=census.age_sum_us / active / 1e6 if active else 0.0,
                created=self._created,
                expired=self._expired + census.unsettled,
                closed=self._closed,
                close_errors=self._close_errors,
                durations=tuple(self._durations),
                duration_sum=self._duration_sum_us / 1e6,
            )


def _age_s(created_us: int | None, now_us: int) -> float:
    return 0.0 if created_us is None else (now_us - created_us) / 1e6
