"""Conversations are counted in local time: when daylight saving time begins, an hour of their lives is missing."""

from __future__ import annotations

from datetime import datetime, timedelta

from zoo.correct.moving_agent import MovingAgent


class LocalAgent(MovingAgent):
    """Takes the clock on the wall for the time that passes."""

    def _now_ms(self) -> float:
        return (datetime.now() - datetime(1970, 1, 1)) / timedelta(milliseconds=1)
