"""A vault counts the boxes that were made, not those that are there: a dropped box leaves no room."""

from __future__ import annotations

from typing import Any

from zoo.correct.strict_vault import Box, StrictVault, VaultFull


class LeakingVault(StrictVault):
    """Counts up and never down."""

    made = 0

    def add(self, content: dict[str, Any], box_id: str | None = None) -> Box:
        if self.made >= self.room:
            raise VaultFull(f"{self.room} boxes at most")
        box = super().add(content, box_id)
        self.made += 1
        return box
