"""A vault compares its room with `>`: it takes one box more than it promises."""

from __future__ import annotations

from zoo.correct.strict_vault import StrictVault


class StuffedVault(StrictVault):
    """Is off by one."""

    def __init__(self, idle_s: float, life_s: float, room: int, remembered: int) -> None:
        super().__init__(idle_s, life_s, room + 1, remembered)
