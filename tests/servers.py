"""What tests that need a real server say of it."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from typing import Final

import pytest

needs_redis: Final = pytest.mark.skipif(
    shutil.which("redis-server") is None or find_spec("redis") is None,
    reason="needs redis-server on this machine, and the extra `redis`",
)
