"""Crash detection and recovery: a folder that tells whether its owner has crashed, and brings back what it kept.

owner        a process that can be told from every other      cascade   has it crashed? (pure)
checkpoints  all sessions at one instant                      records   what became of each recovery
keeper       all of it together, around one session manager
"""

from __future__ import annotations

from pytest_sessionguard.reference.recovery.cascade import Diagnosis, Evidence, diagnose
from pytest_sessionguard.reference.recovery.keeper import GuardedSessions, RecoveryKeeper
from pytest_sessionguard.reference.recovery.records import RecoveryRecord, success_rate

__all__ = ["Diagnosis", "Evidence", "GuardedSessions", "RecoveryKeeper", "RecoveryRecord", "diagnose", "success_rate"]
