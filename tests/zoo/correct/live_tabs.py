"""Browser tabs: whoever asks for a tab is given the tab itself, and what he writes into it is there for all at once.

Entered and left with `with`; where there is no room for another tab, any may be closed for it.
"""

from __future__ import annotations

import time
import uuid
from types import TracebackType
from typing import Any


class Tab:
    """One tab."""

    def __init__(self, page: dict[str, Any]) -> None:
        self.key = uuid.uuid4().hex
        self.page = dict(page)
        self.used = time.time()


class LiveTabs:
    """Keeps tabs."""

    def __init__(self, idle_s: float, room: int) -> None:
        self.idle_s = idle_s
        self.room = room
        self.tabs: dict[str, Tab] = {}

    def __enter__(self) -> LiveTabs:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.tabs.clear()

    def discard(self) -> int:
        """Close the tabs that nobody has looked at for too long and return how many they were."""
        now = time.time()
        over = [key for key, tab in self.tabs.items() if now - tab.used > self.idle_s]
        for key in over:
            del self.tabs[key]
        return len(over)

    def open(self, page: dict[str, Any]) -> Tab:
        """Open a tab."""
        self.discard()
        if len(self.tabs) >= self.room:
            self.tabs.popitem()
        tab = Tab(page)
        self.tabs[tab.key] = tab
        return tab

    def show(self, key: str) -> Tab | None:
        """Return the tab, or None; looking at it keeps it open."""
        self.discard()
        tab = self.tabs.get(key)
        if tab is not None:
            tab.used = time.time()
        return tab

    def is_open(self, key: str) -> bool:
        """Say whether a tab is open, and keep it open no longer for that."""
        self.discard()
        return key in self.tabs

    def browse(self, key: str, page: dict[str, Any]) -> bool:
        """Put another page into a tab; False when there is none."""
        tab = self.show(key)
        if tab is None:
            return False
        tab.page = dict(page)
        return True

    def take(self) -> Tab | None:
        """Close any one tab and return it; None when there is none."""
        self.discard()
        return self.tabs.popitem()[1] if self.tabs else None

    def close(self, key: str) -> bool:
        """Close a tab; False when there was none."""
        self.discard()
        return self.tabs.pop(key, None) is not None

    def __len__(self) -> int:
        self.discard()
        return len(self.tabs)
