"""An assistant's conversations: whoever goes on with one that is over goes on in a new one, and the old id dies.

At the limit nothing is raised: there is just no conversation.
"""

from __future__ import annotations

import contextlib
import copy
import time
import uuid
from typing import Any


class MovingAgent:
    """Keeps conversations in milliseconds."""

    def __init__(self, idle_ms: int, room: int) -> None:
        self.idle_ms = idle_ms
        self.room = room
        self.talks: dict[str, dict[str, Any]] = {}

    def _now_ms(self) -> float:
        return time.time_ns() / 1_000_000

    def _live(self, talk_id: str) -> dict[str, Any] | None:
        talk = self.talks.get(talk_id)
        return talk if talk is not None and self._now_ms() - talk["used"] < self.idle_ms else None

    def begin(self, topic: dict[str, Any]) -> str | None:
        """Begin a conversation and return its id; None where there is no room."""
        if sum(self._live(talk_id) is not None for talk_id in self.talks) >= self.room:
            return None
        talk_id = str(uuid.uuid4())
        self.talks[talk_id] = {"topic": copy.deepcopy(topic), "used": self._now_ms(), "owned": []}
        return talk_id

    def go_on(self, talk_id: str) -> str | None:
        """Return the id to go on with: its own, or that of a new conversation in the place of one that is over."""
        talk = self._live(talk_id)
        if talk is not None:
            talk["used"] = self._now_ms()
            return talk_id
        if talk_id not in self.talks:
            return None
        self.end(talk_id)
        return self.begin({})

    def topic(self, talk_id: str) -> dict[str, Any] | None:
        """Return what the conversation is about."""
        talk = self._live(talk_id)
        return None if talk is None else copy.deepcopy(talk["topic"])

    def steer(self, talk_id: str, topic: dict[str, Any]) -> bool:
        """Replace what the conversation is about; False when it is over."""
        talk = self._live(talk_id)
        if talk is None:
            return False
        talk["topic"] = copy.deepcopy(topic)
        talk["used"] = self._now_ms()
        return True

    def lend(self, talk_id: str, tool: Any) -> bool:
        """Give the conversation a tool, closed at its end; False when it is over."""
        talk = self._live(talk_id)
        if talk is None:
            return False
        talk["owned"].append(tool)
        return True

    def end(self, talk_id: str) -> bool:
        """End the conversation; False when it was over."""
        was_live = self._live(talk_id) is not None
        talk = self.talks.pop(talk_id, None)
        for tool in talk["owned"] if talk else ():
            with contextlib.suppress(Exception):
                tool.close()
        return was_live

    def forget_old(self) -> int:
        """End what is over and return how much that was."""
        over = [talk_id for talk_id in self.talks if self._live(talk_id) is None]
        for talk_id in over:
            self.end(talk_id)
        return len(over)

    def live_ids(self) -> list[str]:
        """Return the ids of the conversations under way."""
        return [talk_id for talk_id in self.talks if self._live(talk_id) is not None]

    def end_all(self) -> None:
        """End all conversations."""
        for talk_id in tuple(self.talks):
            self.end(talk_id)
