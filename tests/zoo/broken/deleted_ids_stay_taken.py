"""A vault remembers every id for ever: that of a dropped box cannot be used again."""

from __future__ import annotations

from typing import Any

from zoo.correct.strict_vault import Box, BoxTaken, StrictVault


class GrudgingVault(StrictVault):
    """Forgets boxes, but not their ids."""

    def add(self, content: dict[str, Any], box_id: str | None = None) -> Box:
        if box_id in self.known():
            raise BoxTaken(str(box_id))
        box = super().add(content, box_id)
        self.known().add(box.id)
        return box

    def known(self) -> set[str]:
        """Return every id that was ever used."""
        ids: set[str] = self.__dict__.setdefault("ever", set())
        return ids
