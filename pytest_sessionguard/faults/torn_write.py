"""The k-th write to a file below {dir} arrives by half."""

from __future__ import annotations

import errno
import os
from typing import Final

from pytest_sessionguard.core.faults import Fault
from pytest_sessionguard.faults import Cut, Effect, FaultKind, Point


def _effect(fault: Fault, point: Point) -> Effect:
    del point
    if fault.subject == "short":
        return Cut(None)
    return Cut(OSError(errno.ENOSPC, f"{os.strerror(errno.ENOSPC)} (injected)"))


FAULT: Final = FaultKind(
    name="torn_write",
    summary='the k-th write to a file below {dir} arrives by half: "error" says so, "short" tells a smaller count',
    example="{torn_write: error, at: every}",
    takes=("error", "short"),
    port="file",
    effect=_effect,
    has_chance=lambda fault, point: point.name == "write",
    whens=("before",),
)
