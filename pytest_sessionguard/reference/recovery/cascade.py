"""Has the owner crashed?  Five questions in a fixed order; the first that is answered yes is the reason.

Pure: evidence in, diagnosis out.  A graceful end comes before all questions: who has ended has not crashed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pytest_sessionguard.reference.recovery.owner import Owner

HEARTBEAT_LIMIT_US: Final = 300_000_000
DISK_FREE_MIN: Final = 100 * 1024 * 1024
ORPHANED_AFTER_US: Final = 3_600_000_000

LAYERS: Final = ("process-dead", "heartbeat-stale", "corrupt", "disk-low", "orphaned")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was found of an owner.

    Units: instants in microseconds since 1970, `disk_free` bytes.
    Attributes:
        graceful: it has said that it ended.
        owner: who it was, or None where nobody has written that down.
        lock_free: nobody holds the owner's lock: it dies with its holder.
        running: the very process still runs.
        heartbeat_us: its last sign of life; None: it never gave one.
        integrity: what is wrong with the newest checkpoint; empty where nothing is.
        last_update_us: when anything was last written; None: never.
        checkpoint_owner: whether the newest checkpoint names an owner; None: there is no checkpoint.
    """

    graceful: bool
    owner: Owner | None
    lock_free: bool
    running: bool
    heartbeat_us: int | None
    integrity: str
    disk_free: int
    last_update_us: int | None
    checkpoint_owner: bool | None


@dataclass(frozen=True, slots=True)
class Layer:
    """One question, its answer, and what the answer rests on."""

    name: str
    hit: bool
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What the cascade says.

    Attributes:
        status: "new" (nothing was ever here), "ended", "ok", or "crashed".
        reason: the layer that was hit first, or empty.
        layers: the questions that were asked, in their order; all five unless it has ended or there is nothing.
    """

    status: str
    reason: str = ""
    layers: tuple[Layer, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def word(self) -> str:
        """One word for it: the reason of a crash, else the status."""
        return self.reason or self.status


def diagnose(evidence: Evidence, *, now_us: int) -> Diagnosis:
    """Ask the five questions."""
    if evidence.graceful:
        return Diagnosis(status="ended")
    if evidence.owner is None and evidence.checkpoint_owner is None and not evidence.integrity:
        return Diagnosis(status="new")
    layers = [_process(evidence), _heartbeat(evidence, now_us), _integrity(evidence)]
    is_well = not any(layer.hit for layer in layers) and evidence.running and not evidence.lock_free
    is_low, told = evidence.disk_free < DISK_FREE_MIN, f"{evidence.disk_free:,} bytes free of {DISK_FREE_MIN:,}"
    layers += [Layer("disk-low", is_low and not is_well, told), _orphaned(evidence, now_us)]
    warnings = (f"disk low: {told}",) if is_low and is_well else ()
    reason = next((layer.name for layer in layers if layer.hit), "")
    return Diagnosis(status="crashed" if reason else "ok", reason=reason, layers=tuple(layers), warnings=warnings)


def _process(evidence: Evidence) -> Layer:
    owner = evidence.owner
    if owner is None:
        return Layer("process-dead", False, "nobody has written down who owns this")
    lock = "its lock is free" if evidence.lock_free else "its lock is held"
    life = "it runs" if evidence.running else "no process of its number and start runs in this life of the machine"
    return Layer("process-dead", evidence.lock_free and not evidence.running, f"process {owner.pid}: {lock}, {life}")


def _heartbeat(evidence: Evidence, now_us: int) -> Layer:
    if evidence.heartbeat_us is None:
        return Layer("heartbeat-stale", False, "it never gave a sign of life")
    # A clock that was set back makes no heartbeat old.
    age_us = now_us - evidence.heartbeat_us
    told = f"last sign of life {age_us / 1e6:g} s ago, of {HEARTBEAT_LIMIT_US / 1e6:g} s at most"
    return Layer("heartbeat-stale", age_us > HEARTBEAT_LIMIT_US, told)


def _integrity(evidence: Evidence) -> Layer:
    return Layer("corrupt", bool(evidence.integrity), evidence.integrity or "the newest checkpoint is sound")


def _orphaned(evidence: Evidence, now_us: int) -> Layer:
    if evidence.checkpoint_owner is False:
        return Layer("orphaned", True, "the newest checkpoint names no owner")
    if evidence.last_update_us is None:
        return Layer("orphaned", False, "nothing was ever written")
    age_us = now_us - evidence.last_update_us
    told = f"no graceful end, last written {age_us / 1e6:g} s ago, of {ORPHANED_AFTER_US / 1e6:g} s at most"
    return Layer("orphaned", age_us > ORPHANED_AFTER_US, told)
