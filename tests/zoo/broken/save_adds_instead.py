"""Steering a conversation adds to its topic where it should replace it: what was left out stays."""

from __future__ import annotations

from typing import Any

from zoo.correct.moving_agent import MovingAgent


class HoardingAgent(MovingAgent):
    """Merges where it should replace."""

    def steer(self, talk_id: str, topic: dict[str, Any]) -> bool:
        return super().steer(talk_id, {**(self.topic(talk_id) or {}), **topic})
