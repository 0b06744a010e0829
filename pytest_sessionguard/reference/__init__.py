"""The reference session system: complete and honest, to prove the harness on, and to run.

It imports nothing of the harness but the errors.  Names are imported when they are first asked for, so that nobody
pays for a face or a store that they do not use.

    sessions  the life of one session, as a table (pure)          documents  what a session may hold (pure)
    book      every operation, decided over a ledger (pure)       settings   arguments, then environment -> rules
    engine    clock, ids, counters, refusals: what both faces share
    manager   the sync face        aio  the async face            stores/    where sessions are kept
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pytest_sessionguard.reference.aio import AsyncSessionManager
    from pytest_sessionguard.reference.manager import SessionManager
    from pytest_sessionguard.reference.metrics import Metrics
    from pytest_sessionguard.reference.sessions import Session, Status
    from pytest_sessionguard.reference.stores import Store

__all__ = ["AsyncSessionManager", "Metrics", "Session", "SessionManager", "Status", "Store"]

_HOME: Final = {
    "AsyncSessionManager": "aio",
    "Metrics": "metrics",
    "Session": "sessions",
    "SessionManager": "manager",
    "Status": "sessions",
    "Store": "stores",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
