"""A lease that is over lives again when it is renewed before anybody has noticed."""

from __future__ import annotations

import time
from dataclasses import replace

from zoo.correct.owned_leases import OwnedLeases


class RisingLeases(OwnedLeases):
    """Renews without asking whether it is too late."""

    def renew(self, name: str) -> bool:
        with self.lock:
            if name not in self.leases:
                return False
            self.leases[name] = replace(self.leases[name], used=time.monotonic())
            return True
