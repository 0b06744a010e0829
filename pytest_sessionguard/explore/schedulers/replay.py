"""The decisions of a schedule that was recorded, one after the other.

After its last decision, whoever runs goes on; a schedule that names a strand which cannot run is refused, never bent.
"""

from __future__ import annotations

from collections.abc import Sequence

from pytest_sessionguard.core.schedule import Schedule, SchedulerKind, Settings, letter
from pytest_sessionguard.errors import ScheduleMisfit


class Replay:
    """One run, as recorded."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._choices = schedule.choices
        self._at = 0

    def begin(self) -> None:
        self._at = 0

    def choose(self, enabled: Sequence[int], current: int) -> int:
        at = self._at
        if at >= len(self._choices):
            return current if current in enabled else enabled[0]
        self._at = at + 1
        wanted = self._choices[at]
        if wanted not in enabled:
            raise ScheduleMisfit(str(self._schedule), decision=at + 1, wanted=letter(wanted), able=map(letter, enabled))
        return wanted

    def end(self) -> bool:
        return False


def _make(settings: Settings) -> Replay:
    return Replay(settings.schedule)


SCHEDULER = SchedulerKind(name="replay", summary="a schedule that was recorded; one run", make=_make, ends=True)
