"""A vault looks only at the age of a box, so that one that is never used lives as long as a busy one."""

from __future__ import annotations

from zoo.correct.strict_vault import StrictVault


class PatientVault(StrictVault):
    """Forgets the idle timeout."""

    def purge(self) -> int:
        over = [box.id for box in self.boxes.values() if self.now() - box.made >= self.life_s]
        for box_id in over:
            del self.boxes[box_id]
        return len(over)
