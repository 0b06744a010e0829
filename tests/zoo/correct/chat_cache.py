"""Chats under keys of the caller's choice: got or made, and the one idle for longest makes room."""

from __future__ import annotations

import copy
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any


@dataclass
class Chat:
    """One chat: what was said, and when it was last used."""

    value: dict[str, Any]
    seen: float


class ChatCache:
    """Maps keys to chats, the one idle for longest first; every use renews."""

    def __init__(self, ttl_s: float, room: int) -> None:
        self.ttl_s = ttl_s
        self.room = room
        self.chats: OrderedDict[str, Chat] = OrderedDict()
        self.lock = threading.RLock()

    def _find(self, key: str, *, renew: bool = False) -> Chat | None:
        chat = self.chats.get(key)
        if chat is None:
            return None
        if time.monotonic() - chat.seen > self.ttl_s:
            del self.chats[key]
            return None
        if renew:
            chat.seen = time.monotonic()
            self.chats.move_to_end(key)
        return chat

    def _use(self, key: str) -> Chat:
        chat = self._find(key, renew=True)
        if chat is None:
            raise KeyError(key)
        return chat

    def open(self, key: str, data: dict[str, Any] | None = None) -> dict[str, Any]:
        """Get the chat of a key, or make it."""
        with self.lock:
            chat = self._find(key, renew=True)
            if chat is None:
                self.vacuum()
                while len(self.chats) >= self.room:
                    self.chats.popitem(last=False)
                chat = self.chats[key] = Chat(copy.deepcopy(data or {}), time.monotonic())
            return {"key": key, "value": copy.deepcopy(chat.value)}

    def __getitem__(self, key: str) -> dict[str, Any]:
        with self.lock:
            return copy.deepcopy(self._use(key).value)

    def has(self, key: str) -> bool:
        """Say whether there is a chat, and renew nothing."""
        with self.lock:
            return self._find(key) is not None

    def touch(self, key: str) -> bool:
        """Renew a chat."""
        with self.lock:
            return self._find(key, renew=True) is not None

    def put(self, key: str, name: str, value: Any) -> None:
        """Set one value of a chat."""
        with self.lock:
            self._use(key).value[name] = copy.deepcopy(value)

    def append(self, key: str, name: str, value: Any) -> None:
        """Add to one list of a chat."""
        with self.lock:
            self._use(key).value.setdefault(name, []).append(copy.deepcopy(value))

    def pop(self, key: str, default: Any = None) -> Any:
        """Take a chat out."""
        with self.lock:
            chat = self._find(key)
            if chat is None:
                return default
            del self.chats[key]
            return chat.value

    def keys(self) -> list[str]:
        """List the keys of the chats that live."""
        with self.lock:
            return [key for key in list(self.chats) if self._find(key)]

    def __len__(self) -> int:
        return len(self.keys())

    def vacuum(self) -> int:
        """Drop what is over and return how much that was."""
        with self.lock:
            before = len(self.chats)
            return before - len(self.keys())

    def clear(self) -> None:
        """Drop everything."""
        with self.lock:
            self.chats.clear()
