"""The reference manager with other promises than it is shipped with."""

from __future__ import annotations

import math
from dataclasses import replace

from pytest_sessionguard.target.profile import load

_SYNC = load("reference-sync-memory")

# No cleaner comes by: what has expired is there until somebody asks.
UNSWEPT = replace(
    _SYNC,
    args=_SYNC.args.merged({"cleanup_interval_secs": math.inf}),
    policy=replace(_SYNC.policy, sweep_interval=None),
)
