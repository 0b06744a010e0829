"""The k-th operation on a file below {dir} fails as a device, a full disk or a closed door makes it fail."""

from __future__ import annotations

import errno
import os
from typing import Final

from pytest_sessionguard.core.faults import Fault
from pytest_sessionguard.faults import FaultKind, Option, Point, Raise

ERRORS: Final = ("EIO", "ENOSPC", "EMFILE", "EACCES", "EROFS", "EDQUOT")

# A full disk, or a used-up quota, keeps nobody from removing, from renaming over what is there, from opening what is
# there, or from cutting it short.
_NEEDS_SPACE: Final = frozenset({"open", "write", "mkdir", "fallocate", "link", "symlink", "truncate", "fsync"})
_NEEDS_DESCRIPTOR: Final = frozenset({"open"})

OPERATIONS: Final = (
    "any", "open", "write", "fsync", "fsync-folder", "replace", "unlink", "link", "mkdir", "truncate", "fallocate",
    "utime", "symlink",
)  # fmt: skip


def error_of(name: str) -> OSError:
    """Return the error of that name as the operating system raises it."""
    number = getattr(errno, name, errno.EIO)
    return OSError(number, f"{os.strerror(number)} (injected)")


def _has_chance(fault: Fault, point: Point) -> bool:
    wanted = fault.options.get("operation", "any")
    if wanted not in ("any", point.name):
        return False
    if fault.subject in ("ENOSPC", "EDQUOT"):
        return point.grows and point.name in _NEEDS_SPACE
    return fault.subject != "EMFILE" or point.name in _NEEDS_DESCRIPTOR


FAULT: Final = FaultKind(
    name="io_error",
    summary="the k-th operation on a file below {dir} fails",
    example="{io_error: ENOSPC, at: every, operation: write}",
    takes=ERRORS,
    port="file",
    effect=lambda fault, point: Raise(error_of(str(fault.subject))),
    has_chance=_has_chance,
    options={"operation": Option(takes=OPERATIONS, summary="which operations count; any")},
)
