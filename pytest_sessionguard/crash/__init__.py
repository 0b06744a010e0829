"""What a crash may leave: file operations recorded, every state that they allow rebuilt, reopened and judged.

Knows nothing of sessions.  `explore` takes a workload and a judge; what a crash leaves of the operations in between is
said by a persistence model.  Nothing here decides what is right: the judge does.
"""

from __future__ import annotations

from pytest_sessionguard.crash.explorer import CrashFailure, CrashReport, explore, explore_log
from pytest_sessionguard.crash.persistence import KILL, MODELS, ORDERED, STRICT, Persistence
from pytest_sessionguard.crash.recorder import Recording, record

__all__ = [
    "KILL",
    "MODELS",
    "ORDERED",
    "STRICT",
    "CrashFailure",
    "CrashReport",
    "Persistence",
    "Recording",
    "explore",
    "explore_log",
    "record",
]
