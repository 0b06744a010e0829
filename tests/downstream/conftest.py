"""The sample repository's own tests run in a copy of it, not here."""

from __future__ import annotations

collect_ignore = ["shop"]
