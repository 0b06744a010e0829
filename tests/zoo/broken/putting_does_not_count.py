"""Putting a value renews a chat, but does not move it away from the end at which chats make room."""

from __future__ import annotations

import copy
import time
from typing import Any

from zoo.correct.chat_cache import ChatCache


class ForgetfulCache(ChatCache):
    """Keeps its order by reading alone."""

    def put(self, key: str, name: str, value: Any) -> None:
        with self.lock:
            chat = self._find(key)
            if chat is None:
                raise KeyError(key)
            chat.seen = time.monotonic()
            chat.value[name] = copy.deepcopy(value)
