"""The session store of a shop, with what the forms of templates need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Conflict(Exception):
    """Somebody else wrote first."""


NOT_AN_ERROR = 42


class Inner:
    def load(self, id: str) -> Any:
        return None


class WebSessionStore:
    namespace = "shop"

    def __init__(
        self,
        idle_timeout: float,
        max_per_user: int = 5,
        root: str = ".",
        on_close: Callable[[Any], Any] | None = None,
    ) -> None:
        self.kept: dict[str, Any] = {}
        self.inner = Inner()

    def create(self, owner: str, data: Any = None, *, ttl: float | None = None) -> str:
        return "s1"

    def load(self, id: str) -> Any:
        return self.kept.get(id)

    def touch(self, id: str) -> bool:
        return id in self.kept

    def save(self, id: str, data: Any, version: int) -> int:
        return version + 1

    def delete(self, id: str) -> bool:
        return False

    def sessions_of(self, owner: str) -> list[str]:
        return []

    def purge(self) -> int:
        return 0

    @staticmethod
    def ping() -> None:
        """Say nothing."""

    @property
    def size(self) -> int:
        return len(self.kept)

    def __getitem__(self, id: str) -> Any:
        return self.kept[id]


class Lazy:
    """Takes anything and answers any name."""

    def __init__(self, **settings: Any) -> None: ...

    def __getattr__(self, name: str) -> Any:
        return lambda *given, **named: None


def make_store(idle_timeout: float = 60.0) -> WebSessionStore:
    """Return a store."""
    return WebSessionStore(idle_timeout)


def look_up(manager: WebSessionStore, id: str) -> Any:
    """Return a session."""
    return manager.load(id)


def clean() -> None:
    """Clean up before a case."""
