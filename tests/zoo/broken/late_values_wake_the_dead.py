"""A value put into an expired chat is kept, and the chat lives again."""

from __future__ import annotations

import copy
import time
from typing import Any

from zoo.correct.chat_cache import ChatCache


class WakingCache(ChatCache):
    """Does not look at the clock before it writes."""

    def put(self, key: str, name: str, value: Any) -> None:
        with self.lock:
            chat = self.chats[key]
            chat.seen = time.monotonic()
            chat.value[name] = copy.deepcopy(value)
