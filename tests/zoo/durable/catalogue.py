"""Every durable store of this folder by name: the sound ones, and the bugs with what each may rightly be blamed on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pytest_sessionguard.target.shape import Profile
from zoo.durable import bases, common, files, lines, logs, pickles, slots, snapshots


@dataclass(frozen=True)
class Durable:
    """One store.

    Attributes:
        properties: those that it may rightly be blamed on; none for a sound one.
    """

    factory: Any
    properties: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """Return the name that a table shows."""
        return f"{self.factory.__module__.rpartition('.')[2]}.{self.factory.__name__}"

    def profile(self) -> Profile:
        """Return its profile: idle for ten minutes, and everything survives a loss of power."""
        module = self.factory.__module__.rpartition(".")[2]
        operations = dict(_OPERATIONS)
        manager: dict[str, Any] = {"factory": self.factory, "args": {"root": "{dir}", "idle": "{idle_timeout}"}}
        policy: dict[str, Any] = {"damage": _DAMAGE.get(module, "undeclared")}
        if module == "files":
            manager["hooks"] = {"on_commit": "commit(id)"}
            policy |= {"limit": files.LIMIT, "limit_counts": "live"}
        if hasattr(self.factory, "recover"):
            operations["recover"] = "recover()"
        errors: dict[str, Any] = {"corrupt": [one.Damaged for one in (files, logs, bases, common)]}
        if module == "files":
            errors["limit"] = files.Full
        return Profile.of(
            {
                "manager": manager,
                "operations": operations,
                "policy": {
                    "idle_timeout": "10m",
                    "missing": {"get": "none", "update": "false", "touch": "false", "delete": "false"},
                    "survives": "power-loss",
                    **policy,
                },
                "errors": errors,
            },
            name=self.name,
        )


_OPERATIONS: Final = {
    "create": "create(data?) -> id",
    "get": "get(id) -> data",
    "update": "update(id, changes) -> found",
    "touch": "touch(id) -> found",
    "delete": "delete(id) -> found",
    "list": "list() -> ids",
    "close": "close()",
}
_DAMAGE: Final = {"files": "repaired", "logs": "detected", "bases": "detected", "lines": "detected"}

_LOST: Final = frozenset({"durability.kill", "durability.power-loss"})
_POWER: Final = frozenset({"durability.power-loss"})
_ENDED: Final = frozenset({"durability.restart", *_LOST})
_DAMAGED: Final = frozenset({"durability.damage"})
_RECOVERY: Final = frozenset({"recovery.complete", "recovery.idempotent", "recovery.crash-during"})
_ATOMIC: Final = frozenset({"fault.atomic"})
_REPORTED: Final = frozenset({"fault.reported"})
_LEAK: Final = frozenset({"fault.no-leak"})

SOUND: Final = (
    Durable(files.Files),
    Durable(logs.Log),
    Durable(bases.Base),
    Durable(bases.Extra),
    Durable(lines.Lines),
    Durable(slots.Slots),
    Durable(pickles.Pickles),
    Durable(snapshots.Snapshots),
    Durable(snapshots.Shelves),
)

_BUGS: Final[Mapping[Any, frozenset[str]]] = {
    files.InPlace: _LOST | _ATOMIC | _DAMAGED,
    files.RenameWithoutFsync: _POWER,
    files.NoFolderSync: _POWER,
    files.FsyncBeforeFlush: _POWER,
    files.BackupGap: _LOST | _ATOMIC,
    files.RemovedFirst: _LOST | _ATOMIC | _DAMAGED,
    files.DeleteNotSynced: _POWER,
    files.DeleteLeavesBackup: _ENDED,
    files.TouchInMemory: _ENDED,
    files.ExpiryLost: _ENDED | {"recovery.idempotent", "expiry.idle"},
    files.LateCreate: _LOST | _ATOMIC | _REPORTED,
    files.SharedFresh: _LOST | _ATOMIC,
    files.NoChecksum: _DAMAGED | _POWER,
    files.DamageUntyped: _DAMAGED,
    files.DamageEmptied: _DAMAGED,
    files.DamageHidden: _DAMAGED,
    files.BackupUnused: _DAMAGED,
    files.BackupUnchecked: _DAMAGED,
    files.RecoveryRemovesFirst: _RECOVERY | _LOST,
    files.RecoveryForgets: _RECOVERY | _LOST,
    files.RecoveryOnce: _RECOVERY | _ENDED,
    files.Swallowed: _REPORTED | _ATOMIC,
    files.LockLeak: _LEAK,
    files.SlotLeak: _LEAK,
    files.AheadOfDisk: _ATOMIC,
    files.HookAfterwards: _ATOMIC | _REPORTED,
    files.HookSwallowed: _REPORTED | _ATOMIC,
    files.LeftBehind: _LEAK | _ATOMIC | _LOST,
    logs.NoLineChecksum: _POWER | _DAMAGED,
    logs.NotFlushed: _POWER | _ATOMIC | _REPORTED,
    logs.Buffered: _ENDED | _REPORTED | _ATOMIC,  # The file that it holds open is not the one that recovery wrote.
    logs.GroupCommit: _LOST | _REPORTED | _ATOMIC,
    logs.TornTailKept: _RECOVERY | _LOST | _ATOMIC,  # What a full disk cuts off is a torn end, too.
    logs.IndexBeforeData: _LOST | _DAMAGED | _ATOMIC,
    logs.DeleteInMemory: _ENDED | _REPORTED,
    logs.IdsReused: _ENDED | {"lifecycle.ids-unique", "recovery.idempotent"},
    logs.CompactedInPlace: _RECOVERY | _LOST,
    logs.CompactedUnsynced: _RECOVERY | _POWER,
    logs.RemovedBeforeUse: _RECOVERY | _LOST,
    logs.RecoveredTwice: _RECOVERY | _LOST,
    logs.TailLost: _ENDED | _RECOVERY,
    logs.TornAppend: _ATOMIC | _LEAK | _REPORTED,
    logs.Half: _LOST | _ATOMIC,
    lines.WrittenAnewInPlace: _LOST | _ATOMIC,
    lines.LastLeftOut: _ENDED | _REPORTED,
    lines.NewLogUnflushed: _POWER,
    lines.NewNameUnflushed: _POWER,
    lines.HalfALineLeft: _ATOMIC | _LEAK | _REPORTED,
    slots.OneSlot: _LOST | _ATOMIC,
    slots.SlotUnflushed: _POWER,
    slots.HeadBelieved: _LOST | _ATOMIC | _LEAK,
    slots.DiskFullPassedOver: _REPORTED,
    pickles.FolderUnflushed: _POWER,
    pickles.TouchedInPlace: _LOST | _ATOMIC,
    pickles.IndexBehind: _LOST | _ATOMIC,
    pickles.UnlinkedFirst: _LOST | _ATOMIC,
    snapshots.ChangesGoneFirst: _LOST | _ATOMIC,
    snapshots.SnapshotUnflushed: _POWER,
    snapshots.SeenAnew: _ENDED | {"expiry.idle"},
    snapshots.ShelfUnflushed: _POWER,
    bases.Normal: _POWER,
    bases.LateCommit: _LOST,
    bases.TwoTransactions: _LOST,
    bases.RowUnsealed: _DAMAGED,
    bases.SoftDelete: _ENDED,
}

BUGS: Final = tuple(Durable(factory, properties) for factory, properties in _BUGS.items())
