"""A vault that is asked for a box under an id that is in use throws the old box away instead of refusing."""

from __future__ import annotations

from typing import Any

from zoo.correct.strict_vault import Box, StrictVault


class OverwritingVault(StrictVault):
    """Never says that an id is taken."""

    def add(self, content: dict[str, Any], box_id: str | None = None) -> Box:
        self.boxes.pop(box_id or "", None)
        return super().add(content, box_id)
