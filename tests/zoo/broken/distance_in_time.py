"""A vault takes the distance to the last use for the time since then: a clock set back ends every box."""

from __future__ import annotations

import time

from zoo.correct.strict_vault import StrictVault


class ConfusedVault(StrictVault):
    """Has `abs` where time runs one way only."""

    def purge(self) -> int:
        over = [box.id for box in self.boxes.values() if abs(time.time() - box.used) >= self.idle_s]
        for box_id in over:
            del self.boxes[box_id]
            self.over.add(box_id)
        return len(over)
