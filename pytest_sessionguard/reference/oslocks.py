"""Locks of the operating system, on an open file: they die with their holder, however it dies."""

from __future__ import annotations

from pytest_sessionguard.errors import InvalidSetting


def take(descriptor: int) -> bool:
    """Take the lock, if nobody else holds it.

    Raises:
        InvalidSetting: this system has no such locks.
    """
    try:
        import fcntl
    except ImportError:
        raise InvalidSetting("store", "file", "a system with flock: this one has none; take sqlite") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def give_back(descriptor: int) -> None:
    """Let go of the lock."""
    import fcntl

    fcntl.flock(descriptor, fcntl.LOCK_UN)
