"""An amendment replaces all terms of a lease instead of the ones that it names."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from zoo.correct.owned_leases import OwnedLeases


class CarelessLeases(OwnedLeases):
    """Replaces where it should merge."""

    def amend(self, name: str, terms: dict[str, Any]) -> bool:
        amended = super().amend(name, terms)
        if amended:
            self.leases[name] = replace(self.leases[name], terms=dict(terms))
        return amended
