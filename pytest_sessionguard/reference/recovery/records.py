"""What became of each recovery, one document each, kept for good."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Final

from pytest_sessionguard.reference import sealed

STATUSES: Final = ("pending", "in-progress", "success", "partial", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryRecord:
    """One recovery.

    Units: instants in microseconds since 1970, `lost_us` microseconds.
    Attributes:
        status: pending, in-progress, success, partial (an older checkpoint, or files that have changed), or failed.
        reason: why it was taken to have crashed.
        attempts: how often it was tried, crashes during recovery counted.
        checkpoint: the number of the one that was used, or None.
        restored: sessions brought back; `expired`: those that had run out meanwhile.
        files_verified: files whose bytes are as they were; `files_changed`: those whose are not.
        lost_us: from the checkpoint to the last sign of life: what was done in that time is lost.
    """

    number: int
    status: str
    reason: str
    began_us: int
    ended_us: int | None = None
    attempts: int = 1
    checkpoint: int | None = None
    restored: int = 0
    expired: int = 0
    files_verified: int = 0
    files_changed: tuple[str, ...] = ()
    lost_us: int | None = None
    problems: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise ValueError(f"a recovery is {', '.join(STATUSES)}, not {self.status!r}")

    @property
    def is_over(self) -> bool:
        """Whether nobody works at it any more."""
        return self.status in ("success", "partial", "failed")


class Records:
    """The records of one folder."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def write(self, record: RecoveryRecord) -> RecoveryRecord:
        """Keep a record in the place of the one of its number."""
        os.makedirs(self._folder, exist_ok=True)
        sealed.write(os.path.join(self._folder, f"{record.number:010}.json"), asdict(record))
        sealed.sync_folder(self._folder)
        return record

    def all(self) -> tuple[RecoveryRecord, ...]:
        """Return every record that can be read, the oldest first."""
        try:
            names = sorted(name for name in os.listdir(self._folder) if name.endswith(".json"))
        except FileNotFoundError:
            return ()
        found = [sealed.read(os.path.join(self._folder, name)) for name in names]
        return tuple(
            RecoveryRecord(**one | {name: tuple(one[name]) for name in ("files_changed", "problems")})
            for one in found
            if isinstance(one, dict)
        )

    def begin(self, reason: str, now_us: int) -> RecoveryRecord:
        """Return the recovery that is to go on: one that was interrupted, tried once more, or a new one."""
        known = self.all()
        if known and not known[-1].is_over:
            return replace(known[-1], attempts=known[-1].attempts + 1)
        number = known[-1].number + 1 if known else 1
        return RecoveryRecord(number=number, status="pending", reason=reason, began_us=now_us)


def success_rate(records: Iterable[RecoveryRecord]) -> float | None:
    """Return which part of the recoveries that are over brought everything back, or None where there was none."""
    over = [record for record in records if record.is_over]
    return sum(record.status == "success" for record in over) / len(over) if over else None
