"""What tests that need a real server say of it."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from typing import Final

import pytest

has_redis: Final = shutil.which("redis-server") is not None and find_spec("redis") is not None

needs_redis: Final = pytest.mark.skipif(
    not has_redis,
    reason="needs redis-server on this machine, and the extra `redis`",
)
